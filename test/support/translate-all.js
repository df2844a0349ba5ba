'use strict';

// Translates all that is not yet translated, on every core: else the first test files, and the
// processes that they start, would each translate the same at the same time.

const { readdirSync, readFileSync } = require('node:fs');
const { availableParallelism } = require('node:os');
const { resolve } = require('node:path');
const { Worker, isMainThread, workerData } = require('node:worker_threads');
const { isTranslated, translate } = require('./translate');

const root = resolve(__dirname, '../..');

if (isMainThread) {
  const files = ['lib', 'test'].flatMap(sourcesIn).filter((file) => !isTranslated(...read(file)));
  const count = Math.min(availableParallelism(), files.length);
  for (let first = 0; first < count; first++) {
    new Worker(__filename, { workerData: files.filter((_, at) => at % count === first) });
  }
} else {
  for (const file of workerData) translate(...read(file));
}

function sourcesIn(folder) {
  return readdirSync(resolve(root, folder), { recursive: true })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
    .map((name) => resolve(root, folder, name));
}

function read(file) {
  return [readFileSync(file, 'utf8'), file];
}
