import { isIpv4, writeAddress, type IpAddress } from '../core/ip/address';
import { IcmpWord, IpProtocol, Word } from '../core/segment/layout';
import { buildReceived } from './build-received';
import { load32 } from './bytes';
import { ICMP_HEADER, IPV4_HEADER, IPV6_HEADER } from './headers';

/** The longest error: RFC 1812 §4.3.2.3, RFC 4443 §2.4 (c). */
const MAX_ERROR4 = 576;
const MAX_ERROR6 = 1280;
const HOP_LIMIT = 64;
/** Internetwork control (RFC 1812 §4.3.2.5). */
const PRECEDENCE = 0xc0;

/** What an ICMP error says (RFC 792, RFC 1191 §4, RFC 4443 §3). */
export interface IcmpMessage {
  readonly type: number;
  readonly code: number;
  /** MTU of the next hop, where the message is about that. */
  readonly mtu?: number;
}

/** Bytes of a packet that an error quotes at most. */
export function mostQuoted(is4: boolean): number {
  return (is4 ? MAX_ERROR4 - IPV4_HEADER : MAX_ERROR6 - IPV6_HEADER) - ICMP_HEADER;
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
  const quoted = packet.subarray(0, Math.min(packet.length, mostQuoted(is4)));
  const words = new Int32Array(Word.Stride);
  words[Word.Family] = is4 ? 4 : 6;
  words[Word.Protocol] = is4 ? IpProtocol.Icmp : IpProtocol.Icmp6;
  words[Word.HopLimit] = HOP_LIMIT;
  if (is4) words[Word.TrafficClass] = PRECEDENCE;
  writeAddress(from, words, Word.Source);
  if (is4) words[Word.Destination + 3] = load32(packet, 12);
  else for (let i = 0; i < 4; i++) words[Word.Destination + i] = load32(packet, 8 + 4 * i);
  words[IcmpWord.Kind] = (type << 8) | code;
  words[IcmpWord.Rest] = mtu;
  return buildIcmp(words, quoted);
}

/** The packet of the descriptor of an ICMP message, with this payload. */
export function buildIcmp(words: Int32Array, payload: Uint8Array): Uint8Array {
  words[Word.PayloadLength] = payload.length;
  return buildReceived(words, payload);
}
