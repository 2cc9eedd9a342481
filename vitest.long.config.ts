import { mergeConfig } from 'vitest/config';
import shared from './vitest.config.js';

/** What takes more than `npm test`'s quarter of an hour: one file after the other, so that timings mean something. */
export default mergeConfig(
  { ...shared, test: { ...shared.test, include: [], exclude: [] } },
  {
    test: {
      include: ['test/**/*.long.test.ts'],
      passWithNoTests: true,
      fileParallelism: false,
      // Cases that wait for leases to lapse, side by side.
      maxConcurrency: 4,
      testTimeout: 30 * 60_000,
      hookTimeout: 5 * 60_000,
    },
  },
);
