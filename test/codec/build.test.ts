import fc from 'fast-check';
import { buildPacket, packetLength } from '../../lib/codec/build';
import { optionsLength } from '../../lib/codec/options';
import { parsePacket } from '../../lib/codec/parse';
import { ParseResult } from '../../lib/codec/result';
import { SlabTable } from '../../lib/core/memory/slabs';
import { SegmentBatch } from '../../lib/core/segment/batch';
import { Checksum, Flag, Option, Word } from '../../lib/core/segment/layout';
import { segmentFields } from '../support/arbitraries';
import { plainSum } from '../support/packets';
import { type Fields, hex, pattern, pushSegment } from '../support/segments';

const KEY = Int32Array.of(1, 2);

function build(fields: Fields): { words: Int32Array; packet: Uint8Array; slabs: SlabTable } {
  const slabs = new SlabTable();
  const batch = new SegmentBatch(1);
  pushSegment(batch, slabs, fields);
  const out = new Uint8Array(70_000).fill(0xee);
  const length = buildPacket(batch.words, 0, batch.slices, 0, slabs.slabs, out, 3);
  expect(out[2]).toBe(0xee);
  expect(out[3 + length]).toBe(0xee);
  expect(packetLength(batch.words, 0)).toBe(length);
  return { words: batch.words, packet: out.slice(3, 3 + length), slabs };
}

/** SACK blocks that fit beside the other options. */
function fitting({ mss, windowScale, sackPermitted, timestamps, sack }: Fields): number {
  let used = (mss !== undefined ? 4 : 0) + (windowScale !== undefined ? 4 : 0);
  if (timestamps !== undefined) used += 12;
  else if (sackPermitted === true) used += 4;
  return Math.max(0, Math.min(sack?.length ?? 0, Math.floor((36 - used) / 8)));
}

describe('building a packet', () => {
  test('a SYN, laid out as Linux lays it out: the first packet of the capture', () => {
    const { packet } = build({
      from: '10.249.172.42',
      to: '10.249.172.203',
      sourcePort: 32896,
      destinationPort: 6378,
      sequence: 1368668675,
      flags: Flag.SYN,
      window: 29200,
      trafficClass: 0x10,
      identification: 0x2db8,
      mss: 1460,
      sackPermitted: true,
      timestamps: [0xb51917bb | 0, 0],
      windowScale: 7,
    });
    const captured = hex(
      '4510003c2db8400040069e0c0af9ac2a0af9accb808018ea51943a0300000000a0027210' +
        '6f160000020405b40402080ab51917bb0000000001030307',
    );
    // The capture has the pseudo-header's sum in the place of the checksum.
    packet.set(captured.subarray(36, 38), 36);
    expect(packet).toEqual(captured);
  });

  test.each([
    ['timestamps alone', { timestamps: [1, 2] }, '0101080a0000000100000002'],
    ['SACK-permitted alone', { sackPermitted: true }, '01010402'],
    ['window scale alone', { windowScale: 3 }, '01030303'],
    ['SACK alone', { sack: [[1, 2]] }, '0101050a0000000100000002'],
    [
      'three blocks beside timestamps, of four',
      { timestamps: [1, 2], sack: Array(4).fill([3, 4]) },
      `0101080a0000000100000002${'0101051a'}${'0000000300000004'.repeat(3)}`,
    ],
    [
      'two blocks beside all that a SYN has, of three',
      {
        mss: 9,
        windowScale: 1,
        sackPermitted: true,
        timestamps: [1, 2],
        sack: [
          [3, 4],
          [5, 6],
          [7, 8],
        ],
      },
      '020400090402080a000000010000000201030301' + '0101051200000003000000040000000500000006',
    ],
  ] as [string, Fields, string][])('options: %s', (_, fields, expected) => {
    const { packet } = build(fields);
    const end = (packet[32] >> 4) * 4 + 20;
    expect(Buffer.from(packet.subarray(40, end)).toString('hex')).toBe(expected);
  });

  test('is read back as it was written, with right checksums', () => {
    fc.assert(
      fc.property(segmentFields, (fields) => {
        const { words, packet } = build(fields);
        const read = new Int32Array(Word.Stride);
        const result = parsePacket(packet, 5, 0, packet.length, read, 0, KEY);
        expect(result).toBe(ParseResult.Ok);
        const expected = words.slice();
        const header = packet.length - words[Word.PayloadLength];
        const transport = words[Word.Family] === 4 ? 20 : 40;
        expected[Word.Checksum] = Checksum.Verified;
        expected[Word.Direction] = 0;
        expected[Word.Hash] = read[Word.Hash];
        expected[Word.Slab] = 5;
        expected[Word.PacketLength] = packet.length;
        expected[Word.TransportOffset] = transport;
        expected[Word.OptionsLength] = optionsLength(words, 0);
        expected[Word.PayloadOffset] = header;
        expected[Word.SliceCount] = 0;
        const blocks = fitting(fields);
        expected[Word.SackCount] = blocks;
        expected.fill(0, Word.Sack + 2 * blocks, Word.Sack + 8);
        if (blocks === 0) expected[Word.Options] &= ~Option.Sack;
        expect(read).toEqual(expected);
        expect([...packet.subarray(header)]).toEqual(
          (fields.payload ?? []).flatMap((bytes) => [...bytes]),
        );
        if (transport === 20) expect(plainSum(packet, 0, 20)).toBe(0xffff);
      }),
      { numRuns: 500 },
    );
  });

  test('reserved bits are sent as zero, other fields cut to their width', () => {
    const { packet } = build({ flags: 0xffff, window: 0x12345, urgent: -1 });
    expect(packet[32]).toBe(0x51);
    expect(packet[33]).toBe(0xff);
    expect([...packet.subarray(34, 36)]).toEqual([0x23, 0x45]);
    expect([...packet.subarray(38, 40)]).toEqual([0xff, 0xff]);
  });

  describe('what cannot be built gives 0 and leaves the buffer alone', () => {
    const slabs = new SlabTable();
    const batch = new SegmentBatch(1);
    const out = new Uint8Array(70_000);
    const attempt = (change: (words: Int32Array, slices: Int32Array) => void, room = 70_000) => {
      batch.count = 0;
      out.fill(0xee);
      pushSegment(batch, slabs, { payload: [pattern(100), pattern(50)] });
      change(batch.words, batch.slices);
      const length = buildPacket(
        batch.words,
        0,
        batch.slices,
        0,
        slabs.slabs,
        out.subarray(0, room),
        0,
      );
      if (length === 0) expect(out.every((byte) => byte === 0xee)).toBe(true);
      return length;
    };

    test.each([
      ['unknown family', (w: Int32Array) => (w[Word.Family] = 5)],
      ['no protocol', (w: Int32Array) => (w[Word.Protocol] = 256)],
      ['negative protocol', (w: Int32Array) => (w[Word.Protocol] = -1)],
      ['negative payload', (w: Int32Array) => (w[Word.PayloadLength] = -1)],
      ['slices that are more', (w: Int32Array) => (w[Word.PayloadLength] = 149)],
      ['slices that are less', (w: Int32Array) => (w[Word.PayloadLength] = 151)],
      ['too many slices', (w: Int32Array) => (w[Word.SliceCount] = 9)],
      ['negative count', (w: Int32Array) => (w[Word.SliceCount] = -1)],
      ['unknown slab', (_: Int32Array, s: Int32Array) => (s[0] = 10_000)],
      ['negative slab', (_: Int32Array, s: Int32Array) => (s[0] = -1)],
      ['beyond the slab', (_: Int32Array, s: Int32Array) => (s[1] = 1)],
      ['before the slab', (_: Int32Array, s: Int32Array) => (s[1] = -1)],
      ['negative length', (_: Int32Array, s: Int32Array) => (s[2] = -100)],
    ])('%s', (_, change) => {
      expect(attempt(change)).toBe(0);
    });

    test('no room', () => {
      expect(attempt(() => undefined)).toBe(190);
      expect(attempt(() => undefined, 190)).toBe(190);
      expect(attempt(() => undefined, 189)).toBe(0);
    });

    test.each([
      ['IPv4', '10.0.0.1', '10.0.0.2', 65_535 - 40],
      ['IPv6', 'fd00::1', 'fd00::2', 65_535 - 20],
    ])('%s: one byte more than the length field can say', (_, from, to, most) => {
      const length = (payload: number) => {
        batch.count = 0;
        pushSegment(batch, slabs, { from, to, payload: [new Uint8Array(payload)] });
        return buildPacket(batch.words, 0, batch.slices, 0, slabs.slabs, out, 0);
      };
      expect(length(most)).toBeGreaterThan(65_534);
      expect(length(most + 1)).toBe(0);
    });
  });
});
