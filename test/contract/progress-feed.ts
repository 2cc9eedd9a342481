// What every adapter of the progress feed promises. Two feeds over one store are two processes, where the adapter can have that.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Asked, ProgressFeed } from '../../src/core/ports.js';
import type { MergePhase, MergeProgress } from '../../src/core/progress.js';

export interface FeedUnderTest {
  readonly feed: ProgressFeed;
  /** How long states are kept, ms. */
  readonly ttlMs: number;
  advance(ms: number): Promise<void>;
  /** Resolves when what was published has reached every watcher. */
  delivered(): Promise<void>;
  /** Watchers and states kept in memory for nobody; 0 when everybody left and everything was forgotten. */
  leftovers(): Promise<number>;
  stop(): Promise<void>;
}

function state(phase: MergePhase, doneBytes = 0): MergeProgress {
  return { phase, doneBytes, totalBytes: 10, percent: doneBytes * 10, proved: false, updatedAt: 1_800_000_000_000 + doneBytes };
}

const DONE: MergeProgress = { ...state('DONE', 10), strategy: 'IN_PLACE', digest: 'md5:00', proved: true };
/** 25 chunks of 4 bytes and one of 1. */
const PLAN = { size: 101, chunkSize: 4, chunkCount: 26 };
const END = { done: true, value: undefined };

export function progressFeedContract(name: string, make: () => Promise<FeedUnderTest>): void {
  describe(`progress feed: ${name}`, () => {
    let subject: FeedUnderTest;
    let feed: ProgressFeed;

    beforeEach(async () => {
      subject = await make();
      feed = subject.feed;
    });

    afterEach(async () => {
      await subject.stop();
    });

    const watch = (id = 'upload-1') => feed.watch(id)[Symbol.asyncIterator]();
    const phases = async (id = 'upload-1') => {
      const seen: MergePhase[] = [];
      for await (const progress of feed.watch(id)) seen.push(progress.phase);
      return seen;
    };

    describe('the stored state', () => {
      it('is none before anything was published', async () => {
        expect(await feed.last('upload-1')).toBeUndefined();
      });

      it('is the newest, with everything in it', async () => {
        await feed.publish('upload-1', state('VERIFYING', 1));
        await feed.publish('upload-1', DONE);
        expect(await feed.last('upload-1')).toEqual(DONE);
      });

      it('keeps the problem of a failure', async () => {
        const problem = {
          kind: 'ChunksMissing',
          code: 'CHUNKS_MISSING',
          message: 'm',
          retryable: true,
          ranges: [{ first: 1, last: 2 }],
          missingCount: 2,
        } as const;
        await feed.publish('upload-1', { ...state('FAILED'), problem });
        expect((await feed.last('upload-1'))?.problem).toEqual(problem);
      });

      it('is that upload’s alone', async () => {
        await feed.publish('upload-1', DONE);
        expect(await feed.last('upload-2')).toBeUndefined();
      });

      it.each<MergePhase>(['DONE', 'ABORTED'])('stays %s when somebody fails who had not noticed', async (phase) => {
        await feed.publish('upload-1', state(phase));
        await feed.publish('upload-1', state('FAILED'));
        expect((await feed.last('upload-1'))?.phase).toBe(phase);
      });

      it('is FAILED after a failure that is news', async () => {
        await feed.publish('upload-1', state('VERIFYING', 1));
        await feed.publish('upload-1', state('FAILED'));
        expect((await feed.last('upload-1'))?.phase).toBe('FAILED');
      });

      it('is a new beginning after a failure', async () => {
        await feed.publish('upload-1', state('FAILED'));
        await feed.publish('upload-1', state('QUEUED'));
        expect((await feed.last('upload-1'))?.phase).toBe('QUEUED');
      });

      it.each<[MergePhase, MergePhase]>([
        ['DONE', 'RECEIVING'],
        ['DONE', 'QUEUED'],
        ['DONE', 'ABORTED'],
        ['ABORTED', 'RECEIVING'],
        ['ABORTED', 'QUEUED'],
        ['ABORTED', 'VERIFYING'],
      ])('%s is not replaced by %s until it is forgotten', async (end, late) => {
        await feed.publish('upload-1', state(end));
        await feed.publish('upload-1', state(late));
        expect((await feed.last('upload-1'))?.phase).toBe(end);
        await feed.forget('upload-1');
        await feed.publish('upload-1', state(late));
        expect((await feed.last('upload-1'))?.phase).toBe(late);
      });

      it.each<[MergePhase, MergePhase]>([
        ['DONE', 'DONE'],
        ['ABORTED', 'ABORTED'],
        ['ABORTED', 'DONE'],
      ])('%s is replaced by %s, which knows better', async (end, later) => {
        await feed.publish('upload-1', state(end, 1));
        await feed.publish('upload-1', state(later, 2));
        expect(await feed.last('upload-1')).toEqual(state(later, 2));
      });

      it('has sizes as large as files can be', async () => {
        const huge = { ...state('VERIFYING'), doneBytes: Number.MAX_SAFE_INTEGER - 1, totalBytes: Number.MAX_SAFE_INTEGER };
        await feed.publish('upload-1', huge);
        expect(await feed.last('upload-1')).toEqual(huge);
      });

      it('is none once it is forgotten', async () => {
        await feed.publish('upload-1', DONE);
        await feed.forget('upload-1');
        expect(await feed.last('upload-1')).toBeUndefined();
      });

      it('may be forgotten where there is none', async () => {
        await expect(feed.forget('upload-1')).resolves.toBeUndefined();
      });

      it('is kept for its time', async () => {
        await feed.publish('upload-1', DONE);
        await subject.advance(subject.ttlMs - 5_000);
        expect(await feed.last('upload-1')).toEqual(DONE);
      });

      it('is none after its time', async () => {
        await feed.publish('upload-1', DONE);
        await subject.advance(subject.ttlMs + 1_000);
        expect(await feed.last('upload-1')).toBeUndefined();
      });
    });

    describe('what was received', () => {
      const tell = (index: number, plan = PLAN) => feed.received('upload-1', index, { plan, bytes: 0 });
      const know = (indexes: readonly number[], plan = PLAN) => feed.knowReceived('upload-1', indexes, plan);
      const arrive = (bytes: number) => feed.arriving('upload-1', { plan: PLAN, bytes });

      it('is unknown at first, and a chunk changes nothing', async () => {
        expect(await tell(1)).toBeUndefined();
        expect(await tell(1)).toBeUndefined();
        expect(await feed.last('upload-1')).toBeUndefined();
      });

      it('is known from what was found, and nobody is told', async () => {
        expect(await know([1, 3])).toEqual({ count: 2, bytes: 8 });
        expect(await feed.last('upload-1')).toBeUndefined();
      });

      it('may be found to be nothing', async () => {
        expect(await know([])).toEqual({ count: 0, bytes: 0 });
        expect(await tell(2)).toEqual({ count: 1, bytes: 4 });
      });

      it('grows by what is found, each chunk once', async () => {
        await know([1, 2]);
        expect(await know([2, 3])).toEqual({ count: 3, bytes: 12 });
        expect(await know([2, 3])).toEqual({ count: 3, bytes: 12 });
      });

      it('grows by each chunk that comes, once', async () => {
        await know([1]);
        expect(await tell(3)).toEqual({ count: 2, bytes: 8 });
        expect(await tell(3)).toEqual({ count: 2, bytes: 8 });
      });

      it('counts the last chunk with the bytes it has', async () => {
        expect(await know([26])).toEqual({ count: 1, bytes: 1 });
        expect(await tell(25)).toEqual({ count: 2, bytes: 5 });
      });

      it('is everything in the end, exactly, in whatever order it comes', async () => {
        await know([]);
        const indexes = Array.from({ length: 26 }, (_, at) => at + 1).reverse();
        const totals = await Promise.all(indexes.map((index) => tell(index)));
        expect(Math.max(...totals.map((total) => total?.count ?? 0))).toBe(26);
        await arrive(0);
        expect((await feed.last('upload-1'))?.doneBytes).toBe(101);
      });

      it('is exact for the largest file', async () => {
        const chunkSize = 90_071_992_547;
        const size = Number.MAX_SAFE_INTEGER;
        const plan = { size, chunkSize, chunkCount: Math.ceil(size / chunkSize) };
        const all = Array.from({ length: plan.chunkCount }, (_, at) => at + 1);
        expect(await know(all.slice(1), plan)).toEqual({ count: plan.chunkCount - 1, bytes: size - chunkSize });
        expect(await tell(1, plan)).toEqual({ count: plan.chunkCount, bytes: size });
        expect(await feed.last('upload-1')).toMatchObject({ doneBytes: size, totalBytes: size, percent: 100 });
      });

      it('of a file without bytes is nothing', async () => {
        expect(await know([], { size: 0, chunkSize: 4, chunkCount: 0 })).toEqual({ count: 0, bytes: 0 });
      });

      it('begins with a state that is stored and told', async () => {
        await know([1]);
        const next = watch().next();
        await subject.delivered();
        await tell(2);
        const told = (await next).value as MergeProgress;
        expect(told).toEqual({
          phase: 'RECEIVING',
          doneBytes: 8,
          totalBytes: 101,
          percent: (8 / 101) * 100,
          proved: false,
          updatedAt: told.updatedAt,
        });
        expect(Number.isInteger(told.updatedAt)).toBe(true);
        expect(await feed.last('upload-1')).toEqual(told);
      });

      it('is told at once where nothing was, then when something arrives', async () => {
        await know([]);
        await tell(1);
        expect(await feed.last('upload-1')).toMatchObject({ doneBytes: 4 });
        await tell(2);
        expect(await feed.last('upload-1')).toMatchObject({ doneBytes: 4 });
        await arrive(0);
        expect(await feed.last('upload-1')).toMatchObject({ doneBytes: 8 });
      });

      it.each<MergePhase>(['QUEUED', 'ASSEMBLING', 'VERIFYING', 'PUBLISHING'])(
        'is counted, but not told, while %s',
        async (phase) => {
          await know([]);
          await feed.publish('upload-1', state(phase));
          expect(await tell(1)).toEqual({ count: 1, bytes: 4 });
          expect(await feed.last('upload-1')).toEqual(state(phase));
        },
      );

      it.each<MergePhase>(['DONE', 'FAILED', 'ABORTED'])('is forgotten after %s', async (phase) => {
        await know([1, 2]);
        await feed.publish('upload-1', state(phase));
        expect(await tell(3)).toBeUndefined();
        expect((await feed.last('upload-1'))?.phase).toBe(phase);
      });

      it.each<MergePhase>(['DONE', 'ABORTED'])('never replaces %s', async (phase) => {
        await feed.publish('upload-1', state(phase));
        await know([1]);
        expect(await tell(2)).toEqual({ count: 2, bytes: 8 });
        expect((await feed.last('upload-1'))?.phase).toBe(phase);
      });

      it('stays when a failure that is no news is told', async () => {
        await feed.publish('upload-1', state('ABORTED'));
        await know([1]);
        await feed.publish('upload-1', state('FAILED'));
        expect(await tell(2)).toEqual({ count: 2, bytes: 8 });
      });

      it('goes on after a failure', async () => {
        await feed.publish('upload-1', state('FAILED'));
        await know([1]);
        await tell(2);
        expect(await feed.last('upload-1')).toMatchObject({ phase: 'RECEIVING', doneBytes: 8 });
      });

      it('is looked at anew when what was counted is gone, and the state stays', async () => {
        await know([1]);
        await tell(2);
        await feed.forgetReceived('upload-1');
        expect(await tell(3)).toBeUndefined();
        expect(await feed.last('upload-1')).toMatchObject({ phase: 'RECEIVING', doneBytes: 8 });
      });

      it('is forgotten when told to', async () => {
        await know([1]);
        await feed.forget('upload-1');
        expect(await tell(2)).toBeUndefined();
      });

      it('is that upload’s alone', async () => {
        await know([1]);
        expect(await feed.received('upload-2', 1, { plan: PLAN, bytes: 0 })).toBeUndefined();
      });

      it('is kept for its time, from the last chunk', async () => {
        await know([1]);
        await subject.advance(subject.ttlMs - 5_000);
        await tell(2);
        await subject.advance(10_000);
        expect(await tell(3)).toEqual({ count: 3, bytes: 12 });
        await subject.advance(subject.ttlMs + 1_000);
        expect(await tell(4)).toBeUndefined();
      });
    });

    describe('what arrives', () => {
      const arrive = (bytes: number) => feed.arriving('upload-1', { plan: PLAN, bytes });
      const know = (indexes: readonly number[]) => feed.knowReceived('upload-1', indexes, PLAN);
      const doneBytes = async () => (await feed.last('upload-1'))?.doneBytes;

      it('is told together with what is there', async () => {
        await know([1, 2]);
        const next = watch().next();
        await subject.delivered();
        await arrive(3);
        const told = (await next).value as MergeProgress;
        expect(told).toMatchObject({
          phase: 'RECEIVING',
          doneBytes: 11,
          totalBytes: 101,
          percent: (11 / 101) * 100,
          proved: false,
        });
        expect(await feed.last('upload-1')).toEqual(told);
      });

      it('is not told while it isn’t known what is there', async () => {
        await arrive(3);
        expect(await feed.last('upload-1')).toBeUndefined();
        expect(await subject.leftovers()).toBe(0);
      });

      it('counts once when it has become part of what is there', async () => {
        await know([]);
        await arrive(3);
        await feed.received('upload-1', 1, { plan: PLAN, bytes: 0 });
        await arrive(0);
        expect(await doneBytes()).toBe(4);
      });

      it('never makes the number go back when it comes to nothing', async () => {
        await know([1]);
        await arrive(3);
        await arrive(0);
        expect(await doneBytes()).toBe(7);
        await feed.received('upload-1', 2, { plan: PLAN, bytes: 0 });
        await arrive(0);
        expect(await doneBytes()).toBe(8);
      });

      it('never makes more of it than there is', async () => {
        await know(Array.from({ length: 26 }, (_, at) => at + 1));
        await arrive(50);
        expect(await feed.last('upload-1')).toMatchObject({ doneBytes: 101, percent: 100 });
      });

      it('is counted anew when what was there is gone', async () => {
        await know([1, 2, 3]);
        await arrive(0);
        await feed.forgetReceived('upload-1');
        await know([]);
        await arrive(1);
        expect(await doneBytes()).toBe(1);
      });

      it('is counted anew after a failure', async () => {
        await know([1, 2, 3]);
        await arrive(0);
        await feed.publish('upload-1', state('FAILED'));
        await know([1]);
        await feed.received('upload-1', 2, { plan: PLAN, bytes: 1 });
        expect(await doneBytes()).toBe(9);
      });

      it.each<MergePhase>(['QUEUED', 'VERIFYING', 'DONE', 'FAILED', 'ABORTED'])('doesn’t cover %s', async (phase) => {
        await feed.publish('upload-1', state(phase));
        await know([1]);
        await arrive(3);
        expect(await feed.last('upload-1')).toEqual(state(phase));
      });
    });

    describe('a first state', () => {
      it('is stored and told where there is none', async () => {
        const next = watch().next();
        await subject.delivered();
        await feed.begin('upload-1', state('RECEIVING', 1));
        expect((await next).value).toEqual(state('RECEIVING', 1));
        expect(await feed.last('upload-1')).toEqual(state('RECEIVING', 1));
      });

      it.each<MergePhase>(['RECEIVING', 'QUEUED', 'VERIFYING', 'DONE', 'FAILED', 'ABORTED'])('covers no %s', async (phase) => {
        await feed.publish('upload-1', state(phase));
        await feed.begin('upload-1', state('RECEIVING', 1));
        expect(await feed.last('upload-1')).toEqual(state(phase));
      });
    });

    describe('a request', () => {
      const ASKED: Asked = { askedAt: 1_800_000_000_005, text: '{"ifExists":"ASK", "a b": "ü"}' };
      const NEWER: Asked = { askedAt: 1_800_000_000_009, text: '{}' };
      const ask = (asked?: Asked) => feed.ask('upload-1', state('QUEUED'), asked);

      it('is kept as it was given, and QUEUED is told', async () => {
        expect(await feed.asked('upload-1')).toBeUndefined();
        const next = watch().next();
        await subject.delivered();
        expect(await ask(ASKED)).toEqual(state('QUEUED'));
        expect((await next).value).toEqual(state('QUEUED'));
        expect(await feed.asked('upload-1')).toEqual(ASKED);
      });

      it.each<MergePhase>(['RECEIVING', 'FAILED'])('takes the place of %s', async (phase) => {
        await feed.publish('upload-1', state(phase, 1));
        expect(await ask(ASKED)).toEqual(state('QUEUED'));
        expect(await feed.last('upload-1')).toEqual(state('QUEUED'));
      });

      it.each<MergePhase>(['QUEUED', 'ASSEMBLING', 'VERIFYING', 'PUBLISHING'])('leaves %s to be seen', async (phase) => {
        await feed.publish('upload-1', state(phase, 1));
        expect(await ask(ASKED)).toEqual(state(phase, 1));
        expect(await feed.last('upload-1')).toEqual(state(phase, 1));
        expect(await feed.asked('upload-1')).toEqual(ASKED);
      });

      it.each<MergePhase>(['DONE', 'ABORTED'])('changes nothing about %s', async (phase) => {
        await feed.publish('upload-1', state(phase));
        expect(await ask(ASKED)).toEqual(state(phase));
        expect(await feed.asked('upload-1')).toBeUndefined();
      });

      it('that is none keeps the one before', async () => {
        await ask(ASKED);
        await ask();
        expect(await feed.asked('upload-1')).toEqual(ASKED);
      });

      it.each<MergePhase>(['DONE', 'FAILED', 'ABORTED'])('is over after %s', async (phase) => {
        await ask(ASKED);
        await feed.publish('upload-1', state(phase));
        expect(await feed.asked('upload-1')).toBeUndefined();
      });

      it('is answered by a failure that is about it', async () => {
        await ask(ASKED);
        await feed.publish('upload-1', state('FAILED'), ASKED.askedAt);
        expect((await feed.last('upload-1'))?.phase).toBe('FAILED');
        expect(await feed.asked('upload-1')).toBeUndefined();
      });

      it('keeps a failure that is about an older one from being told', async () => {
        await ask(ASKED);
        await feed.publish('upload-1', state('VERIFYING', 1));
        await ask(NEWER);
        await feed.publish('upload-1', state('FAILED'), ASKED.askedAt);
        expect(await feed.last('upload-1')).toEqual(state('VERIFYING', 1));
        expect(await feed.asked('upload-1')).toEqual(NEWER);
      });

      it('that nobody kept keeps no failure from being told', async () => {
        await feed.publish('upload-1', state('VERIFYING', 1));
        await feed.publish('upload-1', state('FAILED'), ASKED.askedAt);
        expect((await feed.last('upload-1'))?.phase).toBe('FAILED');
      });

      it('is forgotten with the state', async () => {
        await ask(ASKED);
        await feed.forget('upload-1');
        expect(await feed.asked('upload-1')).toBeUndefined();
        expect(await subject.leftovers()).toBe(0);
      });
    });

    describe('a watcher', () => {
      it('gets the stored state first, then newer ones', async () => {
        await feed.publish('upload-1', state('QUEUED'));
        const watcher = watch();
        expect((await watcher.next()).value).toMatchObject({ phase: 'QUEUED' });
        const next = watcher.next();
        await feed.publish('upload-1', state('VERIFYING', 1));
        expect((await next).value).toEqual(state('VERIFYING', 1));
      });

      it('waits when nothing is stored', async () => {
        const watcher = watch();
        const next = watcher.next();
        await feed.publish('upload-1', state('RECEIVING', 1));
        expect((await next).value).toMatchObject({ phase: 'RECEIVING' });
      });

      it('who comes after the end gets it and ends', async () => {
        await feed.publish('upload-1', DONE);
        expect(await phases()).toEqual(['DONE']);
      });

      it.each<MergePhase>(['DONE', 'FAILED', 'ABORTED'])('ends after %s', async (phase) => {
        const watcher = watch();
        const next = watcher.next();
        await feed.publish('upload-1', state(phase));
        expect((await next).value).toMatchObject({ phase });
        expect(await watcher.next()).toEqual(END);
      });

      it('sees nothing of what comes after the end it was told', async () => {
        const watcher = watch();
        const next = watcher.next();
        await subject.delivered();
        await feed.publish('upload-1', state('FAILED'));
        await feed.publish('upload-1', state('QUEUED'));
        await subject.delivered();
        expect((await next).value).toMatchObject({ phase: 'FAILED' });
        expect(await watcher.next()).toEqual(END);
      });

      it('who comes after a new beginning sees that, not the old end', async () => {
        await feed.publish('upload-1', state('FAILED'));
        await feed.publish('upload-1', state('QUEUED'));
        expect((await watch().next()).value).toMatchObject({ phase: 'QUEUED' });
      });

      it('is one of several, who all see every state they are quick enough for', async () => {
        const watchers = [watch(), watch(), watch()];
        for (const done of [1, 2]) {
          const next = watchers.map((watcher) => watcher.next());
          await feed.publish('upload-1', state('VERIFYING', done));
          const seen = await Promise.all(next);
          expect(seen.map((result) => (result.value as MergeProgress).doneBytes)).toEqual([done, done, done]);
        }
      });

      it('who is slow gets the latest state and none between', async () => {
        const watcher = watch();
        const first = watcher.next();
        await feed.publish('upload-1', state('VERIFYING', 1));
        await first;
        for (const done of [2, 3, 4, 5]) await feed.publish('upload-1', state('VERIFYING', done));
        await subject.delivered();
        expect((await watcher.next()).value).toMatchObject({ doneBytes: 5 });
      });

      it('who is slow always gets the end', async () => {
        const watcher = watch();
        const first = watcher.next();
        await feed.publish('upload-1', state('VERIFYING', 1));
        await first;
        await feed.publish('upload-1', state('VERIFYING', 2));
        await feed.publish('upload-1', DONE);
        await subject.delivered();
        expect([await watcher.next(), await watcher.next()]).toEqual([{ done: false, value: DONE }, END]);
      });

      it('sees nothing of other uploads', async () => {
        const watcher = watch();
        const next = watcher.next();
        await feed.publish('upload-2', state('VERIFYING', 9));
        await feed.publish('upload-1', state('VERIFYING', 1));
        expect((await next).value).toMatchObject({ doneBytes: 1 });
      });

      it('stays when the state is forgotten, and sees the next', async () => {
        await feed.publish('upload-1', state('RECEIVING', 1));
        const watcher = watch();
        await watcher.next();
        const next = watcher.next();
        await feed.forget('upload-1');
        await feed.publish('upload-1', state('RECEIVING', 2));
        expect((await next).value).toMatchObject({ doneBytes: 2 });
      });

      it('who leaves while nothing happens is gone at once', async () => {
        const watcher = watch();
        const next = watcher.next();
        await watcher.return?.();
        expect(await next).toEqual(END);
        expect(await subject.leftovers()).toBe(0);
      });

      it('who leaves does not take others along', async () => {
        const [leaving, staying] = [watch(), watch()];
        const next = staying.next();
        void leaving.next();
        await leaving.return?.();
        await feed.publish('upload-1', state('VERIFYING', 1));
        expect((await next).value).toMatchObject({ doneBytes: 1 });
      });

      it('who was told the end leaves nothing behind once it is forgotten', async () => {
        const all = Promise.all([phases(), phases()]);
        await feed.publish('upload-1', DONE);
        expect(await all).toEqual([['DONE'], ['DONE']]);
        await feed.forget('upload-1');
        expect(await subject.leftovers()).toBe(0);
      });
    });
  });
}
