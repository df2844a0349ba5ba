import { isIpv4, parseAddress, writeAddress } from '../../core/ip/address';
import { IpProtocol, Option, Word } from '../../core/segment/layout';
import { invalidArgType, invalidArgValue } from '../../errors';
import { ECN_CODEPOINTS, type EcnCodepoint } from '../../observe/segment-view';
import { parseFlags } from '../../observe/tcpdump';
import { checkInteger, checkNames } from '../validate';

/**
 * Fields of a packet to be set, by the names that they have in `SegmentView`. Every packet has
 * addresses, `ttl`, `ecn` and a payload, TCP and UDP have ports, and TCP the rest.
 */
export interface SegmentFields {
  /** Of the packet's own family. */
  source?: string;
  destination?: string;
  sourcePort?: number;
  destinationPort?: number;
  /** TTL or hop limit. */
  ttl?: number;
  ecn?: EcnCodepoint;
  payload?: Uint8Array;
  /** As it stands in the header, 0 to 2^32 - 1. */
  seq?: number;
  ack?: number;
  /** In tcpdump's letters: `S`, `S.`, `P.`, `F.`, `R`, `.`, `none`. */
  flags?: string;
  /** The window field, not scaled. */
  window?: number;
  /** Urgent pointer. */
  urgent?: number;
  /** Options: null takes one away. */
  mss?: number | null;
  windowScale?: number | null;
  sackPermitted?: boolean;
  timestamps?: { value: number; echo: number } | null;
}

/** Numbers by name: their word and the largest value. */
const NUMBERS = {
  sourcePort: [Word.SourcePort, 0xffff],
  destinationPort: [Word.DestinationPort, 0xffff],
  ttl: [Word.HopLimit, 0xff],
  seq: [Word.Sequence, 0xffffffff],
  ack: [Word.Acknowledgment, 0xffffffff],
  window: [Word.Window, 0xffff],
  urgent: [Word.Urgent, 0xffff],
} as const;

/** The same for options that are one number, and their bit. */
const OPTIONS = {
  mss: [Word.Mss, 0xffff, Option.Mss],
  windowScale: [Word.WindowScale, 0xff, Option.WindowScale],
} as const;

const ADDRESSES = { source: Word.Source, destination: Word.Destination } as const;

/** What packets of other protocols have, UDP, and TCP. */
const NAMES = [...Object.keys(ADDRESSES), 'ttl', 'ecn', 'payload'];
const UDP_NAMES = [...NAMES, 'sourcePort', 'destinationPort'];
const TCP_NAMES = [
  ...UDP_NAMES,
  ...['seq', 'ack', 'window', 'urgent', 'flags'],
  ...[...Object.keys(OPTIONS), 'sackPermitted', 'timestamps'],
];

function namesOf(words: Int32Array): readonly string[] {
  const protocol = words[Word.Protocol];
  if (protocol === IpProtocol.Tcp) return TCP_NAMES;
  return protocol === IpProtocol.Udp ? UDP_NAMES : NAMES;
}

/** More does not fit into any packet. */
const MAX_PAYLOAD = 0xffff;
const MAX_WORD = 0xffffffff;

const entries = <T extends object>(table: T) =>
  Object.entries(table) as { [K in keyof T]: [K, T[K]] }[keyof T][];

/**
 * Writes fields into the descriptor in `words`, of the payload its length.
 * @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE; RangeError ERR_OUT_OF_RANGE. Then
 *   some may have been written
 */
export function writeFields(words: Int32Array, fields: SegmentFields): void {
  checkNames('fields', fields, namesOf(words));
  for (const [name, [word, max]] of entries(NUMBERS)) {
    const value = fields[name];
    if (value === undefined) continue;
    checkInteger(name, value, 0, max);
    words[word] = value;
  }
  for (const [name, word] of entries(ADDRESSES)) {
    const value = fields[name];
    if (value !== undefined) setAddress(words, word, name, value);
  }
  setFlags(words, fields);
  setOptions(words, fields);
  const { payload } = fields;
  if (payload === undefined) return;
  if (!(payload instanceof Uint8Array)) {
    throw invalidArgType('options.payload', 'an instance of Uint8Array', payload);
  }
  checkInteger('payload.length', payload.length, 0, MAX_PAYLOAD);
  words[Word.PayloadLength] = payload.length;
}

function setAddress(words: Int32Array, at: number, name: string, text: unknown): void {
  const address = typeof text === 'string' ? parseAddress(text) : null;
  const family = words[Word.Family];
  if (address === null || isIpv4(address) !== (family === 4)) {
    throw invalidArgValue(`options.${name}`, text, `must be an IPv${family} address`);
  }
  writeAddress(address, words, at);
}

function setFlags(words: Int32Array, { flags, ecn }: SegmentFields): void {
  if (flags !== undefined) {
    const value = typeof flags === 'string' ? parseFlags(flags) : -1;
    if (value < 0) throw invalidArgValue('options.flags', flags, "must be flags such as 'S.'");
    words[Word.Flags] = value;
  }
  if (ecn === undefined) return;
  const codepoint = ECN_CODEPOINTS.indexOf(ecn);
  if (codepoint < 0) {
    throw invalidArgValue('options.ecn', ecn, `must be one of ${ECN_CODEPOINTS.join(', ')}`);
  }
  words[Word.TrafficClass] = (words[Word.TrafficClass] & ~3) | codepoint;
}

function setOptions(words: Int32Array, fields: SegmentFields): void {
  for (const [name, [word, max, bit]] of entries(OPTIONS)) {
    const value = fields[name];
    if (value === undefined) continue;
    if (value !== null) checkInteger(name, value, 0, max);
    words[word] = value ?? 0;
    setBit(words, bit, value !== null);
  }
  const { sackPermitted, timestamps } = fields;
  if (sackPermitted !== undefined) setBit(words, Option.SackPermitted, sackPermitted);
  if (timestamps === undefined) return;
  const { value, echo } = timestamps ?? { value: 0, echo: 0 };
  checkInteger('timestamps.value', value, 0, MAX_WORD);
  checkInteger('timestamps.echo', echo, 0, MAX_WORD);
  words[Word.TsVal] = value;
  words[Word.TsEcr] = echo;
  setBit(words, Option.Timestamps, timestamps !== null);
}

function setBit(words: Int32Array, bit: Option, on: boolean): void {
  if (on) words[Word.Options] |= bit;
  else words[Word.Options] &= ~bit;
}
