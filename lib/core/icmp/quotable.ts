import type { Paths } from '../environment';
import {
  ipv4,
  ipv6,
  isLoopback,
  isMulticast,
  isUnicast,
  sameAddress,
  type IpAddress,
} from '../ip/address';
import { isBroadcast, isOurs } from '../ip/addresses';
import { IpProtocol } from '../segment/layout';
import { Icmp6, isErrorType } from './icmp-error';

const IPV6_HEADER = 40;
const EXTENSION = 8;
/** Linux takes any type of ICMPv4 beyond it for an error. */
const LAST_TYPE4 = 18;
const REDIRECT6 = 137;
/** The one error that is sent about what went to a group (RFC 4443 §2.4 e.3). */
const UNKNOWN_OPTION = (Icmp6.ParameterProblem << 8) | 2;

const enum NextHeader {
  HopByHop = 0,
  Routing = 43,
  Fragment = 44,
  DestinationOptions = 60,
}

function word(packet: Uint8Array, at: number): number {
  return (packet[at] << 24) | (packet[at + 1] << 16) | (packet[at + 2] << 8) | packet[at + 3];
}

function addressAt(packet: Uint8Array, at: number): IpAddress {
  if (packet[0] >>> 4 === 4) return ipv4(word(packet, at));
  const [w0, w1, w2, w3] = [0, 4, 8, 12].map((i) => word(packet, at + i));
  return ipv6(w0, w1, w2, w3);
}

/** Who has sent an IP packet that has its whole header. */
export function sourceOf(packet: Uint8Array): IpAddress {
  return addressAt(packet, packet[0] >>> 4 === 4 ? 12 : 8);
}

/** Whom it was for. */
export function destinationOf(packet: Uint8Array): IpAddress {
  return addressAt(packet, packet[0] >>> 4 === 4 ? 16 : 24);
}

/**
 * Whether its sender may be told of an error about a packet that has arrived (RFC 1122 §3.2.2, RFC
 * 4443 §2.4 e): never about an error, what went to many, a later fragment (but of IPv6, where
 * fragments themselves are wrong), or what doesn't come from one host.
 * @param packet from its IP header on, which is whole
 * @param kind type and code of the error, as `IcmpWord.Kind`
 */
export function mayComplain(paths: Paths, packet: Uint8Array, kind: number): boolean {
  const source = sourceOf(packet);
  const destination = destinationOf(packet);
  if (!isUnicast(source) || isBroadcast(paths, source)) return false;
  if (isLoopback(source) && !isLoopback(destination) && !sameAddress(source, destination)) {
    return false;
  }
  if (packet[0] >>> 4 === 6) {
    const type = icmpType6(packet);
    if (type >= 0 && (isErrorType(6, type) || type === REDIRECT6)) return false;
    return isMulticast(destination) ? kind === UNKNOWN_OPTION : isOurs(paths, destination);
  }
  if (!isOurs(paths, destination) || isBroadcast(paths, destination)) return false;
  if (((packet[6] & 0x1f) | packet[7]) !== 0) return false;
  if (packet[9] !== (IpProtocol.Icmp as number)) return true;
  const at = (packet[0] & 0x0f) * 4;
  return at < packet.length && packet[at] <= LAST_TYPE4 && !isErrorType(4, packet[at]);
}

/** The type of an ICMPv6 message behind any extension headers; -1: it is none, or can't be seen. */
function icmpType6(packet: Uint8Array): number {
  let next: number = packet[6];
  let at = IPV6_HEADER;
  while (
    next === NextHeader.HopByHop ||
    next === NextHeader.Routing ||
    next === NextHeader.Fragment ||
    next === NextHeader.DestinationOptions
  ) {
    if (packet.length - at < EXTENSION) return -1;
    const isFragment = next === NextHeader.Fragment;
    if (isFragment && (packet[at + 2] | (packet[at + 3] & 0xf8)) !== 0) return -1;
    next = packet[at];
    at += isFragment ? EXTENSION : (packet[at + 1] + 1) * 8;
  }
  return next === (IpProtocol.Icmp6 as number) && at < packet.length ? packet[at] : -1;
}
