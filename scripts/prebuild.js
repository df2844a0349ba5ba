'use strict';

/*
 * Makes prebuilds/<platform>-<arch>: the addon that the published package carries. It is built
 * against Node-API 8, hence one binary for every Node version; the C library stands in its name.
 */

const path = require('node:path');
const prebuildify = require('prebuildify');
const headers = require('./headers');

const nodedir = headers();
if (nodedir !== undefined) process.env.npm_config_nodedir = nodedir;

const options = {
  cwd: path.resolve(__dirname, '..'),
  napi: true,
  strip: true,
  tagLibc: true,
  targets: [process.versions.node],
  quiet: !process.argv.includes('--verbose'),
};

prebuildify(options, (error) => {
  if (!error) return;
  process.stderr.write(`prebuild: ${error.message} (--verbose shows the compiler's output)\n`);
  process.exitCode = 1;
});
