import fc from 'fast-check';
import { buildPacket } from '../../lib/codec/build';
import { buildReceived } from '../../lib/codec/build-received';
import { buildPackets, packetCount, packetsLength } from '../../lib/codec/fragment';
import { parsePacket } from '../../lib/codec/parse';
import { ParseResult } from '../../lib/codec/result';
import {
  BuildWord,
  Direction,
  IpProtocol,
  MAY_FRAGMENT,
  MORE_FRAGMENTS,
  Option,
  Word,
} from '../../lib/core/segment/layout';
import { pattern } from '../support/segments';

const KEY = new Int32Array(2);

interface Shape {
  family: 4 | 6;
  protocol: number;
  length: number;
  limit: number;
  alert?: boolean;
}

function describeTo(shape: Shape): Int32Array {
  const { family, protocol, length, limit, alert = false } = shape;
  const words = new Int32Array(Word.Stride);
  words[Word.Family] = family;
  words[Word.Protocol] = protocol;
  words[Word.Direction] = Direction.Out;
  words[Word.HopLimit] = 64;
  words[Word.TrafficClass] = 2;
  words[Word.Identification] = family === 4 ? 0x1234 | MAY_FRAGMENT : 0x54321;
  words[BuildWord.FragmentId] = 0xfedcba98 | 0;
  const [a, b] = family === 4 ? [0, 0xffff] : [0xfd000000 | 0, 0];
  words.set([a, 0, b, 1, a, 0, b, 2, 1000, 2000], Word.Source);
  words[Word.Fragment] = limit;
  words[Word.PayloadLength] = length;
  words[Word.SliceCount] = 1;
  if (alert) words[Word.Options] = Option.RouterAlert;
  return words;
}

/** The packets of a descriptor, each apart. */
function build(shape: Shape): Uint8Array[] {
  const words = describeTo(shape);
  const payload = pattern(shape.length);
  const out = new Uint8Array(packetsLength(words, 0));
  const slices = Int32Array.of(0, 0, shape.length);
  expect(buildPackets(words, 0, slices, 0, [payload], out, 0)).toBe(out.length);
  const packets: Uint8Array[] = [];
  for (let at = 0; at < out.length;) {
    const length =
      shape.family === 4
        ? (out[at + 2] << 8) | out[at + 3]
        : 40 + ((out[at + 4] << 8) | out[at + 5]);
    packets.push(out.subarray(at, at + length));
    at += length;
  }
  expect(packets).toHaveLength(packetCount(words, 0));
  return packets;
}

function parse(bytes: Uint8Array): Int32Array {
  const words = new Int32Array(Word.Stride);
  expect(parsePacket(bytes, 0, 0, bytes.length, words, 0, KEY)).toBe(ParseResult.Ok);
  return words;
}

const payloadOf = (bytes: Uint8Array, words: Int32Array): Uint8Array =>
  bytes.subarray(words[Word.PayloadOffset], words[Word.PayloadOffset] + words[Word.PayloadLength]);

/** Quicker to compare than bytes. */
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

const shapes = fc.record({
  family: fc.constantFrom(4 as const, 6 as const),
  protocol: fc.constantFrom(IpProtocol.Udp, IpProtocol.Igmp, IpProtocol.Icmp, IpProtocol.Tcp),
  length: fc.integer({ min: 0, max: 4000 }),
  limit: fc.integer({ min: 100, max: 1500 }),
});

test('fragments carry the whole, in order, each within the limit', () => {
  fc.assert(
    fc.property(shapes, (shape) => {
      const [whole] = build({ ...shape, limit: 0 });
      const packets = build(shape);
      if (whole.length <= shape.limit) {
        expect(packets.map(hex)).toEqual([hex(whole)]);
        return;
      }
      const carried: Uint8Array[] = [];
      let length = 0;
      packets.forEach((bytes, i) => {
        const words = parse(bytes);
        const last = i === packets.length - 1;
        expect(bytes.length).toBeLessThanOrEqual(shape.limit);
        expect(words[Word.Fragment]).toBe(length | (last ? 0 : MORE_FRAGMENTS));
        expect(words[Word.Protocol]).toBe(shape.protocol);
        expect(words[Word.TrafficClass]).toBe(2);
        expect(words[Word.Identification]).toBe(
          shape.family === 4 ? 0x1234 | MAY_FRAGMENT : 0xfedcba98 | 0,
        );
        carried.push(payloadOf(bytes, words));
        length += words[Word.PayloadLength];
      });
      const payload = whole.subarray(shape.family === 4 ? 20 : 40);
      expect(hex(Buffer.concat(carried))).toBe(hex(payload));
    }),
    { numRuns: 300 },
  );
});

test.each([
  ['IPv4 without leave', { family: 4, limit: 1000, id: 7 }],
  ['too narrow for 8 bytes, IPv4', { family: 4, limit: 27, id: MAY_FRAGMENT }],
  ['too narrow for 8 bytes, IPv6', { family: 6, limit: 55, id: 0 }],
] as const)('no packet: %s', (_, { family, limit, id }) => {
  const words = describeTo({ family, protocol: 17, length: 2000, limit });
  words[Word.Identification] = id;
  expect(packetCount(words, 0)).toBe(0);
  expect(packetsLength(words, 0)).toBe(0);
  const out = new Uint8Array(5000);
  const slices = Int32Array.of(0, 0, 2000);
  expect(buildPackets(words, 0, slices, 0, [pattern(2000)], out, 0)).toBe(0);
});

test('without room for all', () => {
  const words = describeTo({ family: 4, protocol: 17, length: 2000, limit: 1000 });
  const out = new Uint8Array(packetsLength(words, 0) - 1);
  const slices = Int32Array.of(0, 0, 2000);
  expect(buildPackets(words, 0, slices, 0, [pattern(2000)], out, 0)).toBe(0);
});

describe('a packet from what was received of it', () => {
  test('is the same', () => {
    fc.assert(
      fc.property(shapes, fc.boolean(), (shape, alert) => {
        const six = alert && shape.family === 6 && shape.protocol !== IpProtocol.Tcp;
        for (const bytes of build({ ...shape, alert: six })) {
          const words = parse(bytes);
          const again = buildReceived(words, payloadOf(bytes, words).slice());
          // The flow label of a fragment isn't kept.
          const expected = bytes.slice();
          if (shape.family === 6 && words[Word.Fragment] !== 0) expected.fill(0, 2, 4);
          if (shape.family === 6 && words[Word.Fragment] !== 0) expected[1] &= 0xf0;
          expect(hex(again)).toBe(hex(expected));
        }
      }),
      { numRuns: 200 },
    );
  });
});

test('a datagram may do without a checksum over IPv4 only; a sum of zero is sent as 0xffff', () => {
  for (const family of [4, 6] as const) {
    const words = describeTo({ family, protocol: 17, length: 2, limit: 0 });
    const out = new Uint8Array(100);
    const header = family === 4 ? 20 : 40;
    const checksum = (payload: Uint8Array): number => {
      buildPacket(words, 0, Int32Array.of(0, 0, 2), 0, [payload], out, 0);
      return (out[header + 6] << 8) | out[header + 7];
    };
    const sum = checksum(Uint8Array.of(0, 0));
    expect(checksum(Uint8Array.of(sum >> 8, sum))).toBe(0xffff);
    words[Word.Checksum] = 3;
    expect(checksum(Uint8Array.of(0, 0))).toBe(family === 4 ? 0 : sum);
  }
});
