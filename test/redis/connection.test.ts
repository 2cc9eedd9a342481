// The store's bad days: every call is answered within two seconds, and works again when they are over.
import { createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RemotePath } from '../../src/core/remote-path.js';
import type { RedisConnection } from '../../src/redis/connection.js';
import { connectRedis } from '../../src/redis/connection.js';
import { RedisLockRepository } from '../../src/redis/lock-repository.js';
import { RedisMergeQueue } from '../../src/redis/merge-queue.js';
import { RedisProgressFeed } from '../../src/redis/progress-feed.js';
import { listenOnLoopback } from '../support/port.js';
import { startProxy } from '../support/proxy.js';
import type { RedisServer } from '../support/redis-server.js';
import { startRedisServer } from '../support/redis-server.js';
import type { KeptLog } from '../support/roles.js';
import { keptLog } from '../support/roles.js';
import { expectUnavailable } from './support.js';

const CLAIM = { target: 't', person: 'p', upload: 'u', ttlMs: 900_000 };
const MOVE = { move: 'never', idleMs: 0, isFresh: true } as const;
const LEASE = { ...CLAIM, token: 'x', leaseMs: 10_000 };
const FACTS = { finishedAt: 1, size: 2, proved: true, etag: 'e' };
const STATE = { phase: 'QUEUED', doneBytes: 0, totalBytes: 1, percent: 0, proved: false, updatedAt: 0 } as const;
const PLAN = { size: 10, chunkSize: 4, chunkCount: 3 };
const JOB = { id: 'j', hostId: 'h', target: '/t' as RemotePath, person: 'p', hashCode: 'c' };

/** Everything the room offers, by name. */
function callsOf(redis: RedisConnection): Record<string, () => Promise<unknown>> {
  const locks = new RedisLockRepository({ redis });
  const feed = new RedisProgressFeed({ redis, ttlMs: 60_000 });
  const queue = new RedisMergeQueue({ ttlMs: 60_000, redis, log: keptLog(), concurrency: 1, concurrencyPerHost: 1 });
  return {
    ping: () => redis.ping(),
    claim: () => locks.claim({ ...CLAIM, ...MOVE }),
    holder: () => locks.holder('t'),
    release: () => locks.release(CLAIM),
    leaseSlot: () => locks.leaseSlot({ ...LEASE, index: 1 }),
    releaseSlot: () => locks.releaseSlot({ ...LEASE, index: 1 }),
    leaseMerge: () => locks.leaseMerge(LEASE),
    seizeMerge: () => locks.seizeMerge(LEASE),
    releaseMerge: () => locks.releaseMerge(LEASE),
    finish: () => locks.finish('u', 't', FACTS, 1_000),
    finished: () => locks.finished('u', 't'),
    forget: () => locks.forget('u', 't'),
    leaseChore: () => locks.leaseChore('c', 'x', 1_000),
    publish: () => feed.publish('i', STATE),
    last: () => feed.last('i'),
    received: () => feed.received('i', 1, { plan: PLAN, bytes: 0 }),
    arriving: () => feed.arriving('i', { plan: PLAN, bytes: 1 }),
    begin: () => feed.begin('i', STATE),
    ask: () => feed.ask('i', STATE),
    asked: () => feed.asked('i'),
    knowReceived: () => feed.knowReceived('i', [1], PLAN),
    forgetProgress: () => feed.forget('i'),
    watch: async () => {
      const watcher = feed.watch('i')[Symbol.asyncIterator]();
      await feed.publish('i', STATE).catch(() => undefined);
      await watcher.next();
      await watcher.return?.();
    },
    add: () => queue.add(JOB),
    has: () => queue.has('j'),
    remove: () => queue.remove('j'),
  };
}

const expectAllUnavailable = async (calls: Record<string, () => Promise<unknown>>): Promise<void> => {
  const failures = await Promise.all(
    Object.entries(calls).map(async ([name, call]) => {
      // Publishing first would make two calls of one.
      if (name === 'watch') return undefined;
      return expectUnavailable(call).then(
        () => undefined,
        (error: unknown) => `${name}: ${String(error)}`,
      );
    }),
  );
  expect(failures.filter((failure) => failure !== undefined)).toEqual([]);
};

const expectAllWork = async (calls: Record<string, () => Promise<unknown>>): Promise<void> => {
  await vi.waitFor(() => calls['ping']?.(), { timeout: 10_000, interval: 50 });
  for (const call of Object.values(calls)) await vi.waitFor(call, { timeout: 10_000, interval: 50 });
};

const told = (log: KeptLog, event: string): number => log.entries.filter((entry) => entry.event === event).length;

let server: RedisServer;
let log: KeptLog;
const connections: RedisConnection[] = [];
const connect = (url: string): RedisConnection => {
  const redis = connectRedis({ url, log });
  connections.push(redis);
  return redis;
};

beforeEach(async () => {
  log = keptLog();
  server = await startRedisServer();
});
afterEach(async () => {
  for (const redis of connections.splice(0)) redis.close();
  await server.stop();
});

describe('calls', () => {
  it('right after the beginning wait for the connection', async () => {
    await expect(new RedisLockRepository({ redis: connect(server.url) }).holder('t')).resolves.toBeUndefined();
  });

  it('are refused while nobody listens, and work when the server is back', async () => {
    const calls = callsOf(connect(server.url));
    await expectAllWork(calls);
    await server.kill();
    await expectAllUnavailable(calls);
    await expectAllUnavailable(calls);
    await server.restart();
    await expectAllWork(calls);
  });

  it('are refused at once when the server has been away for a while', async () => {
    const redis = connect(server.url);
    await redis.ping();
    await server.kill();
    await expectUnavailable(() => redis.ping());
    await vi.waitFor(async () => {
      const startedAt = performance.now();
      await expectUnavailable(() => redis.ping());
      expect(performance.now() - startedAt).toBeLessThan(100);
    });
  });

  it('wait out a connection that is lost for a moment', async () => {
    const redis = connect(server.url);
    await redis.ping();
    await connect(server.url).call((client) => client.call('CLIENT', 'KILL', 'TYPE', 'normal'));
    await vi.waitFor(() => expect(told(log, 'redis is away')).toBe(1), { interval: 1 });
    await expect(redis.ping()).resolves.toBeUndefined();
  });

  it('are refused while the server is frozen, and work when it goes on', async () => {
    const calls = callsOf(connect(server.url));
    await expectAllWork(calls);
    server.pause();
    await expectAllUnavailable(calls);
    await expectAllUnavailable(calls);
    await expectAllUnavailable(calls);
    server.resume();
    await expectAllWork(calls);
  });

  it('are refused when the server is frozen from the beginning', async () => {
    server.pause();
    const calls = callsOf(connect(server.url));
    await expectAllUnavailable(calls);
    server.resume();
    await expectAllWork(calls);
  });

  it('are refused when nobody listens at the address, ever', async () => {
    const closed = createServer();
    const port = await listenOnLoopback(closed);
    await new Promise((resolve) => closed.close(resolve));
    await expectAllUnavailable(callsOf(connect(`redis://127.0.0.1:${port}`)));
  });

  it('are refused when the host has no address', async () => {
    await expectUnavailable(() => connect('redis://nowhere.invalid').ping());
  });

  it('are refused while the server loads its data', async () => {
    // 2 000 keys of 1 KiB at 2 ms each, and ears for others in between.
    const args = ['--key-load-delay', '2000', '--loading-process-events-interval-bytes', '1024'];
    await server.stop();
    server = await startRedisServer({ args });
    const redis = connect(server.url);
    await redis.call((client) => client.eval(`for i = 1, 2000 do redis.call('SET', i, string.rep('x', 1024)) end`, 0));
    await redis.call((client) => client.save());
    const restarting = server.restart({ keepingData: true });
    await vi.waitFor(() => expect(told(log, 'redis is away')).toBe(1));
    await expectUnavailable(() => redis.ping());
    await restarting;
    await vi.waitFor(() => redis.ping(), { timeout: 5_000 });
  });

  it.each<[string, (redis: RedisConnection) => Promise<unknown>, (redis: RedisConnection) => Promise<unknown>]>([
    [
      'has no memory left',
      (redis) => redis.call((client) => client.config('SET', 'maxmemory', '1')),
      (redis) => redis.call((client) => client.config('SET', 'maxmemory', '0')),
    ],
    [
      'takes no writes as a replica',
      (redis) => redis.call((client) => client.config('SET', 'replica-serve-stale-data', 'yes')).then(() => replica(redis)),
      (redis) => redis.call((client) => client.replicaof('NO', 'ONE')),
    ],
    [
      'has something else under our names',
      (redis) => redis.call((client) => client.set(redis.keys.claim('t'), 'a string')),
      (redis) => redis.call((client) => client.del(redis.keys.claim('t'))),
    ],
  ])('are refused while the server %s', async (_, spoil, mend) => {
    const redis = connect(server.url);
    const locks = new RedisLockRepository({ redis });
    const admin = connect(server.url);
    await admin.ping();
    await spoil(admin);
    await expectUnavailable(() => locks.claim({ ...CLAIM, ...MOVE }));
    await expectUnavailable(() => locks.leaseSlot({ ...LEASE, index: 1 }));
    await mend(admin);
    await vi.waitFor(() => locks.claim({ ...CLAIM, ...MOVE }), { timeout: 5_000 });
  });

  it('that Redis answers with an error are told in the log, once for each kind and script', async () => {
    const redis = connect(server.url);
    const locks = new RedisLockRepository({ redis });
    await redis.call((client) => client.set(redis.keys.claim('t'), 'a string'));
    for (let time = 1; time <= 3; time++) {
      await expectUnavailable(() => locks.claim({ ...CLAIM, ...MOVE }));
      await expectUnavailable(() => locks.leaseSlot({ ...LEASE, index: 1 }));
    }
    const refusals = log.entries.filter((entry) => entry.event === 'redis refuses').map((entry) => entry.fields);
    expect(refusals).toMatchObject([
      { refusal: 'WRONGTYPE', script: 'claim' },
      { refusal: 'WRONGTYPE', script: 'lease-slot' },
    ]);
  });

  it('are refused with a wrong password, which is in no log', async () => {
    await server.stop();
    server = await startRedisServer({ password: 'right' });
    await connect(server.url).ping();
    const redis = connect(server.url.replace('right', 'very-wrong'));
    await expectUnavailable(() => redis.ping());
    expect(JSON.stringify(log.entries)).toContain('WRONGPASS');
    expect(JSON.stringify(log.entries)).not.toContain('very-wrong');
  });

  it('are refused after close', async () => {
    const redis = connect(server.url);
    await redis.ping();
    redis.close();
    await expectUnavailable(() => redis.ping());
  });
});

/** Of a primary that nobody is. */
async function replica(redis: RedisConnection): Promise<void> {
  await redis.call((client) => client.replicaof('127.0.0.1', 1));
}

describe('an outage', () => {
  it('is told once when it begins and once when it ends, however often is tried', async () => {
    const proxy = await startProxy({ address: '127.0.0.1', port: server.port });
    const redis = connect(`redis://127.0.0.1:${proxy.port}`);
    await redis.ping();
    await server.kill();
    const before = proxy.accepted();
    await vi.waitFor(() => expect(proxy.accepted()).toBeGreaterThan(before + 4), { timeout: 10_000 });
    expect([told(log, 'redis is away'), told(log, 'redis is back')]).toEqual([1, 0]);
    await server.restart();
    await vi.waitFor(() => redis.ping(), { timeout: 5_000 });
    expect([told(log, 'redis is away'), told(log, 'redis is back')]).toEqual([1, 1]);
    redis.close();
    await proxy.stop();
  });

  it('of a network that swallows everything ends with a new connection', async () => {
    const proxy = await startProxy({ address: '127.0.0.1', port: server.port });
    const redis = connect(`redis://127.0.0.1:${proxy.port}`);
    await redis.ping();
    const before = proxy.accepted();
    proxy.hold();
    await expectUnavailable(() => redis.ping());
    await vi.waitFor(() => expect(proxy.accepted()).toBeGreaterThan(before), { timeout: 5_000 });
    proxy.release();
    await vi.waitFor(() => redis.ping(), { timeout: 8_000 });
    redis.close();
    await proxy.stop();
  });

  it('leaves no socket behind a closed connection', async () => {
    const sockets = (): number => process.getActiveResourcesInfo().filter((name) => name.startsWith('TCPSocket')).length;
    const before = sockets();
    const redis = connect(server.url);
    await redis.ping();
    server.pause();
    redis.close();
    await vi.waitFor(() => expect(sockets()).toBe(before), { timeout: 4_000 });
    server.resume();
  });
});
