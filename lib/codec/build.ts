/**
 * From a descriptor and payload slices to the bytes of a packet, as `native/core/build.h` does it:
 * the same bytes for every descriptor.
 */
import { IpProtocol, MAX_SLICES, MAY_FRAGMENT, SLICE_WORDS, Word } from '../core/segment/layout';
import { store16, store32 } from './bytes';
import { fold, pseudoHeaderSum, sumBytes } from './checksum';
import { optionsLength, writeOptions } from './options';

const IPV4_HEADER = 20;
const IPV6_HEADER = 40;
const TCP_HEADER = 20;
/** Largest value of IPv4's total length and of IPv6's payload length. */
const MAX_LENGTH_FIELD = 0xffff;
const DONT_FRAGMENT = 0x4000;
/** The flags that are sent; the three reserved bits beside them are zero (RFC 9293 §3.1). */
const FLAG_MASK = 0x1ff;
/** Below it a copy byte by byte costs less than the view that `set` needs. */
const SMALL_COPY = 48;

/** The longest packet that is built: IPv6 with its largest payload length. */
export const MAX_PACKET_LENGTH = IPV6_HEADER + MAX_LENGTH_FIELD;

/** Bytes of the IP and TCP headers of the descriptor; 0 for an unknown family. */
export function headerLength(words: Int32Array, base: number): number {
  const family = words[base + Word.Family];
  if (family !== 4 && family !== 6) return 0;
  return (family === 4 ? IPV4_HEADER : IPV6_HEADER) + TCP_HEADER + optionsLength(words, base);
}

/**
 * Bytes of the packet that the descriptor describes, with `PayloadLength` bytes of payload; 0 when
 * it can't be built: unknown family or protocol, longer than IP's length field can say.
 */
export function packetLength(words: Int32Array, base: number): number {
  const header = headerLength(words, base);
  const payload = words[base + Word.PayloadLength];
  if (header === 0 || words[base + Word.Protocol] !== IpProtocol.Tcp || payload < 0) return 0;
  const limit = words[base + Word.Family] === 4 ? MAX_LENGTH_FIELD : MAX_PACKET_LENGTH;
  return header + payload > limit ? 0 : header + payload;
}

/**
 * Writes the whole packet at `at` of `out`: both headers, both checksums, the payload gathered.
 *
 * @param slices slice table; the descriptor's slices start at `sliceBase`
 * @param slabs what the slices point into (`SlabTable.slabs`)
 * @returns bytes written; 0, and nothing written, when `packetLength` is 0, `out` has no room, or
 *   the slices are wrong: an unknown slab, beyond its end, not `PayloadLength` bytes together
 */
export function buildPacket(
  words: Int32Array,
  base: number,
  slices: Int32Array,
  sliceBase: number,
  slabs: readonly Uint8Array[],
  out: Uint8Array,
  at: number,
): number {
  const length = packetLength(words, base);
  if (length === 0 || at < 0 || at + length > out.length) return 0;
  if (!areSlicesRight(words, base, slices, sliceBase, slabs)) return 0;
  const transport = writeIpHeader(words, base, out, at, length);
  const payload = writeTcpHeader(words, base, out, transport);

  const transportLength = at + length - transport;
  let sum = pseudoHeaderSum(words, base, transportLength);
  sum += sumBytes(out, transport, payload - transport);
  sum += gather(words[base + Word.SliceCount], slices, sliceBase, slabs, out, payload);
  store16(out, transport + 16, ~fold(sum) & 0xffff);
  return length;
}

function areSlicesRight(
  words: Int32Array,
  base: number,
  slices: Int32Array,
  sliceBase: number,
  slabs: readonly Uint8Array[],
): boolean {
  const count = words[base + Word.SliceCount];
  if (count < 0 || count > MAX_SLICES) return false;
  let total = 0;
  for (let i = 0, at = sliceBase; i < count; i++, at += SLICE_WORDS) {
    const slab = slices[at];
    const offset = slices[at + 1];
    const length = slices[at + 2];
    if (slab < 0 || slab >= slabs.length || offset < 0 || length < 0) return false;
    if (offset + length > slabs[slab].length) return false;
    total += length;
  }
  return total === words[base + Word.PayloadLength];
}

/**
 * Writes the IP header of a packet of `length` bytes; for a received packet too, whose header the
 * link didn't deliver.
 * @returns where it ends
 */
export function writeIpHeader(
  words: Int32Array,
  base: number,
  out: Uint8Array,
  at: number,
  length: number,
): number {
  const trafficClass = words[base + Word.TrafficClass] & 0xff;
  const identification = words[base + Word.Identification];
  if (words[base + Word.Family] === 6) {
    store32(out, at, (6 << 28) | (trafficClass << 20) | (identification & 0xfffff));
    store16(out, at + 4, length - IPV6_HEADER);
    out[at + 6] = words[base + Word.Protocol];
    out[at + 7] = words[base + Word.HopLimit];
    for (let i = 0; i < 4; i++) {
      store32(out, at + 8 + 4 * i, words[base + Word.Source + i]);
      store32(out, at + 24 + 4 * i, words[base + Word.Destination + i]);
    }
    return at + IPV6_HEADER;
  }
  out[at] = 0x45;
  out[at + 1] = trafficClass;
  store16(out, at + 2, length);
  store16(out, at + 4, identification);
  store16(out, at + 6, (identification & MAY_FRAGMENT) !== 0 ? 0 : DONT_FRAGMENT);
  out[at + 8] = words[base + Word.HopLimit];
  out[at + 9] = words[base + Word.Protocol];
  store16(out, at + 10, 0);
  store32(out, at + 12, words[base + Word.Source + 3]);
  store32(out, at + 16, words[base + Word.Destination + 3]);
  store16(out, at + 10, ~fold(sumBytes(out, at, IPV4_HEADER)) & 0xffff);
  return at + IPV4_HEADER;
}

/** RFC 9293 §3.1, with a checksum of zero. Returns where the header ends. */
function writeTcpHeader(words: Int32Array, base: number, out: Uint8Array, at: number): number {
  const end = writeOptions(words, base, out, at + TCP_HEADER);
  store16(out, at, words[base + Word.SourcePort]);
  store16(out, at + 2, words[base + Word.DestinationPort]);
  store32(out, at + 4, words[base + Word.Sequence]);
  store32(out, at + 8, words[base + Word.Acknowledgment]);
  store16(out, at + 12, ((end - at) << 10) | (words[base + Word.Flags] & FLAG_MASK));
  store16(out, at + 14, words[base + Word.Window]);
  store16(out, at + 16, 0);
  store16(out, at + 18, words[base + Word.Urgent]);
  return end;
}

/** Copies the slices to `at` of `out`, an even place of the packet; returns their unfolded sum. */
function gather(
  count: number,
  slices: Int32Array,
  sliceBase: number,
  slabs: readonly Uint8Array[],
  out: Uint8Array,
  at: number,
): number {
  const start = at;
  for (let i = 0, slice = sliceBase; i < count; i++, slice += SLICE_WORDS) {
    const bytes = slabs[slices[slice]];
    const offset = slices[slice + 1];
    const length = slices[slice + 2];
    if (length < SMALL_COPY) {
      for (let j = 0; j < length; j++) out[at + j] = bytes[offset + j];
    } else {
      out.set(bytes.subarray(offset, offset + length), at);
    }
    at += length;
  }
  return sumBytes(out, start, at - start);
}
