import { expect, it } from 'vitest';
import { sendStorm } from '../support/hostile-bodies.js';

const BODIES = Number(process.env['STORM_BODIES'] ?? 1_000_000);
const MIB = 2 ** 20;

it(`${BODIES} broken bodies leave the same process, its built-ins, its memory and the host as they were`, async () => {
  // Another one each time; printed, so that what was found can be found again.
  const seed = Number(process.env['STORM_SEED'] ?? Date.now() % 2 ** 31);
  console.log(`STORM_SEED=${seed}`);
  const storm = await sendStorm({ bodies: BODIES, seed });
  console.log(`${Math.round(storm.bodies / storm.seconds)} bodies a second`, storm.statuses, storm.before, storm.after);
  expect(storm.troubles).toEqual([]);
  expect(storm.files).toEqual([]);
  expect(storm.after.pid).toBe(storm.before.pid);
  expect(storm.after.uptimeS).toBeGreaterThan(storm.seconds);
  expect([...storm.statuses.keys()].filter((status) => ![0, 200, 400, 413].includes(status))).toEqual([]);
  expect(storm.after.heapBytes - storm.before.heapBytes).toBeLessThan(64 * MIB);
});
