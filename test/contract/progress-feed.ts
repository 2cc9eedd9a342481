// What every adapter of the progress feed promises. Two feeds over one store are two processes, where the adapter can have that.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ProgressFeed } from '../../src/core/ports.js';
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
