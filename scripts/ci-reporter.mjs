// A vitest reporter that ends the run with the one line that continuous integration reads: `12 passed, 0 failed`, and
// `, 3 skipped` when any were. Use it after the default reporter, which tells people the rest.

export default class CiReporter {
  /**
   * @param {ReadonlyArray<import('vitest/node').TestModule>} modules
   * @param {ReadonlyArray<unknown>} unhandledErrors
   */
  onTestRunEnd(modules, unhandledErrors) {
    const count = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
    for (const module of modules) {
      const failedBefore = count.failed;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === 'passed') count.passed += 1;
        else if (state === 'skipped') count.skipped += 1;
        // `pending` at the end of a run was never finished.
        else count.failed += 1;
      }
      // A file that can't be loaded, or whose hooks fail, may have no failed test to show for it.
      if (!module.ok() && count.failed === failedBefore) count.failed += 1;
    }
    const skipped = count.skipped > 0 ? `, ${count.skipped} skipped` : '';
    process.stdout.write(`${count.passed} passed, ${count.failed} failed${skipped}\n`);
  }
}
