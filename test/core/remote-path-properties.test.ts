import { expect, it } from 'vitest';
import { checkPaths } from './remote-path-properties.js';

it.each([1, 2])('paths are what a system in C makes of their bytes, and no others are taken (seed %i)', (seed) => {
  const { accepted, roots } = checkPaths(seed, 25_000);
  // Enough of both for the property to say something.
  expect(accepted).toBeGreaterThan(5_000);
  expect(accepted).toBeLessThan(20_000);
  expect(roots).toBeGreaterThan(2_500);
});
