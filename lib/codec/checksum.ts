/**
 * The Internet checksum (RFC 1071): the ones' complement sum of 16-bit words. Sums are kept in
 * int32, unfolded, until `fold`.
 */
import { Checksum, Word } from '../core/segment/layout';
import { load16 } from './bytes';

/** Folds the carries of an unfolded sum (0 to 2^31 - 1) into 16 bits. */
export function fold(sum: number): number {
  const once = (sum & 0xffff) + (sum >>> 16);
  return (once & 0xffff) + (once >>> 16);
}

/**
 * The unfolded sum of `length` bytes (at most 2^20) from `offset`, as if the first stood at an even
 * place; less than 2^28, so that a packet's few pieces can be added. The caller has checked the
 * bounds.
 */
export function sumBytes(bytes: Uint8Array, offset: number, length: number): number {
  // High and low bytes apart: two additions for each pair instead of shift, or and addition.
  let high = 0;
  let low = 0;
  let at = offset | 0;
  const unrolled = (at + (length & ~7)) | 0;
  for (; at < unrolled; at = (at + 8) | 0) {
    high = (high + bytes[at] + bytes[at + 2] + bytes[at + 4] + bytes[at + 6]) | 0;
    low = (low + bytes[at + 1] + bytes[at + 3] + bytes[at + 5] + bytes[at + 7]) | 0;
  }
  const end = (offset + (length & ~1)) | 0;
  for (; at < end; at = (at + 2) | 0) {
    high = (high + bytes[at]) | 0;
    low = (low + bytes[at + 1]) | 0;
  }
  if ((length & 1) !== 0) high = (high + bytes[end]) | 0;
  return ((high >>> 8) + ((high & 0xff) << 8) + low) | 0;
}

/**
 * The unfolded sum of the pseudo-header of a transport packet of `length` bytes, from the addresses
 * and the protocol of a descriptor (RFC 9293 §3.1, RFC 8200 §8.1).
 */
export function pseudoHeaderSum(words: Int32Array, base: number, length: number): number {
  let sum = words[base + Word.Protocol] + (length & 0xffff) + (length >>> 16);
  // Of a mapped IPv4 address only the last word is in the packet.
  for (let i = words[base + Word.Family] === 4 ? 3 : 0; i < 4; i++) {
    const source = words[base + Word.Source + i];
    const destination = words[base + Word.Destination + i];
    sum += (source & 0xffff) + (source >>> 16) + (destination & 0xffff) + (destination >>> 16);
  }
  return sum;
}

/**
 * What the checksum says of the TCP segment or UDP datagram of `length` bytes at `at`, whose IP
 * words are in the descriptor.
 * @param field where in it the checksum stands
 */
export function segmentChecksum(
  slab: Uint8Array,
  at: number,
  length: number,
  field: number,
  words: Int32Array,
  base: number,
): Checksum {
  const pseudo = pseudoHeaderSum(words, base, length);
  if (fold(pseudo + sumBytes(slab, at, length)) === 0xffff) return Checksum.Verified;
  return load16(slab, at + field) === fold(pseudo) ? Checksum.Partial : Checksum.Bad;
}
