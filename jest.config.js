'use strict';

module.exports = {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  // `npm run test:package` has these: they pack, build and install, and take their time.
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/packaging/'],
  // On two cores: tests against the kernel mostly wait.
  maxWorkers: 4,
  testSequencer: '<rootDir>/test/support/sequencer.js',
  // Only what hangs reaches it, however slow the machine is.
  testTimeout: 60_000,
  reporters: ['default', '<rootDir>/test/support/summary-reporter.js'],
  transform: { '^.+\\.ts$': '<rootDir>/test/support/transformer.js' },
};
