// The only place where parts are built and joined.
import { HostAssembly } from './assembly/staging.js';
import type { Config, EmbeddedHostConfig } from './config.js';
import { createLongshore } from './core/longshore.js';
import type { HostProfile, Log } from './core/ports.js';
import type { Services } from './core/services.js';
import { Sweeper } from './core/sweeper.js';
import { startEmbeddedHost } from './embedded/embedded-host.js';
import type { EmbeddedHost } from './embedded/embedded-host.js';
import { startServer } from './http/server.js';
import { MemoryLockRepository } from './memory/lock-repository.js';
import { MemoryMergeQueue } from './memory/merge-queue.js';
import { MemoryProgressFeed } from './memory/progress-feed.js';
import { createHostRepository } from './sftp/host-repository.js';
import type { SshHostOptions } from './sftp/host-repository.js';
import { createGarbageCount, createHashing, systemClock } from './system.js';

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
    // A byte on its way to an embedded host comes by here twice.
    const onBytes = createGarbageCount({ collectEveryBytes: (embeddedHosts.length > 0 ? 2 : 4) * MIB });
    const hosts = createHostRepository({ hosts: sshHosts, clock: systemClock, log, onBytesRead: onBytes });
    closers.push(() => hosts.close());
    const hashing = createHashing({ onBytes });
    const coordination = config.redis === undefined ? inMemory(config, log) : await inRedis(config.redis, config, log);
    closers.push(() => coordination.close());
    const { locks, feed, queue, ready } = coordination;
    const assembly = new HostAssembly({ clock: systemClock, hashing });
    const services = { hosts, locks, feed, queue, assembly, clock: systemClock, hashing, log, limits: config.limits };
    const longshore = createLongshore(services);
    const sweeper = new Sweeper(services);
    sweeper.start();
    closers.push(() => sweeper.stop());
    const { address, port, origins } = config.listen;
    const { maxChunkBytes } = config.limits;
    const limits = { maxChunkBytes };
    const server = await startServer({ longshore, log, address, port, origins, limits, loopbackOnly: true, ready });
    closers.push(() => server.close());
    return { url: server.url, embeddedHosts, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What gateways have to agree on: who uploads what, how far it is, and which merges are to be made. */
interface Coordination extends Pick<Services, 'locks' | 'feed' | 'queue'> {
  /** Whether it can be asked now. */
  readonly ready: () => Promise<boolean>;
  readonly close: () => Promise<void>;
}

const MERGE_BOUNDS = { concurrency: MERGES_AT_ONCE, concurrencyPerHost: MERGES_AT_ONCE_PER_HOST };

/** For one process. */
function inMemory(config: Config, log: Log): Coordination {
  const queue = new MemoryMergeQueue({ log, ...MERGE_BOUNDS });
  return {
    queue,
    locks: new MemoryLockRepository({ clock: systemClock }),
    feed: new MemoryProgressFeed({ clock: systemClock, ttlMs: config.limits.stagingTtlMs }),
    ready: () => Promise.resolve(true),
    close: () => queue.close(),
  };
}

/** For all processes that name this server. It may be away, also now. */
async function inRedis(url: string, config: Config, log: Log): Promise<Coordination> {
  // Its libraries are large, and most gateways that somebody tries out have no use for them.
  const [{ connectRedis }, { RedisLockRepository }, { RedisProgressFeed }, { RedisMergeQueue }] = await Promise.all([
    import('./redis/connection.js'),
    import('./redis/lock-repository.js'),
    import('./redis/progress-feed.js'),
    import('./redis/merge-queue.js'),
  ]);
  const redis = connectRedis({ url, log });
  const queue = new RedisMergeQueue({ redis, log, ...MERGE_BOUNDS });
  const feed = new RedisProgressFeed({ redis, ttlMs: config.limits.stagingTtlMs });
  return {
    queue,
    feed,
    locks: new RedisLockRepository({ redis }),
    ready: () =>
      redis.ping().then(
        () => true,
        () => false,
      ),
    async close() {
      await queue.close();
      feed.close();
      redis.close();
    },
  };
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
