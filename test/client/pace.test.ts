// How many requests with chunks there are, on ways of every kind, by a clock of their own.
import { describe, expect, it } from 'vitest';
import { Pace } from '../../src/client/pace.js';
import { MIB } from '../support/bytes.js';
import { seededRandom } from '../support/seeded-random.js';
import { Link, type LinkOptions } from './link.js';

const MAX = 16;
const CHUNK = 10 * MIB;
const SEEDS = [1, 2, 3, 4, 5, 6];

/** MB/s is bytes per ms by a thousand. */
const LOOPBACK = { carries: 160_000, overheadMs: 5, coldMs: 150 };
const BUSY_LOOPBACK = { carries: 60_000, overheadMs: 10, coldMs: 300 };
/** One request has a window of 2 MiB per round trip, and waits nine of them; those that open channels twice as many. */
const far = (roundTripMs: number) => ({
  carries: 180_000,
  perRequest: (2 * MIB) / roundTripMs,
  overheadMs: 9 * roundTripMs,
  coldMs: 18 * roundTripMs,
});

function on(options: LinkOptions, { max = MAX, senders = MAX, chunkBytes = CHUNK } = {}) {
  const link = new Link(options);
  const pace = new Pace(max, () => link.now);
  void link.send(pace, senders, chunkBytes);
  const sampled = (what: () => number) => async (seconds: number) => {
    const samples: number[] = [];
    await link.run(seconds * 1_000, () => samples.push(what()));
    return samples;
  };
  // The number at each tenth of a second: that of the pace, and how many there were.
  return { link, pace, run: sampled(() => pace.limit), inFlight: sampled(() => link.inFlight) };
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('the pace', () => {
  it.each([50, 100, 200])(
    'has found its maximum at a round trip of %i ms before the second chunks are answered',
    async (ms) => {
      for (const seed of SEEDS) {
        const { inFlight } = on({ ...far(ms), random: seededRandom(seed) });
        // The first takes 18 round trips and its bytes 5, the next 9 and 5; both vary by half.
        expect(Math.max(...(await inFlight((56 * ms) / 1_000)).slice(-3)), `seed ${seed}`).toBeGreaterThan(MAX - 3);
      }
    },
  );

  it('brings 256 MiB over 50 ms in two thirds of the time that four at a time take', async () => {
    for (const seed of SEEDS) {
      const took = async (max: number) => {
        const link = new Link({ ...far(50), random: seededRandom(seed) });
        void link.send(new Pace(max, () => link.now), MAX, CHUNK, 26);
        while (link.bytes < 26 * CHUNK) await link.run(10);
        return link.now;
      };
      expect(await took(MAX), `seed ${seed}`).toBeLessThan((await took(4)) * 0.67);
    }
  });

  it.each([LOOPBACK, BUSY_LOOPBACK])('stays near four where they only share, though the first were slow', async (options) => {
    for (const seed of SEEDS) {
      const { run, link } = on({ ...options, random: seededRandom(seed) });
      const limits = await run(60);
      expect(mean(limits), `seed ${seed}`).toBeLessThan(7);
      expect(limits.filter((limit) => limit > 9).length, `seed ${seed}`).toBeLessThan(60);
      expect(link.bytes).toBeGreaterThan(0.95 * 60_000 * options.carries);
    }
  });

  it('has no more than four half-sent chunks on a way of 1 MB/s', async () => {
    for (const seed of SEEDS) {
      const { run } = on({ carries: 1_000, overheadMs: 60, random: seededRandom(seed) });
      expect(Math.max(...(await run(300))), `seed ${seed}`).toBe(4);
    }
  });

  it('goes back when the way has become one where more do not pay, and grows when it is another again', async () => {
    const { inFlight } = on({ ...far(50), carries: (now) => (now > 20_000 && now < 80_000 ? 30_000 : 180_000) });
    expect(mean((await inFlight(20)).slice(-100))).toBeGreaterThan(10);
    expect(mean((await inFlight(60)).slice(-200))).toBeLessThan(10);
    expect(mean((await inFlight(60)).slice(-300))).toBeGreaterThan(10);
  });

  it('is not led astray by a burst', async () => {
    const { run, link } = on({ ...LOOPBACK, carries: (now) => (now % 5_000 < 400 ? 30_000 : 160_000) });
    expect(mean(await run(60))).toBeLessThan(7);
    expect(link.bytes).toBeGreaterThan(0);
  });

  it('does not grow when nobody waits for a slot', async () => {
    const { run } = on(far(50), { senders: 4 });
    expect(Math.max(...(await run(30)))).toBe(4);
  });

  it('finds the number for small chunks, too', async () => {
    const { inFlight } = on({ ...far(50), random: seededRandom(1) }, { chunkBytes: 100_000 });
    expect(Math.max(...(await inFlight(5)).slice(-3))).toBeGreaterThan(MAX - 3);
  });

  it('never exceeds its maximum', async () => {
    const { run } = on(far(100), { max: 5 });
    expect(Math.max(...(await run(60)))).toBe(5);
    expect(Math.max(...(await on(far(100), { max: 2 }).run(60)))).toBe(2);
  });

  it('is halved by a word that the other side is busy, however many chunks hear it, and never below one', async () => {
    const { run, inFlight, pace } = on(far(100));
    await run(8);
    const before = pace.limit;
    expect(before).toBeGreaterThan(MAX / 2 - 1);
    pace.crowded();
    pace.crowded();
    expect(pace.limit).toBe(before / 2);
    for (let i = 0; i < 6; i += 1) {
      await run(2);
      pace.crowded();
    }
    expect(pace.limit).toBe(1);
    expect(Math.max(...(await inFlight(10)))).toBe(2);
    expect(mean((await run(200)).slice(-300))).toBeGreaterThan(6);
  });

  it('begins the next before the last is answered', async () => {
    const { inFlight, pace } = on(far(50));
    // Of the 23 round trips of the first ones 4 are for the answer.
    expect(Math.max(...(await inFlight(1.1)))).toBe(8);
    expect(pace.limit).toBe(4);
  });

  it('does not wait for the first answers where all leaves quickly and none comes', async () => {
    const slow = { perRequest: 5_000, coldMs: 4_200, overheadMs: 8_000 };
    expect((await on({ ...slow, carries: 180_000 }).run(3.5)).at(-1)).toBe(8);
    expect((await on({ ...slow, carries: 8_000 }).run(3.5)).at(-1)).toBe(4);
    const link = new Link({ ...slow, carries: 180_000 });
    const pace = new Pace(MAX, () => link.now);
    await link.run(60_000);
    void link.send(pace, MAX, CHUNK);
    await link.run(3_500);
    expect(pace.limit).toBe(8);
  });

  it('tries its luck seldom where it is told each time that more are too many', async () => {
    const { link, pace } = on(far(50));
    let words = 0;
    await link.run(200_000, () => {
      if (pace.limit <= 8) return;
      words += 1;
      pace.crowded();
    });
    expect(words).toBeGreaterThan(3);
    expect(words).toBeLessThan(20);
  });
});
