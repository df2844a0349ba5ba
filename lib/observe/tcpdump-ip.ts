import { load16, load32 } from '../codec/bytes';
import { FRAGMENT_MASK } from '../codec/headers';
import { formatAddress, readAddress } from '../core/ip/address';
import { isFragment, isIcmp, isUdp } from '../core/segment/kind';
import { IcmpWord, IpProtocol, MORE_FRAGMENTS, Option, Word } from '../core/segment/layout';
import { portName, type PortProtocol } from '../core/stack/port-names';
import { formatIcmp, formatIgmp } from './tcpdump-icmp';

const UDP_HEADER = 8;
const ICMP_HEADER = 8;

/**
 * The line for a packet that isn't a TCP segment, as `tcpdump -n` prints it; what UDP carries is
 * not looked at, and IPv6's extension headers are not told.
 * @param payload its payload, where that is known: without it less is told
 * @param names well-known ports by name
 */
export function formatPacket(
  words: Int32Array,
  base: number,
  payload?: Uint8Array,
  names = false,
): string {
  const is6 = words[base + Word.Family] === 6;
  // IPv4's first fragment reads as the whole.
  const first = is6 ? null : firstOf(words, base, payload);
  if (first !== null) return formatPacket(first, 0, undefined, names);
  let from = formatAddress(readAddress(words, base + Word.Source));
  let to = formatAddress(readAddress(words, base + Word.Destination));
  if (isUdp(words, base)) {
    from += `.${formatPort(words[base + Word.SourcePort], 'udp', names)}`;
    to += `.${formatPort(words[base + Word.DestinationPort], 'udp', names)}`;
  }
  return `${is6 ? 'IP6' : 'IP'} ${from} > ${to}: ${formatBody(words, base, payload, names)}`;
}

/** What stands behind the two ends in such a line: `UDP, length 12`. */
export function formatBody(
  words: Int32Array,
  base: number,
  payload?: Uint8Array,
  names = false,
): string {
  const is6 = words[base + Word.Family] === 6;
  const alert = is6 && (words[base + Word.Options] & Option.RouterAlert) !== 0 ? 'HBH ' : '';
  if (!isFragment(words, base)) return alert + whole(words, base, payload);
  const first = firstOf(words, base, payload);
  if (!is6) {
    return first === null ? `ip-proto-${words[base + Word.Protocol]}` : formatBody(first, 0);
  }
  const offset = words[base + Word.Fragment] & FRAGMENT_MASK & ~MORE_FRAGMENTS;
  const place = `frag (${offset}|${words[base + Word.PayloadLength]})`;
  return `${alert}${place}${first === null ? '' : ` ${inside(first, names)}`}`;
}

function whole(words: Int32Array, base: number, payload: Uint8Array | undefined): string {
  if (isUdp(words, base)) return `UDP, length ${words[base + Word.PayloadLength]}`;
  if (isIcmp(words, base)) return formatIcmp(words, base, payload);
  const protocol = words[base + Word.Protocol];
  if (protocol === IpProtocol.Igmp) return formatIgmp(payload);
  if (protocol !== IpProtocol.None || words[base + Word.Family] === 4) {
    return ` ip-proto-${protocol} ${words[base + Word.PayloadLength]}`;
  }
  const kind = words[base + IcmpWord.Kind];
  if (kind === 0) return 'no next header';
  return `[bad header, octet ${words[base + IcmpWord.Rest]}]`;
}

/**
 * What the first fragment says of the whole: the descriptor of a datagram or of an ICMP message,
 * without its ends. Null for another fragment, or protocol.
 */
function firstOf(
  words: Int32Array,
  base: number,
  payload: Uint8Array | undefined,
): Int32Array | null {
  if (!isFragment(words, base)) return null;
  if ((words[base + Word.Fragment] & FRAGMENT_MASK) !== MORE_FRAGMENTS) return null;
  if (payload === undefined || payload.length < UDP_HEADER) return null;
  const first = words.slice(base, base + Word.Stride);
  first[Word.Fragment] = 0;
  if (isUdp(first, 0)) {
    first[Word.SourcePort] = load16(payload, 0);
    first[Word.DestinationPort] = load16(payload, 2);
    first[Word.PayloadLength] = load16(payload, 4) - UDP_HEADER;
    return first;
  }
  if (!isIcmp(first, 0)) return null;
  first[IcmpWord.Kind] = load16(payload, 0);
  first[IcmpWord.Rest] = load32(payload, 4);
  first[IcmpWord.Quoted] = -1;
  first[Word.PayloadLength] = payload.length - ICMP_HEADER;
  return first;
}

/** What tcpdump prints behind the place of IPv6's first fragment. */
function inside(first: Int32Array, names: boolean): string {
  if (!isUdp(first, 0)) return whole(first, 0, undefined);
  const source = formatPort(first[Word.SourcePort], 'udp', names);
  const destination = formatPort(first[Word.DestinationPort], 'udp', names);
  return `${source} > ${destination}: ${whole(first, 0, undefined)}`;
}

/** A port as a line has it: its name, if it has one and those are asked for. */
export function formatPort(port: number, protocol: PortProtocol, names = false): string {
  return (names ? portName(port, protocol) : undefined) ?? String(port);
}
