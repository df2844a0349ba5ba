'use strict';

/*
 * npm run bench:memory: what an idle connection, a SYN entry and a TIME-WAIT entry cost, bytes, at
 * 100,000 of each. Hand-made segments go into a core on its own; each kind has a process of its own.
 * Memory is heapUsed + external (array buffers and native memory) after two collections.
 *
 *   npm run bench:memory [-- --count 100000]
 */

const { fork } = require('node:child_process');
const { once } = require('node:events');
const { parseArgs } = require('node:util');

const KINDS = {
  connection: { title: 'idle connection', aim: 1024 },
  syn: { title: 'SYN entry', aim: 256 },
  timeWait: { title: 'TIME-WAIT entry', aim: 128 },
};

function used() {
  globalThis.gc();
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function measure(kind, count) {
  const { Population } = require('./population.js');
  const population = new Population(count + 100);
  // Tables and code that are there for the first entry aren't the entry's.
  population.add(kind, 100);
  const before = used();
  population.add(kind, count);
  const after = used();
  const held = population.count(kind);
  if (held !== count + 100) throw new Error(`${held} of ${count + 100} are there`);
  return (after - before) / count;
}

async function inChild(kind, count) {
  const options = { execArgv: ['--expose-gc'] };
  const child = fork(__filename, ['--kind', kind, '--count', String(count)], options);
  const [[reply]] = await Promise.all([once(child, 'message'), once(child, 'exit')]);
  if (reply.error !== undefined) throw new Error(reply.error);
  return reply.bytes;
}

async function main() {
  const { values } = parseArgs({
    options: { count: { type: 'string', default: '100000' }, kind: { type: 'string' } },
  });
  const count = Number(values.count);
  if (values.kind !== undefined) {
    process.send({ bytes: measure(values.kind, count) });
    return;
  }
  console.log(`bytes for each, at ${count} of them (aim in brackets)`);
  for (const [kind, { title, aim }] of Object.entries(KINDS)) {
    const bytes = await inChild(kind, count);
    console.log(`${title.padEnd(16)} ${bytes.toFixed(0).padStart(6)}  (${aim})`);
  }
}

main().catch((error) => {
  if (process.send) process.send({ error: error.message });
  else console.error(`bench:memory: ${error.message}`);
  process.exitCode = 1;
});
