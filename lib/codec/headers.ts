/** What the parts of the codec know of the headers. */
import { Word } from '../core/segment/layout';

export const IPV4_HEADER = 20;
export const IPV6_HEADER = 40;
/** A fragment header; the fixed part of any other extension header that is read. */
export const IPV6_EXTENSION = 8;
export const TCP_HEADER = 20;
export const UDP_HEADER = 8;
export const ICMP_HEADER = 8;

/** IPv6's extension headers (RFC 8200 §4), by their next-header number. */
export const enum NextHeader {
  HopByHop = 0,
  Routing = 43,
  Fragment = 44,
  DestinationOptions = 60,
}

/** The offset in bytes, and `MORE_FRAGMENTS`, of a fragment's field. */
export const FRAGMENT_MASK = 0xfff9;

/** The payload begins `header` bytes behind `TransportOffset` and ends with the packet. */
export function writePayload(words: Int32Array, base: number, header: number): void {
  const start = words[base + Word.TransportOffset] + header;
  words[base + Word.PayloadOffset] = start;
  words[base + Word.PayloadLength] =
    words[base + Word.PacketOffset] + words[base + Word.PacketLength] - start;
}
