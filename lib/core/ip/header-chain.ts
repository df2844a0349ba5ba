import { IpProtocol } from '../segment/layout';

const enum NextHeader {
  HopByHop = 0,
  Routing = 43,
  DestinationOptions = 60,
}

const EXTENSION = 8;

/** Bytes of an upper-layer header that a first fragment has to have; of an unknown one any. */
function leastHeader(protocol: number): number {
  switch (protocol as IpProtocol) {
    case IpProtocol.Tcp:
      return 20;
    case IpProtocol.Udp:
    case IpProtocol.Icmp6:
      return 8;
    default:
      return 1;
  }
}

/**
 * Whether the first fragment of an IPv6 packet has all headers up to the upper layer's (RFC 8200
 * §4.5, RFC 7112), as Linux looks at it: what can't be walked is left to who reads the whole.
 * @param next what its fragment header names
 * @param at where in `bytes` what it carries begins; `end`: where that ends
 */
export function hasWholeHeaderChain(
  bytes: Uint8Array,
  at: number,
  end: number,
  next: number,
): boolean {
  while (
    next === NextHeader.HopByHop ||
    next === NextHeader.Routing ||
    next === NextHeader.DestinationOptions
  ) {
    if (end - at < EXTENSION) return false;
    next = bytes[at];
    at += (bytes[at + 1] + 1) * 8;
  }
  return next === (IpProtocol.None as number) || end - at >= leastHeader(next);
}
