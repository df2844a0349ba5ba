'use strict';

/*
 * Writes the ESM doors, beside each CommonJS one an index.mjs and its types with the same names. The
 * code stays the CommonJS one, so that a program which uses both doors meets one set of classes.
 */

const fs = require('node:fs');
const path = require('node:path');

const dist = path.resolve(__dirname, '..', 'dist');

for (const folder of ['.', 'testing']) {
  const door = path.join(dist, folder);
  const names = Object.keys(require(path.join(door, 'index.js')));
  const lines = [
    "import netland from './index.js';",
    ...names.map((name) => `export const ${name} = netland.${name};`),
  ];
  fs.writeFileSync(path.join(door, 'index.mjs'), `${lines.join('\n')}\n`);
  fs.writeFileSync(path.join(door, 'index.d.mts'), "export * from './index.js';\n");
}
