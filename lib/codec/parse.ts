/**
 * From the bytes of a packet to a descriptor, as `native/core/parse.h` does it: its comment has the
 * order of the checks, and which words are written with which result. Every length is checked
 * before the bytes behind it are read.
 */
import {
  IcmpWord,
  IpProtocol,
  MAY_FRAGMENT,
  MORE_FRAGMENTS,
  Option,
  Word,
} from '../core/segment/layout';
import { load16, load32 } from './bytes';
import { fold, sumBytes } from './checksum';
import { IPV4_HEADER, writePayload } from './headers';
import { parseIcmp } from './parse-icmp';
import { parseIpv6, type WalkNotes } from './parse-ipv6';
import { parseTcp } from './parse-tcp';
import { parseUdp } from './parse-udp';
import { ParseResult } from './result';

const DONT_FRAGMENT = 0x4000;
const MORE_FRAGMENTS_FIELD = 0x2000;
const FRAGMENT_OFFSET = 0x1fff;

/** What is known of the packet that is being parsed, beside its words. */
const notes: WalkNotes = { pointer: 0, routerAlert: false };

/**
 * Reads the IPv4 or IPv6 packet of `length` bytes at `offset` of `slab`.
 *
 * @param slabIndex goes into `Word.Slab`
 * @param words where the descriptor goes: `Word.Stride` words from `base`, all written
 * @param hashKey key of the four-tuple hash, two words
 * @throws RangeError when `offset` and `length` don't lie within the slab
 */
export function parsePacket(
  slab: Uint8Array,
  slabIndex: number,
  offset: number,
  length: number,
  words: Int32Array,
  base: number,
  hashKey: Int32Array,
): ParseResult {
  if (offset < 0 || length < 0 || offset + length > slab.length) {
    throw new RangeError(`no packet of ${length} bytes at ${offset} of ${slab.length}`);
  }
  words.fill(0, base, base + Word.Stride);
  if (length === 0) return ParseResult.Truncated;
  let result: ParseResult;
  notes.pointer = 0;
  notes.routerAlert = false;
  switch (slab[offset] >>> 4) {
    case 4:
      result = parseIpv4(slab, slabIndex, offset, length, words, base);
      break;
    case 6:
      result = parseIpv6(slab, slabIndex, offset, length, words, base, notes);
      break;
    default:
      return ParseResult.BadVersion;
  }
  if (result !== ParseResult.Ok) return result;
  if (words[base + Word.Protocol] === IpProtocol.Tcp && words[base + Word.Fragment] === 0) {
    return parseTcp(slab, words, base, hashKey);
  }
  result = parseOther(slab, words, base, hashKey);
  if (notes.routerAlert && result === ParseResult.Ok) {
    if (words[base + Word.Protocol] !== IpProtocol.Tcp) {
      words[base + Word.Options] = Option.RouterAlert;
    }
  }
  return result;
}

/** The packet behind the IP words that are in the descriptor, if it isn't a TCP segment. */
function parseOther(
  slab: Uint8Array,
  words: Int32Array,
  base: number,
  hashKey: Int32Array,
): ParseResult {
  const protocol = words[base + Word.Protocol];
  if (words[base + Word.Fragment] === 0) {
    if (protocol === IpProtocol.Udp) return parseUdp(slab, words, base, hashKey);
    if (protocol === (words[base + Word.Family] === 4 ? IpProtocol.Icmp : IpProtocol.Icmp6)) {
      return parseIcmp(slab, words, base);
    }
    words[base + IcmpWord.Rest] = notes.pointer;
  }
  writePayload(words, base, 0);
  return ParseResult.Ok;
}

/**
 * RFC 791 §3.1. Writes the IP words; options are skipped. Deviation: source routes (RFC 9293
 * §3.9.2.1) are among them, as such packets are dropped nearly everywhere (RFC 7126 §4.3).
 */
function parseIpv4(
  slab: Uint8Array,
  slabIndex: number,
  offset: number,
  length: number,
  words: Int32Array,
  base: number,
): ParseResult {
  if (length < IPV4_HEADER) return ParseResult.Truncated;
  const headerLength = (slab[offset] & 0x0f) * 4;
  if (headerLength < IPV4_HEADER) return ParseResult.BadHeader;
  if (length < headerLength) return ParseResult.Truncated;
  if (fold(sumBytes(slab, offset, headerLength)) !== 0xffff) return ParseResult.BadIpChecksum;
  const totalLength = load16(slab, offset + 2);
  if (totalLength > length) return ParseResult.Truncated;
  if (totalLength < headerLength) return ParseResult.BadHeader;

  const flags = load16(slab, offset + 6);
  words[base + Word.Family] = 4;
  words[base + Word.Protocol] = slab[offset + 9];
  words[base + Word.TrafficClass] = slab[offset + 1];
  words[base + Word.HopLimit] = slab[offset + 8];
  words[base + Word.Source + 2] = 0xffff;
  words[base + Word.Source + 3] = load32(slab, offset + 12);
  words[base + Word.Destination + 2] = 0xffff;
  words[base + Word.Destination + 3] = load32(slab, offset + 16);
  words[base + Word.Identification] =
    load16(slab, offset + 4) | ((flags & DONT_FRAGMENT) === 0 ? MAY_FRAGMENT : 0);
  words[base + Word.Slab] = slabIndex;
  words[base + Word.PacketOffset] = offset;
  words[base + Word.PacketLength] = totalLength;
  words[base + Word.TransportOffset] = offset + headerLength;
  words[base + Word.Fragment] =
    ((flags & FRAGMENT_OFFSET) << 3) | ((flags & MORE_FRAGMENTS_FIELD) === 0 ? 0 : MORE_FRAGMENTS);
  return ParseResult.Ok;
}
