// From a host's entry in the file to what the connecting rooms need.
import { isAbsolute, relative, resolve } from 'node:path';
import { parseRoot } from '../core/remote-path.js';
import type { HostProfile } from '../core/ports.js';
import type { NamedFiles } from './files.js';
import { keyText } from './problems.js';
import type { ConfigProblem } from './problems.js';
import { SSH_PORT } from './schema.js';
import type { HostContent } from './schema.js';
import type { EmbeddedHostConfig, HostAuthentication, HostConfig, SshHostConfig } from './types.js';

/** What an entry that fits schema and rules comes to. */
export function toHostConfig(
  host: HostContent,
  index: number,
  context: { baseDirectory: string; files: NamedFiles },
): HostConfig {
  if (host.embedded !== undefined) return toEmbeddedHost(host, host.embedded, context.baseDirectory);
  const content = (name: string): string | undefined => context.files.contents.get(keyText(['hosts', index, name]));
  const knownHosts = content('knownHostsFile');
  return {
    kind: 'ssh',
    profile: toProfile(host),
    address: required(host.address),
    port: host.port ?? SSH_PORT,
    username: required(host.username),
    authentication: toAuthentication(host, content('privateKeyFile')),
    ...(host.hostKeys === undefined ? {} : { hostKeys: host.hostKeys }),
    ...(knownHosts === undefined ? {} : { knownHosts }),
  } satisfies SshHostConfig;
}

function toEmbeddedHost(host: HostContent, embedded: NonNullable<HostContent['embedded']>, base: string): EmbeddedHostConfig {
  return {
    kind: 'embedded',
    profile: toProfile(host),
    directory: resolve(base, embedded.directory),
    port: embedded.port,
    stateDirectory: resolve(base, embedded.stateDirectory),
  };
}

/** An embedded host serves its whole directory; its own keys must not be in it. */
export function checkStateDirectory(host: HostConfig, index: number): readonly ConfigProblem[] {
  if (host.kind !== 'embedded') return [];
  const inside = relative(host.directory, host.stateDirectory);
  if (inside.split(/[\\/]/)[0] === '..' || isAbsolute(inside)) return [];
  return [
    {
      key: keyText(['hosts', index, 'embedded', 'stateDirectory']),
      message: 'must be outside embedded.directory, which clients can read',
    },
  ];
}

function toAuthentication(host: HostContent, privateKey: string | undefined): HostAuthentication {
  if (privateKey !== undefined) {
    return { kind: 'key', privateKey, ...(host.passphrase === undefined ? {} : { passphrase: host.passphrase }) };
  }
  if (host.password !== undefined) return { kind: 'password', password: host.password };
  return { kind: 'agent', socket: required(host.agent) };
}

function toProfile(host: HostContent): HostProfile {
  return {
    id: host.id,
    name: host.name ?? host.id,
    roots: host.roots ?? [required(parseRoot('/'))],
    ...(host.allow === undefined ? {} : { allow: host.allow }),
    strategy: host.strategy,
    durability: host.durability,
    verify: host.verify,
    keepFreeBytes: host.keepFree,
  };
}

/** What the rules have seen to; its absence is a fault of ours. */
function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('a rule of the configuration was not applied');
  return value;
}
