import type { Path } from '../environment';
import { Errno } from '../errno';
import { isIpv4, isLoopback, isMulticast, writeAddress, type IpAddress } from '../ip/address';
import { isBroadcast } from '../ip/addresses';
import type { DatagramOptions } from '../socket/datagram-options';
import { MtuDiscover } from '../socket/options';
import { OutFlag } from './send-queue';
import type { Udp } from './udp';

/** Headers before the payload, bytes. */
const HEADERS4 = 20 + 8;
const HEADERS6 = 40 + 8;
/** What the length fields of UDP and of the IP header have room for, bytes of payload. */
const MAX_PAYLOAD4 = 65_535 - HEADERS4;
const MAX_PAYLOAD6 = 65_535 - 8;

/** How a datagram is sent; filled by `findWay`. */
export class Way {
  /** `OutFlag` bits. */
  flags = 0;
  /** Largest IP packet, bytes. */
  mtu = 0;
  hopLimit = 0;
}

/**
 * How a datagram leaves (Linux: ip_make_skb, ip6_make_skb): with DF unless it is too long for the
 * path, in fragments then, both as the socket's `MtuDiscover` has it.
 * @returns 0, and `udp.way` is set; -EMSGSIZE
 */
export function findWay(
  udp: Udp,
  options: DatagramOptions,
  path: Path,
  remote: IpAddress,
  length: number,
): number {
  const { way } = udp;
  const is4 = isIpv4(remote);
  if (length > (is4 ? MAX_PAYLOAD4 : MAX_PAYLOAD6)) return -Errno.EMSGSIZE;
  const mode = options.mtuDiscover as MtuDiscover;
  writeAddress(remote, udp.address, 0);
  way.mtu = mode < MtuDiscover.Probe ? knownMtu(udp, path.mtu) : path.mtu;
  way.flags = options.noCheck === 1 && is4 ? OutFlag.NoChecksum : 0;
  const isLong = length + (is4 ? HEADERS4 : HEADERS6) > way.mtu;
  if (isLong && !maySplit(mode)) return -Errno.EMSGSIZE;
  if (isLong || !dontFragment(udp, mode)) way.flags |= OutFlag.MayFragment;
  const isGroup = isMulticast(remote);
  way.hopLimit = isGroup ? options.multicastTtl : options.ttl;
  if (!isGroup && !isBroadcast(udp.environment.paths, remote)) return 0;
  if (!isGroup || options.multicastLoop === 1) way.flags |= OutFlag.Loop;
  if (way.hopLimit === 0 || isLoopback(path.source)) way.flags |= OutFlag.Inside;
  return 0;
}

/** The MTU of the way to `remote`, bytes, with what routers have said of it. */
export function pathMtu(udp: Udp, path: Path, remote: IpAddress): number {
  writeAddress(remote, udp.address, 0);
  return knownMtu(udp, path.mtu);
}

/** What routers have said of the way to the address in `udp.address`. */
function knownMtu({ pathMtus, address, nowMs }: Udp, mtu: number): number {
  const known = pathMtus.count === 0 ? 0 : pathMtus.find(address, 0, nowMs());
  return known === 0 ? mtu : Math.min(known, mtu);
}

/** Linux: ip_sk_ignore_df. */
function maySplit(mode: MtuDiscover): boolean {
  return mode < MtuDiscover.Do || mode === MtuDiscover.Omit;
}

/** Linux: ip_dont_fragment, and PROBE, which sets DF itself. */
function dontFragment({ pathMtus, address, nowMs }: Udp, mode: MtuDiscover): boolean {
  if (mode === MtuDiscover.Do || mode === MtuDiscover.Probe) return true;
  if (mode !== MtuDiscover.Want) return false;
  return pathMtus.count === 0 || !pathMtus.isLocked(address, 0, nowMs());
}
