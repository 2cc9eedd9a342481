import { describe, expect, it } from 'vitest';
import type { ProgressFeed } from '../../src/core/ports.js';
import { ProgressReporter } from '../../src/core/progress-reporter.js';
import type { MergeProgress } from '../../src/core/progress.js';
import type { Deferred } from '../support/manual-clock.js';
import { ManualClock, deferred, settle } from '../support/manual-clock.js';

const TOTAL = 1_000_000;

function reporting(publish: (progress: MergeProgress) => Promise<void> = async () => undefined) {
  const clock = new ManualClock();
  const told: MergeProgress[] = [];
  const feed: Pick<ProgressFeed, 'publish'> = {
    publish: async (_, progress) => {
      await publish(progress);
      told.push(progress);
    },
  };
  const reporter = new ProgressReporter({ feed: feed as ProgressFeed, clock, id: 'upload' });
  reporter.strategy = 'IN_PLACE';
  return { clock, told, reporter };
}

describe('a reporter', () => {
  it('tells at most five states of a phase a second', async () => {
    const { clock, told, reporter } = reporting();
    for (let at = 0; at < 1_000; at += 10) {
      reporter.report('VERIFYING', at * 100, TOTAL);
      await clock.advance(10);
    }
    expect(told).toHaveLength(5);
  });

  it('tells a new phase at once', async () => {
    const { told, reporter } = reporting();
    reporter.report('VERIFYING', 10, TOTAL);
    reporter.report('PUBLISHING', 0, TOTAL);
    await reporter.settled();
    expect(told.map((state) => state.phase)).toEqual(['VERIFYING', 'PUBLISHING']);
  });

  it('never goes back within a phase', async () => {
    const { clock, told, reporter } = reporting();
    for (const done of [500_000, 100_000, 600_000, 0]) {
      reporter.report('VERIFYING', done, TOTAL);
      await clock.advance(200);
    }
    expect(told.map((state) => state.percent)).toEqual([50, 50, 60, 60]);
  });

  it('begins a new phase at its beginning', async () => {
    const { told, reporter } = reporting();
    reporter.report('ASSEMBLING', 900_000, TOTAL);
    reporter.report('VERIFYING', 0, TOTAL);
    await reporter.settled();
    expect(told.at(-1)).toMatchObject({ doneBytes: 0, percent: 0 });
  });

  it('never tells more bytes than there are', async () => {
    const { told, reporter } = reporting();
    reporter.report('VERIFYING', TOTAL + 1, TOTAL);
    await reporter.settled();
    expect(told[0]).toMatchObject({ doneBytes: TOTAL, percent: 100 });
  });

  it('never tells a time to go below zero, also when a phase turns out smaller than it was', async () => {
    const { clock, told, reporter } = reporting();
    reporter.report('VERIFYING', 0, 2 * TOTAL);
    await clock.advance(200);
    reporter.report('VERIFYING', 2 * TOTAL, 2 * TOTAL);
    await clock.advance(200);
    reporter.report('VERIFYING', 10, TOTAL);
    await reporter.settled();
    expect(told.at(-1)?.etaSeconds ?? 0).toBeGreaterThanOrEqual(0);
  });

  it('counts a phase of no bytes as complete', async () => {
    const { told, reporter } = reporting();
    reporter.report('VERIFYING', 0, 0);
    await reporter.settled();
    expect(told[0]).toMatchObject({ percent: 100, doneBytes: 0 });
  });

  it('tells the rate and what is left at that rate', async () => {
    const { clock, told, reporter } = reporting();
    reporter.report('VERIFYING', 0, TOTAL);
    await clock.advance(500);
    reporter.report('VERIFYING', 250_000, TOTAL);
    await reporter.settled();
    expect(told[0]).not.toHaveProperty('bytesPerSecond');
    expect(told[1]).toMatchObject({ bytesPerSecond: 500_000, etaSeconds: 1.5 });
  });

  it('smooths a rate that jumps', async () => {
    const { clock, told, reporter } = reporting();
    reporter.report('VERIFYING', 0, TOTAL);
    for (const done of [100_000, 900_000]) {
      await clock.advance(1_000);
      reporter.report('VERIFYING', done, TOTAL);
    }
    await reporter.settled();
    const rate = told[2]?.bytesPerSecond ?? 0;
    expect(rate).toBeGreaterThan(100_000);
    expect(rate).toBeLessThan(800_000);
  });

  it('tells states in their order, however long each takes', async () => {
    const pending: Deferred<void>[] = [];
    const { clock, told, reporter } = reporting(() => {
      const wait = deferred();
      pending.push(wait);
      return wait.promise;
    });
    reporter.report('VERIFYING', 1, TOTAL);
    await clock.advance(200);
    reporter.report('VERIFYING', 2, TOTAL);
    await settle();
    expect(pending).toHaveLength(1);
    for (const at of [0, 1]) {
      pending[at]?.resolve();
      await settle();
    }
    expect(told.map((state) => state.doneBytes)).toEqual([1, 2]);
  });

  it('tells the end after all others', async () => {
    const first = deferred();
    const { told, reporter } = reporting((progress) => (progress.phase === 'VERIFYING' ? first.promise : Promise.resolve()));
    reporter.report('VERIFYING', 1, TOTAL);
    const ended = reporter.end({ ...DONE });
    await settle();
    expect(told).toEqual([]);
    first.resolve();
    await ended;
    expect(told.map((state) => state.phase)).toEqual(['VERIFYING', 'DONE']);
  });

  it('goes on when a state could not be told', async () => {
    const { told, reporter } = reporting((progress) =>
      progress.phase === 'VERIFYING' ? Promise.reject(new Error('away')) : Promise.resolve(),
    );
    reporter.report('VERIFYING', 1, TOTAL);
    await reporter.end({ ...DONE });
    expect(told.map((state) => state.phase)).toEqual(['DONE']);
  });

  it('says when the end could not be told', async () => {
    const { reporter } = reporting(() => Promise.reject(new Error('away')));
    await expect(reporter.end({ ...DONE })).rejects.toThrow('away');
  });

  it('goes on from what viewers saw of a run before it', async () => {
    const { clock, told, reporter } = reporting();
    reporter.goOnFrom({ phase: 'VERIFYING', doneBytes: 600_000 });
    for (const done of [0, 300_000, 700_000]) {
      reporter.report('VERIFYING', done, TOTAL);
      await clock.advance(200);
    }
    reporter.report('PUBLISHING', 0, TOTAL);
    await reporter.settled();
    expect(told.map((state) => state.percent)).toEqual([60, 60, 70, 0]);
  });

  it('says of an end which request it answers, unless the file is there', async () => {
    const clock = new ManualClock();
    const answers: (number | undefined)[] = [];
    const feed: Pick<ProgressFeed, 'publish'> = { publish: async (_id, _progress, answered) => void answers.push(answered) };
    const reporter = new ProgressReporter({ feed: feed as ProgressFeed, clock, id: 'upload' });
    reporter.answers = 5;
    await reporter.end({ ...DONE, phase: 'FAILED' });
    await reporter.end(DONE);
    expect(answers).toEqual([5, undefined]);
  });

  it('names the strategy', async () => {
    const { told, reporter } = reporting();
    reporter.report('VERIFYING', 1, TOTAL);
    await reporter.settled();
    expect(told[0]?.strategy).toBe('IN_PLACE');
  });
});

const DONE: MergeProgress = { phase: 'DONE', doneBytes: TOTAL, totalBytes: TOTAL, percent: 100, proved: true, updatedAt: 1 };
