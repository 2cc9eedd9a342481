// What every adapter of the lock role promises. `make` gives an empty one, whose memory is older than any lease, and the means to let
// time pass.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Claim, FinishedUpload, LeaseOutcome, LockRepository } from '../../src/core/ports.js';

export interface LocksUnderTest {
  readonly locks: LockRepository;
  /** Lets this much time pass for the repository. */
  advance(ms: number): Promise<void>;
  stop(): Promise<void>;
}

const TTL_MS = 900_000;
const LEASE_MS = 30_000;
const IDLE_MS = 60_000;

const ANNAS = { target: 'target-1', person: 'anna', upload: 'upload-a', ttlMs: TTL_MS };
const ANNAS_OTHER = { ...ANNAS, upload: 'upload-b' };
const BERTS = { ...ANNAS, person: 'bert', upload: 'upload-c' };
const NEVER = { move: 'never', idleMs: IDLE_MS } as const;
const WHEN_IDLE = { move: 'when-idle', idleMs: IDLE_MS } as const;
const ALWAYS = { move: 'always', idleMs: IDLE_MS } as const;
const FACTS: FinishedUpload = { finishedAt: 1_800_000_000_000, size: 5, proved: true, contentDigest: 'md5:00', etag: 'e' };

export function lockRepositoryContract(name: string, make: () => Promise<LocksUnderTest>): void {
  describe(`lock repository: ${name}`, () => {
    let subject: LocksUnderTest;
    let locks: LockRepository;

    beforeEach(async () => {
      subject = await make();
      locks = subject.locks;
    });

    afterEach(async () => {
      await subject.stop();
    });

    const slot = (index: number, token: string, owner = ANNAS) => ({ ...owner, index, token, leaseMs: LEASE_MS });
    const merge = (token: string, owner = ANNAS) => ({ ...owner, token, leaseMs: LEASE_MS });
    /** As a holder asks again: with the memory that came with the lease. */
    const renewSlot = (index: number, token: string, renews: string) => locks.leaseSlot({ ...slot(index, token), renews });
    const renewMerge = (token: string, renews: string) => locks.leaseMerge({ ...merge(token), renews });

    describe('a claim', () => {
      it('is held by the first who asks, from then for its time', async () => {
        const outcome = await locks.claim({ ...ANNAS, ...NEVER });
        expect(outcome).toMatchObject({
          kind: 'held',
          created: true,
          claim: { target: 'target-1', person: 'anna', upload: 'upload-a' },
        });
        const { since, touchedAt, until } = outcome.claim;
        expect([touchedAt - since, until - since]).toEqual([0, TTL_MS]);
      });

      it('is held, not created, when its owner asks again', async () => {
        await locks.claim({ ...ANNAS, ...NEVER });
        expect(await locks.claim({ ...ANNAS, ...NEVER })).toMatchObject({ kind: 'held', created: false });
      });

      it('is renewed by its owner and keeps its beginning', async () => {
        const first = await locks.claim({ ...ANNAS, ...NEVER });
        await subject.advance(1_000);
        const { claim } = await locks.claim({ ...ANNAS, ...NEVER });
        expect(claim.since).toBe(first.claim.since);
        expect(claim.until - first.claim.until).toBeGreaterThanOrEqual(1_000);
        expect(claim.touchedAt - first.claim.touchedAt).toBeGreaterThanOrEqual(1_000);
      });

      it('is created once, of many who ask at the same time', async () => {
        const requests = Array.from({ length: 20 }, (_, at) => ({ ...ANNAS, person: `person-${at}`, upload: `upload-${at}` }));
        const outcomes = await Promise.all(requests.map((request) => locks.claim({ ...request, ...ALWAYS })));
        expect(outcomes.filter((outcome) => outcome.kind === 'held')).toHaveLength(1);
      });

      it('is told by holder', async () => {
        const { claim } = await locks.claim({ ...ANNAS, ...NEVER });
        expect(await locks.holder('target-1')).toEqual(claim);
      });

      it('is nobody else’s business: another target is free', async () => {
        await locks.claim({ ...ANNAS, ...NEVER });
        expect(await locks.holder('target-2')).toBeUndefined();
        expect(await locks.claim({ ...BERTS, target: 'target-2', ...NEVER })).toMatchObject({ kind: 'held', created: true });
      });

      it.each([
        ['never', NEVER],
        ['when-idle', WHEN_IDLE],
        ['always', ALWAYS],
      ])('of another person never gives way: move %s', async (_, move) => {
        const { claim } = await locks.claim({ ...ANNAS, ...NEVER });
        await subject.advance(IDLE_MS + 1_000);
        expect(await locks.claim({ ...BERTS, ...move })).toEqual({ kind: 'taken', claim, merging: false });
        expect(await locks.holder('target-1')).toEqual(claim);
      });

      it('of another person with the same content never gives way', async () => {
        await locks.claim({ ...ANNAS, ...NEVER });
        expect(await locks.claim({ ...BERTS, upload: 'upload-a', ...ALWAYS })).toMatchObject({ kind: 'taken' });
      });

      it('ends when nothing came for its time', async () => {
        await locks.claim({ ...ANNAS, ...NEVER });
        await subject.advance(TTL_MS + 1_000);
        expect(await locks.holder('target-1')).toBeUndefined();
        expect(await locks.claim({ ...BERTS, ...NEVER })).toMatchObject({ kind: 'held', created: true });
      });

      it('does not end before', async () => {
        await locks.claim({ ...ANNAS, ...NEVER });
        await subject.advance(TTL_MS - 5_000);
        expect(await locks.claim({ ...BERTS, ...NEVER })).toMatchObject({ kind: 'taken' });
      });

      it('is free after its release', async () => {
        await locks.claim({ ...ANNAS, ...NEVER });
        await locks.release(ANNAS);
        expect(await locks.holder('target-1')).toBeUndefined();
      });

      it('may be released twice', async () => {
        await locks.claim({ ...ANNAS, ...NEVER });
        await locks.release(ANNAS);
        await expect(locks.release(ANNAS)).resolves.toBeUndefined();
      });

      it.each([
        ['another person', BERTS],
        ['the same person for other content', ANNAS_OTHER],
        ['another person for the same content', { ...BERTS, upload: 'upload-a' }],
      ])('is not released by %s', async (_, other) => {
        const { claim } = await locks.claim({ ...ANNAS, ...NEVER });
        await locks.release(other);
        expect(await locks.holder('target-1')).toEqual(claim);
      });
    });

    describe('own other content', () => {
      beforeEach(async () => {
        await locks.claim({ ...ANNAS, ...NEVER, declared: { size: 1, chunkSize: 2 } });
      });

      it('keeps the claim when nobody asks to move it', async () => {
        await subject.advance(IDLE_MS + 1_000);
        expect(await locks.claim({ ...ANNAS_OTHER, ...NEVER })).toMatchObject({ kind: 'taken', claim: { upload: 'upload-a' } });
      });

      it('keeps the claim while it is active', async () => {
        await subject.advance(IDLE_MS - 5_000);
        expect(await locks.claim({ ...ANNAS_OTHER, ...WHEN_IDLE })).toMatchObject({ kind: 'taken', merging: false });
      });

      it('gives way when it is idle', async () => {
        await subject.advance(IDLE_MS + 1_000);
        expect(await locks.claim({ ...ANNAS_OTHER, ...WHEN_IDLE })).toMatchObject({
          kind: 'held',
          claim: { upload: 'upload-b' },
        });
      });

      it('is active again after a chunk', async () => {
        await subject.advance(IDLE_MS - 5_000);
        await locks.leaseSlot(slot(1, 'one'));
        await subject.advance(10_000);
        expect(await locks.claim({ ...ANNAS_OTHER, ...WHEN_IDLE })).toMatchObject({ kind: 'taken' });
      });

      it('gives way at once when it is to move always', async () => {
        expect(await locks.claim({ ...ANNAS_OTHER, ...ALWAYS })).toMatchObject({ kind: 'held', created: true });
      });

      it('leaves nothing of its own to what comes after: neither declaration nor leases', async () => {
        await locks.leaseSlot(slot(1, 'one'));
        const outcome = await locks.claim({ ...ANNAS_OTHER, ...ALWAYS });
        expect(outcome.claim).not.toHaveProperty('declared');
        expect(await locks.leaseMerge(merge('m', ANNAS_OTHER))).toMatchObject({ kind: 'held' });
      });

      it('gets no lease back once the claim moved on', async () => {
        await locks.leaseSlot(slot(1, 'one'));
        await locks.claim({ ...ANNAS_OTHER, ...ALWAYS });
        expect(await locks.leaseSlot(slot(1, 'one'))).toMatchObject({ kind: 'taken', claim: { upload: 'upload-b' } });
      });

      it.each([
        ['when-idle', WHEN_IDLE],
        ['always', ALWAYS],
      ])('never gives way while it is merged: move %s', async (_, move) => {
        await subject.advance(IDLE_MS + 1_000);
        await locks.leaseMerge(merge('m'));
        expect(await locks.claim({ ...ANNAS_OTHER, ...move })).toMatchObject({ kind: 'taken', merging: true });
      });

      it('gives way once its merge ended', async () => {
        await locks.leaseMerge(merge('m'));
        await locks.releaseMerge(merge('m'));
        expect(await locks.claim({ ...ANNAS_OTHER, ...ALWAYS })).toMatchObject({ kind: 'held' });
      });

      it('gives way when the process that merged it died', async () => {
        await locks.leaseMerge(merge('m'));
        await subject.advance(LEASE_MS + 1_000);
        expect(await locks.claim({ ...ANNAS_OTHER, ...ALWAYS })).toMatchObject({ kind: 'held' });
      });
    });

    describe('what was declared', () => {
      const declared = { size: 10, chunkSize: 5 };

      it('is kept with the claim', async () => {
        await locks.claim({ ...ANNAS, ...NEVER, declared });
        expect((await locks.holder('target-1'))?.declared).toEqual(declared);
      });

      it.each<[string, () => Promise<{ readonly kind: string; readonly claim?: Claim }>]>([
        ['renewal', () => locks.claim({ ...ANNAS, ...NEVER })],
        ['slot lease', () => locks.leaseSlot(slot(1, 'one'))],
        ['merge lease', () => locks.leaseMerge(merge('m'))],
      ])('outlives a %s that declares nothing', async (_, touch) => {
        await locks.claim({ ...ANNAS, ...NEVER, declared });
        expect((await touch()).claim?.declared).toEqual(declared);
      });

      it('is kept exactly, as large as files can be', async () => {
        const huge = { size: Number.MAX_SAFE_INTEGER, chunkSize: 67_108_863 };
        await locks.claim({ ...ANNAS, ...NEVER, declared: huge });
        expect((await locks.leaseSlot(slot(1, 'one'))) as { claim?: Claim }).toMatchObject({ claim: { declared: huge } });
        expect((await locks.holder('target-1'))?.declared).toEqual(huge);
      });

      it('gives way to a newer declaration', async () => {
        await locks.claim({ ...ANNAS, ...NEVER, declared });
        const newer = { size: 20, chunkSize: 7 };
        expect((await locks.claim({ ...ANNAS, ...NEVER, declared: newer })).claim.declared).toEqual(newer);
      });
    });

    describe('the lease of a chunk', () => {
      it('holds or renews the claim with it', async () => {
        expect(await locks.leaseSlot(slot(1, 'one'))).toMatchObject({ kind: 'held', created: true });
        await subject.advance(TTL_MS - 5_000);
        await locks.leaseSlot(slot(1, 'one'));
        await subject.advance(10_000);
        expect(await locks.holder('target-1')).toMatchObject({ upload: 'upload-a' });
      });

      it('is held again by the same token, and so renewed', async () => {
        await locks.leaseSlot(slot(1, 'one'));
        await subject.advance(LEASE_MS - 5_000);
        expect(await locks.leaseSlot(slot(1, 'one'))).toMatchObject({ kind: 'held', created: false });
        await subject.advance(10_000);
        expect(await locks.leaseSlot(slot(1, 'two'))).toMatchObject({ kind: 'busy' });
      });

      it('is busy for another token, and says for how long at most', async () => {
        await locks.leaseSlot(slot(1, 'one'));
        const outcome = await locks.leaseSlot(slot(1, 'two'));
        expect(outcome.kind).toBe('busy');
        const retryAfterMs = outcome.kind === 'busy' ? outcome.retryAfterMs : 0;
        expect(retryAfterMs).toBeGreaterThan(0);
        expect(retryAfterMs).toBeLessThanOrEqual(LEASE_MS);
      });

      it('is one, of many who ask at the same time', async () => {
        const outcomes = await Promise.all(Array.from({ length: 20 }, (_, at) => locks.leaseSlot(slot(1, `token-${at}`))));
        expect(outcomes.filter((outcome) => outcome.kind === 'held')).toHaveLength(1);
      });

      it('has nothing to do with other chunks', async () => {
        await locks.leaseSlot(slot(1, 'one'));
        expect(await locks.leaseSlot(slot(2, 'two'))).toMatchObject({ kind: 'held' });
      });

      it('ends by itself', async () => {
        await locks.leaseSlot(slot(1, 'one'));
        await subject.advance(LEASE_MS + 1_000);
        expect(await locks.leaseSlot(slot(1, 'two'))).toMatchObject({ kind: 'held' });
      });

      it('is given back by its token', async () => {
        await locks.leaseSlot(slot(1, 'one'));
        await locks.releaseSlot(slot(1, 'one'));
        expect(await locks.leaseSlot(slot(1, 'two'))).toMatchObject({ kind: 'held' });
      });

      it.each([
        ['another token', slot(1, 'two')],
        ['another upload', slot(1, 'one', ANNAS_OTHER)],
      ])('is not given back by %s', async (_, request) => {
        await locks.leaseSlot(slot(1, 'one'));
        await locks.releaseSlot(request);
        expect(await locks.leaseSlot(slot(1, 'three'))).toMatchObject({ kind: 'busy' });
      });

      it('may be given back twice, and where nothing is held', async () => {
        await locks.releaseSlot(slot(1, 'one'));
        await locks.leaseSlot(slot(1, 'one'));
        await locks.releaseSlot(slot(1, 'one'));
        await expect(locks.releaseSlot(slot(1, 'one'))).resolves.toBeUndefined();
      });

      it.each([
        ['another person', BERTS],
        ['own other content', ANNAS_OTHER],
      ])('is refused to %s', async (_, owner) => {
        await locks.claim({ ...ANNAS, ...NEVER });
        await subject.advance(IDLE_MS + 1_000);
        expect(await locks.leaseSlot(slot(1, 'one', owner))).toMatchObject({ kind: 'taken', claim: { upload: 'upload-a' } });
      });

      it('is gone with its claim', async () => {
        await locks.leaseSlot(slot(1, 'one'));
        await locks.release(ANNAS);
        expect(await locks.leaseSlot(slot(1, 'two', BERTS))).toMatchObject({ kind: 'held' });
      });

      it('is not taken, nor the claim, once the upload has ended well', async () => {
        await locks.finish('upload-a', 'target-1', FACTS, TTL_MS);
        expect(await locks.leaseSlot(slot(1, 'one'))).toEqual({ kind: 'finished' });
        expect(await locks.holder('target-1')).toBeUndefined();
      });

      it('of an upload that has ended well is none of others’ business', async () => {
        await locks.claim({ ...BERTS, ...NEVER });
        await locks.finish('upload-a', 'target-1', FACTS, TTL_MS);
        expect(await locks.leaseSlot(slot(1, 'one'))).toEqual({ kind: 'finished' });
        expect(await locks.leaseSlot(slot(1, 'two', BERTS))).toMatchObject({ kind: 'held' });
      });

      it('is lent again when the end is forgotten, or its time is over', async () => {
        await locks.finish('upload-a', 'target-1', FACTS, TTL_MS);
        await locks.forget('upload-a', 'target-1');
        expect(await locks.leaseSlot(slot(1, 'one'))).toMatchObject({ kind: 'held' });
        await locks.finish('upload-a', 'target-1', FACTS, 10_000);
        await subject.advance(11_000);
        expect(await locks.leaseSlot(slot(2, 'one'))).toMatchObject({ kind: 'held' });
      });
    });

    describe('the lease of a merge', () => {
      it('holds the claim with it', async () => {
        expect(await locks.leaseMerge(merge('m'))).toMatchObject({ kind: 'held', created: true });
        expect(await locks.holder('target-1')).toMatchObject({ upload: 'upload-a' });
      });

      it('is held again by the same token, and so renewed', async () => {
        await locks.leaseMerge(merge('m'));
        await subject.advance(LEASE_MS - 5_000);
        expect(await locks.leaseMerge(merge('m'))).toMatchObject({ kind: 'held', created: false });
        await subject.advance(10_000);
        expect(await locks.leaseMerge(merge('n'))).toMatchObject({ kind: 'busy' });
      });

      it('is one', async () => {
        const outcomes = await Promise.all(Array.from({ length: 20 }, (_, at) => locks.leaseMerge(merge(`token-${at}`))));
        expect(outcomes.filter((outcome) => outcome.kind === 'held')).toHaveLength(1);
      });

      it('waits for chunks that are on their way', async () => {
        await locks.leaseSlot(slot(7, 'one'));
        const outcome = await locks.leaseMerge(merge('m'));
        expect(outcome.kind).toBe('busy');
        expect(outcome.kind === 'busy' ? outcome.retryAfterMs : 0).toBeGreaterThan(0);
      });

      it('is held once they are there', async () => {
        await locks.leaseSlot(slot(7, 'one'));
        await locks.releaseSlot(slot(7, 'one'));
        expect(await locks.leaseMerge(merge('m'))).toMatchObject({ kind: 'held' });
      });

      it('is held once their gateway is dead for long enough', async () => {
        await locks.leaseSlot(slot(7, 'one'));
        await subject.advance(LEASE_MS + 1_000);
        expect(await locks.leaseMerge(merge('m'))).toMatchObject({ kind: 'held' });
      });

      it('keeps chunks away', async () => {
        await locks.leaseMerge(merge('m'));
        expect(await locks.leaseSlot(slot(1, 'one'))).toMatchObject({ kind: 'busy' });
      });

      it('keeps chunks away no longer than it lasts', async () => {
        await locks.leaseMerge(merge('m'));
        await subject.advance(LEASE_MS + 1_000);
        expect(await locks.leaseSlot(slot(1, 'one'))).toMatchObject({ kind: 'held' });
      });

      it('is given back by its token', async () => {
        await locks.leaseMerge(merge('m'));
        await locks.releaseMerge(merge('m'));
        expect(await locks.leaseMerge(merge('n'))).toMatchObject({ kind: 'held' });
      });

      it.each([
        ['another token', merge('n')],
        ['another upload', merge('m', ANNAS_OTHER)],
      ])('is not given back by %s', async (_, request) => {
        await locks.leaseMerge(merge('m'));
        await locks.releaseMerge(request);
        expect(await locks.leaseMerge(merge('o'))).toMatchObject({ kind: 'busy' });
      });

      it('is refused to another person', async () => {
        await locks.claim({ ...ANNAS, ...NEVER });
        expect(await locks.leaseMerge(merge('m', BERTS))).toMatchObject({ kind: 'taken', claim: { person: 'anna' } });
      });
    });

    describe('the renewal of a chunk’s lease', () => {
      let memory: string;

      beforeEach(async () => {
        memory = memoryOf(await locks.leaseSlot(slot(1, 'one')));
      });

      it('is held, from the same memory', async () => {
        await subject.advance(LEASE_MS - 5_000);
        expect(await renewSlot(1, 'one', memory)).toMatchObject({ kind: 'held', created: false, memory });
        await subject.advance(10_000);
        expect(await locks.leaseSlot(slot(1, 'two'))).toMatchObject({ kind: 'busy' });
      });

      it('renews the claim', async () => {
        await subject.advance(TTL_MS - 5_000);
        await renewSlot(1, 'one', memory);
        await subject.advance(10_000);
        expect(await locks.holder('target-1')).toMatchObject({ upload: 'upload-a' });
      });

      it('is held even when it comes late, if nobody took it', async () => {
        await subject.advance(LEASE_MS + 1_000);
        expect(await renewSlot(1, 'one', memory)).toMatchObject({ kind: 'held' });
        expect(await locks.leaseSlot(slot(1, 'two'))).toMatchObject({ kind: 'busy' });
      });

      it.each<[string, () => Promise<unknown>]>([
        ['it was given back', () => locks.releaseSlot(slot(1, 'one'))],
        ['the claim was given up', () => locks.release(ANNAS)],
        ['the claim moved to other content', () => locks.claim({ ...ANNAS_OTHER, ...ALWAYS })],
        ['the claim ended', () => subject.advance(TTL_MS + 1_000)],
        ['the upload was seized', () => locks.seizeMerge(merge('m'))],
      ])('is lost when %s', async (_, end) => {
        await end();
        expect(await renewSlot(1, 'one', memory)).toEqual({ kind: 'lost' });
      });

      it('is lost when another has it since it lapsed', async () => {
        await subject.advance(LEASE_MS + 1_000);
        await locks.leaseSlot(slot(1, 'two'));
        expect(await renewSlot(1, 'one', memory)).toEqual({ kind: 'lost' });
      });

      it('is lost when it lapsed and a merge came and went', async () => {
        await subject.advance(LEASE_MS + 1_000);
        await locks.leaseMerge(merge('m'));
        await locks.releaseMerge(merge('m'));
        expect(await renewSlot(1, 'one', memory)).toEqual({ kind: 'lost' });
      });

      it('makes no claim when it is lost', async () => {
        await locks.release(ANNAS);
        await renewSlot(1, 'one', memory);
        expect(await locks.holder('target-1')).toBeUndefined();
      });

      it('takes no claim from another when it is lost', async () => {
        await locks.release(ANNAS);
        const { claim } = await locks.claim({ ...BERTS, ...NEVER });
        await renewSlot(1, 'one', memory);
        expect(await locks.holder('target-1')).toEqual(claim);
      });

      it('is refused while a merge waits, so that it waits no longer than one lease', async () => {
        await locks.leaseMerge(merge('m'));
        expect(await renewSlot(1, 'one', memory)).toMatchObject({ kind: 'busy' });
        expect(await locks.leaseSlot(slot(2, 'two'))).toMatchObject({ kind: 'busy' });
        await subject.advance(LEASE_MS + 1_000);
        expect(await locks.leaseMerge(merge('m'))).toMatchObject({ kind: 'held' });
      });

      it('is held again when a merge that waited is gone for long enough', async () => {
        await subject.advance(10_000);
        await locks.leaseMerge(merge('m'));
        await subject.advance(LEASE_MS + 1_000);
        expect(await renewSlot(1, 'one', memory)).toMatchObject({ kind: 'held' });
      });
    });

    describe('the renewal of a merge’s lease', () => {
      let memory: string;

      beforeEach(async () => {
        memory = memoryOf(await locks.leaseMerge(merge('m')));
      });

      it('is held, from the same memory', async () => {
        await subject.advance(LEASE_MS - 5_000);
        expect(await renewMerge('m', memory)).toMatchObject({ kind: 'held', created: false, memory });
        await subject.advance(10_000);
        expect(await locks.leaseMerge(merge('n'))).toMatchObject({ kind: 'busy' });
      });

      it('is held even when it comes late, if nobody took it', async () => {
        await subject.advance(LEASE_MS + 1_000);
        expect(await renewMerge('m', memory)).toMatchObject({ kind: 'held' });
      });

      it.each<[string, () => Promise<unknown>]>([
        ['it was given back', () => locks.releaseMerge(merge('m'))],
        ['the claim was given up', () => locks.release(ANNAS)],
        ['the claim ended', () => subject.advance(TTL_MS + 1_000)],
        ['the upload was seized', () => locks.seizeMerge(merge('n'))],
      ])('is lost when %s', async (_, end) => {
        await end();
        expect(await renewMerge('m', memory)).toEqual({ kind: 'lost' });
      });

      it('is lost when another has it since it lapsed', async () => {
        await subject.advance(LEASE_MS + 1_000);
        await locks.leaseMerge(merge('n'));
        expect(await renewMerge('m', memory)).toEqual({ kind: 'lost' });
      });

      it('is lost when it lapsed and a chunk came, even if that is over', async () => {
        await subject.advance(LEASE_MS + 1_000);
        await locks.leaseSlot(slot(1, 'one'));
        await locks.releaseSlot(slot(1, 'one'));
        expect(await renewMerge('m', memory)).toEqual({ kind: 'lost' });
      });

      it('makes no claim when it is lost', async () => {
        await locks.release(ANNAS);
        await renewMerge('m', memory);
        expect(await locks.holder('target-1')).toBeUndefined();
      });
    });

    describe('seizing the merge', () => {
      it('waits for nobody', async () => {
        await locks.leaseSlot(slot(1, 'one'));
        expect(await locks.seizeMerge(merge('m'))).toMatchObject({ kind: 'held', created: false });
        await locks.releaseMerge(merge('m'));
        await locks.leaseMerge(merge('n'));
        expect(await locks.seizeMerge(merge('o'))).toMatchObject({ kind: 'held' });
      });

      it('holds the claim with it', async () => {
        expect(await locks.seizeMerge(merge('m'))).toMatchObject({ kind: 'held', created: true });
        expect(await locks.holder('target-1')).toMatchObject({ upload: 'upload-a' });
      });

      it('keeps chunks and merges away', async () => {
        await locks.seizeMerge(merge('m'));
        expect(await locks.leaseSlot(slot(1, 'one'))).toMatchObject({ kind: 'busy' });
        expect(await locks.leaseMerge(merge('n'))).toMatchObject({ kind: 'busy' });
      });

      it('is renewed like any merge lease', async () => {
        const memory = memoryOf(await locks.seizeMerge(merge('m')));
        await subject.advance(LEASE_MS - 5_000);
        expect(await renewMerge('m', memory)).toMatchObject({ kind: 'held' });
        expect(await locks.seizeMerge({ ...merge('m'), renews: memory })).toMatchObject({ kind: 'held' });
      });

      it('is lost to the next who seizes it, and its renewal doesn’t seize it back', async () => {
        const memory = memoryOf(await locks.seizeMerge(merge('m')));
        await locks.seizeMerge(merge('n'));
        expect(await locks.seizeMerge({ ...merge('m'), renews: memory })).toEqual({ kind: 'lost' });
      });

      it('ends the waiting of another merge', async () => {
        await locks.leaseSlot(slot(1, 'one'));
        await locks.leaseMerge(merge('waits'));
        await locks.seizeMerge(merge('m'));
        await locks.releaseMerge(merge('m'));
        expect(await locks.leaseSlot(slot(1, 'two'))).toMatchObject({ kind: 'held' });
      });

      it.each([
        ['another person', BERTS],
        ['own other content', ANNAS_OTHER],
      ])('is refused to %s', async (_, owner) => {
        const { claim } = await locks.claim({ ...ANNAS, ...NEVER });
        await subject.advance(IDLE_MS + 1_000);
        expect(await locks.seizeMerge(merge('m', owner))).toEqual({ kind: 'taken', claim, merging: false });
      });
    });

    describe('the release of a claim', () => {
      it('ends every lease under it', async () => {
        await locks.leaseSlot(slot(1, 'one'));
        await locks.leaseMerge(merge('waits'));
        await locks.release(ANNAS);
        expect(await locks.leaseMerge(merge('m'))).toMatchObject({ kind: 'held', created: true });
      });
    });

    describe('a chore', () => {
      it('is one process’s, of many who ask at the same time', async () => {
        const tokens = Array.from({ length: 20 }, (_, at) => `token-${at}`);
        const answers = await Promise.all(tokens.map((token) => locks.leaseChore('sweep', token, LEASE_MS)));
        expect(answers.filter(Boolean)).toHaveLength(1);
      });

      it('stays with who asks again', async () => {
        await locks.leaseChore('sweep', 'one', LEASE_MS);
        await subject.advance(LEASE_MS - 5_000);
        expect(await locks.leaseChore('sweep', 'one', LEASE_MS)).toBe(true);
        await subject.advance(10_000);
        expect(await locks.leaseChore('sweep', 'two', LEASE_MS)).toBe(false);
      });

      it('is free after its time', async () => {
        await locks.leaseChore('sweep', 'one', LEASE_MS);
        await subject.advance(LEASE_MS + 1_000);
        expect(await locks.leaseChore('sweep', 'two', LEASE_MS)).toBe(true);
      });

      it('has nothing to do with other chores', async () => {
        await locks.leaseChore('sweep', 'one', LEASE_MS);
        expect(await locks.leaseChore('tidy', 'two', LEASE_MS)).toBe(true);
      });
    });

    describe('the end of an upload', () => {
      it('is told as it was kept', async () => {
        await locks.finish('upload-a', 'target-1', FACTS, TTL_MS);
        expect(await locks.finished('upload-a', 'target-1')).toEqual(FACTS);
      });

      it('without a digest is told without one', async () => {
        const facts = { finishedAt: 1, size: 0, proved: false, etag: 'e' };
        await locks.finish('upload-a', 'target-1', facts, TTL_MS);
        expect(await locks.finished('upload-a', 'target-1')).toEqual(facts);
      });

      it('is that upload’s at that target alone', async () => {
        await locks.finish('upload-a', 'target-1', FACTS, TTL_MS);
        expect(await locks.finished('upload-b', 'target-1')).toBeUndefined();
        expect(await locks.finished('upload-a', 'target-2')).toBeUndefined();
      });

      it('may be kept twice; the newer facts are told', async () => {
        await locks.finish('upload-a', 'target-1', FACTS, TTL_MS);
        await locks.finish('upload-a', 'target-1', { ...FACTS, size: 6 }, TTL_MS);
        expect(await locks.finished('upload-a', 'target-1')).toMatchObject({ size: 6 });
      });

      it('outlives claims on the target', async () => {
        await locks.finish('upload-a', 'target-1', FACTS, TTL_MS);
        await locks.claim({ ...BERTS, ...NEVER });
        await locks.release(BERTS);
        expect(await locks.finished('upload-a', 'target-1')).toEqual(FACTS);
      });

      it('is forgotten after its time', async () => {
        await locks.finish('upload-a', 'target-1', FACTS, 10_000);
        await subject.advance(11_000);
        expect(await locks.finished('upload-a', 'target-1')).toBeUndefined();
      });

      it('is forgotten when told to, twice if need be', async () => {
        await locks.finish('upload-a', 'target-1', FACTS, TTL_MS);
        await locks.forget('upload-a', 'target-1');
        await locks.forget('upload-a', 'target-1');
        expect(await locks.finished('upload-a', 'target-1')).toBeUndefined();
      });

      it('of another upload is not forgotten with it', async () => {
        await locks.finish('upload-a', 'target-1', FACTS, TTL_MS);
        await locks.forget('upload-b', 'target-1');
        expect(await locks.finished('upload-a', 'target-1')).toEqual(FACTS);
      });
    });
  });
}

function memoryOf(outcome: LeaseOutcome): string {
  if (outcome.kind !== 'held') throw new Error(`the lease is ${outcome.kind}`);
  return outcome.memory;
}
