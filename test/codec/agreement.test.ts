/** The TypeScript codec and the native one do the same with the same input. */
import { buildPackets, needsFragments, packetsLength } from '../../lib/codec/fragment';
import {
  ARP_LENGTH,
  ETHERNET_HEADER,
  frameKind,
  parseFrame,
  writeArp,
  writeFrameHeader,
  type FrameKind,
} from '../../lib/codec/frame';
import { parsePacket } from '../../lib/codec/parse';
import { ParseResult, RESULT_COUNTERS } from '../../lib/codec/result';
import { fourTupleHash } from '../../lib/core/random/half-sip-hash';
import { SegmentBatch } from '../../lib/core/segment/batch';
import { isFragment, isIcmp, isTcp, isUdp } from '../../lib/core/segment/kind';
import {
  Direction,
  IcmpWord,
  IS_FRAGMENT,
  IpProtocol,
  MAX_SLICES,
  Option,
  SLICE_WORDS,
  Word,
} from '../../lib/core/segment/layout';
import { type NativeAddon, loadNative } from '../../lib/link/native';
import { MAX_MADE_PACKET, PacketMaker, QuickRandom } from '../support/packets';
import { needs } from '../support/skip';

const NIGHTLY = process.env.NETLAND_NIGHTLY === '1';
const PACKETS = NIGHTLY ? 4_000_000 : 400_000;
const BUILT = NIGHTLY ? 2_000_000 : 100_000;
/** Packets in one call of the addon. */
const CHUNK = 5000;
const FRAMES = 20_000;
const KEY = Int32Array.of(0x01234567, -1234567);
/** Bytes of each slab that payload is taken from. */
const SLAB = 5000;
const TIMEOUT = 120_000;

const { addon, reason } = loadNative();
const native = addon as NativeAddon;

/** Where two runs of words or bytes differ first; -1 when they are the same. */
function firstDifference(a: ArrayLike<number>, b: ArrayLike<number>, length: number): number {
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return i;
  return -1;
}

const dump = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

needs(addon !== null, `the native addon (${reason ?? ''})`)('the two codecs agree', () => {
  test(
    `on parsing ${PACKETS} random and damaged packets`,
    () => {
      const random = new QuickRandom(20260);
      const maker = new PacketMaker(random);
      const slab = new Uint8Array(CHUNK * 400 + MAX_MADE_PACKET);
      const places = new Int32Array(2 * CHUNK);
      const theirs = new Int32Array(CHUNK * Word.Stride);
      const results = new Int32Array(CHUNK);
      const ours = new Int32Array(Word.Stride);
      const seen = new Map<number, number>();
      const kinds = new Map<string, number>();
      for (let done = 0; done < PACKETS;) {
        let end = 0;
        let count = 0;
        while (count < CHUNK && end < CHUNK * 400) {
          const length = maker.makeDamaged(slab, end);
          places[2 * count] = end;
          places[2 * count + 1] = length;
          count++;
          end += length + maker.below(3);
        }
        native.parseMany(slab, 9, places, KEY, theirs, results.subarray(0, count));
        for (let i = 0; i < count; i++) {
          const [at, length] = [places[2 * i], places[2 * i + 1]];
          const result = parsePacket(slab, 9, at, length, ours, 0, KEY);
          const words = theirs.subarray(i * Word.Stride, (i + 1) * Word.Stride);
          const place = firstDifference(ours, words, Word.Stride);
          if (result !== results[i] || place >= 0) {
            throw new Error(
              `packet ${done + i}: ${RESULT_COUNTERS[result]}, natively ` +
                `${RESULT_COUNTERS[results[i]]}; word ${place} is ${ours[place]}, natively ` +
                `${words[place]}: ${dump(slab.subarray(at, at + Math.min(length, 200)))}`,
            );
          }
          seen.set(result, (seen.get(result) ?? 0) + 1);
          const kind = result === ParseResult.Ok ? kindOf(ours) : '';
          kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
        }
        done += count;
      }
      // The packets were of all kinds.
      for (const family of [4, 6]) {
        for (const kind of ['fragment', 'tcp', 'udp', 'icmp', 'quote 6', 'quote 17', 'other']) {
          expect([kind, kinds.get(`${family} ${kind}`)]).toEqual([kind, expect.any(Number)]);
          expect(kinds.get(`${family} ${kind}`)).toBeGreaterThan(300);
        }
      }
      for (const code of [0, 1, 2]) expect(kinds.get(`problem ${code}`)).toBeGreaterThan(300);
      expect(kinds.get('alert')).toBeGreaterThan(300);
      RESULT_COUNTERS.forEach((_, result) => expect(seen.get(result)).toBeGreaterThan(500));
    },
    TIMEOUT,
  );

  test(`on ${FRAMES} frames, of every kind, and on the headers of others`, () => {
    const random = new QuickRandom(20262);
    const maker = new PacketMaker(random);
    const own = Int32Array.of(0x0242, -2);
    const slab = new Uint8Array(CHUNK * 400 + MAX_MADE_PACKET);
    const places = new Int32Array(2 * CHUNK);
    const theirs = new Int32Array(CHUNK * Word.Stride);
    const [results, kinds] = [new Int32Array(CHUNK), new Int32Array(CHUNK)];
    const ours = new Int32Array(Word.Stride);
    const seen = new Map<string, number>();
    for (let done = 0; done < FRAMES; done += CHUNK) {
      let end = 0;
      for (let i = 0; i < CHUNK; i++) {
        const length = fillFrame(slab, end, own, maker);
        places.set([end, length], 2 * i);
        end += Math.min(length, 400);
      }
      native.parseFrames(slab, 9, places, KEY, own, theirs, results, kinds);
      for (let i = 0; i < CHUNK; i++) {
        const [at, length] = [places[2 * i], places[2 * i + 1]];
        const result = parseFrame(slab, 9, at, length, ours, 0, KEY, own);
        const words = theirs.subarray(i * Word.Stride, (i + 1) * Word.Stride);
        const kind = frameKind(slab, at, length, own);
        const place = firstDifference(ours, words, Word.Stride);
        if (result !== results[i] || kind !== (kinds[i] as FrameKind) || place >= 0) {
          throw new Error(`word ${place}: ${dump(slab.subarray(at, at + Math.min(length, 200)))}`);
        }
        const name = `${kind} ${RESULT_COUNTERS[result]}`;
        seen.set(name, (seen.get(name) ?? 0) + 1);
      }
    }
    for (const name of ['0 ok', '1 ok', '2 ok', '4 ok', '6 ok', '2054 ok', '2054 badHeader']) {
      expect([name, (seen.get(name) ?? 0) > 50]).toEqual([name, true]);
    }
    const headers = Int32Array.from({ length: 500 * Word.Stride }, () => random.next());
    for (let base = 0; base < headers.length; base += Word.Stride) {
      headers[base + Word.Family] = 4 + 2 * maker.below(2);
      if (maker.below(2) === 0) headers[base + Word.Protocol] = IpProtocol.Arp;
      if (maker.below(2) === 0) headers[base + IcmpWord.Kind] = 1 + maker.below(2);
    }
    const [each, both] = [ETHERNET_HEADER, ETHERNET_HEADER + ARP_LENGTH];
    const built = new Uint8Array(500 * both);
    const expected = new Uint8Array(500 * both);
    native.buildFrames(headers, own, expected);
    for (let i = 0; i < 500; i++) {
      writeFrameHeader(headers, i * Word.Stride, own, built, i * both);
      writeArp(headers, i * Word.Stride, own, built, i * both + each);
    }
    expect(firstDifference(built, expected, built.length)).toBe(-1);
  });

  test(
    `on building ${BUILT} packets, right and wrong ones`,
    () => {
      const random = new QuickRandom(20261);
      const maker = new PacketMaker(random);
      const room = 4096;
      const chunk = 1000;
      const batch = new SegmentBatch(chunk);
      const slabs = [0, 1, 2].map(() => Uint8Array.from({ length: SLAB }, () => random.next()));
      const theirs = new Uint8Array(chunk * room);
      const lengths = new Int32Array(chunk);
      const ours = new Uint8Array(room);
      let built = 0;
      const kinds = new Map<number | string, number>();
      for (let done = 0; done < BUILT; done += chunk) {
        batch.count = 0;
        for (let i = 0; i < chunk; i++) fillDescriptor(batch, maker, random);
        native.buildMany(batch.words, batch.slices, slabs, theirs, room, lengths);
        for (let i = 0; i < chunk; i++) {
          const base = batch.base(i);
          const { words, slices } = batch;
          const length = buildPackets(words, base, slices, batch.sliceBase(base), slabs, ours, 0);
          const bytes = theirs.subarray(i * room, (i + 1) * room);
          const place = firstDifference(ours, bytes, length);
          const told = length > 0 ? packetsLength(words, base) : 0;
          if (length !== lengths[i] || length !== told || place >= 0) {
            throw new Error(
              `segment ${done + i}: ${length} bytes, told ${told}, natively ${lengths[i]}; ` +
                `byte ${place}; ` +
                `words ${words.subarray(base, base + Word.Stride).join(' ')}`,
            );
          }
          if (length === 0) continue;
          built++;
          const kind = needsFragments(words, base)
            ? 'fragments'
            : isFragment(words, base)
              ? 'fragment'
              : words[base + Word.Protocol];
          kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
        }
      }
      expect(built).toBeGreaterThan(BUILT * 0.6);
      expect(built).toBeLessThan(BUILT * 0.95);
      for (const kind of [6, 17, 1, 58, 2, 'fragments', 'fragment']) {
        expect(kinds.get(kind)).toBeGreaterThan(BUILT / 100);
      }
    },
    TIMEOUT,
  );

  test('on the results of parsing and the names of their counters', () => {
    expect(native.layout.ParseResult).toEqual({
      Ok: ParseResult.Ok,
      Truncated: ParseResult.Truncated,
      BadVersion: ParseResult.BadVersion,
      BadHeader: ParseResult.BadHeader,
      BadIpChecksum: ParseResult.BadIpChecksum,
      Martian: ParseResult.Martian,
      BadTransportHeader: ParseResult.BadTransportHeader,
    });
    expect(native.counterNames.slice(-RESULT_COUNTERS.length)).toEqual(RESULT_COUNTERS);
  });

  test('on the hash of any tuple', () => {
    const random = new QuickRandom(20262);
    const count = 10_000;
    const words = Int32Array.from({ length: count * Word.Stride }, () => random.next());
    for (let i = 0; i < count; i++) {
      words[i * Word.Stride + Word.SourcePort] &= 0xffff;
      words[i * Word.Stride + Word.DestinationPort] &= 0xffff;
    }
    const key = Int32Array.of(random.next(), random.next());
    native.hashMany(key, words);
    for (let base = 0; base < words.length; base += Word.Stride) {
      const hash = fourTupleHash(key, words, base);
      if (hash !== words[base + Word.Hash]) expect(hash).toBe(words[base + Word.Hash]);
    }
  });
});

/** What a descriptor stands for, as a text. */
function kindOf(words: Int32Array): string {
  const family = words[Word.Family];
  const kind = words[IcmpWord.Kind];
  if (words[Word.Fragment] !== 0) return `${family} fragment`;
  if (isTcp(words, 0)) return `${family} tcp`;
  if (isUdp(words, 0)) return `${family} udp`;
  if (isIcmp(words, 0)) {
    const quoted = words[IcmpWord.Quoted];
    return `${family} ${quoted === 6 || quoted === 17 ? `quote ${quoted}` : 'icmp'}`;
  }
  if (words[Word.Protocol] === IpProtocol.None && kind !== 0) return `problem ${kind & 3}`;
  return (words[Word.Options] & Option.RouterAlert) !== 0 ? 'alert' : `${family} other`;
}

/** A descriptor of a packet to be built; every tenth has words that nobody should write. */
function fillDescriptor(batch: SegmentBatch, maker: PacketMaker, random: QuickRandom): void {
  const { words, slices } = batch;
  const base = batch.push();
  const sane = maker.chance(90);
  for (let i = 0; i < Word.Stride; i++) words[base + i] = random.next();
  words[base + Word.Family] = maker.chance(50) ? 4 : 6;
  words[base + Word.Protocol] = maker.chance(60) ? 6 : [17, 17, 1, 58, 2, 253][maker.below(6)];
  words[base + Word.Checksum] = maker.below(4);
  words[base + Word.Direction] = Direction.Out;
  words[base + Word.Fragment] = maker.chance(70) ? 0 : maker.below(1500);
  if (maker.chance(5)) {
    words[base + Word.Fragment] = IS_FRAGMENT | (maker.chance(20) ? 0 : random.next());
  }
  words[base + Word.SackCount] = maker.below(6) - 1;
  const count = maker.below(MAX_SLICES + 1);
  words[base + Word.SliceCount] = count;
  let total = 0;
  let at = batch.sliceBase(base);
  for (let i = 0; i < count; i++, at += SLICE_WORDS) {
    const length = maker.chance(90) ? maker.below(100) : maker.below(600);
    slices[at] = maker.below(3);
    // Up to the slab's end, and sometimes one byte further.
    const last = SLAB - length + (sane ? 0 : maker.below(2));
    slices[at + 1] = maker.chance(10) ? last : maker.below(SLAB - length);
    slices[at + 2] = length;
    total += length;
  }
  words[base + Word.PayloadLength] = total;
  if (sane) return;
  const edge = [-1, 0, 1, 5, 9, 0x7fffffff, -0x80000000, 4_000, 65_536][maker.below(9)];
  switch (maker.below(4)) {
    case 0:
      words[base + maker.below(Word.Stride)] = edge;
      break;
    case 1:
      slices[batch.sliceBase(base) + maker.below(3)] = edge;
      break;
    case 2:
      words[base + Word.PayloadLength] += edge;
      break;
    default:
      words[base + [Word.Family, Word.Protocol, Word.SliceCount][maker.below(3)]] = edge;
  }
}

/** Types of frames: IPv4, IPv6, ARP, VLAN, and an IEEE 802.3 length. */
const TYPES = [0x0800, 0x86dd, 0x0806, 0x8100, 100];

/** A frame at `at` for us, for many or for another host, with what fits its type, or not quite. */
function fillFrame(slab: Uint8Array, at: number, own: Int32Array, maker: PacketMaker): number {
  const length = ETHERNET_HEADER + maker.makeDamaged(slab, at + ETHERNET_HEADER);
  const packet = at + ETHERNET_HEADER;
  const fitting = slab[packet] >>> 4 === 4 ? 0 : 1;
  const type = maker.below(3) > 0 ? fitting : maker.below(TYPES.length);
  const to = [own[0] >>> 8, own[0], own[1] >>> 24, own[1] >>> 16, own[1] >>> 8, own[1]];
  if (maker.below(5) === 0) to[maker.below(6)] ^= 1 << maker.below(8);
  slab.set(to, at);
  slab.set([TYPES[type] >>> 8, TYPES[type]], at + 12);
  if (type === 2 && maker.below(4) > 0) slab.set([0, 1, 8, 0, 6, 4, 0, 1], packet);
  return maker.below(20) === 0 ? maker.below(60) : length;
}
