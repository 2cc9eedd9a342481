// States told through one process and watched through another, and watchers that outlive the store's absence.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { MergePhase, MergeProgress } from '../../src/core/progress.js';
import { connectRedis } from '../../src/redis/connection.js';
import type { RedisConnection } from '../../src/redis/connection.js';
import { RedisProgressFeed } from '../../src/redis/progress-feed.js';
import { startProxy } from '../support/proxy.js';
import type { RedisServer } from '../support/redis-server.js';
import { startRedisServer } from '../support/redis-server.js';
import { Processes, expectUnavailable } from './support.js';

const TTL_MS = 60_000;
const PLAN = { size: 1_000, chunkSize: 10, chunkCount: 100 };
const END = { done: true, value: undefined };

function state(phase: MergePhase, doneBytes = 0): MergeProgress {
  return { phase, doneBytes, totalBytes: 10, percent: doneBytes * 10, proved: false, updatedAt: doneBytes };
}

let server: RedisServer;
let processes: Processes;
let redis: RedisConnection;
/** One to tell through, one to watch through. */
let telling: RedisProgressFeed;
let feed: RedisProgressFeed;

beforeAll(async () => {
  server = await startRedisServer();
});
afterAll(() => server.stop());
beforeEach(async () => {
  processes = new Processes(server.url);
  redis = processes.connect();
  telling = new RedisProgressFeed({ redis: processes.connect(), ttlMs: TTL_MS });
  feed = new RedisProgressFeed({ redis, ttlMs: TTL_MS });
  await redis.ping();
});
afterEach(() => {
  telling.close();
  feed.close();
  processes.close();
});

const watch = (id = 'upload-1'): AsyncIterator<MergeProgress> => feed.watch(id)[Symbol.asyncIterator]();
const publish = (progress: MergeProgress, id = 'upload-1') => telling.publish(id, progress);
/** A watcher that was told the first state, so that it is there. */
async function watching(id = 'upload-1'): Promise<AsyncIterator<MergeProgress>> {
  await publish(state('QUEUED'), id);
  const watcher = watch(id);
  await watcher.next();
  return watcher;
}
const whenBack = () => vi.waitFor(() => Promise.all([redis.ping(), telling.last('x')]), { timeout: 10_000, interval: 20 });

describe('between two processes', () => {
  it('a watcher who is early is told', async () => {
    const next = watch().next();
    await publish(state('VERIFYING', 1));
    expect((await next).value).toEqual(state('VERIFYING', 1));
  });

  it('a watcher who is late is told the end, and ends', async () => {
    await publish(state('DONE', 10));
    const seen: MergePhase[] = [];
    for await (const progress of feed.watch('upload-1')) seen.push(progress.phase);
    expect(seen).toEqual(['DONE']);
  });

  it('a watcher who is slow gets the latest, and always the end', async () => {
    const watcher = await watching();
    for (const done of [1, 2, 3]) await publish(state('VERIFYING', done));
    const probe = await watching('probe');
    await publish(state('DONE', 10), 'probe');
    await probe.next();
    expect((await watcher.next()).value).toMatchObject({ doneBytes: 3 });
    await publish(state('VERIFYING', 4));
    await publish(state('DONE', 10));
    const rest: unknown[] = [];
    for (let result = await watcher.next(); result.done !== true; result = await watcher.next()) rest.push(result.value.phase);
    expect(rest.at(-1)).toBe('DONE');
  });

  it('watchers of one upload share one subscription, which ends with the last of them', async () => {
    const channels = () => redis.call((client) => client.pubsub('CHANNELS', `${redis.keys.prefix}:*`));
    const [one, two] = [await watching(), watch()];
    await two.next();
    expect(await channels()).toEqual([redis.keys.told('upload-1')]);
    await one.return?.();
    const next = two.next();
    await publish(state('VERIFYING', 1));
    expect((await next).value).toMatchObject({ doneBytes: 1 });
    await two.return?.();
    await vi.waitFor(async () => expect(await channels()).toEqual([]));
    expect(feed.size).toBe(0);
  });

  it('an upload is watched again at once after the last watcher left', async () => {
    for (let round = 1; round <= 20; round++) {
      const watcher = await watching();
      void watcher.next();
      await watcher.return?.();
      const again = watch();
      await again.next();
      const next = again.next();
      await publish(state('VERIFYING', round));
      expect((await next).value).toMatchObject({ doneBytes: round });
      await again.return?.();
    }
  });

  it('chunks that come through both are counted together', async () => {
    await feed.knowReceived('upload-1', [1, 2], PLAN);
    const watcher = watch();
    const seen: number[] = [];
    const rest = Array.from({ length: 98 }, (_, at) => at + 3);
    const reading = (async () => {
      for (let result = await watcher.next(); result.done !== true; result = await watcher.next()) {
        seen.push(result.value.doneBytes);
        if (result.value.doneBytes === PLAN.size) return;
      }
    })();
    const chunk = async (index: number) => {
      const through = index % 2 === 0 ? feed : telling;
      await through.received('upload-1', index, { plan: PLAN, bytes: 0 });
      await through.arriving('upload-1', { plan: PLAN, bytes: 0 });
    };
    await Promise.all(rest.map(chunk));
    await reading;
    expect(seen).toEqual([...seen].sort((one, other) => one - other));
    expect(await telling.knowReceived('upload-1', [], PLAN)).toEqual({ count: 100, bytes: 1_000 });
    await watcher.return?.();
  });

  it('what arrives through both is told together', async () => {
    await feed.knowReceived('upload-1', [1], PLAN);
    await feed.arriving('upload-1', { plan: PLAN, bytes: 3 });
    await telling.arriving('upload-1', { plan: PLAN, bytes: 4 });
    expect(await feed.last('upload-1')).toMatchObject({ doneBytes: 17 });
    await feed.received('upload-1', 2, { plan: PLAN, bytes: 0 });
    await telling.arriving('upload-1', { plan: PLAN, bytes: 5 });
    expect(await feed.last('upload-1')).toMatchObject({ doneBytes: 25 });
  });

  it('what was on its way through one that died counts no longer, and the number doesn’t go back', async () => {
    const doneBytes = async () => (await telling.last('upload-1'))?.doneBytes;
    await feed.knowReceived('upload-1', [], PLAN);
    await feed.arriving('upload-1', { plan: PLAN, bytes: 30 });
    server.advance(6_000);
    await telling.arriving('upload-1', { plan: PLAN, bytes: 10 });
    expect(await doneBytes()).toBe(30);
    await telling.arriving('upload-1', { plan: PLAN, bytes: 31 });
    expect(await doneBytes()).toBe(31);
  });

  it('no key is left without an expiry', async () => {
    await feed.knowReceived('upload-1', [1], PLAN);
    await feed.received('upload-1', 2, { plan: PLAN, bytes: 3 });
    await feed.arriving('upload-1', { plan: PLAN, bytes: 3 });
    await feed.knowReceived('upload-2', [1], PLAN);
    const keys = await redis.call((client) => client.keys(`${redis.keys.prefix}:*`));
    const { keys: names } = redis;
    expect(keys.sort()).toEqual([names.progress('upload-1'), names.received('upload-1'), names.received('upload-2')]);
    for (const key of keys) expect(await redis.call((client) => client.pttl(key))).toBeGreaterThan(0);
  });
});

describe('a watcher', () => {
  it('is refused when the store is away', async () => {
    server.pause();
    await expectUnavailable(() => watch().next());
    server.resume();
    await whenBack();
    expect(feed.size).toBe(0);
  });

  it('goes on after the store came back empty, with newer states', async () => {
    const watcher = await watching();
    const next = watcher.next();
    await server.restart();
    await whenBack();
    await publish(state('VERIFYING', 1));
    expect((await next).value).toMatchObject({ phase: 'VERIFYING', doneBytes: 1 });
  });

  it('is told what was stored while its own connection was away', async () => {
    const proxy = await startProxy({ address: '127.0.0.1', port: server.port });
    const prefix = redis.keys.prefix.slice(1, -1);
    const far = connectRedis({ url: `redis://127.0.0.1:${proxy.port}`, log: processes.log, prefix });
    const farFeed = new RedisProgressFeed({ redis: far, ttlMs: TTL_MS });
    await publish(state('QUEUED'));
    const watcher = farFeed.watch('upload-1')[Symbol.asyncIterator]();
    await watcher.next();
    const next = watcher.next();
    proxy.hold();
    await publish(state('VERIFYING', 5));
    await publish(state('DONE', 10));
    proxy.cut();
    proxy.release();
    expect((await next).value).toMatchObject({ phase: 'DONE' });
    expect(await watcher.next()).toEqual(END);
    farFeed.close();
    far.close();
    await proxy.stop();
  });

  it('is told even when the network swallowed its connection without a word', async () => {
    const proxy = await startProxy({ address: '127.0.0.1', port: server.port });
    const prefix = redis.keys.prefix.slice(1, -1);
    const far = connectRedis({ url: `redis://127.0.0.1:${proxy.port}`, log: processes.log, prefix });
    const farFeed = new RedisProgressFeed({ redis: far, ttlMs: TTL_MS });
    await publish(state('QUEUED'));
    const watcher = farFeed.watch('upload-1')[Symbol.asyncIterator]();
    await watcher.next();
    const next = watcher.next();
    const before = proxy.accepted();
    proxy.hold();
    await publish(state('DONE', 10));
    // Its heartbeat finds out; new connections are held, too, until then.
    await vi.waitFor(() => expect(proxy.accepted()).toBeGreaterThan(before), { timeout: 15_000 });
    proxy.release();
    expect((await next).value).toMatchObject({ phase: 'DONE' });
    farFeed.close();
    far.close();
    await proxy.stop();
  });

  it('survives a frozen store', async () => {
    const watcher = await watching();
    const next = watcher.next();
    server.pause();
    await expectUnavailable(() => publish(state('VERIFYING', 1)));
    server.resume();
    await whenBack();
    await publish(state('VERIFYING', 2));
    const first = (await next).value as MergeProgress;
    // What was sent before may have been done after all.
    const value = first.doneBytes === 2 ? first : ((await watcher.next()).value as MergeProgress);
    expect(value).toMatchObject({ doneBytes: 2 });
  });

  it('leaves at once while the store is away', async () => {
    const watcher = await watching();
    const next = watcher.next();
    await server.kill();
    const startedAt = performance.now();
    await watcher.return?.();
    expect(await next).toEqual(END);
    expect(performance.now() - startedAt).toBeLessThan(100);
    expect(feed.size).toBe(0);
    await server.restart();
    await whenBack();
    expect(await redis.call((client) => client.pubsub('CHANNELS', `${redis.keys.prefix}:*`))).toEqual([]);
  });

  it('leaves at once while it is still being let in', async () => {
    server.pause();
    const watcher = watch();
    const next = watcher.next();
    const startedAt = performance.now();
    await watcher.return?.();
    expect(await next).toEqual(END);
    expect(performance.now() - startedAt).toBeLessThan(100);
    server.resume();
    await whenBack();
    await vi.waitFor(() => expect(feed.size).toBe(0), { timeout: 3_000 });
  });

  it('sees states in order though the store forgot the last', async () => {
    const watcher = await watching();
    for (const done of [1, 2, 3]) {
      const next = watcher.next();
      await redis.call((client) => client.flushall());
      await publish(state('VERIFYING', done));
      expect((await next).value).toMatchObject({ doneBytes: done });
    }
  });

  it('is ended when the feed closes', async () => {
    const watcher = await watching();
    const next = watcher.next();
    feed.close();
    expect(await next).toEqual(END);
  });
});
