// What every adapter of the merge queue promises.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { MergeJob, MergeQueue } from '../../src/core/ports.js';
import type { RemotePath } from '../../src/core/remote-path.js';
import type { Deferred } from '../support/manual-clock.js';
import { deferred } from '../support/manual-clock.js';

export interface QueueUnderTest {
  readonly queue: MergeQueue;
  /** Resolves when every job that may start has started. */
  settled(): Promise<void>;
  stop(): Promise<void>;
}

export interface QueueBounds {
  readonly concurrency: number;
  readonly concurrencyPerHost: number;
}

function job(id: string, hostId = 'host-1'): MergeJob {
  return { id, hostId, target: `/target/${id}` as RemotePath, person: 'anna', hashCode: `code-${id}` };
}

interface Run {
  readonly job: MergeJob;
  readonly signal: AbortSignal;
  readonly end: Deferred<void>;
}

/** Work that lasts until the test ends it. */
class Works {
  readonly runs: Run[] = [];
  readonly active = new Set<string>();
  readonly work = async (given: MergeJob, signal: AbortSignal): Promise<void> => {
    const run = { job: given, signal, end: deferred() };
    this.runs.push(run);
    this.active.add(given.id);
    try {
      await run.end.promise;
    } finally {
      this.active.delete(given.id);
    }
  };

  get started(): readonly string[] {
    return this.runs.map((run) => run.job.id);
  }

  end(at: number): void {
    this.runs[at]?.end.resolve();
  }
}

export function mergeQueueContract(name: string, make: (bounds: QueueBounds) => Promise<QueueUnderTest>): void {
  const never = () => Promise.reject(new Error('no process died'));
  describe(`merge queue: ${name}`, () => {
    let subject: QueueUnderTest;
    let works: Works;

    const start = async (bounds: QueueBounds) => {
      subject = await make(bounds);
      works = new Works();
      subject.queue.process(works.work, never);
    };
    const add = async (...jobs: readonly MergeJob[]) => {
      for (const each of jobs) await subject.queue.add(each);
      await subject.settled();
    };
    const end = async (at: number) => {
      works.end(at);
      await subject.settled();
    };

    beforeEach(() => start({ concurrency: 4, concurrencyPerHost: 2 }));

    afterEach(async () => {
      for (const run of works.runs) run.end.resolve();
      await subject.stop();
    });

    it('runs a job with everything that was added', async () => {
      await add(job('a'));
      expect(works.runs.map((run) => run.job)).toEqual([job('a')]);
    });

    it('runs jobs that were added before anybody processed them', async () => {
      await subject.stop();
      subject = await make({ concurrency: 1, concurrencyPerHost: 1 });
      works = new Works();
      await subject.queue.add(job('early'));
      subject.queue.process(works.work, never);
      await subject.settled();
      expect(works.started).toEqual(['early']);
    });

    it('knows a job from when it is added until it has run', async () => {
      expect(await subject.queue.has('a')).toBe(false);
      await add(job('a'));
      expect(await subject.queue.has('a')).toBe(true);
      await end(0);
      expect(await subject.queue.has('a')).toBe(false);
    });

    it('knows a job that waits', async () => {
      await add(job('a'), job('b'), job('c'));
      expect(works.started).toEqual(['a', 'b']);
      expect(await subject.queue.has('c')).toBe(true);
    });

    it('runs a job that was added twice while it waited once', async () => {
      await add(job('a'), job('b'), job('c'), job('c'));
      for (const at of [0, 1, 2]) await end(at);
      expect(works.started).toEqual(['a', 'b', 'c']);
    });

    it('forgets a job that waits when it is removed', async () => {
      await add(job('a'), job('b'), job('c'));
      await subject.queue.remove('c');
      expect(await subject.queue.has('c')).toBe(false);
      for (const at of [0, 1]) await end(at);
      expect(works.started).toEqual(['a', 'b']);
    });

    it('lets a job go on that is removed while it runs, and forgets that it was asked for again', async () => {
      await add(job('a'));
      await add(job('a'));
      await subject.queue.remove('a');
      expect(works.runs[0]?.signal.aborted).toBe(false);
      await end(0);
      expect(works.started).toEqual(['a']);
      expect(await subject.queue.has('a')).toBe(false);
    });

    it('removes what isn’t there', async () => {
      await expect(subject.queue.remove('a')).resolves.toBeUndefined();
    });

    it('knows a job that was asked for while it ran until it has run again', async () => {
      await add(job('a'));
      await add(job('a'));
      await end(0);
      expect(await subject.queue.has('a')).toBe(true);
      await end(1);
      expect(await subject.queue.has('a')).toBe(false);
    });

    it('runs with what was added last when it was asked for while it ran', async () => {
      await add(job('a'));
      await add({ ...job('a'), hashCode: 'newer' });
      await end(0);
      expect(works.runs[1]?.job.hashCode).toBe('newer');
    });

    it('never runs the same job twice at once', async () => {
      await add(job('a'), job('a'));
      expect(works.started).toEqual(['a']);
    });

    it('runs a job that was asked for while it ran once more, however often', async () => {
      await add(job('a'));
      await add(job('a'), job('a'), job('a'));
      await end(0);
      expect(works.started).toEqual(['a', 'a']);
      await end(1);
      expect(works.started).toEqual(['a', 'a']);
    });

    it('runs a job that is added after it ran again', async () => {
      await add(job('a'));
      await end(0);
      await add(job('a'));
      expect(works.started).toEqual(['a', 'a']);
    });

    it('has a bound for each host', async () => {
      await add(job('a'), job('b'), job('c'));
      expect([...works.active]).toEqual(['a', 'b']);
      await end(0);
      expect([...works.active]).toEqual(['b', 'c']);
    });

    it('has a bound in all', async () => {
      await add(...['a', 'b', 'c', 'd', 'e', 'f'].map((id) => job(id, `host-${id}`)));
      expect([...works.active]).toEqual(['a', 'b', 'c', 'd']);
      await end(2);
      expect([...works.active]).toEqual(['a', 'b', 'd', 'e']);
    });

    it('a slow host does not take every place', async () => {
      await add(job('a'), job('b'), job('c'), job('d'), job('e'), job('other', 'host-2'));
      expect([...works.active]).toEqual(['a', 'b', 'other']);
    });

    it('jobs of one host run in the order they came', async () => {
      await add(job('a'), job('b'), job('c'), job('d'), job('e'));
      for (const at of [0, 1, 2, 3]) await end(at);
      expect(works.started).toEqual(['a', 'b', 'c', 'd', 'e']);
    });

    it('goes on after work that rejects', async () => {
      await add(job('a'), job('b'), job('c'));
      works.runs[0]?.end.reject(new Error('unexpected'));
      await subject.settled();
      expect(await subject.queue.has('a')).toBe(false);
      expect([...works.active]).toEqual(['b', 'c']);
    });

    it('goes on after work that throws at once', async () => {
      await subject.stop();
      subject = await make({ concurrency: 1, concurrencyPerHost: 1 });
      const seen: string[] = [];
      subject.queue.process((given) => {
        seen.push(given.id);
        if (given.id === 'a') throw new Error('unexpected');
        return Promise.resolve();
      }, never);
      await subject.queue.add(job('a'));
      await subject.queue.add(job('b'));
      await subject.settled();
      expect(seen).toEqual(['a', 'b']);
      expect(await subject.queue.has('a')).toBe(false);
    });

    describe('when it closes', () => {
      it('aborts what runs and waits for it', async () => {
        await add(job('a'));
        let isClosed = false;
        const closing = subject.queue.close().then(() => (isClosed = true));
        await subject.settled();
        expect(works.runs[0]?.signal.aborted).toBe(true);
        expect(isClosed).toBe(false);
        works.end(0);
        await closing;
      });

      it('starts nothing that waited', async () => {
        await add(job('a'), job('b'), job('c'));
        const closing = subject.queue.close();
        works.end(0);
        works.end(1);
        await closing;
        await subject.settled();
        expect(works.started).toEqual(['a', 'b']);
      });

      it('takes no more jobs, and says nothing about it', async () => {
        await subject.queue.close();
        await expect(subject.queue.add(job('a'))).resolves.toBeUndefined();
        await subject.settled();
        expect(works.started).toEqual([]);
      });

      it('may be closed twice', async () => {
        await subject.queue.close();
        await expect(subject.queue.close()).resolves.toBeUndefined();
      });
    });

    it('gives running work a signal that is not aborted', async () => {
      await add(job('a'));
      expect(works.runs[0]?.signal.aborted).toBe(false);
    });
  });
}
