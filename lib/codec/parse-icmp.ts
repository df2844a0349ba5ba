import { Checksum, IcmpWord, IpProtocol, Word } from '../core/segment/layout';
import { load16, load32 } from './bytes';
import { fold, pseudoHeaderSum, sumBytes } from './checksum';
import { ParseResult } from './result';

const ICMP_HEADER = 8;
const IPV4_HEADER = 20;
const IPV6_HEADER = 40;
/** Of the quoted TCP header, at least: ports and sequence number (RFC 792). */
const QUOTED_TCP = 8;
const EXTENSION = 8;
/** In a fragment that is not the first one no TCP header stands. */
const IPV4_OFFSET = 0x1fff;
const IPV6_OFFSET = 0xfff8;

/** Messages (RFC 792, RFC 4443 §3): the errors, without ICMPv4's source quench (RFC 6633). */
const enum Icmp4 {
  Unreachable = 3,
  TimeExceeded = 11,
  ParameterProblem = 12,
}
const enum Icmp6 {
  Unreachable = 1,
  TooBig = 2,
  TimeExceeded = 3,
  ParameterProblem = 4,
}
const FRAGMENTATION_NEEDED = 4;

/**
 * The packet behind the IP words that are in the descriptor, if it is an ICMP error that quotes a
 * TCP segment of the one to whom it is sent.
 */
export function parseIcmp(slab: Uint8Array, words: Int32Array, base: number): ParseResult {
  const family = words[base + Word.Family];
  const at = words[base + Word.TransportOffset];
  const end = words[base + Word.PacketOffset] + words[base + Word.PacketLength];
  if (words[base + Word.Protocol] !== (family === 4 ? IpProtocol.Icmp : IpProtocol.Icmp6)) {
    return ParseResult.NotTcp;
  }
  if (end - at < ICMP_HEADER || !isError(family, slab[at])) return ParseResult.NotTcp;
  const quoted = at + ICMP_HEADER;
  const tcp = family === 4 ? quotedIn4(slab, quoted, end) : quotedIn6(slab, quoted, end);
  if (tcp < 0 || end - tcp < QUOTED_TCP) return ParseResult.NotTcp;
  if (!isOfReceiver(slab, quoted, words, base)) return ParseResult.NotTcp;
  writeWords(slab, quoted, tcp, words, base);
  words[base + Word.Checksum] = checksumState(slab, at, end - at, words, base);
  words[base + Word.PayloadOffset] = quoted;
  words[base + Word.PayloadLength] = end - quoted;
  return ParseResult.Ok;
}

function isError(family: number, type: number): boolean {
  if (family === 6) return type >= Icmp6.Unreachable && type <= Icmp6.ParameterProblem;
  return (
    type === Icmp4.Unreachable || type === Icmp4.TimeExceeded || type === Icmp4.ParameterProblem
  );
}

/** Where the TCP header stands in the quoted IPv4 packet; -1: it has none. */
function quotedIn4(slab: Uint8Array, at: number, end: number): number {
  if (end - at < IPV4_HEADER || slab[at] >>> 4 !== 4) return -1;
  const header = (slab[at] & 0x0f) * 4;
  if (header < IPV4_HEADER || slab[at + 9] !== IpProtocol.Tcp) return -1;
  return (load16(slab, at + 6) & IPV4_OFFSET) !== 0 ? -1 : at + header;
}

/** The same in a quoted IPv6 packet, behind its extension headers (RFC 8200 §4). */
function quotedIn6(slab: Uint8Array, at: number, end: number): number {
  if (end - at < IPV6_HEADER || slab[at] >>> 4 !== 6 || isMapped(slab, at + 24)) return -1;
  let next = slab[at + 6];
  let place = at + IPV6_HEADER;
  while (next !== IpProtocol.Tcp) {
    if (next !== 0 && next !== 43 && next !== 44 && next !== 60) return -1;
    if (end - place < EXTENSION) return -1;
    if (next === 44 && (load16(slab, place + 2) & IPV6_OFFSET) !== 0) return -1;
    const size = next === 44 ? EXTENSION : (slab[place + 1] + 1) * 8;
    next = slab[place];
    place += size;
  }
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

function writeWords(
  slab: Uint8Array,
  quoted: number,
  tcp: number,
  words: Int32Array,
  base: number,
): void {
  const at = quoted - ICMP_HEADER;
  const kind = load16(slab, at);
  words[base + Word.SourcePort] = load16(slab, tcp + 2);
  words[base + Word.DestinationPort] = load16(slab, tcp);
  words[base + Word.Sequence] = load32(slab, tcp + 4);
  words[base + IcmpWord.Kind] = kind;
  if (words[base + Word.Family] === 4) {
    // RFC 1191 §4.
    const tooBig = kind === ((Icmp4.Unreachable << 8) | FRAGMENTATION_NEEDED);
    if (tooBig) words[base + IcmpWord.Mtu] = load16(slab, at + 6);
    words[base + IcmpWord.Peer + 2] = 0xffff;
    words[base + IcmpWord.Peer + 3] = load32(slab, quoted + 16);
    return;
  }
  if (kind >>> 8 === Icmp6.TooBig) words[base + IcmpWord.Mtu] = load32(slab, at + 4);
  for (let i = 0; i < 4; i++) {
    words[base + IcmpWord.Peer + i] = load32(slab, quoted + 24 + 4 * i);
  }
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
