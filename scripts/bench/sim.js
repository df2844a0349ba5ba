'use strict';

/*
 * npm run bench:sim: simulated segments per second on one core: a bulk transfer between two hosts
 * over a plain link, data and acknowledgments counted once each, where they are sent. With and
 * without the checks after each event and the trace of all packets; each in a process of its own.
 * Prints the median of the rounds; the second figure is by time of the processor, for a machine
 * that has other things to do. Exit code 1 where the aim is missed without checks and trace.
 *
 *   npm run bench:sim [-- --rounds 3] [--mebibytes 256] [--json FILE]
 */

const { fork } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const { parseArgs } = require('node:util');

/** Segments per second. */
const AIM = 300_000;
const VARIANTS = [
  { name: 'neither', checks: false, trace: false },
  { name: 'checks', checks: true, trace: false },
  { name: 'trace', checks: false, trace: true },
  { name: 'checks and trace', checks: true, trace: true },
];
const WARM_UP = 32 * 1048576;
const PORT = 5001;
const BLOCK = 64 * 1024;

/** Two hosts, and a connection from the one to the other over which a program sends all it can. */
class Transfer {
  constructor({ checks, trace }) {
    const { Network } = require('../../dist/testing');
    const { parseAddress } = require('../../dist/core/ip/address.js');
    const network = new Network({ seed: 1, checks, trace });
    this.sender = network.host('sender');
    this.receiver = network.host('receiver');
    network.link(this.sender, this.receiver, { delay: 1 });
    this.simulation = network.simulation;
    this.received = 0;
    this.left = 0;
    const listener = this.receiver.socket(4, { ready: () => this.accept(listener) });
    listener.bind(parseAddress(this.receiver.address), PORT);
    listener.listen(1);
    this.receiver.flush();
    this.socket = this.sender.socket(4, { ready: () => this.write() });
    this.socket.connect(parseAddress(this.receiver.address), PORT);
    this.sender.flush();
    this.block = new Uint8Array(BLOCK).fill(1);
  }

  accept(listener) {
    const socket = listener.accept();
    if (typeof socket === 'number') return;
    socket.owner = { ready: () => this.read(socket) };
  }

  read(socket) {
    for (;;) {
      const piece = socket.take(BLOCK);
      if (typeof piece === 'number') return;
      this.received += piece.length;
    }
  }

  write() {
    while (this.left > 0) {
      const taken = this.socket.send(this.block, 0, Math.min(BLOCK, this.left));
      if (taken <= 0) return;
      this.left -= taken;
    }
  }

  get segments() {
    return this.sender.counters.TcpOutSegs + this.receiver.counters.TcpOutSegs;
  }

  /** Sends so many bytes; how many segments that took, and the seconds. */
  run(bytes) {
    const { simulation } = this;
    const end = this.received + bytes;
    this.left = bytes;
    const segments = this.segments;
    const cpu = process.cpuUsage();
    const start = performance.now();
    this.sender.enter();
    this.write();
    this.sender.flush();
    while (this.received < end) simulation.step();
    const seconds = (performance.now() - start) / 1000;
    const { user, system } = process.cpuUsage(cpu);
    return { segments: this.segments - segments, seconds, cpu: (user + system) / 1e6 };
  }
}

async function inChild(variant, bytes) {
  const child = fork(__filename, [
    '--variant',
    variant.name,
    '--mebibytes',
    String(bytes / 2 ** 20),
  ]);
  const [[sample]] = await Promise.all([once(child, 'message'), once(child, 'exit')]);
  return sample;
}

function measure(name, bytes) {
  const transfer = new Transfer(VARIANTS.find((variant) => variant.name === name));
  transfer.run(WARM_UP);
  process.send(transfer.run(bytes));
}

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

async function compare(bytes, rounds) {
  const samples = new Map(VARIANTS.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const variant of VARIANTS) {
      samples.get(variant.name).push(await inChild(variant, bytes));
    }
  }
  return VARIANTS.map(({ name }) => {
    const own = samples.get(name);
    return {
      name,
      segments: own[0].segments,
      perSecond: median(own.map(({ segments, seconds }) => segments / seconds)),
      perCpuSecond: median(own.map(({ segments, cpu }) => segments / cpu)),
    };
  });
}

async function main() {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '3' },
      mebibytes: { type: 'string', default: '256' },
      json: { type: 'string' },
      variant: { type: 'string' },
    },
  });
  const bytes = Number(values.mebibytes) * 1048576;
  if (values.variant !== undefined) {
    measure(values.variant, bytes);
    return;
  }
  const results = await compare(bytes, Number(values.rounds));
  console.log(
    `${values.mebibytes} MiB, ${results[0].segments} segments; median of ${values.rounds}`,
  );
  console.log(`${'with'.padEnd(18)}${'segments/s'.padStart(12)}${'per CPU s'.padStart(12)}`);
  for (const { name, perSecond, perCpuSecond } of results) {
    const cells = [perSecond, perCpuSecond].map((value) => String(Math.round(value)).padStart(12));
    console.log(`${name.padEnd(18)}${cells.join('')}`);
  }
  if (values.json) fs.writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);
  const best = Math.max(results[0].perSecond, results[0].perCpuSecond);
  console.log(`aim: ${AIM}, ${best >= AIM ? 'reached' : 'missed'}`);
  if (best < AIM) process.exitCode = 1;
}

main().catch((error) => {
  console.error(`bench:sim: ${error.message}`);
  process.exitCode = 1;
});
