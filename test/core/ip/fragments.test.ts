import fc from 'fast-check';
import { IcmpWord } from '../../../lib/core/segment/layout';
import { DatagramInfo } from '../../../lib/core/udp/datagram-info';
import { DatagramOption } from '../../../lib/core/socket/datagram-options';
import type { DatagramSocket } from '../../../lib/core/socket/datagram-socket';
import { DatagramHost, ip, type DatagramHostOptions } from '../../support/datagrams';

const SECOND = 1_000_000;
type Family = 4 | 6;

/** Two hosts; the second one's socket listens on port 53. */
class Pair {
  readonly a: DatagramHost;
  readonly b: DatagramHost;
  readonly socket: DatagramSocket;
  private readonly sender: DatagramSocket;

  constructor(
    readonly family: Family,
    mtu = 1500,
    options: DatagramHostOptions = {},
  ) {
    this.a = new DatagramHost({ addresses: ['10.0.0.1/24', 'fd00::1/64'], mtu });
    this.b = new DatagramHost({ addresses: ['10.0.0.2/24', 'fd00::2/64'], ...options });
    this.sender = this.a.socket(family);
    this.sender.setOption(DatagramOption.SendBuffer, 1_000_000);
    this.socket = this.b.socket(family, family === 4 ? '10.0.0.2' : 'fd00::2', 53);
    this.socket.setOption(DatagramOption.ReceiveBuffer, 1_000_000);
  }

  /** The packets of a datagram of that length. */
  packets(length: number, seed = 0): Uint8Array[] {
    const bytes = content(length, seed);
    const to = ip(this.family === 4 ? '10.0.0.2' : 'fd00::2');
    expect(this.sender.send(bytes, 0, length, to, 53)).toBe(length);
    return this.a.flushWire();
  }

  receive(packets: readonly Uint8Array[]): void {
    for (const packet of packets) this.b.receive(packet);
  }

  /** Whether the oldest datagram is that one; false: there is none. */
  got(length: number, seed = 0): boolean {
    const bytes = this.socket.take(new DatagramInfo());
    return typeof bytes !== 'number' && Buffer.compare(bytes, content(length, seed)) === 0;
  }

  /** Counters of reassembly: requests, successes, failures, timeouts. */
  get counts(): number[] {
    const { counters } = this.b.core;
    const { IpReasmReqds, IpReasmOKs, IpReasmFails, IpReasmTimeout } = counters;
    const { Ip6ReasmReqds, Ip6ReasmOKs, Ip6ReasmFails, Ip6ReasmTimeout } = counters;
    return this.family === 4
      ? [IpReasmReqds, IpReasmOKs, IpReasmFails, IpReasmTimeout]
      : [Ip6ReasmReqds, Ip6ReasmOKs, Ip6ReasmFails, Ip6ReasmTimeout];
  }

  get waiting(): number {
    return this.b.core.ip.fragments(this.family).used;
  }
}

function content(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 7 + (i >> 8) + seed) & 0xff;
  return bytes;
}

describe.each<[Family, number]>([
  [4, 65_507],
  [6, 65_527],
])('IPv%i', (family, most) => {
  test('datagrams of every kind of length come whole', () => {
    const pair = new Pair(family);
    const step = process.env.NETLAND_NIGHTLY === '1' ? 1 : 911;
    const header = family === 4 ? 28 : 48;
    for (let length = 0; length <= most; length += length === 0 ? 1 : step) {
      pair.receive(pair.packets(length));
      if (!pair.got(length)) throw new Error(`${length} bytes did not come`);
    }
    for (const length of [1499 - header, 1500 - header, 1501 - header, most]) {
      const packets = pair.packets(length);
      expect(packets.length > 1).toBe(length + header > 1500);
      pair.receive(packets);
      expect(pair.got(length)).toBe(true);
    }
    const [, oks, fails] = pair.counts;
    expect([oks > 50, fails, pair.waiting]).toEqual([true, 0, 0]);
    expect(pair.b.core.nextDeadline()).toBe(Infinity);
  }, 600_000);

  test('in any order, and twice', () => {
    const order = fc.tuple(
      fc.integer({ min: 1, max: 20_000 }),
      fc.constantFrom(1280, 1500, 9000),
      fc.infiniteStream(fc.nat(1000)),
    );
    fc.assert(
      fc.property(order, ([length, mtu, chance]) => {
        const pair = new Pair(family, mtu);
        const packets = pair.packets(length);
        const shuffled = packets.map((packet) => ({ packet, at: chance.next().value as number }));
        shuffled.sort((x, y) => x.at - y.at);
        for (const { packet, at } of shuffled.slice(0, -1)) {
          pair.b.receive(packet);
          if (at % 3 === 0) pair.b.receive(packet);
        }
        expect(pair.got(length)).toBe(false);
        pair.b.receive(shuffled[shuffled.length - 1].packet);
        expect(pair.got(length)).toBe(true);
      }),
      { numRuns: 40 },
    );
  });

  test('overlap: the whole datagram is dropped (RFC 5722)', () => {
    const pair = new Pair(family);
    const [first, second] = pair.packets(2500);
    const shifted = Uint8Array.from(second);
    // 8 bytes less: a part of the first one.
    if (family === 4) {
      shifted[7] -= 1;
      shifted[11] += 1;
    } else {
      shifted[43] -= 8;
    }
    pair.receive([first, shifted]);
    expect(pair.got(2500)).toBe(false);
    expect(pair.counts).toEqual([2, 0, 1, 0]);
    expect(pair.b.core.hasOutput).toBe(false);
  });

  test('what waits too long is given up; its sender is told if the first fragment has come', () => {
    const pair = new Pair(family);
    const one = pair.packets(3000, 1);
    const two = pair.packets(3000, 2);
    pair.receive([one[0], two[1]]);
    const deadline = pair.b.core.nextDeadline();
    expect(deadline).toBe(pair.b.now + (family === 4 ? 30 : 60) * SECOND);
    pair.b.core.onTimer(deadline - 1);
    expect(pair.b.core.hasOutput).toBe(false);
    pair.b.now = deadline;
    pair.b.core.onTimer(deadline);
    const [sent, more] = pair.b.flush();
    expect(more).toBeUndefined();
    expect(sent.words[IcmpWord.Kind]).toBe(((family === 4 ? 11 : 3) << 8) | 1);
    const quote = family === 4 ? 548 : 1232;
    expect(Buffer.compare(sent.payload, one[0].subarray(0, quote))).toBe(0);
    expect(pair.counts).toEqual([2, 0, 2, 2]);
    expect(pair.waiting).toBe(0);
    // The rest comes too late.
    pair.receive(one.slice(1));
    expect(pair.got(3000, 1)).toBe(false);
  });

  test('settings: how long, how much', () => {
    const settings = { ipfragTime: 5, ip6fragTime: 5, ipfragHighThresh: 0, ip6fragHighThresh: 0 };
    const none = new Pair(family, 1500, { settings });
    none.receive(none.packets(3000));
    expect([none.got(3000), none.counts[2], none.waiting]).toEqual([false, 3, 0]);
    const brief = new Pair(family, 1500, { settings: { ipfragTime: 5, ip6fragTime: 5 } });
    brief.receive(brief.packets(3000).slice(1));
    expect(brief.b.core.nextDeadline()).toBe(brief.b.now + 5000);
  });

  test('a flood stays within its memory, and doesn’t stop what is whole', () => {
    const limit = 200_000;
    const settings = { ipfragHighThresh: limit, ip6fragHighThresh: limit };
    const pair = new Pair(family, 1500, { settings });
    for (let seed = 0; seed < 400; seed++) {
      pair.b.receive(pair.packets(2900, seed)[seed % 2]);
      expect(pair.waiting).toBeLessThan(limit + 5000);
    }
    expect(pair.counts[2]).toBeGreaterThan(200);
    pair.receive(pair.packets(1000));
    expect(pair.got(1000)).toBe(true);
    // Errors about what was given up are as rare as any other.
    pair.b.now += 100 * SECOND;
    pair.b.core.onTimer(pair.b.now);
    expect(pair.b.flush().length).toBe(6);
    expect([pair.waiting, pair.b.core.nextDeadline()]).toEqual([0, Infinity]);
    pair.receive(pair.packets(2900));
    expect(pair.got(2900)).toBe(true);
  });

  test('echo requests of any length are answered as any', () => {
    const b = new DatagramHost({ addresses: ['10.0.0.2/24', 'fd00::2/64'] });
    const a = new DatagramHost({ addresses: ['10.0.0.1/24', 'fd00::1/64'] });
    const length = 65_507;
    const payload = content(length, 9);
    const { output } = a.core.ip;
    const is4 = family === 4;
    const to = ip(is4 ? '10.0.0.2' : 'fd00::2');
    const base = output.begin(is4 ? 1 : 58, null, to, 8, length);
    const { ownPackets } = a.core;
    ownPackets.words[base + IcmpWord.Kind] = (is4 ? 8 : 128) << 8;
    ownPackets.append(payload, 0, length);
    for (const packet of a.flushWire()) b.receive(packet);
    const [sent] = b.flush();
    expect(sent.words[IcmpWord.Kind]).toBe((is4 ? 0 : 129) << 8);
    expect(Buffer.compare(sent.payload, payload)).toBe(0);
  });
});

describe('fragments of IPv6', () => {
  /** A fragment of `length` bytes to fd00::2; `next`: what its header names. */
  function fragment(field: number, length: number, next = 17): Buffer {
    const bytes = Buffer.alloc(48 + length);
    bytes.set([0x60, 0, 0, 0, (8 + length) >> 8, 8 + length, 44, 64, 0xfd]);
    bytes[23] = 1;
    bytes[24] = 0xfd;
    bytes[39] = 2;
    bytes[40] = next;
    bytes.writeUInt16BE(field, 42);
    bytes.writeUInt32BE(7, 44);
    return bytes;
  }

  test.each<[string, Buffer, number, number]>([
    ['one that is no multiple of 8', fragment(1, 7), 0x400, 4],
    ['one that would be too long', fragment(65_528 & ~7, 16), 0x400, 42],
    ['a first one without its headers', fragment(1, 8, 6), 0x403, 0],
  ])('%s is answered by a parameter problem', (_, packet, kind, pointer) => {
    const { b, counts } = new Pair(6);
    b.receive(packet);
    const [sent] = b.flush();
    expect([sent.words[IcmpWord.Kind], sent.words[IcmpWord.Rest]]).toEqual([kind, pointer]);
    expect([counts[1], b.core.counters.Ip6InHdrErrors]).toEqual([0, 1]);
  });

  test('an atomic one is whole, whatever waits with its identification (RFC 6946)', () => {
    const pair = new Pair(6);
    const [first, second] = pair.packets(2000);
    pair.receive([first]);
    const [whole] = pair.packets(100, 5);
    const atomic = Buffer.concat([
      whole.subarray(0, 40),
      first.subarray(40, 48),
      whole.subarray(40),
    ]);
    atomic.writeUInt16BE(atomic.length - 40, 4);
    atomic[6] = 44;
    atomic.writeUInt16BE(0, 42);
    pair.receive([atomic]);
    expect(pair.got(100, 5)).toBe(true);
    pair.receive([second]);
    expect(pair.got(2000)).toBe(true);
    expect(pair.counts).toEqual([2, 1, 0, 0]);
  });

  test('fragments of fragments are none', () => {
    const pair = new Pair(6);
    const outer = (field: number, inner: Buffer) => {
      const packet = fragment(field, inner.length, 44);
      inner.copy(packet, 48);
      return packet;
    };
    const inner = fragment(1, 16).subarray(40);
    pair.receive([outer(1, inner.subarray(0, 16)), outer(16, inner.subarray(16))]);
    expect(pair.counts.slice(0, 3)).toEqual([2, 0, 1]);
    expect(pair.b.core.hasOutput).toBe(false);
  });
});

test('segments of TCP may come in fragments', () => {
  const a = new DatagramHost({ addresses: ['10.0.0.1/24'] });
  const b = new DatagramHost({ addresses: ['10.0.0.2/24'] });
  const client = a.core.socket(4);
  const listener = b.core.socket(4);
  listener.bind(ip('10.0.0.2'), 80);
  listener.listen(5);
  client.connect(ip('10.0.0.2'), 80);
  const exchange = (split: boolean) => {
    for (let round = 0; round < 8; round++) {
      for (const packet of a.flushWire()) {
        for (const part of split ? halves(packet) : [packet]) b.receive(part);
      }
      for (const packet of b.flushWire()) a.receive(packet);
    }
  };
  exchange(false);
  const server = listener.accept();
  if (typeof server === 'number') throw new Error('no connection');
  const bytes = content(1400, 3);
  client.send(bytes, 0, bytes.length);
  exchange(true);
  expect(b.core.counters.IpReasmOKs).toBeGreaterThan(0);
  const got = server.take(2000);
  expect(typeof got === 'number' ? got : Buffer.compare(got as Uint8Array, bytes)).toBe(0);
});

/** An IPv4 packet in two fragments, the second first, as a router would make them. */
function halves(packet: Uint8Array): Uint8Array[] {
  const carried = packet.length - 20;
  const half = (carried >> 4) << 3;
  if (half === 0) return [packet];
  const part = (from: number, to: number, more: number) => {
    const bytes = Buffer.concat([packet.subarray(0, 20), packet.subarray(20 + from, 20 + to)]);
    bytes.writeUInt16BE(bytes.length, 2);
    bytes.writeUInt16BE((from >> 3) | more, 6);
    bytes.writeUInt16BE(0, 10);
    let sum = 0;
    for (let i = 0; i < 20; i += 2) sum += bytes.readUInt16BE(i);
    sum = (sum & 0xffff) + (sum >>> 16);
    bytes.writeUInt16BE(~(sum + (sum >>> 16)) & 0xffff, 10);
    return bytes;
  };
  return [part(half, carried, 0), part(0, half, 0x2000)];
}
