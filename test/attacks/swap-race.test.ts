// Somebody on the host swaps a directory for a link in a loop while files are published below it.
import * as fs from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isRoot } from '../support/zoo-kinds.js';
import { makeOutside, raceInChroot, raceOnHost } from './swap-race.js';

const RACE = { uploads: 16, durationMs: 2_500 };
/** Uploads enough to last for many swaps, and the longest pauses, ms, while the directory is there and while the link is. */
const RACES = [
  [16, 0, 0],
  [64, 100, 30],
] as const;

let outside: string;
beforeEach(() => {
  outside = makeOutside();
});
afterEach(() => fs.rmSync(outside, { recursive: true }));

describe('a directory swapped for a link in a loop', () => {
  it.each(RACES)(
    'no file stays outside, and none is lost (%i uploads; pauses of up to %i and %i ms)',
    async (uploads, ...pauses) => {
      const outcome = await raceOnHost({ ...RACE, uploads, outside, pauses });
      expect(outcome).toMatchObject({ outside: [], lost: [], left: 0 });
      expect(outcome.swaps).toBeGreaterThan(10);
      expect(outcome.published).toBe(uploads);
    },
  );

  it.runIf(isRoot)('in a chroot not a byte gets out, whatever the link says', async () => {
    const outcome = await raceInChroot({ ...RACE, uploads: 48, outside, pauses: [40, 10] });
    expect(outcome).toMatchObject({ outside: [], lost: [] });
    expect(fs.readdirSync(outside)).toEqual([]);
    expect(outcome.swaps).toBeGreaterThan(10);
  });
});
