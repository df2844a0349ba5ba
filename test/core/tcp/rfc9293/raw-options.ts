import { plainSum } from '../../../support/packets';

const IP_HEADER = 20;
const TCP_HEADER = 20;
const TCP_END = IP_HEADER + TCP_HEADER;

function put16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8;
  bytes[at + 1] = value & 0xff;
}

function fold(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded & 0xffff) + (folded >>> 16);
  return folded;
}

/**
 * An IPv4 packet whose TCP header has no options, with these bytes put in as its options: a peer
 * may write what our own codec never would.
 * @param options a multiple of 4 bytes
 */
export function withOptions(packet: Uint8Array, options: readonly number[]): Uint8Array {
  const length = packet.length + options.length;
  const out = new Uint8Array(length);
  out.set(packet.subarray(0, TCP_END));
  out.set(options, TCP_END);
  out.set(packet.subarray(TCP_END), TCP_END + options.length);
  put16(out, 2, length);
  put16(out, 10, 0);
  put16(out, 10, ~fold(plainSum(out, 0, IP_HEADER)) & 0xffff);
  out[IP_HEADER + 12] = ((TCP_HEADER + options.length) / 4) << 4;
  put16(out, IP_HEADER + 16, 0);
  const pseudo = plainSum(out, 12, IP_HEADER) + 6 + length - IP_HEADER;
  put16(out, IP_HEADER + 16, ~fold(pseudo + plainSum(out, IP_HEADER, length)) & 0xffff);
  return out;
}

/** What stands between the TCP header and the payload of an IPv4 packet. */
export function optionsOf(packet: Uint8Array): number[] {
  const end = IP_HEADER + (packet[IP_HEADER + 12] >> 4) * 4;
  return [...packet.subarray(TCP_END, end)];
}
