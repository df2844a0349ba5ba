import { readAddress, type IpAddress } from '../ip/address';
import { Checksum, IcmpWord, Word } from '../segment/layout';

/** Types of ICMPv4 (RFC 792) and ICMPv6 (RFC 4443) that are errors. */
export const enum Icmp4 {
  Unreachable = 3,
  TimeExceeded = 11,
  ParameterProblem = 12,
}
export const enum Icmp6 {
  Unreachable = 1,
  TooBig = 2,
  TimeExceeded = 3,
  ParameterProblem = 4,
}

/** Codes of `Icmp4.Unreachable`. */
export const enum Unreachable4 {
  Net = 0,
  Host = 1,
  Protocol = 2,
  Port = 3,
  FragmentationNeeded = 4,
}

/** Codes of `Icmp6.Unreachable`. */
export const enum Unreachable6 {
  NoRoute = 0,
  Address = 3,
  Port = 4,
}

/** Something has become of a segment that we are said to have sent. */
export interface IcmpError {
  readonly kind: 'icmp';
  readonly family: 4 | 6;
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

/** Of the message, before the quote. */
const ICMP_HEADER = 8;

/** The ICMP error that a descriptor stands for. @param slabs that it points into */
export function readIcmpError(
  words: Int32Array,
  base: number,
  slabs: readonly Uint8Array[],
): IcmpError {
  const family = words[base + Word.Family] === 4 ? 4 : 6;
  const mtu = words[base + IcmpWord.Mtu] >>> 0;
  const at = words[base + Word.PayloadOffset];
  const slab = slabs[words[base + Word.Slab]];
  return {
    kind: 'icmp',
    family,
    type: words[base + IcmpWord.Kind] >>> 8,
    code: words[base + IcmpWord.Kind] & 0xff,
    mtu,
    info: mtu !== 0 ? mtu : parameter(words, base, slab),
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

/** Which byte a parameter problem is about; 0 where the message doesn't stand before its quote. */
function parameter(words: Int32Array, base: number, slab: Uint8Array): number {
  const at = words[base + Word.TransportOffset];
  const type = words[base + IcmpWord.Kind] >>> 8;
  if (words[base + Word.PayloadOffset] - at !== ICMP_HEADER) return 0;
  if (words[base + Word.Family] === 4) return type === Icmp4.ParameterProblem ? slab[at + 4] : 0;
  if (type !== Icmp6.ParameterProblem) return 0;
  return new DataView(slab.buffer, slab.byteOffset + at).getUint32(4);
}

/** The quoted packet from its TCP header on: we send IPv6 without extension headers. */
export function quotedTcp({ family, quoted }: IcmpError): Uint8Array {
  return quoted.subarray(family === 6 ? 40 : (quoted[0] & 0x0f) * 4);
}
