import { isIpv4, type IpAddress } from '../core/ip/address';
import { IpProtocol } from '../core/segment/layout';
import { load32, store16, store32 } from './bytes';
import { fold, sumBytes } from './checksum';

const IPV4_HEADER = 20;
const IPV6_HEADER = 40;
const ICMP_HEADER = 8;
/** The longest error: RFC 1812 §4.3.2.3, RFC 4443 §2.4 (c). */
const MAX_ERROR4 = 576;
const MAX_ERROR6 = 1280;
const HOP_LIMIT = 64;

/** What an ICMP error says (RFC 792, RFC 1191 §4, RFC 4443 §3). */
export interface IcmpMessage {
  readonly type: number;
  readonly code: number;
  /** MTU of the next hop, where the message is about that. */
  readonly mtu?: number;
}

/**
 * The ICMP error that says this of an IP packet, to the packet's source. Quotes as much of it as an
 * error may.
 * @param from address of the packet's family: who says it
 * @param packet from its IP header on
 */
export function icmpError(
  from: IpAddress,
  packet: Uint8Array,
  { type, code, mtu = 0 }: IcmpMessage,
): Uint8Array {
  const is4 = isIpv4(from);
  const header = is4 ? IPV4_HEADER : IPV6_HEADER;
  const most = (is4 ? MAX_ERROR4 : MAX_ERROR6) - header - ICMP_HEADER;
  const quoted = packet.subarray(0, Math.min(packet.length, most));
  const out = new Uint8Array(header + ICMP_HEADER + quoted.length);
  const message = out.length - header;
  out[header] = type;
  out[header + 1] = code;
  store32(out, header + 4, mtu);
  out.set(quoted, header + ICMP_HEADER);
  if (is4) writeIpv4(out, from, packet);
  else writeIpv6(out, from, packet);
  const pseudo = is4 ? 0 : sumBytes(out, 8, 32) + IpProtocol.Icmp6 + message;
  store16(out, header + 2, ~fold(pseudo + sumBytes(out, header, message)) & 0xffff);
  return out;
}

function writeIpv4(out: Uint8Array, from: IpAddress, packet: Uint8Array): void {
  out[0] = 0x45;
  // Internetwork control (RFC 1812 §4.3.2.5).
  out[1] = 0xc0;
  store16(out, 2, out.length);
  out[8] = HOP_LIMIT;
  out[9] = IpProtocol.Icmp;
  store32(out, 12, from.w3);
  store32(out, 16, load32(packet, 12));
  store16(out, 10, ~fold(sumBytes(out, 0, IPV4_HEADER)) & 0xffff);
}

function writeIpv6(out: Uint8Array, from: IpAddress, packet: Uint8Array): void {
  out[0] = 0x60;
  store16(out, 4, out.length - IPV6_HEADER);
  out[6] = IpProtocol.Icmp6;
  out[7] = HOP_LIMIT;
  [from.w0, from.w1, from.w2, from.w3].forEach((word, i) => store32(out, 8 + 4 * i, word));
  out.set(packet.subarray(8, 24), 24);
}
