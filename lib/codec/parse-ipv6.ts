import { IcmpWord, IpProtocol, Word } from '../core/segment/layout';
import { load16, load32 } from './bytes';
import { FRAGMENT_MASK, IPV6_EXTENSION, IPV6_HEADER, NextHeader } from './headers';
import { ParseResult } from './result';

const PARAMETER_PROBLEM = 4;
const ROUTER_ALERT = 5;

/** Codes of ICMPv6's parameter problem (RFC 4443 §3.4). */
const enum Problem {
  ErroneousField = 0,
  UnknownNextHeader = 1,
  UnknownOption = 2,
}

/** What to do with an option that isn't known: the two highest bits of its type (§4.2). */
const enum Action {
  Skip = 0,
  Discard = 1,
  Report = 2,
  ReportUnicast = 3,
}

/** What the words of a packet don't hold. */
export interface WalkNotes {
  /** Offset in the packet of the byte that names its protocol, or of what its problem is. */
  pointer: number;
  /** Whether its hop-by-hop options have a router alert. */
  routerAlert: boolean;
}

/**
 * RFC 8200. Writes the IP words, `Protocol` and `TransportOffset` being those behind the extension
 * headers, and the words of a fragment, and of a packet that is to be answered with a parameter
 * problem; the caller has cleared them all.
 */
export function parseIpv6(
  slab: Uint8Array,
  slabIndex: number,
  offset: number,
  length: number,
  words: Int32Array,
  base: number,
  notes: WalkNotes,
): ParseResult {
  if (length < IPV6_HEADER) return ParseResult.Truncated;
  const payloadLength = load16(slab, offset + 4);
  if (IPV6_HEADER + payloadLength > length) return ParseResult.Truncated;

  const first = load32(slab, offset);
  const next = slab[offset + 6];
  notes.pointer = 6;
  words[base + Word.Protocol] = next;
  words[base + Word.TransportOffset] = offset + IPV6_HEADER;
  words[base + Word.PacketOffset] = offset;
  words[base + Word.PacketLength] = IPV6_HEADER + payloadLength;
  words[base + Word.Identification] = first & 0xfffff;
  let result = ParseResult.Martian;
  if (!isMapped(slab, offset + 8) && !isMapped(slab, offset + 24)) {
    result = ParseResult.Ok;
    if (isWalked(next)) {
      result = walkExtensions(slab, words, base, notes);
      if (result !== ParseResult.Ok) {
        words.fill(0, base, base + Word.Stride);
        return result;
      }
    }
  }
  words[base + Word.Family] = 6;
  words[base + Word.TrafficClass] = (first >>> 20) & 0xff;
  words[base + Word.HopLimit] = slab[offset + 7];
  for (let i = 0; i < 4; i++) {
    words[base + Word.Source + i] = load32(slab, offset + 8 + 4 * i);
    words[base + Word.Destination + i] = load32(slab, offset + 24 + 4 * i);
  }
  words[base + Word.Slab] = slabIndex;
  return result;
}

/** ::ffff:0:0/96 */
function isMapped(slab: Uint8Array, at: number): boolean {
  return load32(slab, at) === 0 && load32(slab, at + 4) === 0 && load32(slab, at + 8) === 0xffff;
}

function isWalked(next: number): boolean {
  return (
    next === NextHeader.HopByHop ||
    next === NextHeader.DestinationOptions ||
    next === NextHeader.Routing ||
    next === NextHeader.Fragment
  );
}

/**
 * Moves `Protocol` and `TransportOffset` behind the extension headers (§4.1), which may end before:
 * with a fragment, or a problem. `Ok` says nothing about what follows them.
 */
function walkExtensions(
  slab: Uint8Array,
  words: Int32Array,
  base: number,
  notes: WalkNotes,
): ParseResult {
  const start = words[base + Word.PacketOffset];
  const end = start + words[base + Word.PacketLength];
  for (;;) {
    const at = words[base + Word.TransportOffset];
    const next = words[base + Word.Protocol];
    if (!isWalked(next)) return ParseResult.Ok;
    const hopByHop = next === NextHeader.HopByHop;
    if (hopByHop && at !== start + IPV6_HEADER) {
      return report(words, base, notes, Problem.UnknownNextHeader, notes.pointer);
    }
    if (end - at < IPV6_EXTENSION) return ParseResult.BadHeader;
    let size = IPV6_EXTENSION;
    if (next === NextHeader.Fragment) {
      // Offset 0 and no more fragments: an atomic fragment is whole (RFC 6946).
      words[base + Word.Fragment] = load16(slab, at + 2) & FRAGMENT_MASK;
      if (words[base + Word.Fragment] !== 0) {
        words[base + Word.Identification] = load32(slab, at + 4);
      }
    } else {
      size = (slab[at + 1] + 1) * 8;
      if (size > end - at) return ParseResult.BadHeader;
      if (next === NextHeader.Routing) {
        // We are not a router on anybody's way (§4.4, segments left).
        if (slab[at + 3] !== 0) {
          return report(words, base, notes, Problem.ErroneousField, at + 2 - start);
        }
      } else {
        const bad = readOptions(slab, start, at, at + size, hopByHop, notes);
        if (bad === BAD) return ParseResult.BadHeader;
        if (bad >= 0) return report(words, base, notes, Problem.UnknownOption, bad - start);
      }
    }
    words[base + Word.Protocol] = slab[at];
    words[base + Word.TransportOffset] = at + size;
    notes.pointer = at - start;
    if (words[base + Word.Fragment] !== 0) return ParseResult.Ok;
  }
}

function report(
  words: Int32Array,
  base: number,
  notes: WalkNotes,
  problem: Problem,
  pointer: number,
): ParseResult {
  words[base + Word.Protocol] = IpProtocol.None;
  words[base + IcmpWord.Kind] = (PARAMETER_PROBLEM << 8) | problem;
  notes.pointer = pointer;
  return ParseResult.Ok;
}

const BAD = -2;
const NOTHING = -1;

/**
 * Reads the options of the header from `at` to `end` of the packet that starts at `start`.
 * @returns where the option stands that is to be reported; `NOTHING`; `BAD`: one isn't whole, or
 *   has the packet discarded
 */
function readOptions(
  slab: Uint8Array,
  start: number,
  at: number,
  end: number,
  hopByHop: boolean,
  notes: WalkNotes,
): number {
  at += 2;
  while (at < end) {
    const type = slab[at];
    if (type === 0) {
      at += 1;
      continue;
    }
    if (at + 2 > end || at + 2 + slab[at + 1] > end) return BAD;
    const action: Action = type >>> 6;
    if (action === Action.Report) return at;
    if (action === Action.ReportUnicast) return slab[start + 24] === 0xff ? BAD : at;
    if (action === Action.Discard) return BAD;
    if (hopByHop && type === ROUTER_ALERT && slab[at + 1] === 2) notes.routerAlert = true;
    at += 2 + slab[at + 1];
  }
  return NOTHING;
}
