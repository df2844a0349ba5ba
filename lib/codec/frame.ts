/** Ethernet frames and ARP, as `native/core/frame.h` does it: its comment has what is checked. */
import { ArpWord, BuildWord, IcmpWord, IpProtocol, Option, Word } from '../core/segment/layout';
import { load16, load32, store16, store32 } from './bytes';
import { parsePacket } from './parse';
import { ParseResult } from './result';

export const ETHERNET_HEADER = 14;
export const ARP_LENGTH = 28;

/** `native/core/frame.h` has the same numbers. */
export const enum FrameKind {
  Short = 0,
  OtherHost = 1,
  OtherProtocol = 2,
  Ip4 = 4,
  Ip6 = 6,
  Arp = 0x806,
}

const enum EtherType {
  Ip4 = 0x0800,
  Arp = 0x0806,
  Ip6 = 0x86dd,
}

/** Of ARP: hardware, and both lengths of addresses. */
const ETHERNET = 1;
const LENGTHS = (6 << 8) | 4;
const REPLY = 2;

/**
 * What the frame of `length` bytes at `at` is.
 * @param own our hardware address: 16 bits, unsigned, and 32
 */
export function frameKind(
  bytes: Uint8Array,
  at: number,
  length: number,
  own: Int32Array,
): FrameKind {
  if (length < ETHERNET_HEADER) return FrameKind.Short;
  const isOurs = load16(bytes, at) === own[0] && load32(bytes, at + 2) === own[1];
  if (!isOurs && !isForMany(bytes, at)) return FrameKind.OtherHost;
  const type: EtherType = load16(bytes, at + 12);
  if (type === EtherType.Ip4) return FrameKind.Ip4;
  if (type === EtherType.Ip6) return FrameKind.Ip6;
  return type === EtherType.Arp ? FrameKind.Arp : FrameKind.OtherProtocol;
}

function isForMany(bytes: Uint8Array, at: number): boolean {
  return (bytes[at] & 1) !== 0;
}

/**
 * Reads a frame into a descriptor. Of those that aren't IP or ARP (`frameKind`) the result is Ok,
 * and all words are zero.
 */
export function parseFrame(
  slab: Uint8Array,
  slabIndex: number,
  offset: number,
  length: number,
  words: Int32Array,
  base: number,
  hashKey: Int32Array,
  own: Int32Array,
): ParseResult {
  const kind = frameKind(slab, offset, length, own);
  const at = offset + ETHERNET_HEADER;
  const rest = length - ETHERNET_HEADER;
  let result: ParseResult;
  if (kind === FrameKind.Arp) {
    result = parseArp(slab, slabIndex, at, rest, words, base);
  } else if (kind !== FrameKind.Ip4 && kind !== FrameKind.Ip6) {
    words.fill(0, base, base + Word.Stride);
    return ParseResult.Ok;
  } else if (rest > 0 && slab[at] >>> 4 !== (kind as number)) {
    words.fill(0, base, base + Word.Stride);
    return ParseResult.BadVersion;
  } else {
    result = parsePacket(slab, slabIndex, at, rest, words, base, hashKey);
  }
  if (result === ParseResult.Ok && isForMany(slab, offset)) {
    words[base + Word.Options] |= Option.LinkMulticast;
  }
  return result;
}

function parseArp(
  slab: Uint8Array,
  slabIndex: number,
  at: number,
  length: number,
  words: Int32Array,
  base: number,
): ParseResult {
  words.fill(0, base, base + Word.Stride);
  if (length < ARP_LENGTH) return ParseResult.Truncated;
  const isEthernet = load16(slab, at) === ETHERNET && load16(slab, at + 4) === LENGTHS;
  if (!isEthernet || load16(slab, at + 2) !== (EtherType.Ip4 as number)) {
    return ParseResult.BadHeader;
  }
  words[base + Word.Family] = 4;
  words[base + Word.Protocol] = IpProtocol.Arp;
  words[base + Word.Slab] = slabIndex;
  words[base + Word.PacketOffset] = at;
  words[base + Word.PacketLength] = ARP_LENGTH;
  words[base + Word.TransportOffset] = at + ARP_LENGTH;
  words[base + Word.PayloadOffset] = at + ARP_LENGTH;
  words[base + IcmpWord.Kind] = load16(slab, at + 6);
  words[base + ArpWord.SenderHigh] = load16(slab, at + 8);
  words[base + ArpWord.SenderLow] = load32(slab, at + 10);
  words[base + Word.Source + 2] = 0xffff;
  words[base + Word.Source + 3] = load32(slab, at + 14);
  words[base + Word.Destination + 2] = 0xffff;
  words[base + Word.Destination + 3] = load32(slab, at + 24);
  return ParseResult.Ok;
}

/** Writes the header of the frame for a descriptor's packet, which has room for it. */
export function writeFrameHeader(
  words: Int32Array,
  base: number,
  own: Int32Array,
  out: Uint8Array,
  at: number,
): void {
  store16(out, at, words[base + BuildWord.MacHigh]);
  store32(out, at + 2, words[base + BuildWord.MacLow]);
  store16(out, at + 6, own[0]);
  store32(out, at + 8, own[1]);
  const ip = words[base + Word.Family] === 4 ? EtherType.Ip4 : EtherType.Ip6;
  const isArp = words[base + Word.Protocol] === IpProtocol.Arp;
  store16(out, at + 12, isArp ? EtherType.Arp : ip);
}

/** Writes the ARP packet of a descriptor, behind the header of its frame; there is room for it. */
export function writeArp(
  words: Int32Array,
  base: number,
  own: Int32Array,
  out: Uint8Array,
  at: number,
): void {
  store16(out, at, ETHERNET);
  store16(out, at + 2, EtherType.Ip4);
  store16(out, at + 4, LENGTHS);
  store16(out, at + 6, words[base + IcmpWord.Kind]);
  store16(out, at + 8, own[0]);
  store32(out, at + 10, own[1]);
  store32(out, at + 14, words[base + Word.Source + 3]);
  const isReply = words[base + IcmpWord.Kind] === REPLY;
  store16(out, at + 18, isReply ? words[base + BuildWord.MacHigh] : 0);
  store32(out, at + 20, isReply ? words[base + BuildWord.MacLow] : 0);
  store32(out, at + 24, words[base + Word.Destination + 3]);
}
