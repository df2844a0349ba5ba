'use strict';

// Lets a plain node process run the TypeScript of lib/ and test/ without a build:
//
//     node -r ./test/support/register.js test/…/child.ts

const { readFileSync } = require('node:fs');
const { translate } = require('./translate');

require.extensions['.ts'] = (module, file) =>
  module._compile(translate(readFileSync(file, 'utf8'), file), file);
