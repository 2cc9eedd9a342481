import { defineConfig } from 'vitest/config';

/** What takes more than `npm test`'s quarter of an hour: one file after the other, so that timings mean something. */
export default defineConfig({
  test: {
    environment: 'node',
    include: ['test/**/*.long.test.ts'],
    passWithNoTests: true,
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 30 * 60_000,
    hookTimeout: 5 * 60_000,
    reporters: ['default', './scripts/ci-reporter.mjs'],
  },
});
