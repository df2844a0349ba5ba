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
  /** The message's checksum is right. */
  readonly intact: boolean;
  /** The quoted segment: our end, the peer's, SEG.SEQ. */
  readonly local: IpAddress;
  readonly localPort: number;
  readonly remote: IpAddress;
  readonly remotePort: number;
  readonly sequence: number;
}

/** The ICMP error that a descriptor stands for. */
export function readIcmpError(words: Int32Array, base: number): IcmpError {
  return {
    kind: 'icmp',
    family: words[base + Word.Family] === 4 ? 4 : 6,
    type: words[base + IcmpWord.Kind] >>> 8,
    code: words[base + IcmpWord.Kind] & 0xff,
    mtu: words[base + IcmpWord.Mtu] >>> 0,
    intact: words[base + Word.Checksum] !== Checksum.Bad,
    local: readAddress(words, base + Word.Destination),
    localPort: words[base + Word.DestinationPort],
    remote: readAddress(words, base + IcmpWord.Peer),
    remotePort: words[base + Word.SourcePort],
    sequence: words[base + Word.Sequence],
  };
}
