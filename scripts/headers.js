'use strict';

const fs = require('node:fs');
const path = require('node:path');

/**
 * Where Node's headers are, so that node-gyp doesn't have to download them: npm's own setting, else
 * beside the running Node. Undefined where they are in neither place.
 */
module.exports = function headers() {
  if (process.env.npm_config_nodedir) return process.env.npm_config_nodedir;
  const prefix = path.resolve(process.execPath, '..', '..');
  return fs.existsSync(path.join(prefix, 'include', 'node', 'node.h')) ? prefix : undefined;
};
