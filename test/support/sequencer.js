'use strict';

const { existsSync } = require('node:fs');
const { resolve } = require('node:path');
const Sequencer = require('@jest/test-sequencer').default;

/**
 * What takes longest: left to the end, it would keep one core and leave the others idle. A clean
 * clone has no times of earlier runs, and Jest would go by the files' sizes.
 */
const FIRST = [
  'conformance/kernel',
  'interop/failures',
  'privileged/link/packet',
  'interop/tun',
  'interop/short-connections',
  'testing/sim/sim',
  'interop/http',
  'conformance/tables',
  'core/tcp/chaos',
  'interop/capture',
  'interop/closing',
  'interop/flow-control',
  'interop/mtu',
  'interop/offload',
  'interop/path-mtu',
  'testing/sharing',
  'scenarios/kernel/failures',
  'testing/time/determinism',
  'codec/agreement',
  'golden/golden',
  'scenarios/s07-used-up-ports',
  'interop/impaired',
  'interop/silence',
  'bench/bench',
  'privileged/link/lifetime',
  'privileged/link/raw-ports',
].map((name) => resolve(__dirname, `../${name}.test.ts`));

module.exports = class LongestFirst extends Sequencer {
  constructor(...options) {
    super(...options);
    const missing = FIRST.filter((path) => !existsSync(path));
    if (missing.length > 0) throw new Error(`test/support/sequencer.js names ${missing.join()}`);
  }

  sort(tests) {
    const rank = ({ path }) => (FIRST.includes(path) ? FIRST.indexOf(path) : FIRST.length);
    return super.sort(tests).sort((a, b) => rank(a) - rank(b));
  }
};
