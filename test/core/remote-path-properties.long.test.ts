import { expect, it } from 'vitest';
import { checkPaths } from './remote-path-properties.js';

it('a million strings: paths are what a system in C makes of their bytes, and no others are taken', () => {
  expect(checkPaths(20_260, 1_000_000).accepted).toBeGreaterThan(200_000);
});
