import { parsePacket } from '../../lib/codec/parse';
import { SlabTable } from '../../lib/core/memory/slabs';
import { SegmentBatch } from '../../lib/core/segment/batch';
import { Direction, Word } from '../../lib/core/segment/layout';
import { formatSegment, Tcpdump } from '../../lib/observe/tcpdump';
import { datagram } from '../support/datagrams';
import { pushSegment } from '../support/segments';

/** The line of a datagram. */
function line(from: string, to: string, port: number, names?: boolean): string {
  const packet = datagram(from, 50_000, to, port, 'abc');
  const words = new Int32Array(Word.Stride);
  parsePacket(packet, 0, 0, packet.length, words, 0, new Int32Array(2));
  return formatSegment(words, 0, { slabs: [packet], names });
}

test('ports are numbers', () => {
  expect(line('10.0.0.1', '10.0.0.9', 53)).toBe('IP 10.0.0.1.50000 > 10.0.0.9.53: UDP, length 3');
});

test.each([
  ['10.0.0.1', '10.0.0.9', 53, 'IP 10.0.0.1.50000 > 10.0.0.9.domain: UDP, length 3'],
  ['fd00::1', 'fd00::9', 69, 'IP6 fd00::1.50000 > fd00::9.tftp: UDP, length 3'],
  ['10.0.0.1', '10.0.0.9', 50_001, 'IP 10.0.0.1.50000 > 10.0.0.9.50001: UDP, length 3'],
])('by name, if they have one: from %s to %s port %i', (from, to, port, expected) => {
  expect(line(from, to, port, true)).toBe(expected);
});

test('a name belongs to a protocol', () => {
  const slabs = new SlabTable();
  const batch = new SegmentBatch(2);
  for (const destinationPort of [80, 69]) pushSegment(batch, slabs, { destinationPort });
  const tcpdump = new Tcpdump(slabs.slabs, { names: true });
  expect(tcpdump.format(batch, 0, Direction.Out)).toMatch(/ > 10\.0\.0\.2\.http: Flags/);
  expect(tcpdump.format(batch, 1, Direction.Out)).toMatch(/ > 10\.0\.0\.2\.69: Flags/);
});
