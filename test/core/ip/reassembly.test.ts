import fc from 'fast-check';
import { buildPackets, packetsLength } from '../../../lib/codec/fragment';
import { parsePacket } from '../../../lib/codec/parse';
import { ParseResult } from '../../../lib/codec/result';
import {
  LIMITS4,
  LIMITS6,
  Outcome,
  Reassembly,
  type ReassemblyLimits,
} from '../../../lib/core/ip/reassembly';
import { Xoshiro } from '../../../lib/core/random/xoshiro';
import {
  BuildWord,
  Direction,
  IpProtocol,
  MAY_FRAGMENT,
  MORE_FRAGMENTS,
  Option,
  Word,
} from '../../../lib/core/segment/layout';
import { isFragment } from '../../../lib/core/segment/kind';
import { MAX_MADE_PACKET, PacketMaker, QuickRandom } from '../../support/packets';
import { pattern } from '../../support/segments';

const KEY = new Int32Array(2);
type Family = 4 | 6;

function reassembly(family: Family, limits: Partial<ReassemblyLimits> = {}): Reassembly {
  const all = { ...(family === 4 ? LIMITS4 : LIMITS6), ...limits };
  return new Reassembly(family, all, new Xoshiro(1), (bytes) => new Uint8Array(bytes));
}

interface Datagram {
  id?: number;
  protocol?: number;
  from?: number;
  alert?: boolean;
  ecn?: number;
}

/** The packets of a datagram of `length` bytes; one where `limit` is 0. */
function build(family: Family, length: number, limit: number, datagram: Datagram = {}) {
  const { id = 7, protocol = IpProtocol.Udp, from = 1, alert = false, ecn = 0 } = datagram;
  const words = new Int32Array(Word.Stride);
  words[Word.Family] = family;
  words[Word.Protocol] = protocol;
  words[Word.Direction] = Direction.Out;
  words[Word.HopLimit] = 64;
  words[Word.TrafficClass] = ecn;
  words[Word.Identification] = family === 4 ? id | MAY_FRAGMENT : 0;
  words[BuildWord.FragmentId] = id;
  const [a, b] = family === 4 ? [0, 0xffff] : [0xfd000000 | 0, 0];
  words.set([a, 0, b, from, a, 0, b, 99, 1000, 2000], Word.Source);
  words[Word.Fragment] = limit;
  words[Word.PayloadLength] = length;
  words[Word.SliceCount] = 1;
  if (alert) words[Word.Options] = Option.RouterAlert;
  const out = new Uint8Array(packetsLength(words, 0));
  buildPackets(words, 0, Int32Array.of(0, 0, length), 0, [pattern(length)], out, 0);
  const packets: Uint8Array[] = [];
  for (let at = 0; at < out.length;) {
    const field = (place: number) => (out[at + place] << 8) | out[at + place + 1];
    const size = family === 4 ? field(2) : 40 + field(4);
    packets.push(out.slice(at, at + size));
    at += size;
  }
  return packets;
}

function parse(bytes: Uint8Array): Int32Array {
  const words = new Int32Array(Word.Stride);
  expect(parsePacket(bytes, 0, 0, bytes.length, words, 0, KEY)).toBe(ParseResult.Ok);
  return words;
}

const add = (into: Reassembly, bytes: Uint8Array, now = 0): Outcome =>
  into.add(parse(bytes), 0, bytes, now);

/** A fragment whose offset and more-fragments bit are what they are told to be. */
function piece(
  into: Reassembly,
  offset: number,
  length: number,
  more: boolean,
  { id = 7, from = 1, now = 0, family = into.family, protocol = 17, ecn = 0 } = {},
): Outcome {
  const words = new Int32Array(Word.Stride);
  const header = family === 4 ? 20 : 48;
  const slab = new Uint8Array(header + length).fill(offset >> 3);
  slab[0] = family === 4 ? 0x45 : 0x60;
  if (family === 6) slab[40] = protocol;
  words[Word.Family] = family;
  words[Word.Protocol] = protocol;
  words[Word.TrafficClass] = ecn;
  words[Word.Source + 3] = from;
  words[Word.Identification] = id;
  words[Word.PacketLength] = header + length;
  words[Word.PayloadOffset] = header;
  words[Word.PayloadLength] = length;
  words[Word.Fragment] = offset | (more ? MORE_FRAGMENTS : 0);
  return into.add(words, 0, slab, now);
}

/** Quicker to compare than bytes. */
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

const families = fc.constantFrom<Family>(4, 6);

describe('fragments make the whole', () => {
  test('in any order, with duplicates, byte by byte as it was', () => {
    fc.assert(
      fc.property(
        families,
        fc.integer({ min: 200, max: 9000 }),
        fc.integer({ min: 100, max: 1500 }),
        fc.boolean(),
        fc.infiniteStream(fc.nat()),
        (family, length, limit, alert, chance) => {
          const [whole] = build(family, length, 0, { alert });
          const packets = build(family, length, limit, { alert });
          if (packets.length < 2) return;
          const below = (n: number) => (chance.next().value as number) % n;
          const left = [...packets];
          const into = reassembly(family);
          while (left.length > 0) {
            const [next] = left.splice(below(left.length), 1);
            const outcome = add(into, next);
            if (left.length > 0) {
              expect(outcome).toBe(Outcome.Kept);
              if (below(3) === 0) expect(add(into, next)).toBe(Outcome.Duplicate);
            } else {
              expect(outcome).toBe(Outcome.Complete);
              expect(hex(into.whole)).toBe(hex(whole));
            }
          }
          expect([into.count, into.used]).toEqual([0, 0]);
          expect(into.nextDeadline()).toBe(Infinity);
        },
      ),
      { numRuns: 100 },
    );
  });

  test.each([4, 6] as const)('the longest of IPv%d', (family) => {
    const [whole] = build(family, 65_507, 0);
    const into = reassembly(family);
    const outcomes = build(family, 65_507, 1280).map((bytes) => add(into, bytes));
    expect(outcomes.pop()).toBe(Outcome.Complete);
    expect(new Set(outcomes)).toEqual(new Set([Outcome.Kept]));
    expect(hex(into.whole)).toBe(hex(whole));
  });

  test('many at a time, told apart by source, identification, protocol', () => {
    for (const family of [4, 6] as const) {
      const into = reassembly(family, { maxDist: 0 });
      const ids = family === 4 ? [0xfffe, 0xffff, 0, 1] : [-2, -1, 0, 1, 0x7fffffff];
      const protocols = family === 4 ? [IpProtocol.Udp, IpProtocol.Igmp] : [IpProtocol.Udp];
      const all = ids.flatMap((id) =>
        protocols.flatMap((protocol) =>
          [1, 2].map((from) => ({
            whole: build(family, 3000, 0, { id, protocol, from })[0],
            parts: build(family, 3000, 1000, { id, protocol, from }),
          })),
        ),
      );
      for (let i = 0; i < all[0].parts.length; i++) {
        for (const { whole, parts } of all) {
          const last = i === all[0].parts.length - 1;
          expect(add(into, parts[i])).toBe(last ? Outcome.Complete : Outcome.Kept);
          if (last) expect(hex(into.whole)).toBe(hex(whole));
        }
        if (i === 0) expect(into.count).toBe(all.length);
      }
    }
  });

  test('IPv6: the protocol is what the first fragment says (RFC 8200 §4.5)', () => {
    const [first, second] = build(6, 1500, 1280);
    second[40] = 253;
    const into = reassembly(6);
    expect(add(into, second)).toBe(Outcome.Kept);
    expect(add(into, first)).toBe(Outcome.Complete);
    expect(into.whole[6]).toBe(IpProtocol.Udp);
  });

  test('IPv6: behind extension headers, even an atomic fragment header', () => {
    const parts = build(6, 1500, 1280).map((bytes) => {
      const atomic = [44, 255, 0, 0, 1, 2, 3, 4];
      const options = [44, 0, 1, 4, 0, 0, 0, 0];
      const longer = [...bytes.subarray(0, 40), ...options, ...atomic, ...bytes.subarray(40)];
      const packet = Uint8Array.from(longer);
      packet[6] = 60;
      const length = packet.length - 40;
      packet.set([length >> 8, length & 0xff], 4);
      return packet;
    });
    const into = reassembly(6);
    expect(parts.map((bytes) => add(into, bytes))).toEqual([Outcome.Kept, Outcome.Complete]);
    expect(parse(into.whole)[Word.Protocol]).toBe(IpProtocol.Udp);
    expect(parse(into.whole)[Word.Checksum]).toBe(0);
    expect(into.whole.length).toBe(40 + 16 + 8 + 1500);
  });
});

/** The bytes that are there, one by one. */
class Model {
  readonly here = new Set<number>();
  last = -1;
  most = 0;

  add(offset: number, end: number, more: boolean): Outcome {
    if (end === offset) return Outcome.Contradiction;
    if (more ? this.last >= 0 && end > this.last : end < this.most) return Outcome.Contradiction;
    if (!more && this.last >= 0 && end !== this.last) return Outcome.Contradiction;
    if (!more) this.last = end;
    this.most = Math.max(this.most, end);
    const own = Array.from({ length: (end - offset) / 8 }, (_, i) => offset / 8 + i);
    const known = own.filter((eight) => this.here.has(eight)).length;
    if (known === own.length) return Outcome.Duplicate;
    if (known > 0) return Outcome.Overlap;
    own.forEach((eight) => this.here.add(eight));
    const complete = this.last >= 0 && this.here.size === this.last / 8;
    return complete ? Outcome.Complete : Outcome.Kept;
  }
}

test('any pieces at all come to what they come to byte by byte', () => {
  const pieces = fc.record({
    offset: fc.nat(20).map((n) => n * 8),
    length: fc.nat(6).map((n) => n * 8),
    more: fc.boolean(),
  });
  const seen = new Set<Outcome>();
  fc.assert(
    fc.property(families, fc.array(pieces, { maxLength: 30 }), (family, all) => {
      const into = reassembly(family);
      let model = new Model();
      for (const { offset, length, more } of all) {
        // A first fragment of IPv6 has all headers.
        const end = offset + (offset === 0 ? length + 8 : length);
        const outcome = piece(into, offset, end - offset, more);
        expect(outcome).toBe(model.add(offset, end, more));
        seen.add(outcome);
        if (outcome === Outcome.Kept || outcome === Outcome.Duplicate) continue;
        model = new Model();
        expect([into.count, into.used]).toEqual([0, 0]);
      }
    }),
    { numRuns: 500 },
  );
  expect(seen.size).toBe(5);
});

describe('what is refused', () => {
  test('an overlap discards all, whichever comes first (RFC 5722)', () => {
    for (const family of [4, 6] as const) {
      const into = reassembly(family);
      expect(piece(into, 0, 16, true)).toBe(Outcome.Kept);
      expect(piece(into, 8, 16, true)).toBe(Outcome.Overlap);
      expect(into.count).toBe(0);
      expect(piece(into, 8, 16, true)).toBe(Outcome.Kept);
      expect(piece(into, 0, 16, true)).toBe(Outcome.Overlap);
      expect([into.count, into.used]).toEqual([0, 0]);
    }
  });

  test('more than a packet can be: the ping of death', () => {
    const into = reassembly(4);
    expect(piece(into, 65_528, 16, false)).toBe(Outcome.TooLong);
    expect(piece(into, 65_512, 3, false)).toBe(Outcome.Kept);
    expect(piece(into, 65_512, 4, false, { id: 8 })).toBe(Outcome.TooLong);
    expect(into.count).toBe(1);
  });

  test('IPv6: with a parameter problem (RFC 8200 §4.5)', () => {
    const into = reassembly(6);
    expect(piece(into, 65_528, 16, false)).toBe(Outcome.BadOffset);
    expect(into.pointer).toBe(42);
    expect(piece(into, 0, 12, true)).toBe(Outcome.OddLength);
    expect(piece(into, 0, 8, true, { protocol: 6 })).toBe(Outcome.HeadersMissing);
    expect(piece(into, 0, 24, true, { protocol: 6 })).toBe(Outcome.Kept);
    expect(into.count).toBe(1);
  });

  test('IPv4: the end of a piece that is no multiple of eight is cut off, as Linux does', () => {
    const into = reassembly(4);
    expect(piece(into, 0, 15, true)).toBe(Outcome.Kept);
    expect(piece(into, 8, 7, false)).toBe(Outcome.Complete);
    expect(into.whole.length).toBe(20 + 15);
    expect(piece(into, 0, 7, true)).toBe(Outcome.Contradiction);
  });

  test('ECN that cannot be; congestion met by one is met by all (RFC 3168 §5.3)', () => {
    for (const family of [4, 6] as const) {
      const into = reassembly(family);
      const both = (first: number, second: number): number => {
        expect(piece(into, 0, 8, true, { ecn: first })).toBe(Outcome.Kept);
        if (piece(into, 8, 8, false, { ecn: second }) !== Outcome.Complete) return -1;
        return family === 4 ? into.whole[1] & 3 : (into.whole[1] >> 4) & 3;
      };
      expect(both(0, 3)).toBe(-1);
      expect(both(1, 0)).toBe(-1);
      expect(both(2, 3)).toBe(3);
      expect(both(3, 1)).toBe(3);
      expect(both(0, 0)).toBe(0);
    }
  });

  test('more memory than there may be', () => {
    const into = reassembly(4, { highThresh: 100_000 });
    const outcomes = new Map<Outcome, number>();
    let most = 0;
    for (let id = 0; id < 500; id++) {
      const outcome = piece(into, 8, 1480, true, { id });
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      most = Math.max(most, into.used);
    }
    expect([...outcomes.keys()].sort()).toEqual([Outcome.Kept, Outcome.NoMemory]);
    expect(outcomes.get(Outcome.Kept)).toBeGreaterThan(40);
    expect(most).toBeLessThan(100_000 + 2 * 2048);
    expect(into.expire(30_000_000)).toBe(true);
    expect(piece(into, 8, 1480, true, { id: 999 })).toBe(Outcome.Kept);
    expect(piece(reassembly(4, { highThresh: 0 }), 0, 8, true)).toBe(Outcome.NoMemory);
  });
});

describe('what never becomes whole', () => {
  test('is given up in the order of its beginning; who sent its first fragment is told', () => {
    for (const family of [4, 6] as const) {
      const into = reassembly(family);
      const time = family === 4 ? 30_000_000 : 60_000_000;
      const packets = build(family, 3000, 1280, { from: 5 });
      add(into, packets[0], 10);
      add(into, build(family, 3000, 1280, { id: 8 })[1], 20);
      add(into, packets[1], 25);
      expect(into.nextDeadline()).toBe(time + 10);
      expect(into.expire(time + 9)).toBe(false);
      expect(into.expire(time + 10)).toBe(true);
      expect(into.expired.quote).toEqual(packets[0].subarray(0, 1280));
      expect(into.expired.ends[3]).toBe(5);
      expect(into.expired.ends[7]).toBe(99);
      expect(into.nextDeadline()).toBe(time + 20);
      expect(into.expire(time + 20)).toBe(true);
      expect(into.expired.quote).toBeNull();
      expect(into.expire(Infinity)).toBe(false);
      expect([into.count, into.used]).toEqual([0, 0]);
    }
  });

  test('begins again when its source has sent too much else meanwhile (ipfrag_max_dist)', () => {
    const into = reassembly(4);
    expect(piece(into, 0, 8, true, { now: 1 })).toBe(Outcome.Kept);
    for (let i = 0; i < 63; i++) piece(into, 8, 8, true, { id: 1000 + i, now: 2 });
    expect(piece(into, 8, 8, true, { now: 3 })).toBe(Outcome.Kept);
    for (let i = 0; i < 64; i++) piece(into, 8, 8, true, { id: 2000 + i, now: 4 });
    // What was there is forgotten: this would have been the last.
    expect(piece(into, 16, 8, false, { now: 5 })).toBe(Outcome.Kept);
    // Other sources don't count.
    for (let i = 0; i < 200; i++) piece(into, 8, 8, true, { id: 3000 + i, from: 2, now: 6 });
    expect(piece(into, 0, 8, true, { now: 7 })).toBe(Outcome.Kept);
    expect(piece(into, 8, 8, true, { now: 8 })).toBe(Outcome.Complete);
    while (into.expire(Infinity));
    expect([into.count, into.used]).toEqual([0, 0]);
  });
});

test('anything that can be read as a fragment: bounded, and gone in time', () => {
  const maker = new PacketMaker(new QuickRandom(3));
  const slab = new Uint8Array(MAX_MADE_PACKET);
  const words = new Int32Array(Word.Stride);
  const into = { 4: reassembly(4, { highThresh: 300_000 }), 6: reassembly(6) };
  const random = new QuickRandom(4);
  let fragments = 0;
  for (let now = 0; now < 60_000; now++) {
    const length = maker.makeDamaged(slab, 0);
    if (parsePacket(slab, 0, 0, length, words, 0, KEY) !== ParseResult.Ok) continue;
    if (!isFragment(words, 0)) {
      if ((random.next() & 7) !== 0) continue;
      words[Word.Fragment] = random.next() & 0xfff9;
      if (words[Word.Fragment] === 0) continue;
      words[Word.PayloadOffset] = Math.max(words[Word.PayloadOffset], 48);
      words[Word.PayloadLength] = Math.max(0, words[Word.PacketLength] - words[Word.PayloadOffset]);
    }
    fragments++;
    // Few datagrams, so that they meet.
    words.fill(0, Word.Source, Word.SourcePort);
    words[Word.Identification] &= 3;
    const family = words[Word.Family] as Family;
    into[family].add(words, 0, slab, now * 1000);
    expect(into[family].used).toBeLessThan(5_000_000);
    while (into[family].expire(now * 1000));
  }
  expect(fragments).toBeGreaterThan(3000);
  for (const each of [into[4], into[6]]) {
    while (each.expire(Infinity));
    expect([each.count, each.used]).toEqual([0, 0]);
  }
});
