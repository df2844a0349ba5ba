import { Word } from '../core/segment/layout';
import { load16, load32 } from './bytes';
import { ParseResult } from './result';

const HEADER = 40;
/** The fixed part of every extension header that is read here. */
const EXTENSION = 8;
/** Fragment offset and the M flag. */
const FRAGMENT_MASK = 0xfff9;

const enum NextHeader {
  HopByHop = 0,
  Routing = 43,
  Fragment = 44,
  DestinationOptions = 60,
}

/**
 * RFC 8200. Writes the IP words, `Protocol` and `TransportOffset` being those behind the extension
 * headers; the caller has cleared them all.
 */
export function parseIpv6(
  slab: Uint8Array,
  slabIndex: number,
  offset: number,
  length: number,
  words: Int32Array,
  base: number,
): ParseResult {
  if (length < HEADER) return ParseResult.Truncated;
  const payloadLength = load16(slab, offset + 4);
  if (payloadLength === 0) return ParseResult.BadHeader;
  if (HEADER + payloadLength > length) return ParseResult.Truncated;

  words[base + Word.Protocol] = slab[offset + 6];
  words[base + Word.TransportOffset] = offset + HEADER;
  let result = ParseResult.Martian;
  if (!isMapped(slab, offset + 8) && !isMapped(slab, offset + 24)) {
    result = skipExtensions(slab, offset + HEADER + payloadLength, words, base);
    if (result === ParseResult.BadHeader) {
      words[base + Word.Protocol] = 0;
      words[base + Word.TransportOffset] = 0;
      return result;
    }
  }

  const first = load32(slab, offset);
  words[base + Word.Family] = 6;
  words[base + Word.TrafficClass] = (first >>> 20) & 0xff;
  words[base + Word.HopLimit] = slab[offset + 7];
  for (let i = 0; i < 4; i++) {
    words[base + Word.Source + i] = load32(slab, offset + 8 + 4 * i);
    words[base + Word.Destination + i] = load32(slab, offset + 24 + 4 * i);
  }
  words[base + Word.Identification] = first & 0xfffff;
  words[base + Word.Slab] = slabIndex;
  words[base + Word.PacketOffset] = offset;
  words[base + Word.PacketLength] = HEADER + payloadLength;
  return result;
}

/** ::ffff:0:0/96 */
function isMapped(slab: Uint8Array, at: number): boolean {
  return load32(slab, at) === 0 && load32(slab, at + 4) === 0 && load32(slab, at + 8) === 0xffff;
}

/**
 * Moves `Protocol` and `TransportOffset` behind the extension headers (§4.1). `Ok` says nothing
 * about what follows them.
 * @param end where the packet ends
 */
function skipExtensions(
  slab: Uint8Array,
  end: number,
  words: Int32Array,
  base: number,
): ParseResult {
  const start = words[base + Word.TransportOffset];
  let at = start;
  let next = words[base + Word.Protocol];
  let result = ParseResult.Ok;
  while (result === ParseResult.Ok && isExtension(next, at === start)) {
    if (end - at < EXTENSION) return ParseResult.BadHeader;
    let size = EXTENSION;
    if (next === NextHeader.Fragment) {
      // Offset 0 and no more fragments: an atomic fragment is whole (RFC 6946).
      if ((load16(slab, at + 2) & FRAGMENT_MASK) !== 0) result = ParseResult.Fragment;
    } else {
      size = (slab[at + 1] + 1) * 8;
      if (size > end - at) return ParseResult.BadHeader;
      if (next === NextHeader.Routing) {
        // We are not a router on anybody's way (§4.4, segments left).
        if (slab[at + 3] !== 0) return ParseResult.BadHeader;
      } else if (!areSkippable(slab, at + 2, at + size)) {
        return ParseResult.BadHeader;
      }
    }
    next = slab[at];
    at += size;
  }
  words[base + Word.Protocol] = next;
  words[base + Word.TransportOffset] = at;
  return result;
}

/** @param first whether it stands right behind the fixed header: the one place for hop-by-hop */
function isExtension(next: number, first: boolean): boolean {
  return (
    next === NextHeader.Fragment ||
    next === NextHeader.DestinationOptions ||
    next === NextHeader.Routing ||
    (next === NextHeader.HopByHop && first)
  );
}

/** Whether all options from `at` to `end` are whole and may be skipped when unknown (§4.2). */
function areSkippable(slab: Uint8Array, at: number, end: number): boolean {
  while (at < end) {
    const type = slab[at];
    if (type === 0) {
      at += 1;
      continue;
    }
    if ((type & 0xc0) !== 0 || at + 2 > end) return false;
    at += 2 + slab[at + 1];
  }
  return at === end;
}
