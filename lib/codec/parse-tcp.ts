import { fourTupleHash } from '../core/random/half-sip-hash';
import { Checksum, Word } from '../core/segment/layout';
import { load16, load32 } from './bytes';
import { fold, pseudoHeaderSum, sumBytes } from './checksum';
import { parseOptions } from './options';
import { ParseResult } from './result';

const MIN_HEADER = 20;

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
  if (length < MIN_HEADER) return ParseResult.BadTcpHeader;
  const headerLength = (slab[at + 12] >>> 4) * 4;
  if (headerLength < MIN_HEADER || headerLength > length) return ParseResult.BadTcpHeader;

  words[base + Word.Checksum] = checksumState(slab, at, length, words, base);
  words[base + Word.SourcePort] = load16(slab, at);
  words[base + Word.DestinationPort] = load16(slab, at + 2);
  words[base + Word.Sequence] = load32(slab, at + 4);
  words[base + Word.Acknowledgment] = load32(slab, at + 8);
  words[base + Word.Flags] = load16(slab, at + 12) & 0x0fff;
  words[base + Word.Window] = load16(slab, at + 14);
  words[base + Word.Urgent] = load16(slab, at + 18);
  words[base + Word.Hash] = fourTupleHash(hashKey, words, base);
  words[base + Word.OptionsOffset] = at + MIN_HEADER;
  words[base + Word.OptionsLength] = headerLength - MIN_HEADER;
  words[base + Word.PayloadOffset] = at + headerLength;
  words[base + Word.PayloadLength] = length - headerLength;
  parseOptions(slab, at + MIN_HEADER, at + headerLength, words, base);
  return ParseResult.Ok;
}

/** Of the segment of `length` bytes at `at`, whose IP words are in the descriptor. */
function checksumState(
  slab: Uint8Array,
  at: number,
  length: number,
  words: Int32Array,
  base: number,
): Checksum {
  const pseudo = pseudoHeaderSum(words, base, length);
  if (fold(pseudo + sumBytes(slab, at, length)) === 0xffff) return Checksum.Verified;
  return load16(slab, at + 16) === fold(pseudo) ? Checksum.Partial : Checksum.Bad;
}
