'use strict';

/*
 * npm run bench:paths: goodput over long, lossy and narrow paths, ours beside the kernel's. Two
 * namespaces with a TUN device each, joined by an impaired link in a process of its own; the sender
 * is in the first, and ours is on a raw link there, so that every pair has the same path. CUBIC on
 * both; all processes at real-time priority, if that can be had. Each cell: runs in which the pairs
 * take turns, each run with the same seed for all; medians. Needs root, and iproute2.
 *
 *   npm run bench:paths [-- --runs 5] [--seconds 10] [--from 2] [--cells REGEXP] [--pairs REGEXP]
 *                       [--json FILE] [--page FILE] [--pcap FOLDER]
 */

const { execFileSync, spawn, spawnSync } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { Worker } = require('./child.js');
const { printTable, writePage } = require('./paths-page.js');

const RATE = 50e6;
const PORT = 5001;
const PACKET = 1500;
/** Of the kernel's, that ours has to reach. */
const AIM = 0.95;

const names = Object.fromEntries(
  ['near', 'far', 'joiner'].map((name) => [name, `netland-paths-${process.pid}-${name}`]),
);
const ENDS = { near: '10.78.0.1', far: '10.78.0.2' };

/** Who sends, and who receives. */
const PAIRS = [
  { name: 'kernel to kernel', near: 'kernel', far: 'kernel' },
  { name: 'ours to kernel', near: 'netland', far: 'kernel' },
  { name: 'kernel to ours', near: 'kernel', far: 'netland' },
];

function cellsOf(rtt) {
  const product = (RATE * rtt) / 8e3;
  const packets = (part) => Math.round((part * product) / PACKET) * PACKET;
  const deep = packets(2);
  const cell = (name, change) => ({ name: `${rtt} ms, ${name}`, rtt, queue: deep, ...change });
  return [
    cell('deep queue', {}),
    cell('shallow queue', { queue: packets(0.25) }),
    cell('0.1 % lost', { loss: 0.001 }),
    cell('1 % lost', { loss: 0.01 }),
    cell('3 % lost', { loss: 0.03 }),
    cell('1 % overtaken', { reorder: { probability: 0.01 } }),
  ];
}

const CELLS = [...cellsOf(20), ...cellsOf(100)];

/** Words that let a process run at once when it can: what else this machine does delays it else. */
function realTime(priority) {
  const words = ['chrt', '-f', String(priority)];
  return spawnSync(words[0], [...words.slice(1), 'true']).status === 0 ? words : [];
}

function ip(...args) {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'inherit'] });
}

function makeNamespaces() {
  for (const name of Object.values(names)) {
    ip('netns', 'add', name);
    ip('-n', name, 'link', 'set', 'lo', 'up');
  }
  for (const end of Object.keys(ENDS)) {
    // Linux's defaults, whatever this host has.
    for (const setting of ['tcp_rmem=4096 131072 6291456', 'tcp_wmem=4096 16384 4194304']) {
      ip('netns', 'exec', names[end], 'sysctl', '-qw', `net.ipv4.${setting}`);
    }
  }
}

function removeNamespaces() {
  for (const name of Object.values(names)) {
    try {
      execFileSync('ip', ['netns', 'del', name], { stdio: 'ignore' });
    } catch {
      // It was never made.
    }
  }
}

/** The path of one run: two devices that vanish with the joiner. */
async function join({ queue, rtt, loss, reorder }, seed) {
  const impairment = JSON.stringify({ seed, rate: RATE, queue, rtt, loss, reorder });
  const joiner = new Worker(
    names.joiner,
    'paths-joiner.js',
    ['near', 'far', impairment],
    realTime(50),
  );
  await joiner.call();
  for (const [end, address] of Object.entries(ENDS)) {
    const name = names[end];
    ip('-n', names.joiner, 'link', 'set', end, 'netns', name);
    ip('-n', name, 'addr', 'add', `${address}/24`, 'dev', end);
    ip('-n', name, 'link', 'set', end, 'up');
    // The congestion control of the host is inherited, and may not be changed but for a route.
    const direct = ['dev', end, 'proto', 'kernel', 'scope', 'link', 'src', address];
    ip('-n', name, 'route', 'replace', '10.78.0.0/24', ...direct, 'congctl', 'cubic');
  }
  return joiner;
}

/** Writes what passes the sender's device to a file. */
async function capture(file) {
  const words = ['netns', 'exec', names.near, 'tcpdump', '-i', 'near', '-s', '120', '-w', file];
  const child = spawn('ip', [...words, '-U', '-Z', 'root'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  await once(child.stderr, 'data');
  return async () => {
    child.kill('SIGINT');
    await once(child, 'exit');
  };
}

/** One transfer, in namespaces of its own: what others have left behind would share the path. */
async function measure(cell, pair, seed, { from, seconds, pcap }) {
  makeNamespaces();
  const ends = {};
  let joiner = null;
  try {
    joiner = await join(cell, seed);
    for (const end of Object.keys(ENDS)) {
      ends[end] = new Worker(names[end], 'paths-worker.js', [], realTime(40));
      await ends[end].call({ implementation: pair[end] });
    }
    const stop =
      pcap === undefined ? null : await capture(path.join(pcap, fileName(cell, pair, seed)));
    await ends.far.call({ serve: { host: ENDS.far, port: PORT, from, to: seconds } });
    const before = await joiner.call({});
    const sender = await ends.near.call({ send: { host: ENDS.far, port: PORT, seconds } });
    const after = await joiner.call({});
    const result = await ends.far.call({ result: true });
    await stop?.();
    return {
      megabits: (result.bytes * 8) / result.seconds / 1e6,
      joiner: (after.cpu - before.cpu) / seconds,
      sender: sender.cpu / seconds,
      receiver: result.cpu / result.seconds,
      path: after.counters.far,
      counters: sender.counters,
    };
  } finally {
    await Promise.all([joiner, ...Object.values(ends)].map((worker) => worker?.end()));
    removeNamespaces();
  }
}

function fileName(cell, pair, seed) {
  return `${cell.name}, ${pair.name}, ${seed}.pcap`.replaceAll(/[ ,%]+/g, '-');
}

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** All runs of a cell; the pairs take turns. */
async function compare(cell, pairs, options) {
  const samples = pairs.map(() => []);
  for (let run = 1; run <= options.runs; run++) {
    for (const [i, pair] of pairs.entries()) {
      const sample = await measure(cell, pair, run, options);
      samples[i].push(sample);
      if (options.verbose) console.error(cell.name, pair.name, run, JSON.stringify(sample));
    }
  }
  const figures = pairs.map(({ name }, i) => {
    const megabits = samples[i].map((sample) => sample.megabits);
    const busiest = (who) => Math.max(...samples[i].map((sample) => sample[who]));
    return {
      pair: name,
      megabits: median(megabits),
      slowest: Math.min(...megabits),
      fastest: Math.max(...megabits),
      joiner: busiest('joiner'),
      runs: samples[i],
    };
  });
  return { cell: cell.name, figures };
}

function readOptions() {
  const text = { type: 'string' };
  const { values } = parseArgs({
    options: {
      runs: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '10' },
      from: { type: 'string', default: '2' },
      cells: { type: 'string', default: '' },
      pairs: { type: 'string', default: '' },
      json: text,
      page: text,
      pcap: text,
      verbose: { type: 'boolean', default: false },
    },
  });
  const numbers = Object.fromEntries(
    ['runs', 'seconds', 'from'].map((name) => [name, Number(values[name])]),
  );
  if (!(numbers.runs >= 1 && numbers.from >= 0 && numbers.seconds > numbers.from)) {
    throw new Error('--runs must be at least 1, and --seconds more than --from');
  }
  return { ...values, ...numbers };
}

async function main() {
  const options = readOptions();
  const chosen = (list, pattern) => list.filter(({ name }) => new RegExp(pattern).test(name));
  const pairs = chosen(PAIRS, options.pairs);
  const results = [];
  for (const cell of chosen(CELLS, options.cells)) {
    results.push(await compare(cell, pairs, options));
    printTable(results.slice(-1), results.length === 1, AIM);
  }
  if (options.json) fs.writeFileSync(options.json, `${JSON.stringify(results, null, 2)}\n`);
  if (options.page) fs.writeFileSync(options.page, writePage(results, options, AIM));
}

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    removeNamespaces();
    process.exit(1);
  });
}

main()
  .catch((error) => {
    console.error(`bench:paths: ${error.message}`);
    process.exitCode = 1;
  })
  .finally(removeNamespaces);
