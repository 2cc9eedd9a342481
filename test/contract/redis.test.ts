import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, vi } from 'vitest';
import type { RedisConnection } from '../../src/redis/connection.js';
import { connectRedis } from '../../src/redis/connection.js';
import { RedisLedger } from '../../src/redis/ledger.js';
import { RedisLockRepository } from '../../src/redis/lock-repository.js';
import { RedisMergeQueue } from '../../src/redis/merge-queue.js';
import { RedisProgressFeed } from '../../src/redis/progress-feed.js';
import type { RedisServer } from '../support/redis-server.js';
import { startRedisServer } from '../support/redis-server.js';
import { keptLog } from '../support/roles.js';
import { ledgerContract } from './ledger.js';
import { lockRepositoryContract } from './lock-repository.js';
import { mergeQueueContract } from './merge-queue.js';
import { progressFeedContract } from './progress-feed.js';

const TTL_MS = 7 * 24 * 60 * 60_000;
/** Longer than any lease. */
const AGE_MS = 60_000;

let server: RedisServer;
beforeAll(async () => {
  server = await startRedisServer();
});
afterAll(() => server.stop());

/** Each test has keys of its own. */
const connect = (): RedisConnection => connectRedis({ url: server.url, log: keptLog(), prefix: randomUUID() });
const advance = async (ms: number): Promise<void> => server.advance(ms);

lockRepositoryContract('redis', async () => {
  const redis = connect();
  const locks = new RedisLockRepository({ redis });
  await locks.seizeMerge({ target: 'first', person: 'p', upload: 'u', ttlMs: 1_000, token: 't', leaseMs: 1_000 });
  await advance(AGE_MS);
  return { locks, advance, stop: async () => redis.close() };
});

ledgerContract('redis', async () => {
  const redis = connect();
  return {
    ledger: new RedisLedger({ redis }),
    advance,
    leftovers: () => redis.call((client) => client.keys(`${redis.keys.prefix}:*`)).then((keys) => keys.length),
    stop: async () => redis.close(),
  };
});

progressFeedContract('redis', async () => {
  const redis = connect();
  const feed = new RedisProgressFeed({ redis, ttlMs: TTL_MS });
  return {
    feed,
    ttlMs: TTL_MS,
    advance,
    delivered: () => delivered(feed),
    leftovers: () => leftovers(redis, feed),
    stop: async () => {
      feed.close();
      redis.close();
    },
  };
});

mergeQueueContract('redis', async (bounds) => {
  const redis = connect();
  const queue = new RedisMergeQueue({ ttlMs: 60_000, redis, log: keptLog(), ...bounds });
  return {
    queue,
    settled: () => settled(redis, queue, bounds.concurrency),
    stop: async () => {
      await queue.close();
      redis.close();
    },
  };
});

/** What comes over the one connection comes in order: after this, everything that was told and subscribed before. */
async function delivered(feed: RedisProgressFeed): Promise<void> {
  const id = randomUUID();
  const probe = feed.watch(id)[Symbol.asyncIterator]();
  const next = probe.next();
  await feed.publish(id, { phase: 'QUEUED', doneBytes: 0, totalBytes: 0, percent: 0, proved: false, updatedAt: 0 });
  await next;
  await probe.return?.();
  await feed.forget(id);
}

/** Unsubscribing is on its way when a watcher has left. */
async function leftovers(redis: RedisConnection, feed: RedisProgressFeed): Promise<number> {
  const count = async (): Promise<number> => {
    const keys = await redis.call((client) => client.keys(`${redis.keys.prefix}:*`));
    const channels = await redis.call((client) => client.pubsub('CHANNELS', `${redis.keys.prefix}:*`));
    return feed.size + keys.length + channels.length;
  };
  await vi.waitFor(async () => {
    if ((await count()) > 0) throw new Error('something is left');
  });
  return count();
}

/** What the store says and what this process does are the same, twice in a row, and nothing that could start waits. */
async function settled(redis: RedisConnection, queue: RedisMergeQueue, concurrency: number): Promise<void> {
  const length = (list: string) => redis.call((client) => client.llen(`${redis.keys.prefix}:merges:${list}`));
  const check = async (): Promise<void> => {
    const [waiting, active] = await Promise.all([length('wait'), length('active')]);
    const isFull = active === concurrency;
    if (active !== queue.runningCount || (waiting > 0 && !isFull)) throw new Error(`${waiting} wait, ${active} are active`);
  };
  await vi.waitFor(
    async () => {
      if (queue.isClosing) return;
      await check();
      await check();
    },
    { timeout: 5_000, interval: 5 },
  );
}
