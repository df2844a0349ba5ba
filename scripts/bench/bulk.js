'use strict';

/*
 * npm run bench: bulk transfers through ours and through node:net to the same kernel peer, in one
 * run and alternating: raw links over veth, sending by raw sockets and by a packet socket, and over
 * loopback, and TUN devices with offload and without, which are compared to node:net over veth.
 * Prints medians, and CPU seconds per GiB of both processes together. Needs root, and iproute2.
 *
 *   npm run bench [-- --rounds 5] [--mebibytes 1024]
 *                 [--paths veth,raw-packet,loopback,tun,tun-plain]
 *                 [--json FILE]
 */

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const { parseArgs } = require('node:util');
const { startWorker } = require('./child.js');

const WARM_UP = 64 * 1048576;
const PEER_PORT = 5001;

const names = { ours: `netland-bench-${process.pid}a`, peer: `netland-bench-${process.pid}b` };

/** From `names.ours` to a host in the namespace `peer`. */
const VETH = { host: '10.9.0.2', peer: names.peer };
const LOOPBACK = { host: '127.0.0.1', peer: names.ours };
const TUN = { host: '10.8.0.1', peer: names.ours };

const PATHS = [
  { name: 'veth', ours: { implementation: 'raw', ...VETH }, reference: VETH },
  { name: 'raw-packet', ours: { implementation: 'raw-packet', ...VETH }, reference: VETH },
  { name: 'loopback', ours: { implementation: 'raw', ...LOOPBACK }, reference: LOOPBACK },
  { name: 'tun', ours: { implementation: 'tun', ...TUN }, reference: VETH },
  { name: 'tun-plain', ours: { implementation: 'tun-plain', ...TUN }, reference: VETH },
];

function ip(...args) {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'inherit'] });
}

/**
 * A new namespace inherits the host's congestion control (BBR wrecks throughput over veth), and may
 * not choose one that the host doesn't allow to everybody; a route may.
 */
function useCubic(name, ...route) {
  ip('-n', name, 'route', 'replace', ...route, 'congctl', 'cubic');
}

function useCubicToTun() {
  const direct = ['dev', 'nlbench', 'proto', 'kernel', 'scope', 'link', 'src', TUN.host];
  useCubic(names.ours, '10.8.0.0/24', ...direct);
}

function makeNamespaces() {
  for (const name of Object.values(names)) {
    ip('netns', 'add', name);
    ip('-n', name, 'link', 'set', 'lo', 'up');
    const local = ['dev', 'lo', 'table', 'local', 'proto', 'kernel', 'scope', 'host'];
    useCubic(name, 'local', '127.0.0.1', ...local, 'src', '127.0.0.1');
  }
  ip('link', 'add', 'va', 'netns', names.ours, 'type', 'veth', 'peer', 'vb', 'netns', names.peer);
  for (const [name, device, address] of [
    [names.ours, 'va', '10.9.0.1'],
    [names.peer, 'vb', '10.9.0.2'],
  ]) {
    ip('-n', name, 'addr', 'add', `${address}/24`, 'dev', device);
    ip('-n', name, 'link', 'set', device, 'up');
    const direct = ['dev', device, 'proto', 'kernel', 'scope', 'link', 'src', address];
    useCubic(name, '10.9.0.0/24', ...direct);
  }
}

function removeNamespaces() {
  for (const name of Object.values(names)) {
    try {
      ip('netns', 'del', name);
    } catch {
      // It was never made.
    }
  }
}

/** One measured transfer, in two fresh processes, after a short one to warm them up. */
async function measure(way, direction, bytes) {
  const { host, implementation = 'node:net' } = way;
  const peer = await startWorker(way.peer, 'node:net');
  const ours = await startWorker(names.ours, implementation);
  try {
    if (implementation.startsWith('tun')) useCubicToTun();
    await peer.call({ serve: { host, port: PEER_PORT } });
    await ours.call({ transfer: { host, port: PEER_PORT, direction, bytes: WARM_UP } });
    const before = await peer.call({ usage: true });
    const { seconds, cpu } = await ours.call({
      transfer: { host, port: PEER_PORT, direction, bytes },
    });
    const after = await peer.call({ usage: true });
    const gibibytes = bytes / 2 ** 30;
    return {
      gigabits: (bytes * 8) / seconds / 1e9,
      cpu: (cpu + after.cpu - before.cpu) / gibibytes,
    };
  } finally {
    await Promise.all([peer.end(), ours.end()]);
  }
}

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function summary(samples) {
  const gigabits = samples.map((sample) => sample.gigabits);
  return {
    gigabits: median(gigabits),
    slowest: Math.min(...gigabits),
    fastest: Math.max(...gigabits),
    cpu: median(samples.map((sample) => sample.cpu)),
  };
}

/** All rounds of one path and direction; the implementations take turns. */
async function compare(path, direction, bytes, rounds) {
  const samples = [[], []];
  for (let round = 0; round < rounds; round++) {
    samples[0].push(await measure(path.ours, direction, bytes));
    samples[1].push(await measure(path.reference, direction, bytes));
  }
  const [ours, reference] = samples.map(summary);
  return {
    path: path.name,
    direction,
    ours,
    reference,
    ratio: ours.gigabits / reference.gigabits,
    cpuRatio: ours.cpu / reference.cpu,
  };
}

function row(cells) {
  const widths = [9, 9, 20, 11, 20, 11, 7, 7];
  console.log(cells.map((cell, index) => String(cell).padStart(widths[index])).join(''));
}

function printRow({ path, direction, ours, reference, ratio, cpuRatio }) {
  const range = ({ gigabits, slowest, fastest }) =>
    `${gigabits.toFixed(2)} (${slowest.toFixed(1)}-${fastest.toFixed(1)})`;
  const cells = [path, direction, range(ours), ours.cpu.toFixed(2), range(reference)];
  row([...cells, reference.cpu.toFixed(2), ratio.toFixed(2), cpuRatio.toFixed(2)]);
}

async function main() {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '3' },
      mebibytes: { type: 'string', default: '1024' },
      paths: { type: 'string', default: PATHS.map(({ name }) => name).join(',') },
      json: { type: 'string' },
    },
  });
  const bytes = Number(values.mebibytes) * 1048576;
  makeNamespaces();
  const results = [];
  console.log(`${values.mebibytes} MiB each, median (range) of ${values.rounds}; Gbit/s, and CPU`);
  console.log('seconds per GiB of both processes; kernel peer, cubic on both sides');
  row(['path', 'we', 'ours', 'CPU s/GiB', 'node:net', 'CPU s/GiB', 'ratio', 'CPU']);
  const chosen = values.paths.split(',');
  for (const path of PATHS.filter(({ name }) => chosen.includes(name))) {
    for (const direction of ['send', 'receive']) {
      const result = await compare(path, direction, bytes, Number(values.rounds));
      results.push(result);
      printRow(result);
    }
  }
  if (values.json) fs.writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);
}

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    removeNamespaces();
    process.exit(1);
  });
}

main()
  .catch((error) => {
    console.error(`bench: ${error.message}`);
    process.exitCode = 1;
  })
  .finally(removeNamespaces);
