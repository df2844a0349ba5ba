import fc from 'fast-check';
import { buildReceived } from '../../../lib/codec/build-received';
import { formatAddress, readAddress, writeAddress } from '../../../lib/core/ip/address';
import { RateLimit } from '../../../lib/core/icmp/rate-limit';
import { Xoshiro } from '../../../lib/core/random/xoshiro';
import { IcmpWord, MAY_FRAGMENT, Option, Word } from '../../../lib/core/segment/layout';
import { Counters } from '../../../lib/core/stack/counters';
import { makeSettings, type Settings } from '../../../lib/core/tcp/settings';
import { datagram, DatagramHost, ip, say } from '../../support/datagrams';

const SECOND = 1_000_000;

/** An ICMP message from `from` to `to`. */
function message(
  from: string,
  to: string,
  kind: number,
  payload: Uint8Array | string = '',
  rest = 0,
) {
  const words = new Int32Array(Word.Stride);
  const is4 = !from.includes(':');
  words[Word.Family] = is4 ? 4 : 6;
  words[Word.Protocol] = is4 ? 1 : 58;
  words[Word.HopLimit] = 64;
  words[Word.TrafficClass] = 0x28;
  words[Word.Identification] = is4 ? MAY_FRAGMENT : 0;
  writeAddress(ip(from), words, Word.Source);
  writeAddress(ip(to), words, Word.Destination);
  words[IcmpWord.Kind] = kind;
  words[IcmpWord.Rest] = rest;
  const bytes = Buffer.from(payload);
  words[Word.PayloadLength] = bytes.length;
  return buildReceived(words, bytes);
}

const ECHO4 = 8 << 8;
const ECHO6 = 128 << 8;

interface Answer {
  from: string;
  to: string;
  kind: string;
  rest: number;
  payload: Buffer;
}

/** What the host answers to a packet; null: nothing. */
function answer(host: DatagramHost, packet: Uint8Array): Answer | null {
  host.receive(packet);
  const [sent, more] = host.flush();
  expect(more).toBeUndefined();
  if (sent === undefined) return null;
  const { words, payload } = sent;
  return {
    from: formatAddress(readAddress(words, Word.Source)),
    to: formatAddress(readAddress(words, Word.Destination)),
    kind: `${words[IcmpWord.Kind] >> 8}.${words[IcmpWord.Kind] & 255}`,
    rest: words[IcmpWord.Rest],
    payload,
  };
}

describe('echo', () => {
  test.each([
    ['10.0.0.9', '10.0.0.2', ECHO4, '0.0'],
    ['fd00::9', 'fd00::1', ECHO6, '129.0'],
    ['fe80::9', 'fe80::1', ECHO6, '129.0'],
  ])('%s asks %s', (from, to, kind, reply) => {
    const host = new DatagramHost();
    const rest = 0x12345678;
    const got = answer(host, message(from, to, kind, 'payload', rest));
    expect(got).toEqual({ from: to, to: from, kind: reply, rest, payload: Buffer.from('payload') });
  });

  test('of any length, no longer than the path allows, with the request’s class', () => {
    for (const family of [4, 6]) {
      const host = new DatagramHost();
      const [from, to] = family === 4 ? ['10.0.0.9', '10.0.0.2'] : ['fd00::9', 'fd00::1'];
      for (const length of [0, 1, 1400, 1500, 3000, 65_507]) {
        const payload = Buffer.alloc(length, 'abc');
        host.receive(message(from, to, family === 4 ? ECHO4 : ECHO6, payload));
        const [sent] = host.flush();
        expect(sent.payload.equals(payload)).toBe(true);
        expect(sent.words[Word.Fragment]).toBe(1500);
        expect(sent.words[Word.TrafficClass]).toBe(0x28);
        expect(sent.words[Word.HopLimit]).toBe(64);
      }
    }
  });

  test('an identification that another answer doesn’t tell, and no DF, in IPv4', () => {
    const host = new DatagramHost();
    const ids = ['10.0.0.9', '10.0.0.8'].map((from) => {
      host.receive(message(from, '10.0.0.2', ECHO4));
      return host.flush()[0].words[Word.Identification];
    });
    expect(ids.map((id) => id & MAY_FRAGMENT)).toEqual([MAY_FRAGMENT, MAY_FRAGMENT]);
    expect(Math.abs(ids[0] - ids[1])).toBeGreaterThan(1);
  });

  test.each<[string, string, number, Partial<Settings>, string | null]>([
    ['10.0.0.255', '10.0.0.9', ECHO4, {}, null],
    ['10.0.0.255', '10.0.0.9', ECHO4, { icmpEchoIgnoreBroadcasts: 0 }, '10.0.0.1'],
    ['224.0.0.1', '10.0.0.9', ECHO4, {}, null],
    ['224.0.0.1', '10.0.0.9', ECHO4, { icmpEchoIgnoreBroadcasts: 0 }, '10.0.0.1'],
    ['10.0.0.1', '10.0.0.9', ECHO4, { icmpEchoIgnoreAll: 1 }, null],
    ['fd00::1', 'fd00::9', ECHO6, { icmpEchoIgnoreAll: 1 }, 'fd00::1'],
    ['fd00::1', 'fd00::9', ECHO6, { icmp6EchoIgnoreAll: 1 }, null],
    ['ff02::1', 'fe80::9', ECHO6, {}, 'fe80::1'],
    ['ff02::1', 'fe80::9', ECHO6, { icmp6EchoIgnoreMulticast: 1 }, null],
    ['ff02::5', 'fe80::9', ECHO6, {}, null],
    ['10.0.0.1', '0.0.0.0', ECHO4, {}, null],
    ['10.0.0.1', '224.0.0.9', ECHO4, {}, null],
    ['10.0.0.1', '10.0.0.255', ECHO4, {}, null],
    ['ff02::1', '::', ECHO6, {}, null],
  ])('to %s from %s (kind %i, %o): answered by %s', (to, from, kind, settings, by) => {
    const host = new DatagramHost({ settings });
    expect(answer(host, message(from, to, kind))?.from ?? null).toBe(by);
  });

  test('a reply, and what is damaged, is counted alone', () => {
    const host = new DatagramHost();
    expect(answer(host, message('10.0.0.9', '10.0.0.2', 0))).toBeNull();
    const damaged = message('fd00::9', 'fd00::1', ECHO6, 'x');
    damaged[damaged.length - 1] ^= 1;
    expect(answer(host, damaged)).toBeNull();
    const { IcmpInEchoReps, Icmp6InCsumErrors, IcmpOutMsgs, Icmp6OutMsgs } = host.core.counters;
    expect([IcmpInEchoReps, Icmp6InCsumErrors, IcmpOutMsgs, Icmp6OutMsgs]).toEqual([1, 1, 0, 0]);
  });
});

test('timestamp: the sender’s time comes back, with ours, which isn’t the time of day', () => {
  const host = new DatagramHost();
  host.now = 5_000_000;
  const times = Uint8Array.of(1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0);
  const got = answer(host, message('10.0.0.9', '10.0.0.2', 13 << 8, times, 77));
  const ours = '80001388';
  expect([got?.kind, got?.rest]).toEqual(['14.0', 77]);
  expect(got?.payload.toString('hex')).toBe(`01020304${ours}${ours}`);
  expect(answer(host, message('10.0.0.9', '10.0.0.2', 13 << 8, times.subarray(1)))).toBeNull();
  expect(host.core.counters.IcmpOutTimestampReps).toBe(1);
});

/** An IPv4 packet with these options, of protocol 99. */
function withOptions(options: readonly number[]): Uint8Array {
  const header = 20 + options.length;
  const bytes = Buffer.alloc(header + 8);
  bytes.set([0x40 | (header / 4), 0, 0, bytes.length, 0, 1, 0, 0, 64, 99]);
  bytes.set([10, 0, 0, 9, 10, 0, 0, 2, ...options], 12);
  let sum = 0;
  for (let i = 0; i < header; i += 2) sum += bytes.readUInt16BE(i);
  sum = (sum & 0xffff) + (sum >>> 16);
  bytes.writeUInt16BE(~(sum + (sum >>> 16)) & 0xffff, 10);
  return bytes;
}

describe('errors', () => {
  test('a closed port: the packet is quoted, up to what an error may have', () => {
    const host = new DatagramHost();
    for (const [from, to, most] of [
      ['10.0.0.9', '10.0.0.2', 576 - 28],
      ['fd00::9', 'fd00::1', 1280 - 48],
    ] as const) {
      for (const length of [0, 100, 1400]) {
        const packet = datagram(from, 5000, to, 53, Buffer.alloc(length, 'q'));
        const got = answer(host, packet);
        expect(got).toMatchObject({ from: to, to: from, rest: 0 });
        expect(got?.kind).toBe(most < 1000 ? '3.3' : '1.4');
        expect(got?.payload.equals(packet.subarray(0, most))).toBe(true);
      }
    }
    expect(host.core.counters.IcmpOutDestUnreachs).toBe(3);
    expect(host.core.counters.Icmp6OutDestUnreachs).toBe(3);
  });

  test('it has the precedence of internetwork control, and the rest of the TOS', () => {
    const host = new DatagramHost();
    const packet = Buffer.from(datagram('10.0.0.9', 5000, '10.0.0.2', 53));
    packet[1] = 0xff;
    packet.writeUInt16BE(packet.readUInt16BE(10) - 0xff, 10);
    host.receive(packet);
    expect(host.flush()[0].words[Word.TrafficClass]).toBe(0xde);
  });

  test('who has sent to a closed port of another stack gets ECONNREFUSED', () => {
    const a = new DatagramHost({ addresses: ['10.0.0.1/24', 'fd00::1/64'] });
    const b = new DatagramHost({ addresses: ['10.0.0.2/24', 'fd00::2/64'] });
    for (const [family, to] of [
      [4, '10.0.0.2'],
      [6, 'fd00::2'],
    ] as const) {
      const socket = a.socket(family);
      socket.connect(ip(to), 53);
      say(socket, 'anybody?');
      for (const { packet } of a.flush()) b.receive(packet);
      for (const { packet } of b.flush()) a.receive(packet);
      expect(socket.takeError()).toBe(111);
    }
  });

  test.each<[string, Uint8Array, string | null, number?]>([
    ['a broadcast', datagram('10.0.0.9', 1, '10.0.0.255', 53), null],
    ['a group', datagram('10.0.0.9', 1, '224.0.0.1', 53), null],
    ['nobody', changed(datagram('10.0.0.9', 1, '10.0.0.2', 53), 12, [0, 0, 0, 0]), null],
    ['a loopback', changed(datagram('10.0.0.9', 1, '10.0.0.2', 53), 12, [127, 0, 0, 1]), null],
    ['options that are right', withOptions([7, 7, 4, 0, 0, 0, 0, 0]), '3.2'],
    ['an option that isn’t whole', withOptions([1, 7, 8, 0]), '12.0', 21 << 24],
    ['a pointer that is wrong', withOptions([68, 4, 4, 0]), '12.0', 22 << 24],
    ['a source route', withOptions([131, 3, 4, 0]), null],
    ['two source routes', withOptions([131, 3, 4, 137, 3, 4, 0, 0]), '12.0', 23 << 24],
  ])('about %s', (_, packet, kind, rest = 0) => {
    const got = answer(new DatagramHost(), packet);
    expect(got?.kind ?? null).toBe(kind);
    if (got !== null) expect(got.rest).toBe(rest);
  });

  test('never about an error, nor about what may be one', () => {
    // ICMP of the other family, and behind a header that nobody knows: no protocol of ours.
    const host = new DatagramHost({ addresses: ['fd00::1/64'] });
    const inner = (type: number) => {
      const packet = Buffer.from(message('fd00::9', 'fd00::1', type << 8, 'x'));
      // A destination option that is to be reported stands before the message.
      const header = Buffer.from([58, 0, 0xc2, 4, 0, 0, 0, 0]);
      const all = Buffer.concat([packet.subarray(0, 40), header, packet.subarray(40)]);
      all[6] = 60;
      all.writeUInt16BE(all.length - 40, 4);
      return all;
    };
    expect(answer(host, inner(128))?.kind).toBe('4.2');
    for (const type of [1, 2, 3, 4, 100, 127, 137]) expect(answer(host, inner(type))).toBeNull();
  });

  test('of what went to a group an unknown option is reported, an unknown header isn’t', () => {
    const host = new DatagramHost({ addresses: ['fe80::1/64'] });
    const packet = (option: number, next: number) => {
      const bytes = Buffer.alloc(56);
      bytes.set([0x60, 0, 0, 0, 0, 16, 60, 64, 0xfe, 0x80]);
      bytes.set([9], 23);
      bytes.set([0xff, 2], 24);
      bytes.set([1, next, 0, option, 4], 39);
      return bytes;
    };
    expect(answer(host, packet(0x82, 59))).toMatchObject({
      kind: '4.2',
      from: 'fe80::1',
      rest: 42,
    });
    expect(answer(host, packet(0x01, 99))).toBeNull();
  });

  test('about what was damaged nobody is told', () => {
    const host = new DatagramHost();
    const packet = datagram('10.0.0.9', 5000, '10.0.0.2', 53, 'x');
    packet[packet.length - 1] ^= 1;
    expect(answer(host, packet)).toBeNull();
    expect(host.core.counters.UdpInCsumErrors).toBe(1);
  });
});

describe('rates', () => {
  function limit(settings: Partial<Settings> = {}) {
    const counters = new Counters();
    const rates = new RateLimit(makeSettings(settings), new Xoshiro(1), counters, 0);
    const allows = (host: number, nowMs: number, type = 3, code = 3, family: 4 | 6 = 4) =>
      rates.allows(family, type, code, Int32Array.of(0, 0, 0xffff, host), 0, nowMs);
    return { counters, allows };
  }

  test('one host: six at once, then one a second', () => {
    const { allows, counters } = limit();
    const at = (nowMs: number) => Array.from({ length: 8 }, () => allows(1, nowMs)).filter(Boolean);
    expect([0, 999, 1000, 1500, 3500].map((nowMs) => at(nowMs).length)).toEqual([6, 0, 1, 0, 2]);
    expect(counters.IcmpOutRateLimitHost).toBe(40 - 9);
    expect(at(1_000_000)).toHaveLength(6);
  });

  test('all hosts together: 1000 a second on average, about 50 at once', () => {
    const { allows, counters } = limit();
    let first = 0;
    for (let host = 0; host < 1000; host++) if (allows(host, 0)) first++;
    // A message takes none to two of what is left, by chance.
    expect(first).toBeGreaterThan(30);
    expect(first).toBeLessThan(80);
    expect(counters.IcmpOutRateLimitGlobal).toBe(1000 - first);
    let later = 0;
    for (let nowMs = 20; nowMs <= 10_000; nowMs += 20) {
      for (let i = 0; i < 100; i++) if (allows(nowMs * 100 + i, nowMs)) later++;
    }
    expect(later / 10).toBeGreaterThan(900);
    expect(later / 10).toBeLessThan(1200);
  });

  test('what isn’t in the mask, what a path MTU needs, and echo are not limited', () => {
    const { allows, counters } = limit();
    const all = (type: number, code: number, family: 4 | 6 = 4) =>
      Array.from({ length: 200 }, () => allows(1, 0, type, code, family)).every(Boolean);
    expect([all(0, 0), all(3, 4), all(14, 0), all(2, 0, 6), all(129, 0, 6)]).not.toContain(false);
    expect([all(3, 3), all(11, 1), all(12, 0), all(1, 4, 6), all(4, 1, 6)]).not.toContain(true);
    expect(counters.Icmp6OutRateLimitHost).toBeGreaterThan(0);
    const none = limit({ icmpRatelimit: 0, icmpMsgsPerSec: 1_000_000, icmpMsgsBurst: 1_000_000 });
    expect(Array.from({ length: 500 }, () => none.allows(1, 0))).not.toContain(false);
    expect(limit({ icmpMsgsPerSec: 0 }).allows(1, 0)).toBe(false);
  });

  test('a flood to closed ports is answered within them, one of echo requests in full', () => {
    const host = new DatagramHost();
    const flood = (packet: Uint8Array, count: number) => {
      let answers = 0;
      for (let i = 0; i < count; i++) {
        host.receive(packet);
        answers += host.flush().length;
      }
      return answers;
    };
    expect(flood(datagram('10.0.0.9', 1, '10.0.0.2', 53), 500)).toBe(6);
    expect(flood(message('10.0.0.9', '10.0.0.2', ECHO4, 'x'), 500)).toBe(500);
    host.now += 2 * SECOND;
    expect(flood(datagram('10.0.0.9', 1, '10.0.0.2', 53), 500)).toBe(2);
  });

  test('answers that nobody takes are bounded', () => {
    const host = new DatagramHost();
    const packet = message('10.0.0.9', '10.0.0.2', ECHO4, Buffer.alloc(60_000));
    for (let i = 0; i < 100; i++) host.receive(packet);
    expect(host.core.ownPackets.count).toBe(16);
    expect(host.core.counters.NetlandOwnPacketDrops).toBe(84);
  });
});

test('whatever an ICMP message or an option says, there is one answer at most', () => {
  const host = new DatagramHost();
  const bytes = fc.uint8Array({ maxLength: 80 });
  const kind = fc.oneof(fc.integer({ min: 0, max: 0xffff }), fc.constantFrom(ECHO4, ECHO6));
  fc.assert(
    fc.property(fc.boolean(), kind, bytes, (is4, type, payload) => {
      const [from, to] = is4 ? ['10.0.0.9', '10.0.0.2'] : ['fd00::9', 'fd00::1'];
      host.receive(message(from, to, type, payload));
      const sent = host.flush();
      expect(sent.length).toBeLessThanOrEqual(1);
      for (const { words } of sent) expect(words[Word.Options] & Option.RouterAlert).toBe(0);
    }),
    { numRuns: 300 },
  );
  const options = fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 4, maxLength: 40 });
  fc.assert(
    fc.property(options, (list) => {
      host.now += 10 * SECOND;
      const packet = withOptions(list.slice(0, list.length & ~3));
      const got = answer(host, packet);
      if (got?.kind === '12.0') expect(got.rest >>> 24).toBeLessThan((packet[0] & 15) * 4);
    }),
    { numRuns: 300 },
  );
});

function changed(packet: Uint8Array, at: number, bytes: readonly number[]): Uint8Array {
  const copy = Buffer.from(packet);
  copy.set(bytes, at);
  let sum = 0;
  copy.writeUInt16BE(0, 10);
  for (let i = 0; i < 20; i += 2) sum += copy.readUInt16BE(i);
  sum = (sum & 0xffff) + (sum >>> 16);
  copy.writeUInt16BE(~(sum + (sum >>> 16)) & 0xffff, 10);
  // IPv4 may do without UDP's.
  copy.writeUInt16BE(0, 26);
  return copy;
}
