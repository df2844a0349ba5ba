'use strict';

const { keyOf, translate } = require('./translate');

/** Jest's way to TypeScript: the same as that of the processes which tests start (register.js). */
module.exports = {
  getCacheKey: (source, file, { instrument }) => `${keyOf(source, file)}${instrument ? '+' : ''}`,
  process: (source, file) => ({ code: translate(source, file) }),
};
