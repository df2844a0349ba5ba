'use strict';

/**
 * Ends a run with `N passed, N failed, N skipped`. Under NETLAND_NO_SKIP=1 a test that was skipped
 * for whatever reason fails the run.
 */
module.exports = class SummaryReporter {
  #error;

  onRunComplete(_contexts, results) {
    const skipped = results.numPendingTests + results.numTodoTests;
    // A file that doesn't even load has no tests that could fail.
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const lines = [`${results.numPassedTests} passed, ${failed} failed, ${skipped} skipped`];
    if (skipped > 0 && process.env.NETLAND_NO_SKIP === '1') {
      lines.unshift('NETLAND_NO_SKIP=1, and these tests were skipped:', ...skippedNames(results));
      this.#error = new Error(`${skipped} tests were skipped under NETLAND_NO_SKIP=1`);
    }
    process.stdout.write(`\n${lines.join('\n')}\n`);
  }

  getLastError() {
    return this.#error;
  }
};

function skippedNames(results) {
  const names = [];
  for (const file of results.testResults) {
    for (const test of file.testResults) {
      if (test.status === 'passed' || test.status === 'failed') continue;
      names.push(`  ${file.testFilePath}: ${test.fullName}`);
    }
  }
  return names;
}
