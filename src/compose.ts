// The only place where parts are built and joined.
import { HostAssembly } from './assembly/staging.js';
import type { Config, EmbeddedHostConfig } from './config.js';
import { createLongshore } from './core/longshore.js';
import type { HostProfile, Log } from './core/ports.js';
import { startEmbeddedHost } from './embedded/embedded-host.js';
import type { EmbeddedHost } from './embedded/embedded-host.js';
import { startServer } from './http/server.js';
import { MemoryLockRepository } from './memory/lock-repository.js';
import { MemoryMergeQueue } from './memory/merge-queue.js';
import { MemoryProgressFeed } from './memory/progress-feed.js';
import { createHostRepository } from './sftp/host-repository.js';
import type { SshHostOptions } from './sftp/host-repository.js';
import { createHashing, systemClock } from './system.js';

export interface Gateway {
  /** Such as `http://127.0.0.1:4000`. */
  readonly url: string;
  /** Of the embedded hosts, for people who want to look at them with other clients. */
  readonly embeddedHosts: readonly EmbeddedHost[];
  /** Lets requests finish for a while, then ends everything. Merges that run go on after the next start. */
  close(): Promise<void>;
}

/** Hashing and renaming load a host's disk: more at once would only slow each other down. */
const MERGES_AT_ONCE = 8;
const MERGES_AT_ONCE_PER_HOST = 3;

/** Resolves when the gateway listens. On a failure nothing stays open. */
export async function startGateway(config: Config, log: Log): Promise<Gateway> {
  const closers: (() => Promise<void>)[] = [];
  const close = async () => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    const embeddedHosts: EmbeddedHost[] = [];
    const sshHosts: SshHostOptions[] = [];
    for (const host of config.hosts) {
      if (host.kind === 'ssh') {
        sshHosts.push(host);
        continue;
      }
      const embedded = await startEmbedded(host, log);
      closers.push(() => embedded.close());
      embeddedHosts.push(embedded);
      sshHosts.push(asSshHost(host, embedded));
    }
    const hosts = createHostRepository({ hosts: sshHosts, clock: systemClock, log });
    closers.push(() => hosts.close());
    // A byte on its way to an embedded host comes by here twice.
    const hashing = createHashing({ collectEveryBytes: (embeddedHosts.length > 0 ? 2 : 4) * MIB });
    const queue = new MemoryMergeQueue({ log, concurrency: MERGES_AT_ONCE, concurrencyPerHost: MERGES_AT_ONCE_PER_HOST });
    closers.push(() => queue.close());
    const longshore = createLongshore({
      hosts,
      queue,
      locks: new MemoryLockRepository({ clock: systemClock }),
      feed: new MemoryProgressFeed({ clock: systemClock, ttlMs: config.limits.stagingTtlMs }),
      assembly: new HostAssembly({ clock: systemClock, hashing }),
      clock: systemClock,
      hashing,
      log,
      limits: config.limits,
    });
    const { address, port, origins } = config.listen;
    const { maxChunkBytes } = config.limits;
    const server = await startServer({ longshore, log, address, port, origins, limits: { maxChunkBytes }, loopbackOnly: true });
    closers.push(() => server.close());
    return { url: server.url, embeddedHosts, close };
  } catch (error) {
    await close();
    throw error;
  }
}

const LOOPBACK = '127.0.0.1';
const MIB = 1024 * 1024;
/** There is no way between us that it would have to fill; what is under way lies in this process's memory several times. */
const EMBEDDED_WINDOW_BYTES = MIB / 2;

/** On its port, or on any when another program has that. */
async function startEmbedded(host: EmbeddedHostConfig, log: Log): Promise<EmbeddedHost> {
  const { directory, stateDirectory, port } = host;
  const options = { directory, stateDirectory, address: LOOPBACK, log } as const;
  try {
    return await startEmbeddedHost({ ...options, port });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    const embedded = await startEmbeddedHost({ ...options, port: 0 });
    log.warn({ host: host.profile.id, wantedPort: port, port: embedded.port }, 'port of the embedded host was taken');
    return embedded;
  }
}

/** To the gateway the embedded host is an SSH host as any other. It runs no commands; what its own hashing is too small for is read back. */
function asSshHost(host: EmbeddedHostConfig, embedded: EmbeddedHost): SshHostOptions {
  const { port, username, privateKey, hostKeyFingerprint } = embedded;
  const authentication = { kind: 'key', privateKey } as const;
  const profile: HostProfile = { ...host.profile, verify: 'read-back' };
  const login = { address: LOOPBACK, port, username, authentication, hostKeys: [hostKeyFingerprint] };
  return { profile, ...login, writeWindowBytes: EMBEDDED_WINDOW_BYTES };
}
