import { availableParallelism } from 'node:os';
import { configDefaults, defineConfig } from 'vitest/config';

export default defineConfig({
  // Vite would take graphql's ES build for our files while packages require its CommonJS build: two realms, and no `instanceof` holds.
  resolve: { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] },
  test: {
    environment: 'node',
    include: ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, 'test/**/*.long.test.ts'],
    // Processes, not threads: the tests start servers of their own, and a crash in one file must not take the others along.
    pool: 'forks',
    // Each test file may bring an sshd and a gateway to its worker, so a core for every worker's servers.
    maxWorkers: Math.max(2, Math.floor(availableParallelism() / 2)),
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // A second, the default, is little for two processes on a full machine.
    expect: { poll: { timeout: 10_000 } },
    reporters: ['default', './scripts/ci-reporter.mjs'],
  },
});
