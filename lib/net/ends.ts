import type { IpAddress } from '../core/ip/address';
import { formatAddressAs } from '../core/ip/address';
import type { StreamSocket } from '../core/socket/stream-socket';
import type { AddressInfo } from './types';

function end(domain: 4 | 6, address: IpAddress, port: number): AddressInfo {
  const family = domain === 4 ? 'IPv4' : 'IPv6';
  return { address: formatAddressAs(address, domain), family, port };
}

export function localEnd(stream: StreamSocket): AddressInfo {
  return end(stream.domain, stream.localAddress, stream.localPort);
}

export function remoteEnd(stream: StreamSocket): AddressInfo {
  return end(stream.domain, stream.remoteAddress, stream.remotePort);
}
