import { describe, expect, it } from 'vitest';
import { Latest } from '../../src/core/latest.js';
import type { MergePhase, MergeProgress } from '../../src/core/progress.js';
import { Audience } from '../../src/core/viewer.js';
import { ManualClock, deferred, settle } from '../support/manual-clock.js';

const TOTAL = 1_000;

type Look = (shown: MergeProgress) => Promise<MergeProgress | undefined>;

function viewed(onSilence: Look = async () => undefined) {
  const clock = new ManualClock();
  let leaves = 0;
  const source = new Latest<MergeProgress>(() => (leaves += 1));
  let overs = 0;
  const audience = new Audience(source, { clock, onSilence, onOver: () => (overs += 1) });
  const viewer = audience.join();
  const seen: { readonly at: number; readonly state: MergeProgress }[] = [];
  const reading = (async () => {
    for await (const state of viewer) seen.push({ at: clock.monotonic(), state });
  })();
  const tell = async (phase: MergePhase, doneBytes = 0) => {
    const percent = (doneBytes / TOTAL) * 100;
    source.push({ phase, doneBytes, totalBytes: TOTAL, percent, proved: false, updatedAt: clock.now() });
    await settle();
  };
  return {
    audience,
    overs: () => overs,
    clock,
    source,
    viewer,
    seen,
    reading,
    tell,
    leaves: () => leaves,
    states: () => seen.map((each) => each.state),
  };
}

/** What `viewer` is shown from now on, and its leaving or the end. */
function reader(viewer: AsyncIterable<MergeProgress>) {
  const states: MergeProgress[] = [];
  const reading = (async () => {
    for await (const state of viewer) states.push(state);
  })();
  return { states, reading, bytes: () => states.map((state) => state.doneBytes) };
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
    let overs = 0;
    const options = { clock: new ManualClock(), onSilence: async () => undefined, onOver: () => (overs += 1) };
    const audience = new Audience(failing, options);
    const viewers = [audience.join(), audience.join()];
    for (const viewer of viewers) await expect(viewer.next()).rejects.toThrow('broken');
    expect(overs).toBe(1);
  });
});

describe('viewers of one upload', () => {
  it('are shown the same states, which are heard once', async () => {
    let asked = 0;
    const clock = new ManualClock();
    const source = new Latest<MergeProgress>(() => undefined);
    const counted: AsyncIterable<MergeProgress> = {
      [Symbol.asyncIterator]: () => ({
        next: () => {
          asked += 1;
          return source.next();
        },
      }),
    };
    const audience = new Audience(counted, { clock, onSilence: async () => undefined, onOver: () => undefined });
    const readers = [reader(audience.join()), reader(audience.join())];
    for (const doneBytes of [1, 2]) {
      source.push({ phase: 'VERIFYING', doneBytes, totalBytes: TOTAL, percent: 0, proved: false, updatedAt: 0 });
      await settle();
      await clock.advance(300);
    }
    for (const { bytes } of readers) expect(bytes()).toEqual([1, 2]);
    expect(readers[0]?.states[1]).toBe(readers[1]?.states[1]);
    expect(asked).toBe(3);
  });

  it('who comes late is shown the present state at once, and each has five a second of his own', async () => {
    const { clock, audience, tell, states } = viewed();
    await tell('VERIFYING', 1);
    await clock.advance(100);
    const late = reader(audience.join());
    await settle();
    expect(late.bytes()).toEqual([1]);
    await tell('VERIFYING', 2);
    await clock.advance(120);
    expect([states().length, late.states.length]).toEqual([2, 1]);
    await clock.advance(100);
    expect(late.bytes()).toEqual([1, 2]);
  });

  it('who reads slowly holds nobody up, and is shown the newest and the end', async () => {
    const { clock, source, audience, tell, states } = viewed();
    const slow = audience.join();
    await tell('VERIFYING', 1);
    await slow.next();
    for (const done of [2, 3, 4]) {
      await clock.advance(300);
      await tell('VERIFYING', done);
    }
    expect(states().map((state) => state.doneBytes)).toEqual([1, 2, 3, 4]);
    expect((await slow.next()).value).toMatchObject({ doneBytes: 4 });
    await tell('VERIFYING', 5);
    await tell('DONE', TOTAL);
    source.end();
    await settle();
    expect((await slow.next()).value).toMatchObject({ phase: 'DONE' });
    expect(await slow.next()).toMatchObject({ done: true });
  });

  it('who asks before his time is shown the state when it has come, though all others have seen it', async () => {
    const { clock, audience, tell } = viewed();
    const slow = audience.join();
    await tell('VERIFYING', 1);
    await clock.advance(100);
    await slow.next();
    await tell('VERIFYING', 2);
    await clock.advance(150);
    let isShown = false;
    const next = slow.next().finally(() => (isShown = true));
    await settle();
    expect(isShown).toBe(false);
    await clock.advance(100);
    expect(isShown).toBe(true);
    expect((await next).value).toMatchObject({ doneBytes: 2 });
  });

  it('are shown nothing less when one of them leaves, and nothing is held when the last has left', async () => {
    const { clock, audience, viewer, reading, tell, leaves, overs } = viewed();
    const other = audience.join();
    const rest = reader(other);
    await tell('VERIFYING', 1);
    await viewer.return?.();
    await reading;
    expect([leaves(), overs()]).toEqual([0, 0]);
    await clock.advance(300);
    await tell('VERIFYING', 2);
    expect(rest.bytes()).toEqual([1, 2]);
    await other.return?.();
    await rest.reading;
    expect([leaves(), overs(), clock.sleepers]).toEqual([1, 1, 0]);
  });

  it('are shown a state a few at a time, so that everything else has its turn, and each all that he should be', async () => {
    const { clock, source, audience, tell } = viewed();
    const readers = Array.from({ length: 200 }, () => reader(audience.join()));
    const have = (doneBytes: number) => readers.filter(({ states }) => states.at(-1)?.doneBytes === doneBytes).length;
    await tell('VERIFYING', 1);
    expect(have(1)).toBeGreaterThan(10);
    expect(have(1)).toBeLessThan(100);
    await clock.advance(20);
    expect(have(1)).toBe(200);
    await clock.advance(300);
    await tell('VERIFYING', 2);
    await clock.advance(20);
    expect(have(2)).toBe(200);
    await tell('DONE', TOTAL);
    source.end();
    await clock.advance(20);
    expect(have(TOTAL)).toBe(200);
    await Promise.all(readers.map(({ reading }) => reading));
    expect(clock.sleepers).toBe(0);
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
    const { clock, tell } = viewed(async (shown) => {
      looks.push(shown.phase);
      return shown;
    });
    await tell('QUEUED');
    await clock.advance(35_000);
    expect(looks).toEqual(['QUEUED', 'QUEUED', 'QUEUED']);
  });

  it('is none while something is told', async () => {
    const looks: MergePhase[] = [];
    const { clock, tell } = viewed(async (shown) => {
      looks.push(shown.phase);
      return shown;
    });
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

  it('ends with what was told while nobody could hear it', async () => {
    const done: MergeProgress = {
      ...{ phase: 'DONE', doneBytes: TOTAL, totalBytes: TOTAL, percent: 100 },
      ...{ proved: true, updatedAt: 0 },
    };
    const { clock, tell, states, reading, leaves, overs } = viewed(async () => done);
    await tell('VERIFYING', 1);
    await clock.advance(10_100);
    await reading;
    expect(states().map((state) => state.phase)).toEqual(['VERIFYING', 'DONE']);
    expect([leaves(), overs(), clock.sleepers]).toEqual([1, 1, 0]);
  });

  it('shows nothing that was found while something else was told', async () => {
    const found = deferred<MergeProgress | undefined>();
    const { clock, tell, states } = viewed(() => found.promise);
    await tell('QUEUED');
    await clock.advance(10_100);
    await tell('VERIFYING', 1);
    found.resolve({ phase: 'ASSEMBLING', doneBytes: 1, totalBytes: TOTAL, percent: 0, proved: false, updatedAt: 0 });
    await clock.advance(1_000);
    expect(states().map((state) => state.phase)).toEqual(['QUEUED', 'VERIFYING']);
  });

  it('shows nothing twice', async () => {
    const { clock, tell, states } = viewed(async (shown) => ({ ...shown }));
    await tell('VERIFYING', 1);
    await clock.advance(35_000);
    expect(states()).toHaveLength(1);
  });
});
