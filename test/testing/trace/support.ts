import { formatAddress, readAddress } from '../../../lib/core/ip/address';
import { SlabTable } from '../../../lib/core/memory/slabs';
import { SegmentBatch } from '../../../lib/core/segment/batch';
import type { NetworkNode } from '../../../lib/testing/engine/node';
import { Packet } from '../../../lib/testing/engine/packet';
import type { Names } from '../../../lib/testing/segment-view';
import { Trace, type TraceOptions } from '../../../lib/testing/trace/trace';
import { type Fields, pushSegment } from '../../support/segments';

const HOSTS: Record<string, string> = {
  '10.0.0.1': 'client',
  '10.0.0.2': 'server',
  'fd00::1': 'client',
  'fd00::2': 'server',
};

export const names: Names = {
  nameAt: (words, at) => HOSTS[formatAddress(readAddress(words, at))] ?? null,
};

/** A node that nothing arrives at. */
function node(name: string): NetworkNode {
  return { name, arrive: () => undefined, attach: () => undefined };
}

export const client = node('client');
export const server = node('server');

let packets = 0;

/** A packet as a host would send it. */
export function packet(fields: Fields): Packet {
  const slabs = new SlabTable();
  const batch = new SegmentBatch(1);
  const base = pushSegment(batch, slabs, fields);
  return Packet.take(batch, base, slabs.slabs, packets++);
}

/** From client to server, from port 40000 to 80. */
export function toServer(fields: Fields): Packet {
  return packet({ sourcePort: 40_000, destinationPort: 80, ...fields });
}

export function toClient(fields: Fields): Packet {
  const ends = { from: '10.0.0.2', to: '10.0.0.1', sourcePort: 80, destinationPort: 40_000 };
  return packet({ ...ends, ...fields });
}

/** A trace and its clock, µs. */
export function tracing(options?: TraceOptions): { trace: Trace; clock: { now: number } } {
  const clock = { now: 0 };
  // The first millisecond of the year 2000.
  return { trace: new Trace(clock, Date.UTC(2000, 0, 1), names, options), clock };
}
