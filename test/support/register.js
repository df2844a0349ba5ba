'use strict';

// Lets a plain node process run the TypeScript of lib/ and test/ without a build:
//
//     node -r ./test/support/register.js test/…/child.ts
//
// As under ts-jest, each file is translated by itself and nothing is type checked. Results are kept
// by content in node_modules/.cache, so that the compiler is loaded only for what has changed.

const { createHash } = require('node:crypto');
const { mkdirSync, readFileSync, renameSync, writeFileSync } = require('node:fs');
const { join, resolve } = require('node:path');

const root = resolve(__dirname, '../..');
const folder = join(root, 'node_modules/.cache/netland-register');
const version = require('typescript/package.json').version;
const { compilerOptions } = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8'));

require.extensions['.ts'] = (module, file) => module._compile(translate(file), file);

function translate(file) {
  const source = readFileSync(file, 'utf8');
  const key = createHash('sha256').update(version).update('\0').update(file).update('\0');
  const cached = join(folder, `${key.update(source).digest('hex')}.js`);
  try {
    return readFileSync(cached, 'utf8');
  } catch {
    const output = compile(source, file);
    keep(cached, output);
    return output;
  }
}

function compile(source, file) {
  const ts = require('typescript');
  const { config } = ts.parseConfigFileTextToJson('', JSON.stringify({ compilerOptions }));
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root);
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
