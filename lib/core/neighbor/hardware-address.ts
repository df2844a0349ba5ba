import { ipv6, type IpAddress } from '../ip/address';

/** An Ethernet address of 48 bits: its first 16 bits, unsigned, and the other 32, an int32. */
export interface HardwareAddress {
  readonly high: number;
  readonly low: number;
}

export const BROADCAST_HARDWARE: HardwareAddress = { high: 0xffff, low: -1 };

/** Bytes of one. */
export const HARDWARE_LENGTH = 6;

/** The address in the six bytes from `at`. */
export function readHardware(bytes: Uint8Array, at: number): HardwareAddress {
  const high = (bytes[at] << 8) | bytes[at + 1];
  const low = (bytes[at + 2] << 24) | (bytes[at + 3] << 16) | (bytes[at + 4] << 8) | bytes[at + 5];
  return { high, low };
}

export function writeHardware(a: HardwareAddress, bytes: Uint8Array, at: number): void {
  bytes[at] = a.high >>> 8;
  bytes[at + 1] = a.high;
  for (let i = 0; i < 4; i++) bytes[at + 2 + i] = a.low >>> (24 - 8 * i);
}

export function sameHardware(a: HardwareAddress, b: HardwareAddress): boolean {
  return a.low === b.low && a.high === b.high;
}

/** Whether one host can have it: it is neither a group's nor zero. */
export function isHostHardware(a: HardwareAddress): boolean {
  return (a.high & 0x100) === 0 && (a.high !== 0 || a.low !== 0);
}

/**
 * The address of a link that stands for the multicast group in four words from `at`: RFC 1112 §6.4
 * in IPv4, RFC 2464 §7 in IPv6.
 */
export function groupHardware(words: Int32Array, at: number): HardwareAddress {
  const is4 = words[at] === 0 && words[at + 1] === 0;
  if (!is4) return { high: 0x3333, low: words[at + 3] };
  return { high: 0x0100, low: 0x5e000000 | (words[at + 3] & 0x7fffff) };
}

/**
 * The address that a host gives itself in a network of 64 bits (RFC 4291 appendix A, RFC 2464 §4;
 * Linux: addr_gen_mode 0).
 * @param network whose first 64 bits count
 */
export function withInterfaceId(network: IpAddress, { high, low }: HardwareAddress): IpAddress {
  const w2 = ((high ^ 0x0200) << 16) | ((low >>> 24) << 8) | 0xff;
  return ipv6(network.w0, network.w1, w2, 0xfe000000 | (low & 0xffffff));
}

const LINK_LOCAL = ipv6(0xfe800000, 0, 0, 0);

/** The link-local address of a host (RFC 4862 §5.3). */
export function linkLocalOf(own: HardwareAddress): IpAddress {
  return withInterfaceId(LINK_LOCAL, own);
}

/** Whether it is in fe80::/10. */
export function isLinkLocal6(a: IpAddress): boolean {
  return (a.w0 & 0xffc00000) === (0xfe800000 | 0);
}

/** The group that is asked for the hardware address of `a` (RFC 4291 §2.7.1). */
export function solicitedNode(a: IpAddress): IpAddress {
  return ipv6(0xff020000, 0, 1, 0xff000000 | (a.w3 & 0xffffff));
}
