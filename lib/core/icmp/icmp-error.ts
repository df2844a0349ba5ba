import { readAddress, type IpAddress } from '../ip/address';
import { Checksum, IcmpWord, Word } from '../segment/layout';

/** Types of ICMPv4 (RFC 792) and of ICMPv6 (RFC 4443, RFC 4861, RFC 3810). */
export const enum Icmp4 {
  EchoReply = 0,
  Unreachable = 3,
  SourceQuench = 4,
  Redirect = 5,
  Echo = 8,
  TimeExceeded = 11,
  ParameterProblem = 12,
  Timestamp = 13,
  TimestampReply = 14,
}
export const enum Icmp6 {
  Unreachable = 1,
  TooBig = 2,
  TimeExceeded = 3,
  ParameterProblem = 4,
  Echo = 128,
  EchoReply = 129,
  MulticastQuery = 130,
  MulticastReport1 = 131,
  MulticastDone = 132,
  MulticastReport2 = 143,
}

/** Codes of `Icmp4.Unreachable`. */
export const enum Unreachable4 {
  Net = 0,
  Host = 1,
  Protocol = 2,
  Port = 3,
  FragmentationNeeded = 4,
  Prohibited = 13,
}

/** Codes of `Icmp6.Unreachable`. */
export const enum Unreachable6 {
  NoRoute = 0,
  Prohibited = 1,
  Address = 3,
  Port = 4,
}

/** Something has become of a segment that we are said to have sent. */
export interface IcmpError {
  readonly kind: 'icmp';
  readonly family: 4 | 6;
  /** Of the packet that it quotes. */
  readonly protocol: number;
  readonly type: number;
  readonly code: number;
  /** Of the next hop, bytes, where the message is about that, as it says; else 0. */
  readonly mtu: number;
  /** What it says beside type and code: that MTU, or where the wrong parameter stands; else 0. */
  readonly info: number;
  /** Who sent it. */
  readonly offender: IpAddress;
  /** The message's checksum is right. */
  readonly intact: boolean;
  /** The quoted segment: our end, the peer's, SEG.SEQ. */
  readonly local: IpAddress;
  readonly localPort: number;
  readonly remote: IpAddress;
  readonly remotePort: number;
  readonly sequence: number;
  /** As much of the packet as was quoted, its IP header first; used only during the call. */
  readonly quoted: Uint8Array;
}

/** Whether an ICMP message of this type is an error (RFC 1122 §3.2.2, RFC 4443 §2.1). */
export function isErrorType(family: number, type: number): boolean {
  if (family === 6) return type < 128;
  return (
    type === Icmp4.Unreachable ||
    type === Icmp4.SourceQuench ||
    type === Icmp4.Redirect ||
    type === Icmp4.TimeExceeded ||
    type === Icmp4.ParameterProblem
  );
}

/** The MTU that the message of a descriptor is about, unsigned; 0 for none. */
export function messageMtu(words: Int32Array, base: number): number {
  const kind = words[base + IcmpWord.Kind];
  if (words[base + Word.Family] === 4) {
    // RFC 1191 §4.
    const tooBig = (Icmp4.Unreachable << 8) | Unreachable4.FragmentationNeeded;
    return kind === tooBig ? words[base + IcmpWord.Rest] & 0xffff : 0;
  }
  return kind >>> 8 === Icmp6.TooBig ? words[base + IcmpWord.Rest] >>> 0 : 0;
}

/** What it says beside type and code: an MTU, or where the wrong parameter stands; else 0. */
function messageInfo(words: Int32Array, base: number): number {
  const type = words[base + IcmpWord.Kind] >>> 8;
  const rest = words[base + IcmpWord.Rest];
  if (words[base + Word.Family] === 4 && type === Icmp4.ParameterProblem) return rest >>> 24;
  if (words[base + Word.Family] === 6 && type === Icmp6.ParameterProblem) return rest >>> 0;
  return messageMtu(words, base);
}

/**
 * The ICMP error that a descriptor stands for, one that quotes a segment.
 * @param slabs that it points into
 */
export function readIcmpError(
  words: Int32Array,
  base: number,
  slabs: readonly Uint8Array[],
): IcmpError {
  const at = words[base + Word.PayloadOffset];
  const slab = slabs[words[base + Word.Slab]];
  return {
    kind: 'icmp',
    family: words[base + Word.Family] === 4 ? 4 : 6,
    protocol: words[base + IcmpWord.Quoted],
    type: words[base + IcmpWord.Kind] >>> 8,
    code: words[base + IcmpWord.Kind] & 0xff,
    mtu: messageMtu(words, base),
    info: messageInfo(words, base),
    offender: readAddress(words, base + Word.Source),
    intact: words[base + Word.Checksum] !== Checksum.Bad,
    local: readAddress(words, base + Word.Destination),
    localPort: words[base + Word.DestinationPort],
    remote: readAddress(words, base + IcmpWord.Peer),
    remotePort: words[base + Word.SourcePort],
    sequence: words[base + Word.Sequence],
    quoted: slab.subarray(at, at + words[base + Word.PayloadLength]),
  };
}

/** The quoted packet from its transport header on: we send IPv6 without extension headers. */
export function quotedSegment({ family, quoted }: IcmpError): Uint8Array {
  return quoted.subarray(family === 6 ? 40 : (quoted[0] & 0x0f) * 4);
}
