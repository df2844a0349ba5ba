import { parsePacket } from '../../lib/codec/parse';
import { ParseResult, RESULT_COUNTERS } from '../../lib/codec/result';
import { formatAddress, readAddress } from '../../lib/core/ip/address';
import { Checksum, Option, Word } from '../../lib/core/segment/layout';
import { plainSum } from '../support/packets';
import { hex } from '../support/segments';

const KEY = Int32Array.of(1, 2);
const PLACE = 10;
const words = new Int32Array(2 * Word.Stride);
const W = Word.Stride;

/** Parses the bytes at an odd place of a larger slab, into the second descriptor. */
function parse(packet: Uint8Array, length = packet.length): ParseResult {
  const slab = new Uint8Array(packet.length + 40).fill(0xcc);
  slab.set(packet, PLACE);
  words.fill(0x5555);
  const result = parsePacket(slab, 7, PLACE, length, words, W, KEY);
  expect(words.subarray(0, W).every((word) => word === 0x5555)).toBe(true);
  return result;
}

/** 192.0.2.1.1000 > 192.0.2.2.2000: Flags [P.], with four bytes of payload. */
const TCP = '03e807d0 00000001 00000002 5018 0100 0000 0000 61626364';
const V4 = `4500 002c 1234 4000 40 06 0000 c0000201 c0000202 ${TCP}`;
const V6 = `60012345 0018 06 40 ${'20010db8000000000000000000000001'}
  ${'20010db8000000000000000000000002'} ${TCP}`;

const put16 = (bytes: Uint8Array, at: number, value: number) => {
  bytes[at] = value >> 8;
  bytes[at + 1] = value & 0xff;
};

/** A copy with the bytes at `at` replaced, and IPv4's header checksum right. */
function packet(text: string, changes: Record<number, string> = {}): Uint8Array {
  const bytes = hex(text);
  for (const [at, value] of Object.entries(changes)) bytes.set(hex(value), Number(at));
  const header = (bytes[0] & 15) * 4;
  if (bytes[0] >> 4 === 4 && header >= 20 && !('10' in changes)) {
    put16(bytes, 10, ~plainSum(bytes, 0, Math.min(header, bytes.length)) & 0xffff);
  }
  return bytes;
}

/** An IPv6 packet with these extension headers before the TCP header. */
function extended(first: number, extensions: string): Uint8Array {
  const middle = hex(extensions);
  const base = packet(V6);
  const bytes = Uint8Array.from([...base.subarray(0, 40), ...middle, ...base.subarray(40)]);
  bytes[6] = first;
  put16(bytes, 4, 24 + middle.length);
  return bytes;
}

const IP_WORDS: readonly number[] = [
  Word.Family,
  Word.Protocol,
  Word.TrafficClass,
  Word.HopLimit,
  ...[0, 1, 2, 3].map((i) => Word.Source + i),
  ...[0, 1, 2, 3].map((i) => Word.Destination + i),
  Word.Identification,
  Word.Slab,
  Word.PacketOffset,
  Word.PacketLength,
  Word.TransportOffset,
];

function expectWordsFor(result: ParseResult): void {
  const own = [...words.subarray(W)];
  const allowed = new Set<number>();
  switch (result) {
    case ParseResult.Truncated:
    case ParseResult.BadVersion:
    case ParseResult.BadHeader:
    case ParseResult.BadIpChecksum:
      break;
    case ParseResult.Martian:
    case ParseResult.BadTransportHeader:
      IP_WORDS.forEach((word) => allowed.add(word));
      expect(own[Word.PacketLength]).toBeGreaterThan(0);
      break;
    case ParseResult.Ok:
      throw new Error('not a failure');
  }
  expect(own.filter((word, i) => word !== 0 && !allowed.has(i))).toEqual([]);
}

describe('reading a packet', () => {
  test('IPv4: every word', () => {
    expect(parse(packet(V4))).toBe(ParseResult.Ok);
    expect(formatAddress(readAddress(words, W + Word.Source))).toBe('192.0.2.1');
    expect(formatAddress(readAddress(words, W + Word.Destination))).toBe('192.0.2.2');
    const word = (index: number) => words[W + index];
    expect([word(Word.Family), word(Word.Protocol), word(Word.HopLimit)]).toEqual([4, 6, 64]);
    expect(word(Word.Identification)).toBe(0x1234);
    expect([word(Word.SourcePort), word(Word.DestinationPort)]).toEqual([1000, 2000]);
    expect([word(Word.Sequence), word(Word.Acknowledgment)]).toEqual([1, 2]);
    expect([word(Word.Flags), word(Word.Window), word(Word.Urgent)]).toEqual([0x18, 256, 0]);
    expect([word(Word.Slab), word(Word.PacketOffset), word(Word.PacketLength)]).toEqual([
      7,
      PLACE,
      44,
    ]);
    expect(word(Word.TransportOffset)).toBe(PLACE + 20);
    expect([word(Word.TransportOffset), word(Word.OptionsLength)]).toEqual([PLACE + 20, 0]);
    expect([word(Word.PayloadOffset), word(Word.PayloadLength)]).toEqual([PLACE + 40, 4]);
  });

  test('IPv6: class, flow label and the place of the payload', () => {
    expect(parse(packet(V6, { 0: '6ab12345' }))).toBe(ParseResult.Ok);
    const word = (index: number) => words[W + index];
    expect([word(Word.Family), word(Word.TrafficClass)]).toEqual([6, 0xab]);
    expect(word(Word.Identification)).toBe(0x12345);
    expect(word(Word.PayloadOffset)).toBe(PLACE + 60);
    expect(formatAddress(readAddress(words, W + Word.Source))).toBe('2001:db8::1');
  });

  test('bytes behind the packet are padding', () => {
    for (const text of [V4, V6]) {
      expect(parse(Uint8Array.from([...packet(text), 1, 2, 3]))).toBe(ParseResult.Ok);
      expect(words[W + Word.PayloadLength]).toBe(4);
    }
  });

  test('IPv4 options are skipped', () => {
    const base = packet(V4);
    const bytes = Uint8Array.from([...base.subarray(0, 20), 7, 8, 9, 0, ...base.subarray(20)]);
    bytes.set([0x46, 0, 0, 48, 0, 0, 0, 0, 64, 6, 0, 0]);
    put16(bytes, 10, ~plainSum(bytes, 0, 24) & 0xffff);
    expect(parse(bytes)).toBe(ParseResult.Ok);
    expect(words[W + Word.SourcePort]).toBe(1000);
  });

  describe.each([
    ['IPv4', V4, 20],
    ['IPv6', V6, 40],
  ])('%s: the TCP checksum', (_, text, header) => {
    const state = (change: (bytes: Uint8Array) => void) => {
      const bytes = packet(text);
      change(bytes);
      expect(parse(bytes)).toBe(ParseResult.Ok);
      return words[W + Word.Checksum];
    };
    const addresses = header === 20 ? 12 : 8;
    const pseudo = (bytes: Uint8Array) => {
      let sum = plainSum(bytes, addresses, header) + 6 + bytes.length - header;
      while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
      return sum;
    };

    test('is verified when it is right', () => {
      const right = (bytes: Uint8Array) => {
        let sum = pseudo(bytes) + plainSum(bytes, header, bytes.length);
        while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
        put16(bytes, header + 16, ~sum & 0xffff);
      };
      expect(state(right)).toBe(Checksum.Verified);
    });

    test('is partial when it is the sum of the pseudo-header', () => {
      expect(state((bytes) => put16(bytes, header + 16, pseudo(bytes)))).toBe(Checksum.Partial);
    });

    test('is bad else', () => {
      expect(state((bytes) => put16(bytes, header + 16, pseudo(bytes) ^ 1))).toBe(Checksum.Bad);
    });
  });

  test.each<[string, ParseResult, Uint8Array]>([
    ['nothing', ParseResult.Truncated, hex('')],
    ['version 5', ParseResult.BadVersion, packet(V4, { 0: '55' })],
    ['half an IPv4 header', ParseResult.Truncated, packet(V4).subarray(0, 19)],
    ['IHL 4', ParseResult.BadHeader, packet(V4, { 0: '44' })],
    ['IHL beyond the packet', ParseResult.Truncated, packet(V4, { 0: '4f' })],
    ['a wrong header checksum', ParseResult.BadIpChecksum, packet(V4, { 10: '0001' })],
    ['total length beyond the packet', ParseResult.Truncated, packet(V4, { 2: '002d' })],
    ['total length within the header', ParseResult.BadHeader, packet(V4, { 2: '0013' })],
    ['a UDP length of 7', ParseResult.BadTransportHeader, packet(V4, { 9: '11', 24: '0007' })],
    ['a UDP length beyond', ParseResult.BadTransportHeader, packet(V4, { 9: '11', 24: '0019' })],
    ['half a UDP header', ParseResult.BadTransportHeader, packet(V4, { 2: '001b', 9: '11' })],
    ['half an ICMP header', ParseResult.BadTransportHeader, packet(V4, { 2: '001b', 9: '01' })],
    ['half an ICMPv6 header', ParseResult.BadTransportHeader, packet(V6, { 4: '0007', 6: '3a' })],
    ['half a TCP header', ParseResult.BadTransportHeader, packet(V4, { 2: '0027' })],
    ['no TCP header', ParseResult.BadTransportHeader, packet(V4, { 2: '0014' })],
    ['data offset 4', ParseResult.BadTransportHeader, packet(V4, { 32: '4018' })],
    ['data offset beyond the packet', ParseResult.BadTransportHeader, packet(V4, { 32: '7018' })],
    ['half an IPv6 header', ParseResult.Truncated, packet(V6).subarray(0, 39)],
    ['payload length 0', ParseResult.BadTransportHeader, packet(V6, { 4: '0000' })],
    ['a jumbogram', ParseResult.BadHeader, packet(V6, { 4: '0000', 6: '00' })],
    ['payload length beyond', ParseResult.Truncated, packet(V6, { 4: '0019' })],
    ['a mapped source', ParseResult.Martian, packet(V6, { 8: '00000000000000000000ffff01020304' })],
    [
      'a mapped target',
      ParseResult.Martian,
      packet(V6, { 24: '00000000000000000000ffff01020304' }),
    ],
    ['an extension beyond the packet', ParseResult.BadHeader, extended(60, '06ff010400000000')],
    ['an option beyond its header', ParseResult.BadHeader, extended(60, '0600010500000000')],
    ['an option without a length', ParseResult.BadHeader, extended(60, '0600010300000001')],
    ['an option that discards', ParseResult.BadHeader, extended(0, '0600420400000000')],
  ])('%s', (_, expected, bytes) => {
    const result = parse(bytes);
    expect(RESULT_COUNTERS[result]).toBe(RESULT_COUNTERS[expected]);
    expectWordsFor(result);
  });

  test.each<[string, Uint8Array]>([
    ['hop-by-hop', extended(0, '0600010400000000')],
    ['destination options, twice', extended(60, '3c000000010200000600010400000000')],
    ['routing without segments left', extended(43, '0600020000000000')],
    ['an atomic fragment (RFC 6946)', extended(44, '0600000600000007')],
    ['an unknown option to be skipped', extended(60, '06003e0400000000')],
  ])('goes on behind %s', (_, bytes) => {
    expect(parse(bytes)).toBe(ParseResult.Ok);
    expect(words[W + Word.Protocol]).toBe(6);
    expect(words[W + Word.SourcePort]).toBe(1000);
  });

  test('a place outside of the slab is a mistake of the caller', () => {
    const slab = packet(V4);
    expect(() => parsePacket(slab, 0, 1, slab.length, words, 0, KEY)).toThrow(RangeError);
    expect(() => parsePacket(slab, 0, -1, 20, words, 0, KEY)).toThrow(RangeError);
    expect(() => parsePacket(slab, 0, 20, -1, words, 0, KEY)).toThrow(RangeError);
  });
});

describe('reading TCP options', () => {
  /** Option words of a segment with these option bytes. */
  function read(options: string) {
    const bytes = hex(options);
    const padded = Uint8Array.from({ length: Math.ceil(bytes.length / 4) * 4 }, (_, i) => bytes[i]);
    const segment = packet(V4, { 32: `${((20 + padded.length) / 4).toString(16)}010` });
    const all = Uint8Array.from([...segment.subarray(0, 40), ...padded]);
    put16(all, 2, all.length);
    put16(all, 10, 0);
    put16(all, 10, ~plainSum(all, 0, 20) & 0xffff);
    expect(parse(all)).toBe(ParseResult.Ok);
    return words.subarray(W, 2 * W);
  }

  test('all of a SYN', () => {
    const w = read('020405b4 0402 080a 00000001 00000002 01 030307');
    expect(w[Word.Options]).toBe(
      Option.Mss | Option.SackPermitted | Option.Timestamps | Option.WindowScale,
    );
    expect([w[Word.Mss], w[Word.TsVal], w[Word.TsEcr], w[Word.WindowScale]]).toEqual([
      1460, 1, 2, 7,
    ]);
  });

  test('four SACK blocks', () => {
    const w = read(`01010522${'0000000100000002'.repeat(3)}fffffffe00000003`);
    expect(w[Word.SackCount]).toBe(4);
    expect([...w.subarray(Word.Sack, Word.Sack + 8)]).toEqual([1, 2, 1, 2, 1, 2, -2, 3]);
  });

  test.each<[string, string, number]>([
    ['nothing behind the end', '00 020405b4', 0],
    ['an unknown one is skipped', 'fd03aa 020405b4', Option.Mss],
    ['MSS of another length is skipped', '0205aabbcc 030307', Option.WindowScale],
    ['window scale of another length', '03040102 0402', Option.SackPermitted],
    ['SACK-permitted of another length', '040301 0303070000', Option.WindowScale],
    ['timestamps of another length', '0809 00000000000000 0402', Option.SackPermitted],
    ['SACK of another length', '050b 000000000000000000 0402', Option.SackPermitted],
    ['SACK without a block', '0502 0402', Option.SackPermitted],
    ['length 0 ends the reading', '0402 0200', Option.SackPermitted],
    ['length 1 ends the reading', '0402 0201', Option.SackPermitted],
    ['beyond the header ends it', '0402 0205', Option.SackPermitted],
    ['no room for a length', '040201 02', Option.SackPermitted],
  ])('%s', (_, bytes, expected) => {
    expect(read(bytes)[Word.Options]).toBe(expected);
  });

  test('a shift count above 14 is 14 (RFC 7323 §2.3)', () => {
    expect(read('0303ff')[Word.WindowScale]).toBe(14);
  });

  test('of an option that comes twice the last counts', () => {
    expect(read('020405b4 02040100')[Word.Mss]).toBe(256);
    const w = read(`0512${'00000001'.repeat(4)} 050a${'00000002'.repeat(2)}`);
    expect(w[Word.SackCount]).toBe(1);
    expect([...w.subarray(Word.Sack, Word.Sack + 4)]).toEqual([2, 2, 0, 0]);
  });
});
