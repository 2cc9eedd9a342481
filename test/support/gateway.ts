// A gateway over a real sshd and the embedded host, in this process, on free ports, with directories of its own.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startGateway } from '../../src/compose.js';
import { loadConfig } from '../../src/config.js';
import type { KeptLog } from './roles.js';
import { keptLog } from './roles.js';
import type { Sshd, SshdOptions } from './sshd.js';
import { startSshd } from './sshd.js';

export interface TestHost {
  readonly id: string;
  /** The root as clients name it, without a closing slash: '' for `/`. */
  readonly root: string;
  /** The same directory on the local disk. */
  readonly directory: string;
}

export interface TestGateway {
  readonly url: string;
  readonly sshd: Sshd;
  /** By OpenSSH's sshd, and by the embedded server. */
  readonly hosts: { readonly sshd: TestHost; readonly embedded: TestHost };
  readonly log: KeptLog;
  /** Ends the gateway and starts another over the same hosts: what was only in memory is gone. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export interface GatewayOptions {
  readonly sshd?: SshdOptions;
  /** Further lines of the sshd host's entry, such as `durability: strict`. */
  readonly host?: readonly string[];
  /** Further entries for the same sshd, with what is theirs; `root` is the directory that it gives away. */
  readonly hosts?: (root: string) => readonly Readonly<Record<string, unknown>>[];
  /** Further lines at the top level, such as `limits: { … }`. */
  readonly config?: readonly string[];
}

export async function startTestGateway(options: GatewayOptions = {}): Promise<TestGateway> {
  const sshd = await startSshd(options.sshd);
  const directory = mkdtempSync(join(tmpdir(), 'longshore-gateway-'));
  const data = join(directory, 'data');
  const configFile = join(directory, 'longshore.yaml');
  writeFileSync(configFile, configText(sshd, data, options));
  const log = keptLog();
  const start = () => startGateway(loadConfig({ configFile, env: {}, cwd: directory }), log);
  let gateway = await start();
  return {
    get url() {
      return gateway.url;
    },
    sshd,
    log,
    hosts: {
      sshd: { id: 'sshd', root: sshd.root, directory: sshd.root },
      embedded: { id: 'local', root: '', directory: data },
    },
    async restart() {
      await gateway.close();
      gateway = await start();
    },
    async stop() {
      await gateway.close();
      await sshd.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function configText(sshd: Sshd, data: string, options: GatewayOptions): string {
  const { address, port, username, privateKeyFile, hostKeyFingerprint } = sshd;
  const login = { address, port, username, privateKeyFile, hostKeys: [hostKeyFingerprint] };
  const others = (options.hosts?.(sshd.root) ?? []).map((host) => ({ ...login, ...host }));
  return [
    'listen: { address: 127.0.0.1, port: 0 }',
    ...(options.config ?? []),
    'hosts:',
    '  - id: sshd',
    ...Object.entries({ ...login, roots: [sshd.root] }).map(([key, value]) => `    ${key}: ${JSON.stringify(value)}`),
    ...(options.host ?? []).map((line) => `    ${line}`),
    ...others.map((host) => `  - ${JSON.stringify(host)}`),
    '  - id: local',
    `    embedded: { directory: ${data}, port: 0 }`,
    '    roots: [/]',
  ].join('\n');
}
