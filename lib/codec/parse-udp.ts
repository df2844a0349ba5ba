import { fourTupleHash } from '../core/random/half-sip-hash';
import { Checksum, Word } from '../core/segment/layout';
import { load16 } from './bytes';
import { segmentChecksum } from './checksum';
import { UDP_HEADER } from './headers';
import { ParseResult } from './result';

const CHECKSUM = 6;

/** RFC 768, RFC 8200 §8.1: the datagram behind the IP words that are in the descriptor. */
export function parseUdp(
  slab: Uint8Array,
  words: Int32Array,
  base: number,
  hashKey: Int32Array,
): ParseResult {
  const at = words[base + Word.TransportOffset];
  const rest = words[base + Word.PacketOffset] + words[base + Word.PacketLength] - at;
  if (rest < UDP_HEADER) return ParseResult.BadTransportHeader;
  const is4 = words[base + Word.Family] === 4;
  const stated = load16(slab, at + 4);
  const length = stated === 0 && !is4 ? rest : stated;
  if (length < UDP_HEADER || length > rest) return ParseResult.BadTransportHeader;

  if (load16(slab, at + CHECKSUM) !== 0) {
    words[base + Word.Checksum] = segmentChecksum(slab, at, length, CHECKSUM, words, base);
  } else words[base + Word.Checksum] = is4 ? Checksum.None : Checksum.Bad;
  words[base + Word.SourcePort] = load16(slab, at);
  words[base + Word.DestinationPort] = load16(slab, at + 2);
  words[base + Word.Hash] = fourTupleHash(hashKey, words, base);
  words[base + Word.PayloadOffset] = at + UDP_HEADER;
  words[base + Word.PayloadLength] = length - UDP_HEADER;
  return ParseResult.Ok;
}
