'use strict';

const { keyOf, translate } = require('./translate');

/** Jest's way to TypeScript: the same as that of the processes which tests start (register.js). */
module.exports = {
  // What counts coverage names the file with its folder.
  getCacheKey: (source, file, { instrument }) => keyOf(source, file) + (instrument ? file : ''),
  process: (source, file) => ({ code: translate(source, file) }),
};
