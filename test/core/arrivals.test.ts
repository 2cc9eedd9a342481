import { describe, expect, it } from 'vitest';
import { Arrivals } from '../../src/core/arrivals.js';
import type { Arriving, ProgressFeed } from '../../src/core/ports.js';
import { ManualClock, settle } from '../support/manual-clock.js';

const PLAN = { size: 100, chunkSize: 10, chunkCount: 10 };

function arrivals(arriving: () => Promise<void> = async () => undefined) {
  const clock = new ManualClock();
  const told: { readonly at: number; readonly bytes: number }[] = [];
  const feed: Pick<ProgressFeed, 'arriving'> = {
    arriving: async (_id: string, { bytes }: Arriving) => {
      told.push({ at: clock.monotonic(), bytes });
      await arriving();
    },
  };
  return { clock, told, arrivals: new Arrivals({ clock, feed: feed as ProgressFeed }) };
}

describe('arriving chunks', () => {
  it('are told together, the first news at once, at most four times a second', async () => {
    const { clock, told, arrivals: subject } = arrivals();
    const [one, two] = [subject.begin('u', PLAN), subject.begin('u', PLAN)];
    for (let bytes = 1; bytes <= 100; bytes++) {
      one.came(bytes);
      two.came(bytes);
      await clock.advance(10);
    }
    expect(told.map(({ at }) => at)).toEqual([0, 250, 500, 750, 1_000]);
    expect(told[0]?.bytes).toBe(1);
    expect(told[3]?.bytes).toBe(150);
    one.end();
    two.end();
  });

  it('are told when the last news is over, and then no more', async () => {
    const { clock, told, arrivals: subject } = arrivals();
    const one = subject.begin('u', PLAN);
    one.came(5);
    one.came(7);
    await clock.advance(10_000);
    expect(told.map(({ bytes }) => bytes)).toEqual([5, 7]);
    one.end();
    await clock.advance(10_000);
    expect(told.map(({ bytes }) => bytes)).toEqual([5, 7, 0]);
    expect(subject.size).toBe(0);
    expect(clock.sleepers).toBe(0);
  });

  it('count no longer as arriving once they are received', async () => {
    const { arrivals: subject } = arrivals();
    const [one, two] = [subject.begin('u', PLAN), subject.begin('u', PLAN)];
    one.came(10);
    two.came(4);
    expect(one.received()).toEqual({ plan: PLAN, bytes: 4 });
    one.end();
    two.end();
  });

  it('are told a few times a second however many small ones follow one another', async () => {
    const { clock, told, arrivals: subject } = arrivals();
    for (let chunk = 0; chunk < 100; chunk++) {
      const one = subject.begin('u', PLAN);
      one.came(10);
      one.received();
      one.end();
      await clock.advance(10);
    }
    expect(told.length).toBeLessThanOrEqual(5);
  });

  it('are told again after a store that was away', async () => {
    const { clock, told, arrivals: subject } = arrivals(() => Promise.reject(new Error('away')));
    const one = subject.begin('u', PLAN);
    one.came(1);
    await clock.advance(300);
    one.came(2);
    await clock.advance(300);
    expect(told.map(({ bytes }) => bytes)).toEqual([1, 2]);
    one.end();
  });

  it('of different uploads are told apart', async () => {
    const { told, arrivals: subject } = arrivals();
    subject.begin('u', PLAN).came(1);
    subject.begin('v', PLAN).came(2);
    await settle();
    expect(told.map(({ bytes }) => bytes)).toEqual([1, 2]);
  });

  it('end when the upload is given up, and that is waited for', async () => {
    const { arrivals: subject } = arrivals();
    const one = subject.begin('u', PLAN);
    let isOver = false;
    const stopping = subject.stop('u', new Error('given up')).then(() => (isOver = true));
    await settle();
    expect(one.signal.aborted).toBe(true);
    expect(isOver).toBe(false);
    one.end();
    await stopping;
  });
});
