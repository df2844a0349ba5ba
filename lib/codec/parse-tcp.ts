import { fourTupleHash } from '../core/random/half-sip-hash';
import { Word } from '../core/segment/layout';
import { load16, load32 } from './bytes';
import { segmentChecksum } from './checksum';
import { TCP_HEADER } from './headers';
import { parseOptions } from './options';
import { ParseResult } from './result';

const CHECKSUM = 16;

/** RFC 9293 §3.1: the segment behind the IP words that are in the descriptor. */
export function parseTcp(
  slab: Uint8Array,
  words: Int32Array,
  base: number,
  hashKey: Int32Array,
): ParseResult {
  const at = words[base + Word.TransportOffset];
  const end = words[base + Word.PacketOffset] + words[base + Word.PacketLength];
  const length = end - at;
  if (length < TCP_HEADER) return ParseResult.BadTransportHeader;
  const headerLength = (slab[at + 12] >>> 4) * 4;
  if (headerLength < TCP_HEADER || headerLength > length) return ParseResult.BadTransportHeader;

  words[base + Word.Checksum] = segmentChecksum(slab, at, length, CHECKSUM, words, base);
  words[base + Word.SourcePort] = load16(slab, at);
  words[base + Word.DestinationPort] = load16(slab, at + 2);
  words[base + Word.Sequence] = load32(slab, at + 4);
  words[base + Word.Acknowledgment] = load32(slab, at + 8);
  words[base + Word.Flags] = load16(slab, at + 12) & 0x0fff;
  words[base + Word.Window] = load16(slab, at + 14);
  words[base + Word.Urgent] = load16(slab, at + 18);
  words[base + Word.Hash] = fourTupleHash(hashKey, words, base);
  words[base + Word.OptionsLength] = headerLength - TCP_HEADER;
  words[base + Word.PayloadOffset] = at + headerLength;
  words[base + Word.PayloadLength] = length - headerLength;
  parseOptions(slab, at + TCP_HEADER, at + headerLength, words, base);
  return ParseResult.Ok;
}
