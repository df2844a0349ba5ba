/** The IP header of a packet to be built, and what stands between it and the transport header. */
import { IpProtocol, MAY_FRAGMENT, Option, Word } from '../core/segment/layout';
import { store16, store32 } from './bytes';
import { fold, sumBytes } from './checksum';
import { IPV4_HEADER, IPV6_EXTENSION, IPV6_HEADER, NextHeader } from './headers';

const DONT_FRAGMENT = 0x4000;
/** Router alert: the option (RFC 2113), and the first word of hop-by-hop options (RFC 2711). */
const ROUTER_ALERT4 = 0x94040000;
const ROUTER_ALERT4_LENGTH = 4;
const ROUTER_ALERT6 = 0x00000502;
/** Its value, 0, and two bytes of padding (PadN). */
const ROUTER_ALERT6_REST = 0x00000100;

function hasRouterAlert(words: Int32Array, base: number): boolean {
  if (words[base + Word.Protocol] === IpProtocol.Tcp) return false;
  return (words[base + Word.Options] & Option.RouterAlert) !== 0;
}

/** Bytes of the IP header with its option, or extension header; 0 for an unknown family. */
export function ipHeaderLength(words: Int32Array, base: number): number {
  const family = words[base + Word.Family];
  const alert = hasRouterAlert(words, base);
  if (family === 4) return alert ? IPV4_HEADER + ROUTER_ALERT4_LENGTH : IPV4_HEADER;
  if (family !== 6) return 0;
  return alert ? IPV6_HEADER + IPV6_EXTENSION : IPV6_HEADER;
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
  const end = at + ipHeaderLength(words, base);
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
    if (end === at + IPV6_HEADER) return end;
    store32(out, at + IPV6_HEADER, ROUTER_ALERT6);
    store32(out, at + IPV6_HEADER + 4, ROUTER_ALERT6_REST);
    out[at + IPV6_HEADER] = out[at + 6];
    out[at + 6] = NextHeader.HopByHop;
    return end;
  }
  out[at] = 0x40 | ((end - at) >> 2);
  out[at + 1] = trafficClass;
  store16(out, at + 2, length);
  store16(out, at + 4, identification);
  store16(out, at + 6, (identification & MAY_FRAGMENT) !== 0 ? 0 : DONT_FRAGMENT);
  out[at + 8] = words[base + Word.HopLimit];
  out[at + 9] = words[base + Word.Protocol];
  store16(out, at + 10, 0);
  store32(out, at + 12, words[base + Word.Source + 3]);
  store32(out, at + 16, words[base + Word.Destination + 3]);
  if (end > at + IPV4_HEADER) store32(out, at + IPV4_HEADER, ROUTER_ALERT4);
  store16(out, at + 10, ~fold(sumBytes(out, at, end - at)) & 0xffff);
  return end;
}

/**
 * Makes the IP header at `at` that of a fragment (RFC 791 §3.2, RFC 8200 §4.5), and writes IPv6's
 * fragment header behind it.
 * @param length of the IP header, as `writeIpHeader` has written it
 * @param field offset in bytes, and `MORE_FRAGMENTS`
 * @param id IPv6's identification; IPv4 has its own already
 * @param carried bytes that it carries
 * @returns where its payload starts
 */
export function makeFragmentHeader(
  out: Uint8Array,
  at: number,
  length: number,
  field: number,
  id: number,
  carried: number,
): number {
  const end = at + length;
  if (out[at] >>> 4 === 4) {
    store16(out, at + 2, length + carried);
    store16(out, at + 6, (field >>> 3) | ((field & 1) << 13));
    store16(out, at + 10, 0);
    store16(out, at + 10, ~fold(sumBytes(out, at, length)) & 0xffff);
    return end;
  }
  store16(out, at + 4, length + IPV6_EXTENSION - IPV6_HEADER + carried);
  // The byte that names what follows the headers of each fragment.
  const next = length === IPV6_HEADER ? at + 6 : at + IPV6_HEADER;
  out[end] = out[next];
  out[end + 1] = 0;
  out[next] = NextHeader.Fragment;
  store16(out, end + 2, field);
  store32(out, end + 4, id);
  return end + IPV6_EXTENSION;
}
