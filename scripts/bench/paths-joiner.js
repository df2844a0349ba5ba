'use strict';

/*
 * Joins two TUN devices by an impaired link, in a process of its own; paths.js forks it. The
 * arguments are the names of the devices, which it makes, and the impairment as JSON:
 *   { seed, rate, queue, rtt, loss, reorder }              rates in bit/s, times in ms
 * What comes from the first device suffers all of it on its way to the second one; the way back has
 * the rate and the delay alone. It sends { ready: true } over IPC, and for each message what it has
 * counted: { cpu (seconds), counters }.
 */

const { SlabTable } = require('../../dist/core/memory/slabs.js');
const { Direction, MAX_SLICES, SLICE_WORDS, Word } = require('../../dist/core/segment/layout.js');
const { impair } = require('../../dist/link/impair.js');
const { tunLink } = require('../../dist/link/tun.js');
const { PreciseClock } = require('./precise-clock.js');

const [near, far, text] = process.argv.slice(2);
const { seed, rate, queue, rtt, loss, reorder } = JSON.parse(text);

/** What was received, as something to be sent: the headers anew, the same payload. */
function turn(batch) {
  const { words, slices } = batch;
  for (let i = 0; i < batch.count; i++) {
    const base = i * Word.Stride;
    const slice = i * MAX_SLICES * SLICE_WORDS;
    const length = words[base + Word.PayloadLength];
    words[base + Word.Direction] = Direction.Out;
    words[base + Word.SliceCount] = length > 0 ? 1 : 0;
    slices[slice] = words[base + Word.Slab];
    slices[slice + 1] = words[base + Word.PayloadOffset];
    slices[slice + 2] = length;
  }
  return batch;
}

/** One device; `to` gives the port that its packets go to. */
function open(link, slabs, to) {
  const host = {
    receive: (batch) => void to().transmit(turn(batch)),
    writable: () => undefined,
    down(error) {
      throw error;
    },
  };
  return link.open({ host, slabs, hashKey: new Int32Array(2), addresses: [] });
}

async function main() {
  const slabs = new SlabTable();
  const ports = {};
  const delay = rtt / 2;
  const clock = new PreciseClock();
  const both = { seed, direction: 'out', delay, rate };
  const back = impair(tunLink({ name: near }), both, clock);
  const forth = impair(tunLink({ name: far }), { ...both, queue, loss, reorder }, clock);
  ports.near = await open(back, slabs, () => ports.far);
  ports.far = await open(forth, slabs, () => ports.near);
  process.on('message', () => {
    const { userCPUTime, systemCPUTime } = process.resourceUsage();
    const cpu = (userCPUTime + systemCPUTime) / 1e6;
    process.send({ cpu, counters: { near: ports.near.counters, far: ports.far.counters } });
  });
  process.on('disconnect', () => process.exit());
  process.send({ ready: true });
}

void main();
