/** Everything that isn't a TCP segment. */
import { buildIcmp } from '../../lib/codec/build-icmp';
import { parsePacket } from '../../lib/codec/parse';
import { ParseResult } from '../../lib/codec/result';
import {
  Checksum,
  IcmpWord,
  IpProtocol,
  MAY_FRAGMENT,
  MORE_FRAGMENTS,
  Option,
  Word,
} from '../../lib/core/segment/layout';
import { plainSum } from '../support/packets';
import { hex } from '../support/segments';

const KEY = Int32Array.of(1, 2);
const FROM4 = 'c0000201';
const TO4 = 'c0000202';
const FROM6 = '20010db8000000000000000000000001';
const TO6 = '20010db8000000000000000000000002';

const put16 = (bytes: Uint8Array, at: number, value: number) => {
  bytes[at] = value >> 8;
  bytes[at + 1] = value & 0xff;
};

/** An IPv4 packet with this payload, all in hex; its header's checksum is right. */
function v4(protocol: number, payload: string, fragment = '4000', ends = FROM4 + TO4): Uint8Array {
  const number = protocol.toString(16).padStart(2, '0');
  const bytes = hex(`45000000 1234 ${fragment} 40 ${number} 0000 ${ends} ${payload}`);
  put16(bytes, 2, bytes.length);
  put16(bytes, 10, ~plainSum(bytes, 0, 20) & 0xffff);
  return bytes;
}

function v6(next: number, payload: string, to = TO6): Uint8Array {
  const number = next.toString(16).padStart(2, '0');
  const bytes = hex(`60012345 0000 ${number} 40 ${FROM6} ${to} ${payload}`);
  put16(bytes, 4, bytes.length - 40);
  return bytes;
}

function parse(bytes: Uint8Array): Int32Array {
  const words = new Int32Array(Word.Stride);
  expect(parsePacket(bytes, 3, 0, bytes.length, words, 0, KEY)).toBe(ParseResult.Ok);
  return words;
}

/** What of the payload the words point at, in hex. */
function payloadOf(bytes: Uint8Array, words: Int32Array): string {
  const start = words[Word.PayloadOffset];
  return Buffer.from(bytes.subarray(start, start + words[Word.PayloadLength])).toString('hex');
}

describe('UDP', () => {
  // 1000 to 2000, 3 bytes: by hand, c000 0201 + c000 0202 + 11 + b + 3e8 + 7d0 + b + 6162 + 6300.
  const DATAGRAM = '03e807d0 000b abb9 616263';

  test('over IPv4', () => {
    const bytes = v4(17, DATAGRAM);
    const words = parse(bytes);
    expect(words[Word.Protocol]).toBe(IpProtocol.Udp);
    expect(words[Word.Checksum]).toBe(Checksum.Verified);
    expect([words[Word.SourcePort], words[Word.DestinationPort]]).toEqual([1000, 2000]);
    expect(words[Word.Hash]).not.toBe(0);
    expect(payloadOf(bytes, words)).toBe('616263');
  });

  test('as long as it says itself', () => {
    const bytes = v4(17, `${DATAGRAM} ffff`);
    const words = parse(bytes);
    expect(words[Word.Checksum]).toBe(Checksum.Verified);
    expect(payloadOf(bytes, words)).toBe('616263');
    const whole = v6(17, '03e807d0 0000 1234 616263');
    expect(payloadOf(whole, parse(whole))).toBe('616263');
  });

  test('without a checksum', () => {
    expect(parse(v4(17, '03e807d0 0008 0000'))[Word.Checksum]).toBe(Checksum.None);
    expect(parse(v6(17, '03e807d0 0008 0000'))[Word.Checksum]).toBe(Checksum.Bad);
  });

  test('with a wrong one', () => {
    expect(parse(v4(17, '03e807d0 0008 0001'))[Word.Checksum]).toBe(Checksum.Bad);
  });
});

describe('fragments', () => {
  test.each([
    ['2000', MORE_FRAGMENTS],
    ['2001', 8 | MORE_FRAGMENTS],
    ['1fff', 65_528],
  ])('of IPv4: %s', (field, fragment) => {
    const bytes = v4(6, '0011223344556677', field);
    const words = parse(bytes);
    expect(words[Word.Fragment]).toBe(fragment);
    expect(words[Word.Identification]).toBe(0x1234 | MAY_FRAGMENT);
    expect(words[Word.Protocol]).toBe(IpProtocol.Tcp);
    expect(payloadOf(bytes, words)).toBe('0011223344556677');
    expect([words[Word.SourcePort], words[Word.Hash], words[Word.Checksum]]).toEqual([0, 0, 0]);
  });

  test('of IPv6', () => {
    const bytes = v6(60, '2c00010400000000 1100 0011 fedcba98 0011223344556677');
    const words = parse(bytes);
    expect(words[Word.Fragment]).toBe(16 | MORE_FRAGMENTS);
    expect(words[Word.Identification]).toBe(0xfedcba98 | 0);
    expect(words[Word.Protocol]).toBe(IpProtocol.Udp);
    expect(words[Word.TransportOffset]).toBe(56);
    expect(payloadOf(bytes, words)).toBe('0011223344556677');
  });

  test('that are whole: the identification is the flow label', () => {
    const words = parse(v6(44, '1100 0006 fedcba98 03e807d0 0008 0001'));
    expect(words[Word.Fragment]).toBe(0);
    expect(words[Word.Identification]).toBe(0x12345);
    expect(words[Word.SourcePort]).toBe(1000);
  });
});

describe('other protocols', () => {
  test('have a payload', () => {
    const bytes = v4(2, '1100eeff00000000');
    const words = parse(bytes);
    expect(words[Word.Protocol]).toBe(IpProtocol.Igmp);
    expect(payloadOf(bytes, words)).toBe('1100eeff00000000');
    const none = parse(v6(59, ''));
    expect([none[Word.Protocol], none[Word.PayloadLength], none[IcmpWord.Kind]]).toEqual([
      59, 0, 0,
    ]);
  });

  test('and in IPv6 a place where they are named', () => {
    expect(parse(v6(253, '00'))[IcmpWord.Rest]).toBe(6);
    expect(parse(v6(60, 'fd00010400000000 00'))[IcmpWord.Rest]).toBe(40);
  });

  test('router alert', () => {
    expect(parse(v6(0, '3b00050200000100'))[Word.Options]).toBe(Option.RouterAlert);
    expect(parse(v6(60, '3b00050200000100'))[Word.Options]).toBe(0);
  });
});

describe('what is to be answered with a parameter problem', () => {
  const MULTICAST = `ff02${'00'.repeat(13)}01`;
  test.each<[string, Uint8Array, number, number]>([
    ['an option to be reported', v6(0, '3b00800400000000'), 2, 42],
    ['an option to be reported, multicast', v6(0, '3b00800400000000', MULTICAST), 2, 42],
    ['an option to be reported to one', v6(60, '3b000000c1020000'), 2, 44],
    ['a segment left', v6(60, '2b00010400000000 3b00040100000000'), 0, 50],
    ['hop-by-hop options at a later place', v6(60, '0000010400000000 3b00010400000000'), 1, 40],
  ])('%s', (_, bytes, code, pointer) => {
    const words = parse(bytes);
    expect(words[Word.Protocol]).toBe(IpProtocol.None);
    expect(words[IcmpWord.Kind]).toBe(0x400 | code);
    expect(words[IcmpWord.Rest]).toBe(pointer);
    expect(words[Word.Source]).toBe(0x20010db8);
  });

  test('not for several at once, where the option asks for that', () => {
    const bytes = v6(0, '3b00c10400000000', MULTICAST);
    const words = new Int32Array(Word.Stride);
    expect(parsePacket(bytes, 3, 0, bytes.length, words, 0, KEY)).toBe(ParseResult.BadHeader);
  });
});

describe('ICMP', () => {
  /** A message of the family, from 192.0.2.1 (…::1) to 192.0.2.2 (…::2). */
  function message(family: 4 | 6, kind: number, rest: number, payload: Uint8Array): Uint8Array {
    const words = new Int32Array(Word.Stride);
    words[Word.Family] = family;
    words[Word.Protocol] = family === 4 ? IpProtocol.Icmp : IpProtocol.Icmp6;
    words[Word.HopLimit] = 64;
    const [from, to] = family === 4 ? [FROM4, TO4] : [FROM6, TO6];
    [from, to].forEach((address, i) => {
      const at = Word.Source + 4 * i + (family === 4 ? 3 : 0);
      Buffer.from(address, 'hex').forEach((_, n, all) => {
        if (n % 4 === 0) words[at + n / 4] = all.readInt32BE(n);
      });
    });
    words[IcmpWord.Kind] = kind;
    words[IcmpWord.Rest] = rest;
    return buildIcmp(words, payload);
  }

  test.each([4, 6] as const)('echo over IPv%d', (family) => {
    const bytes = message(family, family === 4 ? 0x800 : 0x8000, 0x00070008, hex('616263'));
    const words = parse(bytes);
    expect(words[Word.Checksum]).toBe(Checksum.Verified);
    expect(words[IcmpWord.Kind]).toBe(family === 4 ? 0x800 : 0x8000);
    expect(words[IcmpWord.Rest]).toBe(0x00070008);
    expect(words[IcmpWord.Quoted]).toBe(-1);
    expect(payloadOf(bytes, words)).toBe('616263');
    bytes[bytes.length - 1] ^= 1;
    expect(parse(bytes)[Word.Checksum]).toBe(Checksum.Bad);
  });

  test.each<[string, number, string, number[]]>([
    ['TCP', 6, '03e807d0 fffffff0', [6, 2000, 1000, -16]],
    ['UDP', 17, '03e807d0 00080000', [17, 2000, 1000, 0]],
    ['an echo request', 1, '0800ffff 00070008', [1, 0, 7, 8]],
    ['an echo reply', 1, '0000ffff 00070008', [1, 0, 0, 0]],
    ['another protocol', 253, '0000ffff 00070008', [253, 0, 0, 0]],
    ['too little', 17, '03e807d0 000800', [-1, 0, 0, 0]],
  ])('an error that quotes %s', (_, protocol, header, expected) => {
    const quoted = v4(protocol, header, '4000', TO4 + FROM4);
    const words = parse(message(4, 0x0301, 0, quoted));
    const protocolQuoted = words[IcmpWord.Quoted];
    expect([
      protocolQuoted,
      words[Word.SourcePort],
      words[Word.DestinationPort],
      words[Word.Sequence],
    ]).toEqual(expected);
    expect(words[IcmpWord.Peer + 3]).toBe(protocolQuoted < 0 ? 0 : Number(`0x${FROM4}`) | 0);
  });

  test('an error that quotes what somebody else has sent', () => {
    const words = parse(message(4, 0x0301, 0, v4(17, '03e807d0 00080000')));
    expect(words[IcmpWord.Quoted]).toBe(-1);
  });
});
