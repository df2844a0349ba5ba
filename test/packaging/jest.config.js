'use strict';

module.exports = {
  ...require('../../jest.config.js'),
  rootDir: '../..',
  testMatch: ['<rootDir>/test/packaging/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
};
