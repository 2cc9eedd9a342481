// The race of swap-race.test.ts for minutes, with pauses of many lengths.
import * as fs from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { isRoot } from '../support/zoo-kinds.js';
import { makeOutside, raceInChroot, raceOnHost } from './swap-race.js';

const RACE = { uploads: 400, durationMs: 60_000 };
/** Longest pauses, ms, while the directory is there and while the link is. */
const PAUSES = [
  [0, 0],
  [1, 1],
  [20, 5],
  [150, 30],
  [300, 150],
  [40, 0],
] as const;

let outside: string;
beforeEach(() => {
  outside = makeOutside();
});
afterEach(() => fs.rmSync(outside, { recursive: true }));

it.each(PAUSES)('no file stays outside, and none is lost (pauses of up to %i and %i ms)', async (...pauses) => {
  const outcome = await raceOnHost({ ...RACE, outside, pauses });
  console.info(pauses, outcome);
  expect(outcome).toMatchObject({ outside: [], lost: [], left: 0, published: RACE.uploads });
});

it.runIf(isRoot)('in a chroot not a byte gets out, whatever the link says', async () => {
  const outcome = await raceInChroot({ ...RACE, outside, pauses: [40, 10] });
  expect(outcome).toMatchObject({ outside: [], lost: [] });
  expect(fs.readdirSync(outside)).toEqual([]);
});
