import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { buildPacket } from '../../lib/codec/build';
import { parsePacket } from '../../lib/codec/parse';
import { ParseResult } from '../../lib/codec/result';
import { SlabTable } from '../../lib/core/memory/slabs';
import { SegmentBatch } from '../../lib/core/segment/batch';
import { Direction } from '../../lib/core/segment/layout';
import { PcapngWriter } from '../../lib/observe/pcapng';
import { Tcpdump, formatFlags, hexDump } from '../../lib/observe/tcpdump';
import { formatOptions } from '../../lib/observe/tcpdump-options';
import { capturedPackets } from '../support/redis-capture';
import { segmentFields } from '../support/arbitraries';
import { repairIpv4 } from '../support/packets';
import { type Fields, hex, pattern, pushSegment } from '../support/segments';
import { hasCommand, needs } from '../support/skip';

/** The packets of the segments, in their order. */
function packetsOf(all: readonly Fields[]): Uint8Array[] {
  const slabs = new SlabTable();
  const batch = new SegmentBatch(all.length);
  const out = new Uint8Array(70_000);
  return all.map((fields) => {
    const base = pushSegment(batch, slabs, fields);
    const { words, slices } = batch;
    const length = buildPacket(words, base, slices, batch.sliceBase(base), slabs.slabs, out, 0);
    return out.slice(0, length);
  });
}

/** The packets as a batch that was received. */
function received(packets: readonly Uint8Array[]): [SegmentBatch, SlabTable] {
  const slabs = new SlabTable();
  const batch = new SegmentBatch(packets.length);
  for (const packet of packets) {
    const base = batch.push();
    const slab = slabs.add(packet);
    const key = new Int32Array(2);
    const result = parsePacket(packet, slab, 0, packet.length, batch.words, base, key);
    expect(result).toBe(ParseResult.Ok);
  }
  return [batch, slabs];
}

describe('the notation', () => {
  test('flags in their order', () => {
    expect(formatFlags(0)).toBe('none');
    expect(formatFlags(0xff)).toBe('FSRP.UEW');
    expect(formatFlags(0x12)).toBe('S.');
    expect(formatFlags(0x1c2)).toBe('SEWe');
  });

  test.each([
    ['an option beyond the header', '01010208', 'nop,nop,[bad opt]'],
    ['an option without a length', '010102', 'nop,nop,[bad opt]'],
    ['another length than the kind has', '0203aa01', 'mss 0xaa[len 3],nop'],
    ['SACK of another length', '05060000000101', 'sack invalid sack,nop'],
  ])('%s', (_, bytes, expected) => {
    expect(formatOptions(hex(bytes), 0)).toBe(expected);
  });

  test('sent and received segments read the same', () => {
    fc.assert(
      fc.property(fc.array(segmentFields, { minLength: 1, maxLength: 3 }), (all) => {
        const slabs = new SlabTable();
        const sent = new SegmentBatch(all.length);
        for (const fields of all) pushSegment(sent, slabs, fields);
        const [batch, table] = received(packetsOf(all));
        const options = { absolute: true, hex: true };
        const outward = new Tcpdump(slabs.slabs, options);
        const inward = new Tcpdump(table.slabs, options);
        all.forEach((_, i) => {
          const line = inward.format(batch, i, Direction.In);
          expect(outward.format(sent, i, Direction.Out)).toBe(line);
        });
      }),
      { numRuns: 50 },
    );
  });

  test('numbers are relative to the first of their conversation', () => {
    const client = { from: '10.0.0.1', to: '10.0.0.2', sourcePort: 4000, destinationPort: 80 };
    const server = { from: '10.0.0.2', to: '10.0.0.1', sourcePort: 80, destinationPort: 4000 };
    const [batch, slabs] = received(
      packetsOf([
        { ...client, sequence: -5, flags: 0x02 },
        { ...server, sequence: 900, acknowledgment: -4, flags: 0x12 },
        { ...client, sequence: -4, acknowledgment: 901, payload: [pattern(10)] },
        { ...server, sequence: 951, acknowledgment: 6, flags: 0x11, sack: [[16, 26]] },
      ]),
    );
    const tcpdump = new Tcpdump(slabs.slabs);
    const lines = [0, 1, 2, 3].map((i) => tcpdump.format(batch, i, Direction.In));
    expect(lines.map((line) => line.replace(/.*Flags/, 'Flags'))).toEqual([
      'Flags [S], seq 4294967291, win 500, length 0',
      'Flags [S.], seq 900, ack 4294967292, win 500, length 0',
      'Flags [.], seq 1:11, ack 1, win 500, length 10',
      'Flags [F.], seq 51, ack 11, win 500, options [nop,nop,sack 1 {21:31}], length 0',
    ]);
  });
});

needs(hasCommand('tcpdump'), 'tcpdump installed')('against the real tcpdump', () => {
  const folder = mkdtempSync(join(tmpdir(), `netland-tcpdump-${process.pid}-`));
  afterAll(() => rmSync(folder, { recursive: true }));

  function real(packets: readonly Uint8Array[], ...flags: string[]): string[] {
    const file = join(folder, 'packets.pcapng');
    const pieces: Buffer[] = [];
    const writer = new PcapngWriter({ write: (bytes) => pieces.push(Buffer.from(bytes)) });
    const port = writer.addInterface('test');
    for (const packet of packets) writer.packet(port, Direction.In, 1e15, packet);
    writer.flush();
    writeFileSync(file, Buffer.concat(pieces));
    const output = execFileSync('tcpdump', ['-nt', ...flags, '-r', file], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 30_000,
    });
    return output.replace(/\n$/, '').split('\n');
  }

  function ours(packets: readonly Uint8Array[], options: { absolute?: boolean; hex?: boolean }) {
    const [batch, slabs] = received(packets);
    const tcpdump = new Tcpdump(slabs.slabs, options);
    return packets.flatMap((_, i) => tcpdump.format(batch, i, Direction.In).split('\n'));
  }

  const some = fc.sample(segmentFields, { seed: 2718, numRuns: 2000 });

  test('2,000 segments of all kinds, absolute', () => {
    const packets = packetsOf(some);
    expect(ours(packets, { absolute: true })).toEqual(real(packets, '-S'));
  });

  test('the same in a few conversations, relative', () => {
    const ends = ['10.0.0.1', '10.0.0.2', '10.0.0.3'];
    const packets = packetsOf(
      some.map((fields, i) => ({
        ...fields,
        from: ends[i % 3],
        to: ends[(i * 7 + 1 + (i % 2)) % 3],
        sourcePort: 40_000 + (i % 2),
        destinationPort: 40_000 + ((i >> 1) % 2),
        // Mostly what a stack would send.
        flags: i % 10 === 0 ? fields.flags : 0x10 | ((fields.flags ?? 0) & 8),
      })),
    );
    expect(ours(packets, {})).toEqual(real(packets));
  });

  test('option bytes that no stack of ours sends', () => {
    const segment = packetsOf([{}])[0];
    const packets = [
      '00010101',
      '01010000',
      'c8020101',
      'c804aabb',
      '05020101',
      '05060000000101',
      '0512000000010000000200000003000000040101',
    ].map((text) => {
      const options = hex(text.padEnd(Math.ceil(text.length / 8) * 8, '0'));
      const packet = Uint8Array.from([...segment, ...options]);
      packet[3] = packet.length;
      packet[32] = ((20 + options.length) / 4) << 4;
      repairIpv4(packet, 0, packet.length);
      return packet;
    });
    expect(ours(packets, { absolute: true })).toEqual(real(packets, '-S'));
  });

  test('with the dump of the bytes', () => {
    const packets = packetsOf(some.slice(0, 200));
    expect(ours(packets, { absolute: true, hex: true })).toEqual(real(packets, '-SX'));
    expect(hexDump(packets[0])).toBe(real([packets[0]], '-SX').slice(1).join('\n'));
  });

  test('the capture of a Redis connection', () => {
    const packets = capturedPackets.map((packet) => hex(packet.hex));
    const lines = ours(packets, { absolute: true, hex: true });
    expect(lines).toEqual(real(packets, '-SX'));
    expect(ours(packets, {})).toEqual(real(packets));
  });
});
