// How often a chunk waits for the store: what a second gateway costs the first, at any distance between them and Redis.
import { randomBytes, randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HostAssembly } from '../../src/assembly/staging.js';
import type { Longshore } from '../../src/core/answers.js';
import { createLongshore } from '../../src/core/longshore.js';
import { MemoryMergeQueue } from '../../src/memory/merge-queue.js';
import { RedisConnection } from '../../src/redis/connection.js';
import { RedisLedger } from '../../src/redis/ledger.js';
import { RedisLockRepository } from '../../src/redis/lock-repository.js';
import { RedisProgressFeed } from '../../src/redis/progress-feed.js';
import { createHostRepository } from '../../src/sftp/host-repository.js';
import { CHUNK, TestUpload } from '../assembly/support.js';
import { MIB } from '../support/bytes.js';
import { realHashing } from '../support/real-hashing.js';
import type { RedisServer } from '../support/redis-server.js';
import { startRedisServer } from '../support/redis-server.js';
import { WIDE_QUOTAS, keptAudit, keptLog, realClock } from '../support/roles.js';
import { sshdHostOptions } from '../support/sshd-host.js';
import type { Sshd } from '../support/sshd.js';
import { startSshd } from '../support/sshd.js';

/** Told in the background, some times a second however many chunks there are; no chunk waits for it. */
const IN_PASSING = 'arriving';

/** Calls that are under way together are one round trip. */
class CountingConnection extends RedisConnection {
  roundTrips = 0;
  readonly calls: string[] = [];
  #underWay = 0;

  override async call<T>(work: (client: Redis) => Promise<T>, script?: string): Promise<T> {
    if (script === IN_PASSING) return super.call(work, script);
    if (this.#underWay === 0) this.roundTrips += 1;
    this.calls.push(script ?? 'command');
    this.#underWay += 1;
    try {
      return await super.call(work, script);
    } finally {
      this.#underWay -= 1;
    }
  }

  forget(): void {
    this.roundTrips = 0;
    this.calls.length = 0;
  }
}

const CHUNKS = 20;

describe('an upload through a gateway with Redis', () => {
  let server: RedisServer;
  let sshd: Sshd;
  let redis: CountingConnection;
  let longshore: Longshore;
  let close: () => Promise<void>;

  beforeAll(async () => {
    [server, sshd] = await Promise.all([startRedisServer(), startSshd()]);
    const log = keptLog();
    redis = new CountingConnection({ url: server.url, log, prefix: randomUUID() }, 'calls');
    const ttlMs = 86_400_000;
    const feed = new RedisProgressFeed({ redis, ttlMs });
    const queue = new MemoryMergeQueue({ log, concurrency: 2, concurrencyPerHost: 2 });
    const hosts = createHostRepository({ hosts: [sshdHostOptions(sshd)], clock: realClock, log });
    longshore = createLongshore({
      hosts,
      locks: new RedisLockRepository({ redis }),
      ledger: new RedisLedger({ redis }),
      feed,
      queue,
      assembly: new HostAssembly({ clock: realClock, hashing: realHashing }),
      audit: keptAudit(),
      clock: realClock,
      hashing: realHashing,
      log,
      limits: {
        ...WIDE_QUOTAS,
        chunkBytes: CHUNK,
        maxChunkBytes: MIB,
        maxFileBytes: 64 * MIB,
        chunksInFlightPerPerson: 16,
        claimTtlMs: 900_000,
        stagingTtlMs: ttlMs,
      },
    });
    close = async () => {
      await queue.close();
      feed.close();
      redis.close();
      await hosts.close();
      await Promise.all([server.stop(), sshd.stop()]);
    };
  });
  afterAll(() => close());

  it('waits for the store twice a chunk: for the lease, and to count the chunk and give the lease back', async () => {
    const film = new TestUpload({ hostId: 'sshd', root: sshd.root }, 'film', randomBytes(CHUNK * (CHUNKS + 1)));
    await film.status(longshore);
    // It makes the staging directory, and enters the upload in the books.
    await film.put(longshore, 1);
    redis.forget();
    for (let index = 2; index <= CHUNKS + 1; index += 1) {
      expect(await film.put(longshore, index)).toMatchObject({ kind: 'ChunkStored', uploadedCount: index });
    }
    // Every few seconds one of them puts the books right.
    const books = redis.calls.filter((call) => call === 'ledger-enter').length;
    expect(redis.roundTrips - books).toBe(2 * CHUNKS);
    expect(redis.calls.filter((call) => call === 'lease-slot')).toHaveLength(CHUNKS);
    await film.merge(longshore);
    await film.watch(longshore);
  });

  it('says what has ended well when a chunk of it comes again, after one look at the store', async () => {
    const film = new TestUpload({ hostId: 'sshd', root: sshd.root }, 'film', randomBytes(CHUNK * (CHUNKS + 1)));
    expect(await film.put(longshore, 1)).toMatchObject({ kind: 'UploadFinished' });
  });
});
