import { Checksum, IcmpWord, IpProtocol, Word } from '../core/segment/layout';
import { load16, load32 } from './bytes';
import { fold, pseudoHeaderSum, sumBytes } from './checksum';
import {
  ICMP_HEADER,
  IPV4_HEADER,
  IPV6_EXTENSION,
  IPV6_HEADER,
  NextHeader,
  writePayload,
} from './headers';
import { ParseResult } from './result';

/** Of the quoted transport header, at least (RFC 792). */
const QUOTED_HEADER = 8;
/** In a fragment that is not the first one no transport header stands. */
const IPV4_OFFSET = 0x1fff;
const IPV6_OFFSET = 0xfff8;

/** Messages (RFC 792, RFC 4443 §3): the errors, without ICMPv4's source quench (RFC 6633). */
const enum Icmp4 {
  Unreachable = 3,
  Echo = 8,
  TimeExceeded = 11,
  ParameterProblem = 12,
}
const enum Icmp6 {
  Unreachable = 1,
  ParameterProblem = 4,
  Echo = 128,
}

/** The message behind the IP words that are in the descriptor, whose protocol is ICMP. */
export function parseIcmp(slab: Uint8Array, words: Int32Array, base: number): ParseResult {
  const is4 = words[base + Word.Family] === 4;
  const at = words[base + Word.TransportOffset];
  const end = words[base + Word.PacketOffset] + words[base + Word.PacketLength];
  if (end - at < ICMP_HEADER) return ParseResult.BadTransportHeader;
  words[base + Word.Checksum] = checksumState(slab, at, end - at, words, base);
  words[base + IcmpWord.Kind] = load16(slab, at);
  words[base + IcmpWord.Rest] = load32(slab, at + 4);
  writePayload(words, base, ICMP_HEADER);
  if (!isError(is4, slab[at]) || !readQuote(slab, at + ICMP_HEADER, end, words, base)) {
    words[base + IcmpWord.Quoted] = -1;
  }
  return ParseResult.Ok;
}

function isError(is4: boolean, type: number): boolean {
  if (!is4) return type >= Icmp6.Unreachable && type <= Icmp6.ParameterProblem;
  return (
    type === Icmp4.Unreachable || type === Icmp4.TimeExceeded || type === Icmp4.ParameterProblem
  );
}

/** Where the transport header stands in the quoted IPv4 packet; -1: it has none. */
function quotedIn4(slab: Uint8Array, at: number, end: number): number {
  if (end - at < IPV4_HEADER || slab[at] >>> 4 !== 4) return -1;
  const header = (slab[at] & 0x0f) * 4;
  if (header < IPV4_HEADER) return -1;
  return (load16(slab, at + 6) & IPV4_OFFSET) !== 0 ? -1 : at + header;
}

/**
 * The same in a quoted IPv6 packet, behind its extension headers (RFC 8200 §4). `Quoted` becomes
 * what follows them.
 */
function quotedIn6(
  slab: Uint8Array,
  at: number,
  end: number,
  words: Int32Array,
  base: number,
): number {
  if (end - at < IPV6_HEADER || slab[at] >>> 4 !== 6 || isMapped(slab, at + 24)) return -1;
  let next: NextHeader = slab[at + 6];
  let place = at + IPV6_HEADER;
  while (
    next === NextHeader.HopByHop ||
    next === NextHeader.Routing ||
    next === NextHeader.Fragment ||
    next === NextHeader.DestinationOptions
  ) {
    if (end - place < IPV6_EXTENSION) return -1;
    const isFragment = next === NextHeader.Fragment;
    if (isFragment && (load16(slab, place + 2) & IPV6_OFFSET) !== 0) return -1;
    next = slab[place];
    place += isFragment ? IPV6_EXTENSION : (slab[place + 1] + 1) * 8;
  }
  words[base + IcmpWord.Quoted] = next;
  return place;
}

/** ::ffff:0:0/96, which would be taken for IPv4. */
function isMapped(slab: Uint8Array, at: number): boolean {
  return load32(slab, at) === 0 && load32(slab, at + 4) === 0 && load32(slab, at + 8) === 0xffff;
}

/** RFC 1122 §3.2.2: an error goes to the source of what it quotes. */
function isOfReceiver(slab: Uint8Array, quoted: number, words: Int32Array, base: number): boolean {
  if (words[base + Word.Family] === 4) {
    return load32(slab, quoted + 12) === words[base + Word.Destination + 3];
  }
  for (let i = 0; i < 4; i++) {
    if (load32(slab, quoted + 8 + 4 * i) !== words[base + Word.Destination + i]) return false;
  }
  return true;
}

/**
 * The quoted packet, whose ends are named as its sender names them.
 * @returns false, and only `Quoted` may be written, where it can't be read or isn't the receiver's
 */
function readQuote(
  slab: Uint8Array,
  quoted: number,
  end: number,
  words: Int32Array,
  base: number,
): boolean {
  const is4 = words[base + Word.Family] === 4;
  const at = is4 ? quotedIn4(slab, quoted, end) : quotedIn6(slab, quoted, end, words, base);
  if (at < 0 || end - at < QUOTED_HEADER) return false;
  if (!isOfReceiver(slab, quoted, words, base)) return false;
  if (is4) {
    words[base + IcmpWord.Quoted] = slab[quoted + 9];
    words[base + IcmpWord.Peer + 2] = 0xffff;
    words[base + IcmpWord.Peer + 3] = load32(slab, quoted + 16);
  } else {
    for (let i = 0; i < 4; i++) {
      words[base + IcmpWord.Peer + i] = load32(slab, quoted + 24 + 4 * i);
    }
  }
  const protocol = words[base + IcmpWord.Quoted];
  if (protocol === IpProtocol.Tcp || protocol === IpProtocol.Udp) {
    words[base + Word.SourcePort] = load16(slab, at + 2);
    words[base + Word.DestinationPort] = load16(slab, at);
    if (protocol === IpProtocol.Tcp) words[base + Word.Sequence] = load32(slab, at + 4);
  } else if (protocol === words[base + Word.Protocol]) {
    if (slab[at] === (is4 ? Icmp4.Echo : Icmp6.Echo)) {
      words[base + Word.DestinationPort] = load16(slab, at + 4);
      words[base + Word.Sequence] = load16(slab, at + 6);
    }
  }
  return true;
}

/** RFC 792: over the message; RFC 4443 §2.3: and the pseudo-header. */
function checksumState(
  slab: Uint8Array,
  at: number,
  length: number,
  words: Int32Array,
  base: number,
): Checksum {
  const pseudo = words[base + Word.Family] === 4 ? 0 : pseudoHeaderSum(words, base, length);
  const sum = fold(pseudo + sumBytes(slab, at, length));
  return sum === 0xffff ? Checksum.Verified : Checksum.Bad;
}
