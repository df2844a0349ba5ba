import { Network } from '../../lib/testing';
import type { Cell } from './cells';
import { Flow } from './flow';

const SECOND = 1_000_000;

/** Goodput of one flow through a cell, kbit/s of payload. */
export function goodput(cell: Cell, controller: string): number {
  const network = new Network({ seed: 1, checks: false, trace: false });
  const sender = network.host('sender');
  const receiver = network.host('receiver');
  const { rate, rtt, queue, loss, reorder, jitter, span } = cell;
  network.link(sender, receiver, {
    delay: rtt / 2,
    rate: rate * 1e6,
    from: { sender: { queue, loss, reorder, jitter } },
  });
  const flow = new Flow(sender, receiver, controller, 0, cell.buffer);
  const { simulation } = network;
  const [from, to] = span.map((seconds) => {
    while (simulation.next() <= seconds * SECOND) simulation.step();
    simulation.moveTo(seconds * SECOND);
    return flow.received;
  });
  void network.close();
  return Math.round(((to - from) * 8) / (span[1] - span[0]) / 1000);
}
