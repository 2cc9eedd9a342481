// Jobs that outlive their process, and workers that outlive the store's absence.
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { MergeJob } from '../../src/core/ports.js';
import type { RemotePath } from '../../src/core/remote-path.js';
import type { RedisConnection } from '../../src/redis/connection.js';
import { connectRedis } from '../../src/redis/connection.js';
import { RedisMergeQueue } from '../../src/redis/merge-queue.js';
import type { Deferred } from '../support/manual-clock.js';
import { deferred } from '../support/manual-clock.js';
import type { RedisServer } from '../support/redis-server.js';
import { startRedisServer } from '../support/redis-server.js';
import type { KeptLog } from '../support/roles.js';
import { keptLog } from '../support/roles.js';
import { startWorker } from './killable-worker.js';

const TAKEN_OVER_MS = 15_000;

function job(id: string, hostId = 'host-1'): MergeJob {
  return { id, hostId, target: `/target/${id}` as RemotePath, person: 'anna', hashCode: `code-${id}` };
}

/** A process with a queue, as far as others can tell. */
interface Peer {
  readonly redis: RedisConnection;
  readonly queue: RedisMergeQueue;
  readonly log: KeptLog;
  readonly runs: { readonly id: string; readonly signal: AbortSignal; readonly end: Deferred<void> }[];
  /** Begins to take jobs, which last until the test ends them. */
  process(): void;
}

let server: RedisServer;
let prefix: string;
const peers: Peer[] = [];

beforeEach(async () => {
  server = await startRedisServer();
  prefix = randomUUID();
});
afterEach(async () => {
  for (const peer of peers.splice(0)) {
    const closing = peer.queue.close();
    for (const run of peer.runs) run.end.resolve();
    await closing;
    peer.redis.close();
  }
  await server.stop();
});

function peer(bounds = { concurrency: 4, concurrencyPerHost: 2 }, hosts?: readonly string[]): Peer {
  const log = keptLog();
  const redis = connectRedis({ url: server.url, log, prefix });
  const queue = new RedisMergeQueue({ ttlMs: 60_000, redis, log, ...bounds, ...(hosts && { hosts }) });
  const runs: Peer['runs'] = [];
  const made: Peer = {
    ...{ redis, queue, log, runs },
    process: () =>
      queue.process(
        async ({ id }, signal) => {
          const run = { id, signal, end: deferred() };
          runs.push(run);
          await run.end.promise;
        },
        async () => undefined,
      ),
  };
  peers.push(made);
  return made;
}

const began = (one: Peer, ids: readonly string[], timeout = 5_000) =>
  vi.waitFor(() => expect(one.runs.map((run) => run.id)).toEqual(ids), { timeout, interval: 10 });
const gone = (one: Peer, id: string, timeout = 5_000) =>
  vi.waitFor(async () => expect(await one.queue.has(id)).toBe(false), { timeout, interval: 10 });

describe('two processes', () => {
  it('run a job in the one that takes jobs', async () => {
    const [asking, working] = [peer(), peer()];
    working.process();
    await asking.queue.add(job('a'));
    await began(working, ['a']);
    expect(await asking.queue.has('a')).toBe(true);
    working.runs[0]?.end.resolve();
    await gone(asking, 'a');
  });

  it('run a job once more that the other asked for while it ran', async () => {
    const [asking, working] = [peer(), peer()];
    working.process();
    await asking.queue.add(job('a'));
    await began(working, ['a']);
    await Promise.all([asking.queue.add(job('a')), working.queue.add(job('a')), asking.queue.add(job('a'))]);
    working.runs[0]?.end.resolve();
    await began(working, ['a', 'a']);
    working.runs[1]?.end.resolve();
    await gone(asking, 'a');
    expect(working.runs).toHaveLength(2);
  });

  it('never run a job in both, and lose none', async () => {
    const both = [peer({ concurrency: 8, concurrencyPerHost: 2 }), peer({ concurrency: 8, concurrencyPerHost: 2 })] as const;
    for (const one of both) one.process();
    const ids = Array.from({ length: 40 }, (_, at) => `job-${at}`);
    await Promise.all(ids.map((id, at) => both[at % 2 === 0 ? 0 : 1].queue.add(job(id, `host-${at % 3}`))));
    const seen = () => both.flatMap((one) => one.runs.map((run) => run.id));
    await vi.waitFor(
      () => {
        for (const one of both) for (const run of one.runs) run.end.resolve();
        expect(seen()).toHaveLength(40);
      },
      { timeout: 20_000, interval: 5 },
    );
    expect(new Set(seen()).size).toBe(40);
  });

  it('go on with what the one ran that closes', async () => {
    const [first, second] = [peer(), peer()];
    first.process();
    await first.queue.add(job('a'));
    await began(first, ['a']);
    second.process();
    const closing = first.queue.close();
    expect(first.runs[0]?.signal.aborted).toBe(true);
    first.runs[0]?.end.resolve();
    await closing;
    await began(second, ['a'], 2_000);
  });

  it('let the other take what has no place in the one', async () => {
    const [full, free] = [peer({ concurrency: 2, concurrencyPerHost: 1 }), peer({ concurrency: 2, concurrencyPerHost: 1 })];
    full.process();
    await full.queue.add(job('a'));
    await began(full, ['a']);
    await full.queue.add(job('b'));
    free.process();
    // When it has waited aside for its time, and the one yields.
    await began(free, ['b'], 8_000);
    expect(full.runs).toHaveLength(1);
  });
});

describe('a job that finds no place on its host', () => {
  const BOUNDS = { concurrency: 4, concurrencyPerHost: 1 };
  /** Known once it has waited aside: it was begun by BullMQ as often as it was taken. */
  const takenOf = async (one: Peer, id: string) => {
    const own = await one.redis.call((client) => client.get(`${one.redis.keys.prefix}:merges:de:${id}`));
    return one.redis.call((client) => client.hget(`${one.redis.keys.prefix}:merges:${own}`, 'ats'));
  };
  const waitsAside = (one: Peer, jobs: number) =>
    vi.waitFor(
      async () => expect(await one.redis.call((client) => client.zcard(`${one.redis.keys.prefix}:merges:delayed`))).toBe(jobs),
      { timeout: 5_000, interval: 10 },
    );
  const isTaken = (one: Peer, jobs: number) =>
    vi.waitFor(
      async () => expect(await one.redis.call((client) => client.llen(`${one.redis.keys.prefix}:merges:active`))).toBe(jobs),
      { timeout: 5_000, interval: 10 },
    );

  it('takes over the next that becomes free, without going aside', async () => {
    const one = peer(BOUNDS);
    one.process();
    await one.queue.add(job('a'));
    await began(one, ['a']);
    await one.queue.add(job('b'));
    await isTaken(one, 2);
    // Time enough to go aside.
    await one.queue.add(job('c', 'host-2'));
    await began(one, ['a', 'c']);
    one.runs[1]?.end.resolve();
    await gone(one, 'c');
    one.runs[0]?.end.resolve();
    await began(one, ['a', 'c', 'b']);
    expect(await takenOf(one, 'b')).toBe('1');
    one.runs[2]?.end.resolve();
    await gone(one, 'b');
    await one.queue.add(job('d'));
    await began(one, ['a', 'c', 'b', 'd']);
  });

  it('goes aside when none does for a while, and those that come later go behind it', async () => {
    const one = peer(BOUNDS);
    one.process();
    await one.queue.add(job('a'));
    await began(one, ['a']);
    await one.queue.add(job('b'));
    await waitsAside(one, 1);
    await one.queue.add(job('c'));
    // Taken, and perhaps aside already.
    await vi.waitFor(async () => expect(await takenOf(one, 'c')).toBe('1'), { timeout: 5_000, interval: 10 });
    one.runs[0]?.end.resolve();
    await began(one, ['a', 'b']);
  });

  it('doesn’t keep jobs of other hosts waiting', async () => {
    const one = peer({ concurrency: 3, concurrencyPerHost: 1 });
    one.process();
    await one.queue.add(job('a'));
    await began(one, ['a']);
    for (const id of ['b', 'c', 'd']) await one.queue.add(job(id));
    await one.queue.add(job('e', 'host-2'));
    await began(one, ['a', 'e']);
  });
});

describe('a process that doesn’t know a job’s host', () => {
  const BOUNDS = { concurrency: 4, concurrencyPerHost: 2 };

  it('leaves it to the one that does', async () => {
    const [stranger, knowing] = [peer(BOUNDS, ['host-2']), peer(BOUNDS, ['host-1'])];
    stranger.process();
    knowing.process();
    const ids = ['a', 'b', 'c', 'd', 'e', 'f'];
    for (const id of ids) await stranger.queue.add(job(id));
    await vi.waitFor(
      () => {
        for (const run of knowing.runs) run.end.resolve();
        expect(knowing.runs.map((run) => run.id).sort()).toEqual(ids);
      },
      { timeout: 20_000, interval: 20 },
    );
    expect(stranger.runs).toEqual([]);
  }, 25_000);

  it('leaves it to the one that does at once', async () => {
    const [stranger, knowing] = [peer(BOUNDS, ['host-2']), peer(BOUNDS, ['host-1'])];
    stranger.process();
    knowing.process();
    for (const id of ['a', 'b', 'c', 'd', 'e']) {
      await stranger.queue.add(job(id));
      await vi.waitFor(() => expect(knowing.runs.at(-1)?.id).toBe(id), { timeout: 2_500, interval: 10 });
      knowing.runs.at(-1)?.end.resolve();
      await gone(stranger, id);
    }
  });

  it('lets it wait until one comes that does, and runs others meanwhile', async () => {
    const stranger = peer(BOUNDS, ['host-2']);
    stranger.process();
    await stranger.queue.add(job('a'));
    await stranger.queue.add(job('b', 'host-2'));
    await began(stranger, ['b']);
    expect(await stranger.queue.has('a')).toBe(true);
    const knowing = peer(BOUNDS, ['host-1']);
    knowing.process();
    await began(knowing, ['a'], 10_000);
    expect(stranger.runs).toHaveLength(1);
  }, 20_000);

  it('asks about it now and then, not as often as a core can', async () => {
    const stranger = peer(BOUNDS, ['host-2']);
    stranger.process();
    await stranger.queue.add(job('a'));
    await vi.waitFor(async () => {
      const delayed = await stranger.redis.call((client) => client.zcard(`${stranger.redis.keys.prefix}:merges:delayed`));
      expect(delayed).toBe(1);
    });
    await stranger.redis.call((client) => client.config('RESETSTAT'));
    await stranger.queue.add(job('b', 'host-2'));
    await began(stranger, ['b']);
    const stats = await stranger.redis.call((client) => client.info('commandstats'));
    expect(Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0)).toBeLessThan(40);
  });
});

describe('a process that is killed', () => {
  it('doesn’t hold up what others run', async () => {
    const [asking, working] = [peer(), peer({ concurrency: 1, concurrencyPerHost: 1 })];
    for (let crash = 1; crash <= 2; crash++) {
      const doomed = startWorker(server.url, prefix);
      if (crash === 1) await asking.queue.add(job('a'));
      expect(await doomed.began).toBe('a');
      await doomed.kill();
    }
    working.process();
    await asking.queue.add(job('b'));
    await began(working, ['b'], 2_000);
    working.runs[0]?.end.resolve();
    await began(working, ['b', 'a'], TAKEN_OVER_MS);
  }, 60_000);

  it('is replaced in time', async () => {
    const [asking, working] = [peer(), peer()];
    const doomed = startWorker(server.url, prefix);
    await asking.queue.add(job('a'));
    expect(await doomed.began).toBe('a');
    working.process();
    await doomed.kill();
    await began(working, ['a'], TAKEN_OVER_MS);
    working.runs[0]?.end.resolve();
    await gone(asking, 'a');
  });
});

describe('what is over', () => {
  it('leaves nothing of a job', async () => {
    const one = peer();
    one.process();
    await one.queue.add(job('a'));
    await one.queue.add(job('b'));
    await began(one, ['a', 'b']);
    await one.queue.add(job('a'));
    for (const run of one.runs) run.end.resolve();
    await began(one, ['a', 'b', 'a']);
    one.runs[2]?.end.resolve();
    for (const id of ['a', 'b']) await gone(one, id);
    const keys = await one.redis.call((client) => client.keys(`${one.redis.keys.prefix}:*`));
    const names = keys.map((key) => key.slice(one.redis.keys.prefix.length + 1));
    expect(names.filter((name) => !/^merges:(id|events|meta|stalled-check|stalled|marker)$/.test(name))).toEqual([]);
  });
});

describe('a store that was away', () => {
  it('empty afterwards, has workers again, and what ran ends without a word', async () => {
    const one = peer();
    one.process();
    await one.queue.add(job('a'));
    await began(one, ['a']);
    await server.restart();
    await vi.waitFor(() => one.queue.add(job('b')), { timeout: 10_000, interval: 50 });
    await began(one, ['a', 'b'], 10_000);
    for (const run of one.runs) run.end.resolve();
    await gone(one, 'b', 10_000);
    await vi.waitFor(() => one.queue.add(job('c')), { timeout: 10_000, interval: 50 });
    await began(one, ['a', 'b', 'c'], 10_000);
  });

  it('frozen for a moment, has workers again', async () => {
    const one = peer();
    one.process();
    await one.queue.add(job('a'));
    await began(one, ['a']);
    server.pause();
    await expect(one.queue.add(job('b'))).rejects.toMatchObject({ code: 'COORDINATION_UNAVAILABLE' });
    one.runs[0]?.end.resolve();
    server.resume();
    await gone(one, 'a', 10_000);
    await vi.waitFor(() => one.queue.add(job('c')), { timeout: 10_000, interval: 50 });
    await vi.waitFor(() => expect(one.runs.map((run) => run.id)).toContain('c'), { timeout: 10_000 });
  });

  it('from the beginning, gets its workers when it comes', async () => {
    await server.kill();
    const one = peer();
    one.process();
    await server.restart();
    await vi.waitFor(() => one.queue.add(job('a')), { timeout: 10_000, interval: 50 });
    await began(one, ['a'], 10_000);
  });

  it('for longer than a lock lasts, time and again, doesn’t give a job up that still runs', async () => {
    const one = peer();
    one.process();
    await one.queue.add(job('a'));
    await began(one, ['a']);
    const stored = `${one.redis.keys.prefix}:merges:1`;
    // As after four such absences and at the end of the fifth.
    await one.redis.call((client) => client.multi().hset(stored, 'stc', 4).del(`${stored}:lock`).exec());
    await began(one, ['a', 'a'], 15_000);
    expect(await one.redis.call((client) => client.hget(stored, 'stc'))).toBeNull();
    expect(one.log.entries.filter((entry) => entry.event.includes('given up'))).toEqual([]);
  }, 25_000);

  it.each<[string, () => unknown]>([
    ['gone', () => server.kill()],
    ['frozen', () => server.pause()],
  ])('and still is %s, doesn’t hold a closing queue up', async (_, away) => {
    const one = peer();
    one.process();
    await one.queue.add(job('a'));
    await began(one, ['a']);
    await away();
    const startedAt = performance.now();
    const closing = one.queue.close();
    one.runs[0]?.end.resolve();
    await closing;
    one.redis.close();
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    const sockets = () => process.getActiveResourcesInfo().filter((name) => name.startsWith('TCPSocket')).length;
    await vi.waitFor(() => expect(sockets()).toBe(0), { timeout: 5_000 });
  });

  it('or can’t write, is asked now and then, not as often as a core can', async () => {
    const one = peer({ concurrency: 1, concurrencyPerHost: 1 });
    one.process();
    await one.queue.add(job('a'));
    await one.queue.add(job('b'));
    await began(one, ['a']);
    await one.redis.call((client) => client.config('SET', 'maxmemory', '1'));
    await one.redis.call((client) => client.config('RESETSTAT'));
    one.runs[0]?.end.resolve();
    const pauses = () => one.log.entries.filter((entry) => entry.event === 'merge queue pauses').length;
    await vi.waitFor(() => expect(pauses()).toBeGreaterThan(2), { timeout: 10_000 });
    const stats = await one.redis.call((client) => client.info('commandstats'));
    expect(Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0)).toBeLessThan(40);
    await one.redis.call((client) => client.config('SET', 'maxmemory', '0'));
    await vi.waitFor(() => expect(one.runs.map((run) => run.id)).toContain('b'), { timeout: 15_000 });
  });
});
