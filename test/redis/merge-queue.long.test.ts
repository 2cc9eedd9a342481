// A job that takes every process down that runs it.
import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import type { MergeJob } from '../../src/core/ports.js';
import type { RemotePath } from '../../src/core/remote-path.js';
import { connectRedis } from '../../src/redis/connection.js';
import { RedisMergeQueue } from '../../src/redis/merge-queue.js';
import { deferred } from '../support/manual-clock.js';
import { startRedisServer } from '../support/redis-server.js';
import { keptLog } from '../support/roles.js';
import { startWorker } from './killable-worker.js';

const CRASHES = 5;
const JOB: MergeJob = { id: 'a', hostId: 'h', target: '/t' as RemotePath, person: 'anna', hashCode: 'c' };

it('is given up after five processes, and that is told', { timeout: 120_000 }, async () => {
  const server = await startRedisServer();
  const prefix = randomUUID();
  const log = keptLog();
  const redis = connectRedis({ url: server.url, log, prefix });
  const givenUp = deferred<MergeJob>();
  const queue = new RedisMergeQueue({ ttlMs: 60_000, redis, log, concurrency: 1, concurrencyPerHost: 1 });
  await queue.add(JOB);
  for (let crash = 1; crash <= CRASHES; crash++) {
    const doomed = startWorker(server.url, prefix);
    expect(await doomed.began).toBe('a');
    await doomed.kill();
    expect(await queue.has('a')).toBe(true);
  }
  const ran: string[] = [];
  queue.process(
    async (job) => void ran.push(job.id),
    async (job) => givenUp.resolve(job),
  );
  expect(await givenUp.promise).toEqual(JOB);
  expect(await queue.has('a')).toBe(false);
  expect(ran).toEqual([]);
  // Asked for again, it has five more.
  await queue.add(JOB);
  await expect.poll(() => ran, { timeout: 5_000 }).toEqual(['a']);
  await queue.close();
  redis.close();
  await server.stop();
});
