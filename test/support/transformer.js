'use strict';

const { keyOf, translate } = require('./translate');

/**
 * What Jest's contexts look up anew, for 100 ns, wherever it is used: each file asks for it once.
 * What a test may put something else in place of, timers for instance, is not among them.
 */
const GLOBALS = [
  ...['Array', 'ArrayBuffer', 'BigInt', 'BigInt64Array', 'Boolean', 'Buffer', 'DataView'],
  ...['Error', 'Float64Array', 'Infinity', 'Int32Array', 'JSON', 'Map', 'Math', 'NaN', 'Number'],
  ...['Object', 'Promise', 'RangeError', 'Set', 'String', 'Symbol', 'TypeError', 'Uint16Array'],
  ...['Uint32Array', 'Uint8Array', 'WeakMap', 'WeakRef'],
];

/** Changes with what `localize` makes. */
const VERSION = '1';

/** Jest's way to TypeScript: the same as that of the processes which tests start (register.js). */
module.exports = {
  // What counts coverage names the file with its folder.
  getCacheKey: (source, file, { instrument }) =>
    keyOf(source, file) + VERSION + (instrument ? file : ''),
  process: (source, file) => ({ code: localize(translate(source, file)) }),
};

/** The same code, for which the globals it names are constants of the file. */
function localize(code) {
  const [directive] = /^"use strict";/.exec(code) ?? [''];
  const names = GLOBALS.filter(
    (name) =>
      new RegExp(`(?<![.\\w$])${name}\\b`).test(code) &&
      !new RegExp(`\\b(?:class|const|let|var|function)\\s+${name}\\b`).test(code),
  );
  if (directive === '' || names.length === 0) return code;
  // On the line of the directive: lines stay where they are.
  return `${directive} const { ${names.join(', ')} } = globalThis;${code.slice(directive.length)}`;
}
