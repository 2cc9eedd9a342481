// The only place where parts are built and joined.
import { HostAssembly } from './assembly/staging.js';
import { ConfigError } from './config.js';
import type { Config, EmbeddedHostConfig } from './config.js';
import { createLongshore, takeMerges } from './core/longshore.js';
import type { Audit, HostProfile, Log } from './core/ports.js';
import type { Services } from './core/services.js';
import { Sweeper } from './core/sweeper.js';
import { startEmbeddedHost } from './embedded/embedded-host.js';
import type { EmbeddedHost } from './embedded/embedded-host.js';
import { createAuthentication } from './http/identity/authentication.js';
import { startOperationsServer } from './http/operations-server.js';
import type { MetricsPage, Obstacles } from './http/pages/operations.js';
import { startServer } from './http/server.js';
import { MemoryLedger } from './memory/ledger.js';
import { MemoryLockRepository } from './memory/lock-repository.js';
import { MemoryMergeQueue } from './memory/merge-queue.js';
import { MemoryProgressFeed } from './memory/progress-feed.js';
import { Metrics } from './metrics/metrics.js';
import type { MetricSources, MetricsOptions } from './metrics/metrics.js';
import { createHostRepository } from './sftp/host-repository.js';
import type { SshHostOptions } from './sftp/host-repository.js';
import { auditInto, createGarbageCount, createHashing, systemClock } from './system.js';

export interface Gateway {
  /** Such as `http://127.0.0.1:4000`. */
  readonly url: string;
  /** Of the embedded hosts, for people who want to look at them with other clients. */
  readonly embeddedHosts: readonly EmbeddedHost[];
  /** Where monitoring has a port of its own. */
  readonly monitoringUrl?: string;
  /** Lets requests finish for a while, then ends everything. Merges that run go on after the next start, or in another process. */
  close(): Promise<void>;
}

/** Runs merges for gateways that share its Redis, and sweeps; takes no calls. */
export interface MergeWorker {
  /** Ids of the hosts it works on. */
  readonly hosts: readonly string[];
  /** Where monitoring has a port. */
  readonly monitoringUrl?: string;
  /** Ends everything. Merges that run go on in another process, or after the next start. */
  close(): Promise<void>;
}

/** In each process. Hashing and renaming load a host's disk: more at once would only slow each other down. */
const MERGES_AT_ONCE = 8;
const MERGES_AT_ONCE_PER_HOST = 3;

/** Resolves when the gateway listens. On a failure nothing stays open. */
export function startGateway(
  config: Config,
  log: Log,
  audit: Audit = auditInto(log),
  measuring: MetricsOptions = {},
): Promise<Gateway> {
  const metrics = new Metrics(measuring);
  return opening(async (open) => {
    const onBytes = createGarbageCount({ collectEveryBytes: COLLECT_EVERY_BYTES });
    const embeddedHosts: EmbeddedHost[] = [];
    const sshHosts: SshHostOptions[] = [];
    for (const host of config.hosts) {
      if (host.kind === 'ssh') {
        sshHosts.push(host);
        continue;
      }
      const embedded = await startEmbedded(host, log, onBytes);
      open.push(() => embedded.close());
      embeddedHosts.push(embedded);
      sshHosts.push(asSshHost(host, embedded));
    }
    const { services, obstacles } = await startServices({ config, log, audit, sshHosts, onBytes, metrics }, open);
    const monitoring = await startMonitoring({ config, log, metrics, obstacles }, open);
    const longshore = metrics.calls(createLongshore(services));
    startSweeper(services, open);
    const authenticate = createAuthentication(config.auth, {
      ...services,
      profiles: config.hosts.map(({ profile }) => profile),
    });
    const loopbackOnly = config.auth.mode === 'none';
    const { listen, introspection, limits } = config;
    const server = await startServer({
      longshore,
      log,
      audit: services.audit,
      ...listen,
      introspection,
      limits,
      authenticate,
      loopbackOnly,
      obstacles,
      metrics: ownMetricsPage(config, metrics),
    });
    metrics.watchWebSockets(() => server.webSocketCount);
    open.push(() => server.close());
    // First of all, so that nobody sends more here while what is under way ends.
    open.push(async () => monitoring?.stop());
    return { url: server.url, embeddedHosts, ...(monitoring && { monitoringUrl: monitoring.url }) };
  });
}

/**
 * For a configuration as gateways have it. An embedded host is its gateway's: it is left out, and its merges are left to that gateway.
 * `ConfigError` without `redis`, or without any other host. On a failure nothing stays open.
 */
export function startWorker(
  config: Config,
  log: Log,
  audit: Audit = auditInto(log),
  measuring: MetricsOptions = {},
): Promise<MergeWorker> {
  const metrics = new Metrics(measuring);
  return opening(async (open) => {
    const sshHosts = config.hosts.filter((host) => host.kind === 'ssh');
    const problems = [];
    if (config.redis === undefined) problems.push({ key: 'redis', message: 'a worker needs the Redis of its gateways' });
    if (sshHosts.length === 0) problems.push({ key: 'hosts', message: 'a worker has nothing to do with embedded hosts alone' });
    if (problems.length > 0) throw new ConfigError(problems);
    const onBytes = createGarbageCount({ collectEveryBytes: COLLECT_EVERY_BYTES });
    const { services, obstacles } = await startServices({ config, log, audit, sshHosts, onBytes, metrics }, open);
    const monitoring = await startMonitoring({ config, log, metrics, obstacles }, open);
    takeMerges(services);
    startSweeper(services, open);
    open.push(async () => monitoring?.stop());
    const hosts = sshHosts.map((host) => host.profile.id);
    return { hosts, ...(monitoring && { monitoringUrl: monitoring.url }) };
  });
}

/** What is open, in the order it was opened; closed in the reverse. */
type Closers = (() => Promise<void>)[];

/** What `start` gives, and how to close what it opened. When it fails that is closed at once. */
async function opening<T>(start: (open: Closers) => Promise<T>): Promise<T & { close(): Promise<void> }> {
  const open: Closers = [];
  const close = async () => {
    for (const closer of open.splice(0).reverse()) await closer();
  };
  try {
    return { ...(await start(open)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

interface Parts {
  readonly config: Config;
  readonly log: Log;
  readonly audit: Audit;
  readonly sshHosts: readonly SshHostOptions[];
  /** Told of all content bytes that pass. */
  readonly onBytes: (bytes: number) => void;
  readonly metrics: Metrics;
}

/** What gateways and workers are built from alike. */
async function startServices({ config, log, audit, sshHosts, onBytes, metrics }: Parts, open: Closers) {
  const hosts = createHostRepository({ hosts: sshHosts, clock: systemClock, log, onBytesRead: onBytes });
  open.push(() => hosts.close());
  const hashing = createHashing({ onBytes });
  const coordination =
    config.redis === undefined ? inMemory(config, log) : await inRedis(config.redis, { config, log, sshHosts });
  open.push(() => coordination.close());
  const { locks, feed, queue, ledger, mergeJobs, obstacles } = coordination;
  metrics.watch({ hosts: () => hosts.counts(), mergeJobs });
  const assembly = new HostAssembly({ clock: systemClock, hashing });
  const measured = { hosts: metrics.hosts(hosts), ledger: metrics.ledger(ledger), audit: metrics.audit(audit) };
  const roles = { locks, feed, queue, assembly, clock: systemClock, hashing, log };
  const services: Services = { ...roles, ...measured, limits: config.limits };
  return { services, obstacles };
}

interface MonitoringParts extends Pick<Parts, 'config' | 'log' | 'metrics'> {
  readonly obstacles: () => Promise<Obstacles>;
}

/** Where it has a port of its own. */
async function startMonitoring({ config, log, metrics, obstacles }: MonitoringParts, open: Closers) {
  const { listen, token } = config.metrics;
  if (listen === undefined) return undefined;
  const page = { read: () => metrics.read(), token };
  const server = await startOperationsServer({ ...listen, log, obstacles, metrics: page });
  open.push(() => server.close());
  return server;
}

/** The page where callers are: not for those who would have to log in for all else, and not where monitoring has its own port. */
function ownMetricsPage({ auth, metrics: { listen, token } }: Config, metrics: Metrics): MetricsPage | undefined {
  const isShown = listen === undefined && (auth.mode === 'none' || token !== undefined);
  return isShown ? { read: () => metrics.read(), token } : undefined;
}

function startSweeper(services: Services, open: Closers): void {
  const sweeper = new Sweeper(services);
  sweeper.start();
  open.push(() => sweeper.stop());
}

/** What gateways have to agree on: who uploads what, how far it is, and which merges are to be made. */
interface Coordination extends Pick<Services, 'locks' | 'feed' | 'queue' | 'ledger'> {
  /** What keeps it from being asked now. */
  readonly obstacles: () => Promise<Obstacles>;
  /** Of all that share it; rejects when it can't be asked. */
  readonly mergeJobs: MetricSources['mergeJobs'];
  readonly close: () => Promise<void>;
}

const MERGE_BOUNDS = { concurrency: MERGES_AT_ONCE, concurrencyPerHost: MERGES_AT_ONCE_PER_HOST };

/** For one process. */
function inMemory(config: Config, log: Log): Coordination {
  const queue = new MemoryMergeQueue({ log, ...MERGE_BOUNDS });
  return {
    queue,
    locks: new MemoryLockRepository({ clock: systemClock }),
    ledger: new MemoryLedger({ clock: systemClock }),
    feed: new MemoryProgressFeed({ clock: systemClock, ttlMs: config.limits.stagingTtlMs }),
    obstacles: () => Promise.resolve([]),
    mergeJobs: () => queue.counts(),
    close: () => queue.close(),
  };
}

/** For all processes that name this server. It may be away, also now. */
async function inRedis(
  url: string,
  { config, log, sshHosts }: Pick<Parts, 'config' | 'log' | 'sshHosts'>,
): Promise<Coordination> {
  // Its libraries are large, and most gateways that somebody tries out have no use for them.
  const [{ connectRedis }, { RedisLockRepository }, { RedisLedger }, { RedisProgressFeed }, { RedisMergeQueue }] =
    await Promise.all([
      import('./redis/connection.js'),
      import('./redis/lock-repository.js'),
      import('./redis/ledger.js'),
      import('./redis/progress-feed.js'),
      import('./redis/merge-queue.js'),
    ]);
  const redis = connectRedis({ url, log });
  const queue = new RedisMergeQueue({
    ttlMs: config.limits.stagingTtlMs,
    redis,
    log,
    hosts: sshHosts.map((host) => host.profile.id),
    ...MERGE_BOUNDS,
  });
  const feed = new RedisProgressFeed({ redis, ttlMs: config.limits.stagingTtlMs });
  return {
    queue,
    feed,
    locks: new RedisLockRepository({ redis }),
    ledger: new RedisLedger({ redis }),
    obstacles: () =>
      redis.ping().then(
        () => [],
        () => ['COORDINATION_UNAVAILABLE'],
      ),
    mergeJobs: () => queue.counts(),
    async close() {
      await queue.close();
      feed.close();
      redis.close();
    },
  };
}

const LOOPBACK = '127.0.0.1';
const MIB = 1024 * 1024;
/** See `createGarbageCount`. */
const COLLECT_EVERY_BYTES = 4 * MIB;
/** There is no way between us that it would have to fill; what is under way lies in this process's memory several times. */
const EMBEDDED_WINDOW_BYTES = MIB / 2;

/** On its port, or on any when another program has that. */
async function startEmbedded(host: EmbeddedHostConfig, log: Log, onBytes: Parts['onBytes']): Promise<EmbeddedHost> {
  const { directory, stateDirectory, port } = host;
  const options = { directory, stateDirectory, address: LOOPBACK, log, onBytes } as const;
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
