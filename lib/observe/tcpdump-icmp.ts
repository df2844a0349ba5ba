import { load16, load32 } from '../codec/bytes';
import { Icmp4, Icmp6 } from '../core/icmp/icmp-error';
import { formatAddress, ipv4, ipv6, readAddress } from '../core/ip/address';
import { IcmpWord, IpProtocol, Word } from '../core/segment/layout';

const ICMP_HEADER = 8;
/** Of the quoted address, by the code of ICMPv4's destination unreachable; `%` stands for it. */
const UNREACHABLE4 = [
  'net % unreachable',
  'host % unreachable',
  '',
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
const enum Code4 {
  Protocol = 2,
  Port = 3,
  FragmentationNeeded = 4,
}
const REDIRECT_TO = ['net', 'host', 'tos-net', 'tos-host'];

/** By the code of ICMPv6's. */
const UNREACHABLE6 = [
  'unreachable route %',
  ' unreachable prohibited %',
  'beyond scope %',
  'unreachable address %',
];
const BEYOND_SCOPE6 = 2;
const PORT6 = 4;
const PROBLEM6 = ['erroneous', 'next header', 'option', 'incomplete header chain'];

/** Messages that are no errors, by their type. */
const TEXT4: Readonly<Record<number, string>> = {
  0: 'echo reply, id %, seq #',
  4: 'source quench',
  8: 'echo request, id %, seq #',
  9: 'router advertisement',
  10: 'router solicitation',
  13: 'time stamp query id % seq #',
  14: 'time stamp reply id % seq #',
  15: 'information request',
  16: 'information reply',
  17: 'address mask request',
  18: 'address mask reply',
};
const TEXT6: Readonly<Record<number, string>> = {
  128: 'echo request, id %, seq #',
  129: 'echo reply, id %, seq #',
  130: 'multicast listener query',
  131: 'multicast listener report',
  132: 'multicast listener done',
  133: 'router solicitation',
  134: 'router advertisement',
  135: 'neighbor solicitation',
  136: 'neighbor advertisement',
  137: 'redirect',
  143: 'multicast listener report v2',
};

/**
 * What stands behind the two ends in such a line: `ICMP host 10.0.0.2 unreachable, length 36`.
 * @param payload what follows the message's header, where it is known
 */
export function formatIcmp(words: Int32Array, base: number, payload?: Uint8Array): string {
  const length = words[base + Word.PayloadLength] + ICMP_HEADER;
  const text =
    words[base + Word.Family] === 6
      ? `ICMP6, ${text6(words, base, payload)}`
      : `ICMP ${text4(words, base, payload)}`;
  return `${text}, length ${length}`;
}

/** The address that the quoted packet was for; '' where it can't be read. */
function quotedPeer(words: Int32Array, base: number): string {
  if (words[base + IcmpWord.Quoted] < 0) return '';
  return formatAddress(readAddress(words, base + IcmpWord.Peer));
}

/** `tcp port 80`, of what the message quotes. */
function quotedPort(words: Int32Array, base: number): string {
  const protocol = words[base + IcmpWord.Quoted];
  const port = `port ${words[base + Word.SourcePort]}`;
  if (protocol === IpProtocol.Tcp) return `tcp ${port}`;
  return protocol === IpProtocol.Udp ? `udp ${port}` : `protocol ${protocol} ${port}`;
}

/** Puts `value` where the sign stands; '' takes the blank beside it too. */
function fill(text: string, value: string): string {
  return value === '' ? text.replace(/ %|% /, '') : text.replace('%', value);
}

function withNumbers(text: string, rest: number): string {
  return text.replace('%', `${rest >>> 16}`).replace('#', `${rest & 0xffff}`);
}

function text4(words: Int32Array, base: number, payload: Uint8Array | undefined): string {
  const type = words[base + IcmpWord.Kind] >>> 8;
  const code = words[base + IcmpWord.Kind] & 0xff;
  const rest = words[base + IcmpWord.Rest];
  const peer = quotedPeer(words, base);
  switch (type) {
    case Icmp4.Unreachable:
      return unreachable4(words, base, code, rest & 0xffff, peer);
    case Icmp4.Redirect: {
      const to = `to ${REDIRECT_TO[code] ?? `#${code}`} ${formatAddress(ipv4(rest))}`;
      if (payload === undefined || payload.length < 20) return `redirect ${to}`;
      return `redirect ${formatAddress(ipv4(load32(payload, 16)))} ${to}`;
    }
    case Icmp4.TimeExceeded:
      if (code > 1) return `time exceeded-#${code}`;
      return code === 0 ? 'time exceeded in-transit' : 'ip reassembly time exceeded';
    case Icmp4.ParameterProblem:
      return `parameter problem - ${code === 0 ? `octet ${rest >>> 24}` : `code ${code}`}`;
    default:
      return TEXT4[type] === undefined ? `type-#${type}` : withNumbers(TEXT4[type], rest);
  }
}

function unreachable4(
  words: Int32Array,
  base: number,
  code: number,
  mtu: number,
  peer: string,
): string {
  switch (code as Code4) {
    case Code4.Protocol:
      return fill(`% protocol ${words[base + IcmpWord.Quoted]} unreachable`, peer);
    case Code4.Port:
      return fill(`% ${quotedPort(words, base)} unreachable`, peer);
    case Code4.FragmentationNeeded:
      return fill(`% unreachable - need to frag${mtu === 0 ? '' : ` (mtu ${mtu})`}`, peer);
    default:
      return fill(UNREACHABLE4[code] ?? `% unreachable - #${code}`, peer);
  }
}

function text6(words: Int32Array, base: number, payload: Uint8Array | undefined): string {
  const type = words[base + IcmpWord.Kind] >>> 8;
  const code = words[base + IcmpWord.Kind] & 0xff;
  const rest = words[base + IcmpWord.Rest];
  const peer = quotedPeer(words, base);
  switch (type) {
    case Icmp6.Unreachable: {
      const to = 'destination unreachable, ';
      const receiver = formatAddress(readAddress(words, base + Word.Destination));
      const source = code === BEYOND_SCOPE6 ? `, source address ${receiver}` : '';
      if (code === PORT6)
        return `${to}unreachable port, ${fill(`% ${quotedPort(words, base)}`, peer)}`;
      return to + fill(UNREACHABLE6[code] ?? `unknown unreach code (${code})`, peer) + source;
    }
    case Icmp6.TooBig:
      return `packet too big, mtu ${rest >>> 0}`;
    case Icmp6.TimeExceeded:
      if (code === 0) return fill('time exceeded in-transit for %', peer);
      return `time exceeded in-transit${code === 1 ? ' (reassembly)' : `, unknown code (${code})`}`;
    case Icmp6.ParameterProblem:
      return `parameter problem, ${PROBLEM6[code] ?? `code #${code}`} - octet ${rest >>> 0}`;
    default:
      return other6(type, rest, payload);
  }
}

/**
 * Of messages that name an address behind their header (RFC 4861 §4, RFC 2710 §3) what is told of
 * it; `%` stands for it, `#` for the second one.
 */
const ADDRESSED: Readonly<Record<number, string>> = {
  130: 'max resp delay: $ addr: %',
  131: 'max resp delay: $ addr: %',
  132: 'max resp delay: $ addr: %',
  135: ', who has %',
  136: ', tgt is %',
  137: ', # to %',
};
/** A query of MLDv2 is longer (RFC 3810 §8.1). */
const QUERY2 = 28 - ICMP_HEADER;

function other6(type: number, rest: number, payload: Uint8Array | undefined): string {
  const text = TEXT6[type];
  if (text === undefined) return `unknown icmp6 type (${type})`;
  if (type === Icmp6.MulticastReport2) return `${text}, ${rest & 0xffff} group record(s)`;
  const addressed = ADDRESSED[type];
  if (addressed === undefined) return withNumbers(text, rest);
  if (payload === undefined || payload.length < 16) return text;
  const address = addressAt(payload, 0);
  if (type === Icmp6.MulticastQuery && payload.length >= QUERY2) {
    return `${text} v2 [gaddr ${address}]`;
  }
  const second = payload.length >= 32 ? addressAt(payload, 16) : '::';
  const told = addressed.replace('$', `${rest >>> 16}`).replace('#', second);
  return text + told.replace('%', address);
}

function addressAt(bytes: Uint8Array, at: number): string {
  const [a, b, c, d] = [0, 4, 8, 12].map((i) => load32(bytes, at + i));
  return formatAddress(ipv6(a, b, c, d));
}

const IGMP_TEXT: Readonly<Record<number, string>> = {
  0x12: 'v1 report',
  0x16: 'v2 report',
  0x17: 'leave',
};

/** An IGMP message (RFC 2236, RFC 3376), in the same way; `igmp` alone where it can't be read. */
export function formatIgmp(message: Uint8Array | undefined): string {
  if (message === undefined || message.length < 8) return 'igmp';
  const group = load32(message, 4);
  const address = formatAddress(ipv4(group));
  const type = message[0];
  if (type === 0x22) return `igmp v3 report, ${load16(message, 6)} group record(s)`;
  if (type !== 0x11) return `igmp ${IGMP_TEXT[type] ?? `-${type}`} ${address}`;
  const version = message.length >= 12 ? 3 : message[1] === 0 ? 1 : 2;
  return `igmp query v${version}${group === 0 ? '' : ` [gaddr ${address}]`}`;
}
