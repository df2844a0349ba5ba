import { isIP, isIPv4, isIPv6, SocketAddress } from 'node:net';
import fc from 'fast-check';
import {
  ANY4,
  ANY6,
  contains,
  formatAddress,
  formatAddressAs,
  ipv4,
  ipv6,
  isIpv4,
  isLoopback,
  isMulticast,
  isWildcard,
  LOOPBACK4,
  LOOPBACK6,
  parseAddress,
  parsePrefix,
  readAddress,
  sameAddress,
  writeAddress,
  type IpAddress,
  type Prefix,
} from '../../../lib/core/ip/address';

const word = fc.oneof(fc.constantFrom(0, 0xffff, 0x10000, 1, -1), fc.integer());
const address6 = fc.tuple(word, word, word, word).map((w) => ipv6(...w));

function parse(text: string): IpAddress {
  const address = parseAddress(text);
  if (address === null) throw new Error(`not an address: ${text}`);
  return address;
}

function prefix(text: string): Prefix {
  const result = parsePrefix(text);
  if (result === null) throw new Error(`not a prefix: ${text}`);
  return result;
}

describe('IpAddress', () => {
  test.each([
    ['0.0.0.0', ANY4],
    ['127.0.0.1', LOOPBACK4],
    ['192.3.4.16', ipv4(0xc0030410)],
    ['255.255.255.255', ipv4(-1)],
    ['::', ANY6],
    ['::1', LOOPBACK6],
    ['fd00::1', ipv6(0xfd000000, 0, 0, 1)],
    ['2001:db8:0:0:1:0:0:1', ipv6(0x20010db8, 0, 0x10000, 1)],
    ['1:2:3:4:5:6:7:8', ipv6(0x10002, 0x30004, 0x50006, 0x70008)],
    ['1:2:3:4:5:6:7::', ipv6(0x10002, 0x30004, 0x50006, 0x70000)],
    ['::ffff:10.0.0.1', ipv4(0x0a000001)],
    ['0:0:0:0:0:FFFF:129.144.52.38', ipv4(0x81903426)],
    ['::ffff:a00:1', ipv4(0x0a000001)],
    ['64:ff9b::192.0.2.33', ipv6(0x0064ff9b, 0, 0, 0xc0000221)],
  ])('parses %s', (text, expected) => {
    expect(parseAddress(text)).toEqual(expected);
  });

  test.each(
    `1.2.3 1.2.3.4.5 01.2.3.4 256.1.1.1 1.2.3.4. a.b.c.d ::: 1:2:3:4:5:6:7 1:2:3:4:5:6:7:8:9
     1::2::3 1:2:3:4:5:6:7:8:: ::1:2:3:4:5:6:7:8 12345::1 :1 1: g::1 1.2.3.4::1 ::1.2.3.4:1 ::1.2.3
     1:2:3:4:5:6:7:8::1::2
     fe80::1%eth0 [::1] ::1/64 ::01.2.3.4 +1::2 ::0x1 1:2:3:4:5:6:7:1.2.3.4`.split(/\s+/),
  )('refuses %s', (text) => {
    expect(isIP(text.split('%')[0])).toBe(text.includes('%') ? 6 : 0);
    expect(parseAddress(text)).toBeNull();
  });

  test('refuses what is empty or has spaces', () => {
    for (const text of ['', ' ', ' ::1', '::1 ', '1.2.3.4 ', '1.2.3.4\n']) {
      expect(parseAddress(text)).toBeNull();
    }
  });

  test.each([
    ['2001:db8::1:0:0:1', '2001:db8:0:0:1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:0db8::1:1:1:1:1'],
    ['::', '0:0:0:0:0:0:0:0'],
    ['1::', '1:0:0:0:0:0:0:0'],
    ['::8', '0:0:0:0:0:0:0:8'],
    ['0:1:0:1:0:1:0:1', '0:1:0:1:0:1:0:1'],
    ['1:0:0:2::3', '1:0:0:2:0:0:0:3'],
    ['abcd::', 'ABCD::'],
    ['10.0.0.1', '::ffff:10.0.0.1'],
  ])('prints %s (RFC 5952) for %s', (printed, text) => {
    expect(formatAddress(parse(text))).toBe(printed);
  });

  test('prints for the domain of a socket', () => {
    expect(formatAddressAs(parse('10.0.0.1'), 4)).toBe('10.0.0.1');
    expect(formatAddressAs(parse('10.0.0.1'), 6)).toBe('::ffff:10.0.0.1');
    expect(formatAddressAs(ANY4, 6)).toBe('::ffff:0.0.0.0');
    expect(formatAddressAs(ANY6, 6)).toBe('::');
    expect(formatAddressAs(LOOPBACK6, 6)).toBe('::1');
  });

  test('parses what it prints, and Node agrees that it is an address', () => {
    fc.assert(
      fc.property(address6, (address) => {
        const text = formatAddress(address);
        expect(parseAddress(text)).toEqual(address);
        expect(isIpv4(address) ? isIPv4(text) : isIPv6(text)).toBe(true);
      }),
    );
  });

  test('agrees with Node on the bytes of any text that either accepts', () => {
    const group = fc.stringMatching(/^[0-9a-fA-F]{0,5}$/);
    const text = fc
      .tuple(fc.array(group, { minLength: 1, maxLength: 9 }), fc.constantFrom('', '1.2.3.4', '::'))
      .map(([groups, end]) => groups.join(':') + end);
    fc.assert(
      fc.property(text, (candidate) => {
        const parsed = parseAddress(candidate);
        expect(parsed !== null).toBe(isIP(candidate) !== 0);
        if (parsed === null) return;
        const family = isIPv4(candidate) ? 'ipv4' : 'ipv6';
        const node = new SocketAddress({ address: candidate, family }).address;
        expect(sameAddress(parsed, parse(node))).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  test('knows what kind it is', () => {
    expect([ANY4, ANY6, LOOPBACK4, ipv6(0, 0, 1, 0)].map(isWildcard)).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect(['127.9.9.9', '::1', '128.0.0.1', '::2'].map(parse).map(isLoopback)).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect(
      ['224.0.0.1', '239.255.255.255', 'ff02::1', '223.0.0.1', '240.0.0.1', 'fe80::1']
        .map(parse)
        .map(isMulticast),
    ).toEqual([true, true, true, false, false, false]);
    expect([ANY4, LOOPBACK6, ANY6].map(isIpv4)).toEqual([true, false, false]);
  });

  test('crosses a word array unchanged', () => {
    fc.assert(
      fc.property(address6, fc.nat(4), (address, at) => {
        const words = new Int32Array(8);
        writeAddress(address, words, at);
        expect(sameAddress(readAddress(words, at), address)).toBe(true);
      }),
    );
  });
});

describe('Prefix', () => {
  test('parses', () => {
    expect(prefix('10.0.0.1/8')).toEqual({ address: parse('10.0.0.1'), length: 104 });
    expect(prefix('10.0.0.1')).toEqual({ address: parse('10.0.0.1'), length: 128 });
    expect(prefix('fd00::1/64')).toEqual({ address: parse('fd00::1'), length: 64 });
    expect(prefix('::ffff:10.0.0.0/104')).toEqual(prefix('10.0.0.0/8'));
    expect(prefix('::/0').length).toBe(0);
    for (const text of ['10.0.0.1/33', '::/129', '10.0.0.1/', '10.0.0.1/-1', '::/1/2', '::/08']) {
      expect(parsePrefix(text)).toBeNull();
    }
  });

  test('contains the addresses whose leading bits are its own', () => {
    expect(contains(prefix('10.0.0.1/8'), parse('10.255.0.3'))).toBe(true);
    expect(contains(prefix('10.0.0.1/8'), parse('11.0.0.1'))).toBe(false);
    expect(contains(prefix('0.0.0.0/0'), parse('9.9.9.9'))).toBe(true);
    expect(contains(prefix('0.0.0.0/0'), parse('::1'))).toBe(false);
    expect(contains(prefix('::/0'), parse('9.9.9.9'))).toBe(true);
    expect(contains(prefix('fd00::/64'), parse('fd00::ffff:0:0:1'))).toBe(true);
    expect(contains(prefix('fd00::/64'), parse('fd00:0:0:1::1'))).toBe(false);
    const bits = (a: IpAddress) =>
      [a.w0, a.w1, a.w2, a.w3].map((w) => (w >>> 0).toString(2).padStart(32, '0')).join('');
    fc.assert(
      fc.property(address6, address6, fc.nat(128), (a, b, length) => {
        const same = bits(a).slice(0, length) === bits(b).slice(0, length);
        expect(contains({ address: a, length }, b)).toBe(same);
        expect(contains({ address: a, length }, a)).toBe(true);
      }),
    );
  });
});
