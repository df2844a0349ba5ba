'use strict';

/*
 * npm run bench:scale: the time of one segment by how much there is of something: connections,
 * segments in flight, holes. Hand-made segments go into a core on its own, without I/O; time stands
 * almost still. Every size has a core of its own; the sizes take turns, and the median of the
 * rounds counts, so that a busy machine disturbs all of them alike.
 *
 *   npm run bench:scale [-- --rounds 15] [-- --quick]
 *
 * connections, the same one  each time the same connection of so many: what the tables cost
 * connections, a random one  each time another, whose memory is in no cache when there are many:
 *                            the machine's share is told by "memory", which reads as many cache
 *                            lines at random places of an array as large as the connections
 * in flight                  one more is sent, and the oldest acknowledged
 * holes, sending             two are sent, one is SACKed a round trip after it left, which tells
 *                            of one more lost, which is sent again; the lowest is acknowledged
 * holes, receiving           one beyond a new hole comes, and what fills the lowest
 */

const { readFileSync } = require('node:fs');
const os = require('node:os');
const { parseArgs } = require('node:util');
const { ScaleCore } = require('./scale-core.js');

const CONNECTIONS = [1, 10, 100, 1000, 10_000, 100_000];
const IN_FLIGHT = [1, 10, 100, 1000, 10_000, 50_000];
const HOLES = [1, 10, 100, 1000, 10_000];
/** Rounds that are thrown away: the code is not yet compiled. */
const WARM_UP = 4;
/** Of a cache line and, about, of what a connection's segment touches of them. */
const LINE = 64;
const LINES = 24;
const BYTES_EACH = 1024;
const WIDTH = 40;

/** Time of one operation, ns: the processor's, since others may want it, too. */
function time(operations, run) {
  const start = process.cpuUsage();
  run(operations);
  const { user, system } = process.cpuUsage(start);
  return ((user + system) * 1000) / operations;
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

/** Runs `each` of every size in turn, `rounds` times; the medians. */
function alternate(rounds, operations, runs) {
  const samples = runs.map(() => []);
  for (let round = -WARM_UP; round < rounds; round++) {
    runs.forEach((run, index) => {
      const took = time(operations, run);
      if (round >= 0) samples[index].push(took);
    });
  }
  return samples.map(median);
}

/** Reads as many cache lines as a segment does, spread over `bytes`. */
function memoryReader(bytes) {
  const words = new Int32Array(Math.max(bytes, LINE) / 4);
  const lines = words.length / (LINE / 4);
  let seed = 1;
  let sum = 0;
  return (operations) => {
    for (let i = 0; i < operations; i++) {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      // Together, as a connection's memory lies: the processor fetches neighbours at once.
      const first = Math.floor((seed / 2 ** 32) * Math.max(lines - LINES, 1));
      for (let line = 0; line < LINES && line < lines; line++) {
        sum += words[((first + line) % lines) * (LINE / 4)]++;
      }
    }
    return sum;
  };
}

function connections(rounds, sizes) {
  const cores = sizes.map((size) => new ScaleCore({ connections: size }));
  const all = (name) => cores.map((core) => (operations) => core[name](operations));
  const operations = 2000;
  return {
    'receive + ACK, the same connection': alternate(rounds, operations, all('receiveSame')),
    'send + ACK, the same connection': alternate(rounds, operations, all('sendSame')),
    'receive + ACK, a random connection': alternate(rounds, operations, all('receiveRandom')),
    'send + ACK, a random connection': alternate(rounds, operations, all('sendRandom')),
    'memory, for comparison': alternate(
      rounds,
      operations,
      sizes.map((size) => memoryReader(size * BYTES_EACH)),
    ),
  };
}

function inFlight(rounds, sizes) {
  const cores = sizes.map((size) => new ScaleCore({ connections: 1, inFlight: size }));
  const runs = cores.map((core) => (operations) => core.sendSame(operations));
  return { 'send + ACK of the oldest': alternate(rounds, 1000, runs) };
}

function holes(rounds, sizes) {
  const senders = sizes.map((size) => new ScaleCore({ connections: 1, sendingHoles: size }));
  const receivers = sizes.map((size) => new ScaleCore({ connections: 1, receivingHoles: size }));
  const sending = senders.map((core) => (operations) => core.moveSendingHoles(operations));
  const receiving = receivers.map((core) => (operations) => core.moveReceivingHoles(operations));
  return {
    'sending: two segments, one again, ACK and SACK': alternate(rounds, 500, sending),
    'receiving: two segments, their ACKs': alternate(rounds, 500, receiving),
  };
}

/** A table, and a bar for each figure; `exponent` is the power by which time grows. */
function print(unit, sizes, curves) {
  for (const [title, figures] of Object.entries(curves)) {
    const most = Math.max(...figures);
    console.log(`\n${title}`);
    console.log(`${unit.padStart(12)}        ns   to first`);
    sizes.forEach((size, index) => {
      const ratio = (figures[index] / figures[0]).toFixed(2);
      const bar = '#'.repeat(Math.max(Math.round((figures[index] / most) * WIDTH), 1));
      const columns = [String(size).padStart(12), figures[index].toFixed(0).padStart(10)];
      console.log(`${columns.join('')}${ratio.padStart(11)}  ${bar}`);
    });
  }
}

function cache(index) {
  const file = (name) =>
    readFileSync(`/sys/devices/system/cpu/cpu0/cache/index${index}/${name}`, 'utf8').trim();
  try {
    return `L${file('level')} ${file('type').toLowerCase()} ${file('size')}`;
  } catch {
    return null;
  }
}

function main() {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '15' },
      quick: { type: 'boolean', default: false },
    },
  });
  const rounds = values.quick ? 3 : Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds must be 1 or more');
  const upTo = (sizes) => (values.quick ? sizes.slice(0, 4) : sizes);
  const caches = [0, 1, 2, 3].map(cache).filter((text) => text !== null);
  console.log(`${os.cpus()[0].model}: ${caches.join(', ') || 'caches not told'}`);
  console.log(`Node ${process.version}; processor time, median of ${rounds} rounds`);
  print('connections', upTo(CONNECTIONS), connections(rounds, upTo(CONNECTIONS)));
  print('in flight', upTo(IN_FLIGHT), inFlight(rounds, upTo(IN_FLIGHT)));
  print('holes', upTo(HOLES), holes(rounds, upTo(HOLES)));
}

try {
  main();
} catch (error) {
  console.error(`bench:scale: ${error.stack}`);
  process.exitCode = 1;
}
