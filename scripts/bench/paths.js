'use strict';

/*
 * npm run bench:paths: goodput over long, lossy and narrow paths, ours beside the kernel's. Two
 * namespaces with a TUN device each, joined by an impaired link in a process of its own; the sender
 * is in the first, and ours is on a raw link there, so that every pair has the same path. CUBIC on
 * both; all processes at real-time priority, if that can be had. Each cell: runs in which the pairs
 * take turns, each run with the same seed for all; medians. Where segments are lost, or the queue is
 * shallow, there is a recovery in a second or so, and few of them would tell of luck: such cells run
 * for `--long` seconds.
 * Needs root, and iproute2.
 *
 *   npm run bench:paths [-- --runs 5] [--seconds 10] [--long 40] [--from 2] [--jobs 1]
 *                       [--cells REGEXP] [--pairs REGEXP] [--json FILE] [--page FILE]
 *                       [--pcap FOLDER]
 *
 * --jobs: cells that are measured at the same time.
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
  const long = (name, change) => cell(name, { ...change, long: true });
  return [
    cell('deep queue', {}),
    long('shallow queue', { queue: packets(0.25) }),
    long('0.1 % lost', { loss: 0.001 }),
    long('1 % lost', { loss: 0.01 }),
    long('3 % lost', { loss: 0.03 }),
    cell('1 % overtaken', { reorder: { probability: 0.01 } }),
  ];
}

const CELLS = [...cellsOf(20), ...cellsOf(100)];

/**
 * Words that let a process run at once when it can: what else this machine does delays it else.
 * Not first in, first out: a thread of V8's that waits for another would never let it run.
 */
function realTime(priority) {
  const words = ['chrt', '-r', String(priority)];
  return spawnSync(words[0], [...words.slice(1), 'true']).status === 0 ? words : [];
}

function ip(...args) {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'inherit'] });
}

/** Those that are there, by their names. */
const namespaces = new Set();
let runs = 0;

/** Three of a run's own: the two ends, and what joins them. */
function makeNamespaces() {
  const run = `netland-paths-${process.pid}-${++runs}`;
  const names = { near: `${run}-near`, far: `${run}-far`, joiner: `${run}-joiner` };
  for (const name of Object.values(names)) {
    ip('netns', 'add', name);
    namespaces.add(name);
    ip('-n', name, 'link', 'set', 'lo', 'up');
  }
  for (const end of Object.keys(ENDS)) {
    // Linux's defaults, whatever this host has.
    for (const setting of ['tcp_rmem=4096 131072 6291456', 'tcp_wmem=4096 16384 4194304']) {
      ip('netns', 'exec', names[end], 'sysctl', '-qw', `net.ipv4.${setting}`);
    }
  }
  return names;
}

function removeNamespaces(names) {
  for (const name of names) {
    if (!namespaces.delete(name)) continue;
    execFileSync('ip', ['netns', 'del', name], { stdio: 'ignore' });
  }
}

/** The path of one run: two devices that vanish with the joiner. */
async function join(names, { queue, rtt, loss, reorder }, seed) {
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
async function capture(namespace, file) {
  const words = ['netns', 'exec', namespace, 'tcpdump', '-i', 'near', '-s', '120', '-w', file];
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
async function measure(cell, pair, seed, { from, pcap, ...options }) {
  const seconds = cell.long ? options.long : options.seconds;
  const names = makeNamespaces();
  const ends = {};
  let joiner = null;
  try {
    joiner = await join(names, cell, seed);
    for (const end of Object.keys(ENDS)) {
      ends[end] = new Worker(names[end], 'paths-worker.js', [], realTime(40));
      await ends[end].call({ implementation: pair[end] });
    }
    const file = pcap && path.join(pcap, fileName(cell, pair, seed));
    const stop = file && (await capture(names.near, file));
    await ends.far.call({ serve: { host: ENDS.far, port: PORT, from, to: seconds } });
    const before = await joiner.call({});
    const sender = await ends.near.call({ send: { host: ENDS.far, port: PORT, seconds } });
    const after = await joiner.call({});
    const result = await ends.far.call({ result: true });
    if (stop) await stop();
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
    removeNamespaces(Object.values(names));
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
      long: { type: 'string', default: '40' },
      jobs: { type: 'string', default: '1' },
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
    ['runs', 'seconds', 'long', 'from', 'jobs'].map((name) => [name, Number(values[name])]),
  );
  const { from } = numbers;
  if (!(numbers.runs >= 1 && numbers.jobs >= 1)) {
    throw new Error('--runs and --jobs must be at least 1');
  }
  if (!(from >= 0 && numbers.seconds > from && numbers.long > from)) {
    throw new Error('--seconds and --long must be more than --from');
  }
  return { ...values, ...numbers };
}

async function main() {
  const options = readOptions();
  const chosen = (list, pattern) => list.filter(({ name }) => new RegExp(pattern).test(name));
  const pairs = chosen(PAIRS, options.pairs);
  const cells = chosen(CELLS, options.cells);
  // The long ones first, so that no job has one to itself in the end.
  const queue = cells.map((cell, place) => ({ cell, place }));
  queue.sort((a, b) => Number(b.cell.long ?? false) - Number(a.cell.long ?? false));
  const results = [];
  let head = true;
  const job = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const result = await compare(next.cell, pairs, options);
      results[next.place] = result;
      printTable([result], head, AIM);
      head = false;
    }
  };
  await Promise.all(Array.from({ length: options.jobs }, job));
  if (options.json) fs.writeFileSync(options.json, `${JSON.stringify(results, null, 2)}\n`);
  if (options.page) fs.writeFileSync(options.page, writePage(results, options, AIM));
}

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    removeNamespaces(namespaces);
    process.exit(1);
  });
}

main()
  .catch((error) => {
    console.error(`bench:paths: ${error.message}`);
    process.exitCode = 1;
  })
  .finally(() => removeNamespaces(namespaces));
