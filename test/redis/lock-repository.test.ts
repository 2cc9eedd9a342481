// What only a store outside the process has: it is shared, and it can lose its memory.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { LeaseOutcome } from '../../src/core/ports.js';
import type { RedisConnection } from '../../src/redis/connection.js';
import { RedisLockRepository } from '../../src/redis/lock-repository.js';
import type { RedisServer } from '../support/redis-server.js';
import { startRedisServer } from '../support/redis-server.js';
import { Processes } from './support.js';

const TTL_MS = 900_000;
const LEASE_MS = 10_000;
const ANNAS = { target: 'target-1', person: 'anna', upload: 'upload-a', ttlMs: TTL_MS };
const ANNAS_OTHER = { ...ANNAS, upload: 'upload-b' };
const BERTS = { ...ANNAS, person: 'bert', upload: 'upload-c' };
const NEVER = { move: 'never', idleMs: 60_000 } as const;

const slot = (index: number, token: string, owner = ANNAS) => ({ ...owner, index, token, leaseMs: LEASE_MS });
const merge = (token: string, owner = ANNAS) => ({ ...owner, token, leaseMs: LEASE_MS });

let server: RedisServer;
let processes: Processes;
let redis: RedisConnection;
let locks: RedisLockRepository;
let others: RedisLockRepository;

beforeAll(async () => {
  server = await startRedisServer();
});
afterAll(() => server.stop());
beforeEach(async () => {
  processes = new Processes(server.url);
  redis = processes.connect();
  locks = new RedisLockRepository({ redis });
  others = new RedisLockRepository({ redis: processes.connect() });
});
afterEach(() => processes.close());

/** The store's memory becomes older than any lease. */
async function age(): Promise<void> {
  await locks.seizeMerge({ ...merge('t'), target: 'another' });
  server.advance(LEASE_MS + 1_000);
}

/** Redis comes back without anything: all data are gone, its clock goes on. */
async function emptied(): Promise<void> {
  await redis.call((client) => client.flushall());
}

function memoryOf(outcome: LeaseOutcome): string {
  if (outcome.kind !== 'held') throw new Error(`the lease is ${outcome.kind}`);
  return outcome.memory;
}

describe('two processes', () => {
  beforeEach(age);

  it('see the same claim', async () => {
    const { claim } = await locks.claim({ ...ANNAS, ...NEVER, declared: { size: 7, chunkSize: 5 } });
    expect(await others.holder('target-1')).toEqual(claim);
    expect(await others.claim({ ...BERTS, ...NEVER })).toEqual({ kind: 'taken', claim, merging: false });
  });

  it('lend each lease once', async () => {
    await locks.leaseSlot(slot(1, 'one'));
    expect(await others.leaseSlot(slot(1, 'two'))).toMatchObject({ kind: 'busy' });
    expect(await others.leaseSlot(slot(2, 'two'))).toMatchObject({ kind: 'held' });
    expect(await others.leaseMerge(merge('m'))).toMatchObject({ kind: 'busy' });
  });

  it('tell the same end', async () => {
    await locks.finish('u', 't', { finishedAt: 1, size: 2, proved: true, etag: 'e' }, TTL_MS);
    expect(await others.finished('u', 't')).toMatchObject({ etag: 'e' });
  });

  it('take and give back for each other', async () => {
    const memory = memoryOf(await locks.leaseMerge(merge('m')));
    await others.releaseMerge(merge('m'));
    expect(await locks.leaseMerge({ ...merge('m'), renews: memory })).toEqual({ kind: 'lost' });
  });

  it('get one claim when many ask through both', async () => {
    const asked = Array.from({ length: 40 }, (_, at) => {
      const repository = at % 2 === 0 ? locks : others;
      return repository.claim({ ...ANNAS, person: `p${at}`, upload: `u${at}`, move: 'always', idleMs: 0 });
    });
    expect((await Promise.all(asked)).filter((outcome) => outcome.kind === 'held')).toHaveLength(1);
  });
});

describe('a call that is sent twice', () => {
  beforeEach(age);

  it('has the same effect', async () => {
    await locks.leaseSlot(slot(1, 'one'));
    expect(await locks.leaseSlot(slot(1, 'one'))).toMatchObject({ kind: 'held' });
    await locks.releaseSlot(slot(1, 'one'));
    await locks.releaseSlot(slot(1, 'one'));
    await locks.leaseMerge(merge('m'));
    expect(await locks.leaseMerge(merge('m'))).toMatchObject({ kind: 'held' });
    expect(await locks.seizeMerge(merge('n'))).toMatchObject({ kind: 'held' });
    expect(await locks.seizeMerge(merge('n'))).toMatchObject({ kind: 'held' });
    expect(await locks.leaseChore('c', 't', LEASE_MS)).toBe(true);
    expect(await locks.leaseChore('c', 't', LEASE_MS)).toBe(true);
  });
});

describe('a memory younger than a lease', () => {
  it('lends no chunk and no merge to who first asks, and says how long', async () => {
    for (const ask of [() => locks.leaseSlot(slot(1, 'one')), () => locks.leaseMerge(merge('m'))]) {
      const outcome = await ask();
      expect(outcome.kind).toBe('busy');
      const retryAfterMs = outcome.kind === 'busy' ? outcome.retryAfterMs : 0;
      expect(retryAfterMs).toBeGreaterThan(LEASE_MS - 2_000);
      expect(retryAfterMs).toBeLessThanOrEqual(LEASE_MS);
    }
  });

  it('makes no claim for who is told to wait', async () => {
    await locks.leaseSlot(slot(1, 'one'));
    await locks.leaseMerge(merge('m'));
    expect(await locks.holder('target-1')).toBeUndefined();
  });

  it('lends when it is old enough', async () => {
    await locks.leaseSlot(slot(1, 'one'));
    server.advance(LEASE_MS - 3_000);
    expect(await locks.leaseSlot(slot(1, 'one'))).toMatchObject({ kind: 'busy' });
    server.advance(3_100);
    expect(await locks.leaseSlot(slot(1, 'one'))).toMatchObject({ kind: 'held', created: true });
  });

  it('lends at once under a claim of an upload that isn’t on its host yet', async () => {
    await locks.claim({ ...ANNAS, ...NEVER, isFresh: true });
    expect(await locks.leaseSlot(slot(1, 'one'))).toMatchObject({ kind: 'held', created: false });
    await locks.releaseSlot(slot(1, 'one'));
    expect(await locks.leaseMerge(merge('m'))).toMatchObject({ kind: 'held' });
  });

  it('does not take an upload for fresh that was claimed before', async () => {
    await locks.claim({ ...ANNAS, ...NEVER });
    await locks.claim({ ...ANNAS, ...NEVER, isFresh: true });
    expect(await locks.leaseSlot(slot(1, 'one'))).toMatchObject({ kind: 'busy' });
  });

  it('keeps the mark through renewals, and loses it with the claim', async () => {
    await locks.claim({ ...ANNAS, ...NEVER, isFresh: true });
    await locks.claim({ ...ANNAS, ...NEVER });
    expect(await locks.leaseSlot(slot(1, 'one'))).toMatchObject({ kind: 'held' });
    await locks.claim({ ...ANNAS_OTHER, move: 'always', idleMs: 0 });
    expect(await locks.leaseSlot(slot(1, 'one', ANNAS_OTHER))).toMatchObject({ kind: 'busy' });
  });

  it('lets an upload be seized', async () => {
    expect(await locks.seizeMerge(merge('m'))).toMatchObject({ kind: 'held', created: true });
  });
});

describe('a store that came back empty', () => {
  beforeEach(age);

  it('gives a chunk’s holder its lease and claim back', async () => {
    const memory = memoryOf(await locks.leaseSlot(slot(1, 'one')));
    await emptied();
    const renewed = await locks.leaseSlot({ ...slot(1, 'one'), renews: memory });
    expect(renewed).toMatchObject({ kind: 'held', created: true });
    expect(memoryOf(renewed)).not.toBe(memory);
    expect(await others.leaseSlot(slot(1, 'two'))).toMatchObject({ kind: 'busy' });
  });

  it('gives a merge’s holder its lease and claim back', async () => {
    const memory = memoryOf(await locks.leaseMerge(merge('m')));
    await emptied();
    expect(await locks.leaseMerge({ ...merge('m'), renews: memory })).toMatchObject({ kind: 'held', created: true });
    expect(await others.leaseMerge(merge('n'))).toMatchObject({ kind: 'busy' });
  });

  it('lends nobody else what a holder hasn’t asked back yet', async () => {
    await locks.leaseSlot(slot(1, 'one'));
    await emptied();
    expect(await others.leaseSlot(slot(1, 'two'))).toMatchObject({ kind: 'busy' });
    expect(await others.leaseMerge(merge('m'))).toMatchObject({ kind: 'busy' });
    server.advance(LEASE_MS + 100);
    expect(await others.leaseMerge(merge('m'))).toMatchObject({ kind: 'held' });
  });

  it('knows only once that it forgot', async () => {
    const memory = memoryOf(await locks.leaseSlot(slot(1, 'one')));
    await emptied();
    const renewed = memoryOf(await locks.leaseSlot({ ...slot(1, 'one'), renews: memory }));
    await locks.releaseSlot(slot(1, 'one'));
    expect(await locks.leaseSlot({ ...slot(1, 'one'), renews: renewed })).toEqual({ kind: 'lost' });
  });

  it('gives no lease back that another has by now', async () => {
    const memory = memoryOf(await locks.leaseSlot(slot(1, 'one')));
    await emptied();
    await others.claim({ ...ANNAS, ...NEVER, isFresh: true });
    await others.leaseSlot(slot(1, 'two'));
    expect(await locks.leaseSlot({ ...slot(1, 'one'), renews: memory })).toMatchObject({ kind: 'busy' });
    await others.releaseSlot(slot(1, 'two'));
    await others.leaseMerge(merge('m'));
    expect(await locks.leaseSlot({ ...slot(1, 'one'), renews: memory })).toMatchObject({ kind: 'busy' });
  });

  it('gives no lease back under a claim that another has by now', async () => {
    const memory = memoryOf(await locks.leaseMerge(merge('m')));
    await emptied();
    const { claim } = await others.claim({ ...BERTS, ...NEVER });
    expect(await locks.leaseMerge({ ...merge('m'), renews: memory })).toEqual({ kind: 'taken', claim, merging: false });
    expect(await locks.holder('target-1')).toEqual(claim);
  });

  it('lets a merge wait for the holders that come back', async () => {
    const memory = memoryOf(await locks.leaseSlot(slot(1, 'one')));
    await emptied();
    await locks.leaseSlot({ ...slot(1, 'one'), renews: memory });
    server.advance(LEASE_MS / 2);
    expect(await others.leaseMerge(merge('m'))).toMatchObject({ kind: 'busy' });
    server.advance(LEASE_MS / 2 + 100);
    expect(await others.leaseMerge(merge('m'))).toMatchObject({ kind: 'held' });
  });
});

describe('a store that came back with older data', () => {
  beforeEach(age);

  const save = () => redis.call((client) => client.save());
  /** Killed, and started again with what was saved. Resolves when both are connected. */
  const restored = async (): Promise<void> => {
    await server.restart({ keepingData: true });
    await vi.waitFor(() => Promise.all([locks.holder('target-1'), others.holder('target-1')]), {
      timeout: 10_000,
      interval: 20,
    });
  };

  it('lends nobody else what was leased after they were saved', async () => {
    await save();
    const memory = memoryOf(await locks.leaseSlot(slot(1, 'one')));
    await restored();
    expect(await others.leaseSlot(slot(1, 'two'))).toMatchObject({ kind: 'busy' });
    expect(await others.leaseMerge(merge('m'))).toMatchObject({ kind: 'busy' });
    expect(await locks.leaseSlot({ ...slot(1, 'one'), renews: memory })).toMatchObject({ kind: 'held', created: true });
    server.advance(LEASE_MS + 1_000);
    expect(await others.leaseSlot(slot(2, 'two'))).toMatchObject({ kind: 'held' });
  });

  it('lends nobody else what was leased then under a claim of an upload that wasn’t on its host yet', async () => {
    await locks.claim({ ...ANNAS, ...NEVER, isFresh: true });
    await save();
    const memory = memoryOf(await locks.leaseSlot(slot(1, 'one')));
    await restored();
    expect(await others.leaseSlot(slot(1, 'two'))).toMatchObject({ kind: 'busy' });
    expect(await locks.leaseSlot({ ...slot(1, 'one'), renews: memory })).toMatchObject({ kind: 'held', created: false });
  });

  it('extends the leases that it kept', async () => {
    const memory = memoryOf(await locks.leaseSlot(slot(1, 'one')));
    await save();
    await restored();
    const renewed = memoryOf(await locks.leaseSlot({ ...slot(1, 'one'), renews: memory }));
    expect(renewed).not.toBe(memory);
    expect(memoryOf(await locks.leaseSlot({ ...slot(1, 'one'), renews: renewed }))).toBe(renewed);
    await locks.releaseSlot(slot(1, 'one'));
    expect(await locks.leaseSlot({ ...slot(1, 'one'), renews: renewed })).toEqual({ kind: 'lost' });
  });

  it('begins one new memory for all who ask', async () => {
    await save();
    await restored();
    const seized = await Promise.all([locks, others, locks, others].map((each) => each.seizeMerge(merge('m'))));
    expect(new Set(seized.map(memoryOf)).size).toBe(1);
  });
});

describe('the keys', () => {
  const ttls = async (): Promise<Record<string, number>> => {
    const keys = await redis.call((client) => client.keys(`${redis.keys.prefix}:*`));
    const entries = await Promise.all(keys.map(async (key) => [key, await redis.call((client) => client.pttl(key))] as const));
    return Object.fromEntries(entries.map(([key, ttl]) => [key.slice(redis.keys.prefix.length + 1), ttl]));
  };

  it('have an expiry, all of them', async () => {
    await locks.claim({ ...ANNAS, ...NEVER, isFresh: true });
    await locks.leaseSlot(slot(1, 'one'));
    await locks.leaseMerge(merge('m'));
    await locks.finish('u', 't', { finishedAt: 1, size: 2, proved: true, etag: 'e' }, TTL_MS);
    await locks.leaseChore('sweep', 'one', LEASE_MS);
    const found = await ttls();
    expect(Object.keys(found).sort()).toEqual(['chore:sweep', 'claim:target-1', 'finished:t:u', 'memory']);
    expect(Object.keys(found).filter((key) => found[key] === -1)).toEqual([]);
    expect(found['claim:target-1']).toBeGreaterThan(TTL_MS - 5_000);
  });

  it('hold no lapsed lease after a merge was asked for, and none after its release', async () => {
    await age();
    for (let index = 1; index <= 50; index++) await locks.leaseSlot(slot(index, 'one'));
    for (let index = 1; index <= 10; index++) await locks.releaseSlot(slot(index, 'one'));
    const fields = () => redis.call((client) => client.hkeys(redis.keys.claim('target-1')));
    expect((await fields()).filter((field) => field.startsWith('s:'))).toHaveLength(40);
    server.advance(LEASE_MS + 1_000);
    await locks.leaseMerge(merge('m'));
    expect((await fields()).filter((field) => field.startsWith('s:'))).toEqual([]);
  });

  it('lie together on a cluster: one hash tag', () => {
    expect(redis.keys.claim('t')).toMatch(/^\{[^{}]+\}:claim:t$/);
    expect(redis.keys.memory.split('}')[0]).toBe(redis.keys.claim('t').split('}')[0]);
  });
});
