/**
 * From a descriptor and payload slices to the bytes of a packet, as `native/core/build.h` does it:
 * the same bytes for every descriptor.
 */
import {
  BuildWord,
  Checksum,
  IcmpWord,
  IpProtocol,
  MAX_SLICES,
  SLICE_WORDS,
  Word,
} from '../core/segment/layout';
import { store16, store32 } from './bytes';
import { fold, pseudoHeaderSum, sumBytes } from './checksum';
import {
  FRAGMENT_MASK,
  ICMP_HEADER,
  IPV6_EXTENSION,
  IPV6_HEADER,
  TCP_HEADER,
  UDP_HEADER,
} from './headers';
import { ipHeaderLength, makeFragmentHeader, writeIpHeader } from './ip-header';
import { optionsLength, writeOptions } from './options';

/** Largest value of IPv4's total length and of IPv6's payload length. */
const MAX_LENGTH_FIELD = 0xffff;
/** The flags that are sent; the three reserved bits beside them are zero (RFC 9293 §3.1). */
const FLAG_MASK = 0x1ff;
/** Below it a copy byte by byte costs less than the view that `set` needs. */
const SMALL_COPY = 48;

/** Where the checksum stands in each transport header. */
const TCP_CHECKSUM = 16;
const UDP_CHECKSUM = 6;
const ICMP_CHECKSUM = 2;

/** The longest packet that is built: IPv6 with its largest payload length. */
export const MAX_PACKET_LENGTH = IPV6_HEADER + MAX_LENGTH_FIELD;

function isIcmp(words: Int32Array, base: number): boolean {
  const own = words[base + Word.Family] === 4 ? IpProtocol.Icmp : IpProtocol.Icmp6;
  return words[base + Word.Protocol] === own;
}

function transportHeaderLength(words: Int32Array, base: number): number {
  const field = words[base + Word.Fragment];
  if (field < 0) {
    const isWhole = (field & FRAGMENT_MASK) === 0;
    return isWhole || words[base + Word.Family] === 4 ? 0 : IPV6_EXTENSION;
  }
  const protocol = words[base + Word.Protocol];
  if (protocol === IpProtocol.Tcp) return TCP_HEADER + optionsLength(words, base);
  if (protocol === IpProtocol.Udp) return UDP_HEADER;
  return isIcmp(words, base) ? ICMP_HEADER : 0;
}

/**
 * Bytes of the IP header, and of the transport header or IPv6's fragment header, of the descriptor;
 * 0 for an unknown family.
 */
export function headerLength(words: Int32Array, base: number): number {
  const ip = ipHeaderLength(words, base);
  return ip === 0 ? 0 : ip + transportHeaderLength(words, base);
}

/**
 * Bytes of the packet that the descriptor describes, with `PayloadLength` bytes of payload, were it
 * not split; 0 when it can't be built: unknown family, no protocol number, longer than IP's length
 * field can say.
 */
export function packetLength(words: Int32Array, base: number): number {
  const header = headerLength(words, base);
  const payload = words[base + Word.PayloadLength];
  const protocol = words[base + Word.Protocol];
  if (header === 0 || protocol < 0 || protocol > 0xff || payload < 0) return 0;
  const limit = words[base + Word.Family] === 4 ? MAX_LENGTH_FIELD : MAX_PACKET_LENGTH;
  return header + payload > limit ? 0 : header + payload;
}

/**
 * Writes the whole packet at `at` of `out`, whatever its length: both headers, both checksums, the
 * payload gathered.
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
  if (words[base + Word.Fragment] < 0) {
    const payload = makeFragment(words, base, out, at, transport - at);
    gather(words[base + Word.SliceCount], slices, sliceBase, slabs, out, payload);
    return length;
  }
  const isTcp = words[base + Word.Protocol] === IpProtocol.Tcp;
  const payload = isTcp
    ? writeTcpHeader(words, base, out, transport)
    : writeOtherHeader(words, base, out, transport);
  gather(words[base + Word.SliceCount], slices, sliceBase, slabs, out, payload);
  if (isTcp) {
    const sum = segmentSum(words, base, out, transport, at + length);
    store16(out, transport + TCP_CHECKSUM, sum);
  } else if (payload > transport) writeChecksum(words, base, out, transport, at + length);
  return length;
}

/** Makes a fragment, if it is one, of what has `header` bytes of IP; where its payload starts. */
function makeFragment(
  words: Int32Array,
  base: number,
  out: Uint8Array,
  at: number,
  header: number,
): number {
  const field = words[base + Word.Fragment] & FRAGMENT_MASK;
  if (field === 0) return at + header;
  const id = words[base + BuildWord.FragmentId];
  return makeFragmentHeader(out, at, header, field, id, words[base + Word.PayloadLength]);
}

/** The checksum, over the pseudo-header too, of what stands from `at` to `end`. */
function segmentSum(
  words: Int32Array,
  base: number,
  out: Uint8Array,
  at: number,
  end: number,
): number {
  const length = end - at;
  return ~fold(pseudoHeaderSum(words, base, length) + sumBytes(out, at, length)) & 0xffff;
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

/** The header of another protocol, with a checksum of zero. Returns where it ends. */
function writeOtherHeader(words: Int32Array, base: number, out: Uint8Array, at: number): number {
  if (words[base + Word.Protocol] === IpProtocol.Udp) {
    store16(out, at, words[base + Word.SourcePort]);
    store16(out, at + 2, words[base + Word.DestinationPort]);
    store16(out, at + 4, UDP_HEADER + words[base + Word.PayloadLength]);
    store16(out, at + UDP_CHECKSUM, 0);
    return at + UDP_HEADER;
  }
  if (!isIcmp(words, base)) return at;
  store16(out, at, words[base + IcmpWord.Kind]);
  store16(out, at + ICMP_CHECKSUM, 0);
  store32(out, at + 4, words[base + IcmpWord.Rest]);
  return at + ICMP_HEADER;
}

/** Of UDP (RFC 768, RFC 8200 §8.1) and ICMP (RFC 792, RFC 4443 §2.3), from `at` to `end`. */
function writeChecksum(
  words: Int32Array,
  base: number,
  out: Uint8Array,
  at: number,
  end: number,
): void {
  const is4 = words[base + Word.Family] === 4;
  const isUdp = words[base + Word.Protocol] === IpProtocol.Udp;
  if (isUdp && is4 && words[base + Word.Checksum] === Checksum.None) return;
  if (is4 && !isUdp) {
    store16(out, at + ICMP_CHECKSUM, ~fold(sumBytes(out, at, end - at)) & 0xffff);
    return;
  }
  const sum = segmentSum(words, base, out, at, end);
  // Zero would say that there is none.
  if (isUdp) store16(out, at + UDP_CHECKSUM, sum === 0 ? 0xffff : sum);
  else store16(out, at + ICMP_CHECKSUM, sum);
}

/** Copies the slices to `at` of `out`. */
function gather(
  count: number,
  slices: Int32Array,
  sliceBase: number,
  slabs: readonly Uint8Array[],
  out: Uint8Array,
  at: number,
): void {
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
}
