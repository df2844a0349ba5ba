import type { Environment } from '../environment';
import { isMulticast, isWildcard, readAddress, type IpAddress } from '../ip/address';
import { Destination } from '../ip/addresses';
import type { IpOutput } from '../ip/output';
import type { OwnPackets } from '../ip/own-packets';
import type { SlabTable } from '../memory/slabs';
import type { SegmentBatch } from '../segment/batch';
import { Checksum, IcmpWord, IpProtocol, Word } from '../segment/layout';
import type { Counters } from '../stack/counters';
import { countIcmp, countIcmpOut } from './icmp-counters';
import { Icmp4, Icmp6 } from './icmp-error';
import { destinationOf, mayComplain, sourceOf } from './quotable';
import { RateLimit, type RateSettings } from './rate-limit';

/** Of a message, bytes. */
const HEADER = 8;
/** The longest error (RFC 1812 §4.3.2.3, RFC 4443 §2.4 c), without IP's header and ICMP's. */
const QUOTE4 = 576 - 20 - HEADER;
const QUOTE6 = 1280 - 40 - HEADER;
/** Internetwork control (RFC 1812 §4.3.2.5), and what of a packet's TOS its error keeps. */
const PRECEDENCE = 0xc0;
const TOS_MASK = 0x1e;

/** Three times of a timestamp message, bytes. */
const TIMES = 12;
/** Bit of a time that isn't counted from midnight UT (RFC 792). */
const OWN_TIME = 0x80000000;

/** The stack's settings that count for ICMP. */
export interface IcmpSettings extends RateSettings {
  readonly icmpEchoIgnoreAll: number;
  readonly icmpEchoIgnoreBroadcasts: number;
  readonly icmp6EchoIgnoreAll: number;
  readonly icmp6EchoIgnoreMulticast: number;
}

/** What ICMP has of the stack. */
export interface IcmpParts {
  readonly environment: Environment;
  readonly slabs: SlabTable;
  readonly counters: Counters;
  readonly settings: IcmpSettings;
  readonly own: OwnPackets;
  readonly output: IpOutput;
  /** ms of the stack's clock, modulo 2^32. */
  readonly nowMs: () => number;
}

/** ICMP (RFC 792, RFC 1122 §3.2.2) and ICMPv6 (RFC 4443): what a stack answers and sends. */
export class Icmp {
  private readonly rates: RateLimit;
  private readonly times = new Uint8Array(TIMES);

  constructor(private readonly parts: IcmpParts) {
    const { settings, environment, counters } = parts;
    this.rates = new RateLimit(settings, environment.random, counters, parts.nowMs());
  }

  /**
   * Takes a message that is for us: counts it, and answers it if it is a request.
   * @param destination what its destination is to this stack, not `Foreign`
   * @returns whether its checksum is right
   */
  arrives(batch: SegmentBatch, index: number, destination: Destination): boolean {
    const { words } = batch;
    const base = batch.base(index);
    const family = words[base + Word.Family] === 4 ? 4 : 6;
    const type = words[base + IcmpWord.Kind] >>> 8;
    const { counters } = this.parts;
    const intact = words[base + Word.Checksum] !== Checksum.Bad;
    if (!countIcmp(counters, family, type, intact)) return false;
    if (!this.mayAnswer(family, destination)) return true;
    if (family === 6) {
      if (type === Icmp6.Echo) this.answerEcho(words, base, destination, Icmp6.EchoReply);
    } else if (type === Icmp4.Echo) {
      const isIgnored = this.parts.settings.icmpEchoIgnoreAll === 1;
      if (!isIgnored) this.answerEcho(words, base, destination, Icmp4.EchoReply);
    } else if (type === Icmp4.Timestamp) {
      this.answerTimestamp(words, base, destination);
    }
    return true;
  }

  /** Whether requests to such an address are answered; in IPv6 only echo is meant. */
  private mayAnswer(family: 4 | 6, destination: Destination): boolean {
    const { settings } = this.parts;
    const toMany = destination !== Destination.Own;
    if (family === 4) return !toMany || settings.icmpEchoIgnoreBroadcasts === 0;
    if (settings.icmp6EchoIgnoreAll === 1) return false;
    return !toMany || settings.icmp6EchoIgnoreMulticast === 0;
  }

  /** The same data back, from the address that was asked, or that of the way to who asks. */
  private answerEcho(
    words: Int32Array,
    base: number,
    destination: Destination,
    type: number,
  ): void {
    const slab = this.parts.slabs.slabs[words[base + Word.Slab]];
    const length = words[base + Word.PayloadLength];
    const rest = words[base + IcmpWord.Rest];
    if (!this.answer(words, base, destination, type, rest, length)) return;
    this.parts.own.append(slab, words[base + Word.PayloadOffset], length);
  }

  /**
   * RFC 792: the sender's time, and ours twice. Deviation: ours isn't the time of day, which the
   * core doesn't know, and says so.
   */
  private answerTimestamp(words: Int32Array, base: number, destination: Destination): void {
    if (words[base + Word.PayloadLength] < TIMES) return;
    const { times } = this;
    const slab = this.parts.slabs.slabs[words[base + Word.Slab]];
    const start = words[base + Word.PayloadOffset];
    const now = this.parts.nowMs() | OWN_TIME;
    for (let i = 0; i < 4; i++) {
      times[i] = slab[start + i];
      times[4 + i] = times[8 + i] = now >>> (24 - 8 * i);
    }
    const rest = words[base + IcmpWord.Rest];
    if (!this.answer(words, base, destination, Icmp4.TimestampReply, rest, TIMES)) return;
    this.parts.own.append(times, 0, TIMES);
  }

  /** Begins an answer to the request of a descriptor. Whether there is one. */
  private answer(
    words: Int32Array,
    base: number,
    destination: Destination,
    type: number,
    rest: number,
    length: number,
  ): boolean {
    const asker = readAddress(words, base + Word.Source);
    if (isWildcard(asker)) return false;
    const isOwn = destination === Destination.Own;
    const source = isOwn ? readAddress(words, base + Word.Destination) : null;
    const family = words[base + Word.Family] === 4 ? 4 : 6;
    const trafficClass = words[base + Word.TrafficClass];
    return this.begin(family, source, asker, type << 8, rest, trafficClass, length);
  }

  /**
   * Tells the sender of a packet that has arrived what is wrong with it, if it may be told (see
   * `mayComplain`) and the rate allows it.
   * @param kind type and code, as `IcmpWord.Kind`
   * @param rest the four bytes behind the checksum
   */
  complain(words: Int32Array, base: number, kind: number, rest = 0): void {
    const at = words[base + Word.PacketOffset];
    const slab = this.parts.slabs.slabs[words[base + Word.Slab]];
    this.complainOf(slab.subarray(at, at + words[base + Word.PacketLength]), kind, rest);
  }

  /** The same of a packet in bytes, or the beginning of one, with its whole IP header. */
  complainOf(packet: Uint8Array, kind: number, rest = 0): void {
    const { environment, own } = this.parts;
    const { paths } = environment;
    if (!mayComplain(paths, packet, kind)) return;
    const family = packet[0] >>> 4 === 4 ? 4 : 6;
    const sender = sourceOf(packet);
    const destination = destinationOf(packet);
    // What stays inside costs nobody else anything.
    if (!paths.isLocal(sender) && !this.mayTell(family, kind, sender)) return;
    const length = Math.min(packet.length, family === 4 ? QUOTE4 : QUOTE6);
    const source = isMulticast(destination) ? null : destination;
    const trafficClass = family === 4 ? PRECEDENCE | (packet[1] & TOS_MASK) : 0;
    if (!this.begin(family, source, sender, kind, rest, trafficClass, length)) return;
    own.append(packet, 0, length);
  }

  private mayTell(family: 4 | 6, kind: number, { w0, w1, w2, w3 }: IpAddress): boolean {
    const address = Int32Array.of(w0, w1, w2, w3);
    return this.rates.allows(family, kind >>> 8, kind & 0xff, address, 0, this.parts.nowMs());
  }

  /** Begins a message, whose payload `own.append` brings; false: it can't be sent. */
  private begin(
    family: 4 | 6,
    source: IpAddress | null,
    destination: IpAddress,
    kind: number,
    rest: number,
    trafficClass: number,
    length: number,
  ): boolean {
    const { counters, own, output } = this.parts;
    const protocol = family === 4 ? IpProtocol.Icmp : IpProtocol.Icmp6;
    const base = output.begin(protocol, source, destination, HEADER, length);
    if (base < 0) {
      if (family === 4) counters.IcmpOutErrors++;
      else counters.Icmp6OutErrors++;
      return false;
    }
    const { words } = own;
    words[base + Word.TrafficClass] = trafficClass;
    words[base + IcmpWord.Kind] = kind;
    words[base + IcmpWord.Rest] = rest;
    countIcmpOut(counters, family, kind >>> 8);
    return true;
  }
}
