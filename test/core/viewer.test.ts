import { describe, expect, it } from 'vitest';
import { Latest } from '../../src/core/latest.js';
import type { MergePhase, MergeProgress } from '../../src/core/progress.js';
import { viewing } from '../../src/core/viewer.js';
import { ManualClock, settle } from '../support/manual-clock.js';

const TOTAL = 1_000;

function viewed(onSilence: (shown: MergeProgress) => Promise<void> = async () => undefined) {
  const clock = new ManualClock();
  let leaves = 0;
  const source = new Latest<MergeProgress>(() => (leaves += 1));
  const viewer = viewing(source, { clock, onSilence });
  const seen: { readonly at: number; readonly state: MergeProgress }[] = [];
  const reading = (async () => {
    for await (const state of viewer) seen.push({ at: clock.monotonic(), state });
  })();
  const tell = async (phase: MergePhase, doneBytes = 0) => {
    const percent = (doneBytes / TOTAL) * 100;
    source.push({ phase, doneBytes, totalBytes: TOTAL, percent, proved: false, updatedAt: clock.now() });
    await settle();
  };
  return { clock, source, viewer, seen, reading, tell, leaves: () => leaves, states: () => seen.map((each) => each.state) };
}

/** The most states in any second. */
function mostInASecond(times: readonly number[]): number {
  return Math.max(...times.map((from) => times.filter((at) => at >= from && at < from + 1_000).length));
}

describe('a viewer', () => {
  it('is shown the present state at once', async () => {
    const { tell, seen } = viewed();
    await tell('VERIFYING', 1);
    expect(seen).toMatchObject([{ at: 0, state: { phase: 'VERIFYING', doneBytes: 1 } }]);
  });

  it.each<MergePhase>(['RECEIVING', 'VERIFYING'])(
    'is shown at most five states of %s a second, and the last one',
    async (phase) => {
      const { clock, tell, seen } = viewed();
      for (let done = 1; done <= 300; done++) {
        await tell(phase, done);
        await clock.advance(10);
      }
      await clock.advance(1_000);
      const times = seen.map((each) => each.at);
      expect(mostInASecond(times)).toBe(5);
      expect(Math.max(...times.slice(1).map((at, index) => at - (times[index] ?? 0)))).toBeLessThan(300);
      expect(seen.at(-1)?.state.doneBytes).toBe(300);
    },
  );

  it('is shown a new phase at once', async () => {
    const { tell, seen } = viewed();
    for (const phase of ['QUEUED', 'ASSEMBLING', 'VERIFYING', 'PUBLISHING'] as const) await tell(phase);
    expect(seen.map(({ state, at }) => [state.phase, at])).toEqual([
      ['QUEUED', 0],
      ['ASSEMBLING', 0],
      ['VERIFYING', 0],
      ['PUBLISHING', 0],
    ]);
  });

  it('is shown no more than five states a second when phases change all the time', async () => {
    const { clock, tell, seen } = viewed();
    for (let round = 0; round < 100; round++) {
      await tell(round % 2 === 0 ? 'QUEUED' : 'VERIFYING', round);
      await clock.advance(30);
    }
    expect(mostInASecond(seen.map((each) => each.at))).toBe(5);
  });

  it.each<MergePhase>(['DONE', 'FAILED', 'ABORTED'])('is shown %s without waiting, and that is the end', async (phase) => {
    const { clock, source, tell, seen, reading } = viewed();
    for (const before of ['QUEUED', 'ASSEMBLING', 'VERIFYING', 'QUEUED', 'VERIFYING', 'PUBLISHING'] as const) {
      await tell(before);
      await clock.advance(1);
    }
    expect(seen).toHaveLength(5);
    await tell(phase);
    expect(seen.at(-1)).toMatchObject({ at: 6, state: { phase } });
    source.end();
    await reading;
    expect(clock.sleepers).toBe(0);
  });

  it('is shown the last state before the source ended', async () => {
    const { source, tell, states, reading } = viewed();
    await tell('VERIFYING', 1);
    await tell('VERIFYING', 2);
    source.end();
    await reading;
    expect(states().map((state) => state.doneBytes)).toEqual([1, 2]);
  });

  it('who leaves leaves nothing behind', async () => {
    for (const isHeldBack of [false, true]) {
      const { clock, tell, viewer, reading, leaves } = viewed();
      await tell('VERIFYING', 1);
      if (isHeldBack) await tell('VERIFYING', 2);
      await viewer.return?.();
      await reading;
      expect(leaves()).toBe(1);
      expect(clock.sleepers).toBe(0);
      expect(await viewer.next()).toMatchObject({ done: true });
      expect(clock.sleepers).toBe(0);
    }
  });

  it('is told what went wrong at the source', async () => {
    const failing: AsyncIterable<MergeProgress> = {
      [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error('broken')) }),
    };
    const viewer = viewing(failing, { clock: new ManualClock(), onSilence: async () => undefined });
    await expect(viewer.next()).rejects.toThrow('broken');
  });
});

describe('bytes that arrive', () => {
  it('have a rate and a time to go once it is known', async () => {
    const { clock, tell, states } = viewed();
    for (const done of [100, 200, 300]) {
      await tell('RECEIVING', done);
      await clock.advance(1_000);
    }
    expect(states()[0]).not.toHaveProperty('bytesPerSecond');
    expect(states()[1]).toMatchObject({ bytesPerSecond: 100, etaSeconds: 8 });
    expect(states()[2]).toMatchObject({ bytesPerSecond: 100, etaSeconds: 7 });
  });

  it('have no rate after a pause until it is known again', async () => {
    const { clock, tell, states } = viewed();
    for (const [done, pauseMs] of [
      [100, 1_000],
      [200, 8_000],
      [210, 1_000],
      [410, 1_000],
    ] as const) {
      await tell('RECEIVING', done);
      await clock.advance(pauseMs);
    }
    expect(states().map((state) => state.bytesPerSecond)).toEqual([undefined, 100, undefined, 200]);
  });

  it('have no rate any more when none came for a while', async () => {
    const { clock, tell, states } = viewed();
    await tell('RECEIVING', 100);
    await clock.advance(1_000);
    await tell('RECEIVING', 200);
    await clock.advance(60_000);
    expect(states().map((state) => [state.doneBytes, state.bytesPerSecond])).toEqual([
      [100, undefined],
      [200, 100],
      [200, undefined],
    ]);
  });

  it('are never fewer than before', async () => {
    const { clock, tell, states } = viewed();
    for (const done of [500, 400, 600]) {
      await tell('RECEIVING', done);
      await clock.advance(200);
    }
    expect(states().map((state) => [state.doneBytes, state.percent])).toEqual([
      [500, 50],
      [500, 50],
      [600, 60],
    ]);
  });
});

describe('silence', () => {
  it('is looked into again and again, with the state that is shown', async () => {
    const looks: MergePhase[] = [];
    const { clock, tell } = viewed(async (shown) => void looks.push(shown.phase));
    await tell('QUEUED');
    await clock.advance(35_000);
    expect(looks).toEqual(['QUEUED', 'QUEUED', 'QUEUED']);
  });

  it('is none while something is told', async () => {
    const looks: MergePhase[] = [];
    const { clock, tell } = viewed(async (shown) => void looks.push(shown.phase));
    for (let done = 0; done < 20; done++) {
      await tell('VERIFYING', done);
      await clock.advance(5_000);
    }
    expect(looks).toEqual([]);
  });

  it('is looked into again after a look that failed', async () => {
    let looks = 0;
    const { clock, tell, states } = viewed(() => {
      looks += 1;
      return Promise.reject(new Error('away'));
    });
    await tell('QUEUED');
    await clock.advance(25_000);
    await tell('DONE');
    expect(looks).toBe(2);
    expect(states().at(-1)?.phase).toBe('DONE');
  });
});
