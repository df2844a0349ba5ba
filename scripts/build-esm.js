'use strict';

/*
 * Writes the ESM door: dist/index.mjs and its types, with the names that dist/index.js exports. The
 * code stays the CommonJS one, so that a program which uses both doors meets one set of classes.
 */

const fs = require('node:fs');
const path = require('node:path');

const dist = path.resolve(__dirname, '..', 'dist');
const names = Object.keys(require(path.join(dist, 'index.js')));

const lines = [
  "import netland from './index.js';",
  ...names.map((name) => `export const ${name} = netland.${name};`),
];
fs.writeFileSync(path.join(dist, 'index.mjs'), `${lines.join('\n')}\n`);
fs.writeFileSync(path.join(dist, 'index.d.mts'), "export * from './index.js';\n");
