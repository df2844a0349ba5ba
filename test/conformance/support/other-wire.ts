import { createHash } from 'node:crypto';
import { buildReceived } from '../../../lib/codec/build-received';
import { Fragments } from '../../../lib/codec/fragment';
import { parsePacket } from '../../../lib/codec/parse';
import { ParseResult } from '../../../lib/codec/result';
import {
  formatAddress,
  isIpv4,
  parseAddress,
  readAddress,
  writeAddress,
} from '../../../lib/core/ip/address';
import { isFragment, isIcmp, isUdp } from '../../../lib/core/segment/kind';
import {
  BuildWord,
  Checksum,
  IcmpWord,
  IpProtocol,
  MAY_FRAGMENT,
  MORE_FRAGMENTS,
  Word,
} from '../../../lib/core/segment/layout';

/** A datagram of the peer, by the names of its fields. */
export interface DatagramFields {
  from: string;
  to: string;
  sourcePort: number;
  destinationPort: number;
  payload: Uint8Array;
  /** Default: the right one. */
  checksum?: 'none' | 'wrong';
  hopLimit?: number;
  trafficClass?: number;
  /** The largest packet that it may go in, bytes: it is split if need be. */
  mtu?: number;
  /** Of the fragments. */
  id?: number;
}

/** The packets that a datagram goes in. */
export function makeDatagram(fields: DatagramFields): Buffer[] {
  const { payload } = fields;
  const words = new Int32Array(Word.Stride);
  const from = parseAddress(fields.from);
  const to = parseAddress(fields.to);
  if (from === null || to === null) throw new Error('no address');
  const is4 = isIpv4(from);
  words[Word.Family] = is4 ? 4 : 6;
  words[Word.Protocol] = IpProtocol.Udp;
  words[Word.HopLimit] = fields.hopLimit ?? 64;
  words[Word.TrafficClass] = fields.trafficClass ?? 0;
  writeAddress(from, words, Word.Source);
  writeAddress(to, words, Word.Destination);
  words[Word.SourcePort] = fields.sourcePort;
  words[Word.DestinationPort] = fields.destinationPort;
  words[Word.PayloadLength] = payload.length;
  if (fields.checksum === 'none') words[Word.Checksum] = Checksum.None;
  const { mtu, id = 1 } = fields;
  const packets =
    mtu === undefined
      ? [Buffer.from(buildReceived(words, payload))]
      : split(words, payload, mtu, id);
  const header = is4 ? 20 : packets.length > 1 ? 48 : 40;
  if (fields.checksum === 'wrong') packets[0][header + 6] ^= 1;
  return packets;
}

function split(words: Int32Array, payload: Uint8Array, mtu: number, id: number): Buffer[] {
  const is4 = words[Word.Family] === 4;
  words[Word.Fragment] = mtu;
  if (is4) words[Word.Identification] = id | MAY_FRAGMENT;
  else words[BuildWord.FragmentId] = id;
  words[Word.SliceCount] = 1;
  const fragments = new Fragments();
  if (!fragments.begin(words, 0, Int32Array.of(0, 0, payload.length), 0, [payload])) {
    throw new Error('not to be split');
  }
  const packets: Buffer[] = [];
  for (let length; (length = fragments.nextLength) > 0;) {
    const packet = Buffer.alloc(length);
    fragments.next(packet, 0);
    packets.push(packet);
  }
  return packets;
}

const HASH_KEY = Int32Array.of(1, 2);

/** A packet that is no TCP segment, as an exchange sees it. */
export interface OtherSent {
  /** Where it goes. */
  destination: string;
  /** Of a datagram; else -1. */
  sourcePort: number;
  destinationPort: number;
  text: string;
}

/**
 * Reads a packet that isn't TCP.
 * @param port an own way of telling a port of the stack or the peer
 */
export function readOther(bytes: Buffer, port: (port: number) => string): OtherSent | null {
  const words = new Int32Array(Word.Stride);
  if (parsePacket(bytes, 0, 0, bytes.length, words, 0, HASH_KEY) !== ParseResult.Ok) return null;
  const isDatagram = isUdp(words, 0);
  return {
    destination: formatAddress(readAddress(words, Word.Destination)),
    sourcePort: isDatagram ? words[Word.SourcePort] : -1,
    destinationPort: isDatagram ? words[Word.DestinationPort] : -1,
    text: `${tellTransport(bytes, words, port)} ${tellIp(bytes, words)}`,
  };
}

/** Whether a packet is of IGMP, or of MLD as hosts send it. */
export function isGroupReport(bytes: Buffer): boolean {
  const words = new Int32Array(Word.Stride);
  if (parsePacket(bytes, 0, 0, bytes.length, words, 0, HASH_KEY) !== ParseResult.Ok) return false;
  if (!isIcmp(words, 0)) return words[Word.Protocol] === (IpProtocol.Igmp as number);
  const type = words[IcmpWord.Kind] >>> 8;
  return words[Word.Family] === 6 && (type === 143 || type === 131 || type === 132);
}

function tellIp(bytes: Buffer, words: Int32Array): string {
  const mayFragment = words[Word.Family] === 4 && (bytes[6] & 0x40) === 0;
  const class_ = words[Word.TrafficClass];
  return `ttl ${words[Word.HopLimit]} tos ${class_}${mayFragment ? ' no DF' : ''}`;
}

function tellTransport(bytes: Buffer, words: Int32Array, port: (port: number) => string): string {
  const start = words[Word.PayloadOffset];
  const data = bytes.subarray(start, start + words[Word.PayloadLength]);
  if (isFragment(words, 0)) {
    const place = words[Word.Fragment];
    const more = (place & MORE_FRAGMENTS) !== 0 ? '+' : '';
    return `fragment of ${words[Word.Protocol]} at ${place & ~7}: ${told(data)}${more}`;
  }
  if (isUdp(words, 0)) {
    const ends = `${port(words[Word.SourcePort])} > ${port(words[Word.DestinationPort])}`;
    const sum = ['', ' partial', ' wrong', ' no'][words[Word.Checksum]];
    return `UDP ${ends}: ${told(data)}${sum === '' ? '' : `${sum} checksum`}`;
  }
  if (!isIcmp(words, 0)) return `protocol ${words[Word.Protocol]}: ${told(data)}`;
  const kind = words[IcmpWord.Kind];
  const rest = words[IcmpWord.Rest];
  const quote = readOther(quoted(bytes, start), port)?.text ?? '';
  const about = rest === 0 ? '' : ` (${rest})`;
  return `ICMP ${kind >>> 8}/${kind & 0xff}${about} ${data.length} bytes of ${quote}`;
}

/** A quoted packet, as whole as it was said to be. */
function quoted(bytes: Buffer, at: number): Buffer {
  const rest = bytes.subarray(at);
  if (rest.length < 40) return rest;
  const length = rest[0] >> 4 === 4 ? rest.readUInt16BE(2) : 40 + rest.readUInt16BE(4);
  return Buffer.concat([rest, Buffer.alloc(Math.max(length - rest.length, 0))]);
}

function told(data: Buffer): string {
  const hash = createHash('sha1').update(data).digest('hex').slice(0, 6);
  return `${data.length} bytes${data.length === 0 ? '' : ` ${hash}`}`;
}
