'use strict';

/*
 * npm's "install" script: gets the native addon ready, and never fails the install. A prebuilt
 * binary that loads is taken; otherwise node-gyp builds one; where neither works the package is
 * still whole, without the links that need native code.
 */

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const headers = require('./headers');

const root = path.resolve(__dirname, '..');

function note(text) {
  process.stdout.write(`netland: ${text}\n`);
}

/** Whether the addon loads; tried in a process of its own, since a foreign binary may crash. */
function loads(environment) {
  const code = "require('node-gyp-build')(process.argv[1])";
  const child = spawnSync(process.execPath, ['-e', code, root], {
    cwd: root,
    env: { ...process.env, ...environment },
    stdio: 'ignore',
  });
  return child.status === 0;
}

function sourceWanted() {
  const wanted = process.env.npm_config_build_from_source;
  return wanted === 'true' || wanted === 'netland';
}

/** node-gyp as npm brings it, else a package beside us, else a program. */
function nodeGyp() {
  if (process.env.npm_config_node_gyp) return [process.execPath, process.env.npm_config_node_gyp];
  try {
    return [process.execPath, require.resolve('node-gyp/bin/node-gyp.js')];
  } catch {
    return ['node-gyp'];
  }
}

/** Runs node-gyp; null when it has built the addon, else the end of what it said. */
function build() {
  const [command, ...prefix] = nodeGyp();
  const args = ['rebuild', '--jobs=max'];
  const nodedir = headers();
  if (nodedir !== undefined) args.push(`--nodedir=${nodedir}`);
  const child = spawnSync(command, [...prefix, ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (child.error) return `${command}: ${child.error.message}`;
  if (child.status === 0) return null;
  return `${child.stdout}\n${child.stderr}`.trim().split('\n').slice(-20).join('\n');
}

function main() {
  if (process.platform !== 'linux') {
    note(`no native code for ${process.platform}: the memory link works, raw and TUN need Linux.`);
    return;
  }
  if (!sourceWanted() && loads({ PREBUILDS_ONLY: '1' })) return;
  const failure = build();
  if (failure === null && loads({})) {
    note('native addon built.');
    return;
  }
  fs.rmSync(path.join(root, 'build'), { recursive: true, force: true });
  if (failure !== null) process.stdout.write(`${failure}\n`);
  note('the native addon could not be built; raw and TUN links will say so, all else works.');
  note('it needs g++, make and python3 (Debian: apt-get install g++ make python3);');
  note('then: npm rebuild netland');
}

main();
