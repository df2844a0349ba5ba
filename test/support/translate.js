'use strict';

// TypeScript to what Node runs: each file by itself, and nothing is type checked. Results are kept
// by content in node_modules/.cache, so that the compiler is loaded only for what has changed.

const { createHash } = require('node:crypto');
const { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } = require('node:fs');
const { basename, join, resolve } = require('node:path');

const root = resolve(__dirname, '../..');
const folder = join(root, 'node_modules/.cache/netland-register');
const { version } = require('typescript/package.json');
const { compilerOptions } = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8'));
const compiler = `${version} ${JSON.stringify(compilerOptions)}`;

module.exports = { isTranslated, keyOf, translate };

/** Names what a file with this source is translated to, which says nothing of the folder. */
function keyOf(source, file) {
  const hash = createHash('sha256').update(compiler).update('\0');
  return hash.update(basename(file)).update('\0').update(source).digest('hex');
}

function isTranslated(source, file) {
  return existsSync(pathOf(source, file));
}

function translate(source, file) {
  const path = pathOf(source, file);
  try {
    return readFileSync(path, 'utf8');
  } catch {
    const output = compile(source, file);
    keep(path, output);
    return output;
  }
}

function pathOf(source, file) {
  return join(folder, `${keyOf(source, file)}.js`);
}

function compile(source, file) {
  const ts = require('typescript');
  const { options } = ts.convertCompilerOptionsFromJson(compilerOptions, root);
  return ts.transpileModule(source, {
    fileName: file,
    compilerOptions: { ...options, isolatedModules: true, noEmit: false, inlineSourceMap: true },
  }).outputText;
}

/** A user who may not write there does without. */
function keep(path, text) {
  try {
    mkdirSync(folder, { recursive: true });
    const draft = `${path}.${process.pid}`;
    writeFileSync(draft, text);
    renameSync(draft, path);
  } catch {
    return;
  }
}
