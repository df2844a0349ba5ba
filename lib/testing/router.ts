import { icmpError, type IcmpMessage } from '../codec/build-icmp';
import { buildReceived } from '../codec/build-received';
import { parsePacket } from '../codec/parse';
import { ParseResult } from '../codec/result';
import { Icmp4, Icmp6, Unreachable4, Unreachable6, isErrorType } from '../core/icmp/icmp-error';
import {
  formatAddress,
  ipv4,
  ipv6,
  isUnicast,
  readAddress,
  sameAddress,
  type IpAddress,
} from '../core/ip/address';
import { isIcmp } from '../core/segment/kind';
import { IcmpWord, MORE_FRAGMENTS, Word } from '../core/segment/layout';
import { invalidArgType } from '../errors';
import { checkNames } from '../link/validate';
import type { LossReason, Wire, Witness } from './engine/node';
import { Packet } from './engine/packet';
import { IcmpRate } from './icmp-rate';
import { decrementHopLimit } from './ip-header';
import type { Routes } from './routes';
import { splitPacket } from './split';

export interface RouterOptions {
  /**
   * Whether it says by ICMP why it can't forward a packet: no way, TTL used up, too large for the
   * next cable. Default: true.
   */
  icmp?: boolean;
  /**
   * Whether it notices that a cable of its own is cut, and says then that hosts behind it can't be
   * reached. Default: false.
   */
  noticesCuts?: boolean;
}

/** What a router is given by its network. */
export interface RouterContext {
  readonly routes: Pick<Routes, 'next' | 'isToMany'>;
  readonly witness: Witness;
  /** Its `now` is the network's time, µs. */
  readonly clock: { readonly now: number };
  /** Numbers the packets of the network. */
  nextPacket(): number;
}

/** What has happened to the packets that came to a router. */
export interface RouterCounters {
  forwarded: number;
  /** Of these, those that left as fragments. */
  split: number;
  /** ICMP errors and answers to pings that it has sent. */
  icmp: number;
  /** Lost here, by reason: those that there have been. */
  lost: { [reason in LossReason]?: number };
}

const NO_KEY = new Int32Array(2);
/** Linux's net.ipv4.ip_default_ttl. */
const TTL = 64;
/** In the byte of IPv4's flags. */
const DF = 0x40;
/** The results of parsing that don't speak of the IP header. */
const READABLE: ReadonlySet<ParseResult> = new Set([
  ParseResult.Ok,
  ParseResult.BadTransportHeader,
]);

/** What is said in IPv4 and in IPv6. */
type Message = readonly [IcmpMessage, IcmpMessage];

const NO_ROUTE: Message = [
  { type: Icmp4.Unreachable, code: Unreachable4.Net },
  { type: Icmp6.Unreachable, code: Unreachable6.NoRoute },
];
const NO_HOST: Message = [
  { type: Icmp4.Unreachable, code: Unreachable4.Host },
  { type: Icmp6.Unreachable, code: Unreachable6.Address },
];
const NO_TIME: Message = [
  { type: Icmp4.TimeExceeded, code: 0 },
  { type: Icmp6.TimeExceeded, code: 0 },
];
const tooBig = (mtu: number): Message => [
  { type: Icmp4.Unreachable, code: Unreachable4.FragmentationNeeded, mtu },
  { type: Icmp6.TooBig, code: 0, mtu },
];

/**
 * Forwards packets between its cables, the shortest way (RFC 1812 §5). Takes no time for that; what
 * waits for a cable waits in that cable's queue.
 */
export class Router {
  /** @internal Its IPv4 and its IPv6 address, which ICMP comes from. */
  readonly addresses: readonly [IpAddress, IpAddress];
  private isDown = false;
  private readonly counts: RouterCounters = { forwarded: 0, split: 0, icmp: 0, lost: {} };
  private readonly scratch = new Int32Array(Word.Stride);
  private readonly rate = new IcmpRate();

  /**
   * @internal Made by `network.router`.
   * @param number of the router, 1 to 65534
   * @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE
   */
  constructor(
    readonly name: string,
    number: number,
    private readonly context: RouterContext,
    private readonly options: RouterOptions = {},
  ) {
    checkNames('options', options, ['icmp', 'noticesCuts']);
    for (const key of ['icmp', 'noticesCuts'] as const) {
      const value: unknown = options[key];
      if (value === undefined || typeof value === 'boolean') continue;
      throw invalidArgType(`options.${key}`, 'of type boolean', value);
    }
    // 172.16.0.0/16 and fd01::/64.
    this.addresses = [ipv4(0xac100000 + number), ipv6(0xfd010000, 0, 0, number)];
  }

  /** What it is able to do now. */
  get state(): 'up' | 'crashed' {
    return this.isDown ? 'crashed' : 'up';
  }

  /** A copy of what was counted. */
  get counters(): RouterCounters {
    return { ...this.counts, lost: { ...this.counts.lost } };
  }

  /** From now on it is silent: what comes is lost. Nobody is told, and no route changes. */
  crash(): void {
    if (this.isDown) return;
    this.isDown = true;
    this.context.witness.noted(`crash ${this.name}`);
  }

  /** Forwards again. */
  reboot(): void {
    this.isDown = false;
    this.context.witness.noted(`reboot ${this.name}`);
  }

  /** @internal */
  attach(): void {
    // The routes know its cables.
  }

  /** @internal */
  arrive(packet: Packet): void {
    if (this.isDown) {
      this.lose(packet, 'down');
      return;
    }
    const words = packet.spoilt === null ? packet.words : this.header(packet.spoilt);
    if (words === null) {
      this.lose(packet, 'invalid');
      return;
    }
    const to = readAddress(words, Word.Destination);
    if (this.addresses.some((own) => sameAddress(own, to))) {
      this.take(packet);
      return;
    }
    const out: Wire | null = this.context.routes.next(this, words, Word.Destination);
    if (out === null) {
      this.lose(packet, 'unroutable');
      this.say(NO_ROUTE, packet);
    } else if (!decrementHopLimit(packet)) {
      this.lose(packet, 'ttl');
      this.say(NO_TIME, packet);
    } else this.forward(packet, out);
  }

  /** What is for itself: it answers pings (RFC 1812 §4.3.3.6, RFC 4443 §4.2), and has no ports. */
  private take(packet: Packet): void {
    const { context } = this;
    const reply = packet.spoilt === null ? echoReply(packet) : null;
    const out = reply === null ? null : context.routes.next(this, reply.words, Word.Destination);
    if (reply === null || out === null) {
      this.lose(packet, 'unroutable');
      return;
    }
    reply.id = context.nextPacket();
    this.counts.icmp++;
    context.witness.told(this, reply);
    out.send(reply);
  }

  /** On a cable that is cut, or too narrow, the packet is lost; it is quoted as it was before. */
  private forward(packet: Packet, out: Wire): void {
    if (packet.length > out.mtu && this.split(packet, out)) return;
    const tooLarge = packet.length > out.mtu;
    const unreachable = this.options.noticesCuts === true && out.isCut === true;
    const quoted = tooLarge || unreachable ? packet.copy() : null;
    this.counts.forwarded++;
    out.send(packet);
    if (quoted !== null) this.say(unreachable ? NO_HOST : tooBig(out.mtu), quoted);
  }

  /** Fragments, where they may be made of it (RFC 791 §3.2): in IPv4, without DF. */
  private split(packet: Packet, out: Wire): boolean {
    const bytes = packet.bytes();
    if (bytes[0] >> 4 !== 4 || (bytes[6] & DF) !== 0 || out.isCut === true) return false;
    const fragments = splitPacket(bytes, out.mtu).map((fragment) => Packet.of(fragment));
    this.counts.forwarded++;
    this.counts.split++;
    for (const fragment of fragments) {
      if (fragment === null) continue;
      fragment.id = this.context.nextPacket();
      this.context.witness.told(this, fragment);
      out.send(fragment);
    }
    return true;
  }

  /** Tells the sender what has become of its packet (RFC 1812 §4.3, RFC 4443 §2.4). */
  private say(message: Message, packet: Packet): void {
    const { context } = this;
    if (this.options.icmp === false || !mayBeAnswered(packet.words)) return;
    if (context.routes.isToMany(packet.words, Word.Destination)) return;
    const quoted = packet.bytes();
    const family = quoted[0] >> 4 === 6 ? 1 : 0;
    const error = Packet.ofIcmp(icmpError(this.addresses[family], quoted, message[family]));
    // What was spoilt on its way may be anything.
    if (error === null) return;
    const receiver = formatAddress(readAddress(error.words, Word.Destination));
    // As on Linux what path MTU discovery needs is always said.
    if (message[family].mtu === undefined && !this.rate.allows(receiver, context.clock.now)) return;
    const out = context.routes.next(this, error.words, Word.Destination);
    if (out === null) return;
    error.id = context.nextPacket();
    this.counts.icmp++;
    context.witness.told(this, error);
    out.send(error);
  }

  /** The IP header of a corrupted packet as it reads now; null: it is wrong (RFC 1812 §5.2.2). */
  private header(bytes: Uint8Array): Int32Array | null {
    const result = parsePacket(bytes, 0, 0, bytes.length, this.scratch, 0, NO_KEY);
    return READABLE.has(result) ? this.scratch : null;
  }

  private lose(packet: Packet, reason: LossReason): void {
    const { lost } = this.counts;
    lost[reason] = (lost[reason] ?? 0) + 1;
    this.context.witness.lost(packet, this.name, reason);
  }
}

/** Not about errors, any fragment but the first, or what nobody has sent (RFC 1812 §4.3.2.7). */
function mayBeAnswered(words: Int32Array): boolean {
  if (!isUnicast(readAddress(words, Word.Source))) return false;
  if ((words[Word.Fragment] & ~MORE_FRAGMENTS) !== 0) return false;
  return !isIcmp(words, 0) || !isErrorType(words[Word.Family], words[IcmpWord.Kind] >>> 8);
}

/** The answer to an echo request that came in one packet; null: it is something else. */
function echoReply(packet: Packet): Packet | null {
  const { words } = packet;
  const is4 = words[Word.Family] === 4;
  const [request, answer] = is4 ? [Icmp4.Echo, Icmp4.EchoReply] : [Icmp6.Echo, Icmp6.EchoReply];
  if (!isIcmp(words, 0) || words[IcmpWord.Kind] !== request << 8) return null;
  const reply = words.slice();
  for (let i = 0; i < 4; i++) {
    reply[Word.Source + i] = words[Word.Destination + i];
    reply[Word.Destination + i] = words[Word.Source + i];
  }
  reply[Word.HopLimit] = TTL;
  reply[IcmpWord.Kind] = answer << 8;
  return Packet.of(buildReceived(reply, packet.payload));
}
