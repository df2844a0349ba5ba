import { formatAddress, readAddress } from '../core/ip/address';
import { Icmp4, Icmp6 } from '../core/icmp/icmp-error';
import { IcmpWord, IpProtocol, Word } from '../core/segment/layout';

const ICMP_HEADER = 8;
/** Of the quoted address, by the code of ICMPv4's destination unreachable; `%` stands for it. */
const UNREACHABLE4 = [
  'net % unreachable',
  'host % unreachable',
  '% protocol 6 unreachable',
  '',
  '',
  '% unreachable - source route failed',
  'net % unreachable - unknown',
  'host % unreachable - unknown',
  '% unreachable - source host isolated',
  'net % unreachable - admin prohibited',
  'host % unreachable - admin prohibited',
  'net % unreachable - tos prohibited',
  'host % unreachable - tos prohibited',
  'host % unreachable - admin prohibited filter',
  'host % unreachable - host precedence violation',
  'host % unreachable - precedence cutoff',
];
const PORT = 3;
const FRAGMENTATION_NEEDED = 4;

/** By the code of ICMPv6's. */
const UNREACHABLE6 = [
  'unreachable route %',
  'unreachable prohibited %',
  'beyond scope %',
  'unreachable address %',
];
const PORT6 = 4;

/** Whether a descriptor stands for an ICMP error. */
export function isIcmp(words: Int32Array, base: number): boolean {
  const protocol = words[base + Word.Protocol];
  return protocol === IpProtocol.Icmp || protocol === IpProtocol.Icmp6;
}

/** What stands behind the two ends in such a line: `ICMP host 10.0.0.2 unreachable, length 36`. */
export function formatIcmp(words: Int32Array, base: number): string {
  const type = words[base + IcmpWord.Kind] >>> 8;
  const code = words[base + IcmpWord.Kind] & 0xff;
  const mtu = words[base + IcmpWord.Mtu] >>> 0;
  const peer = formatAddress(readAddress(words, base + IcmpWord.Peer));
  const port = words[base + Word.SourcePort];
  const length = words[base + Word.PayloadLength] + ICMP_HEADER;
  const text =
    words[base + Word.Family] === 6
      ? `ICMP6, ${text6(type, code, mtu, peer, port)}`
      : `ICMP ${text4(type, code, mtu, peer, port)}`;
  return `${text}, length ${length}`;
}

function text4(type: number, code: number, mtu: number, peer: string, port: number): string {
  if (type === Icmp4.TimeExceeded) {
    return code === 0 ? 'time exceeded in-transit' : 'ip reassembly time exceeded';
  }
  if (type === Icmp4.ParameterProblem) return `parameter problem - code ${code}`;
  if (code === PORT) return `${peer} tcp port ${port} unreachable`;
  if (code === FRAGMENTATION_NEEDED) {
    return `${peer} unreachable - need to frag${mtu === 0 ? '' : ` (mtu ${mtu})`}`;
  }
  return (UNREACHABLE4[code] ?? `% unreachable - #${code}`).replace('%', peer);
}

function text6(type: number, code: number, mtu: number, peer: string, port: number): string {
  switch (type as Icmp6) {
    case Icmp6.TooBig:
      return `packet too big, mtu ${mtu}`;
    case Icmp6.TimeExceeded:
      return `time exceeded${code === 0 ? ' in-transit' : ' (reassembly)'} for ${peer}`;
    case Icmp6.ParameterProblem:
      return `parameter problem, code ${code}`;
    default:
      if (code === PORT6) return `destination unreachable, ${peer} tcp port ${port} unreachable`;
      return `destination unreachable, ${UNREACHABLE6[code] ?? `code #${code}`}`.replace('%', peer);
  }
}
