import { buildPacket, packetLength } from '../../../lib/codec/build';
import { parsePacket } from '../../../lib/codec/parse';
import { ParseResult } from '../../../lib/codec/result';
import { SlabTable } from '../../../lib/core/memory/slabs';
import { SegmentBatch } from '../../../lib/core/segment/batch';
import { isTcp } from '../../../lib/core/segment/kind';
import { Flag, Word } from '../../../lib/core/segment/layout';
import { formatFlags } from '../../../lib/observe/tcpdump';
import { pushSegment, type Fields } from '../../support/segments';

/** The bytes of a packet with those fields. */
export function makePacket(fields: Fields): Buffer {
  const batch = new SegmentBatch(1);
  const slabs = new SlabTable();
  const base = pushSegment(batch, slabs, fields);
  const out = Buffer.alloc(packetLength(batch.words, base));
  buildPacket(batch.words, base, batch.slices, 0, slabs.slabs, out, 0);
  return out;
}

/** A TCP segment as it left. */
export interface Sent {
  sourcePort: number;
  destinationPort: number;
  flags: number;
  seq: number;
  ack: number;
  window: number;
  urgent: number;
  ttl: number;
  trafficClass: number;
  /** IPv4's DF is clear. */
  mayFragment: boolean;
  /** In the header's order: 'mss 1460', 'sackOK', 'TS', 'nop', 'wscale 7', 'sack'. */
  options: string[];
  tsVal: number;
  tsEcr: number;
  sack: number[];
  data: Buffer;
}

const HASH_KEY = Int32Array.of(1, 2);

/** Reads a packet; null where it is no TCP segment, or one with a wrong checksum. */
export function readPacket(bytes: Buffer): Sent | null {
  const words = new Int32Array(Word.Stride);
  if (parsePacket(bytes, 0, 0, bytes.length, words, 0, HASH_KEY) !== ParseResult.Ok) return null;
  if (!isTcp(words, 0)) return null;
  const at = words[Word.TransportOffset] + 20;
  const payload = words[Word.PayloadOffset];
  return {
    sourcePort: words[Word.SourcePort],
    destinationPort: words[Word.DestinationPort],
    flags: words[Word.Flags],
    seq: words[Word.Sequence],
    ack: words[Word.Acknowledgment],
    window: words[Word.Window],
    urgent: words[Word.Urgent],
    ttl: words[Word.HopLimit],
    trafficClass: words[Word.TrafficClass],
    mayFragment: words[Word.Family] === 4 && (bytes[6] & 0x40) === 0,
    options: optionNames(bytes.subarray(at, at + words[Word.OptionsLength])),
    tsVal: words[Word.TsVal],
    tsEcr: words[Word.TsEcr],
    sack: [...words.subarray(Word.Sack, Word.Sack + 2 * words[Word.SackCount])],
    data: bytes.subarray(payload, payload + words[Word.PayloadLength]),
  };
}

function optionNames(bytes: Buffer): string[] {
  const names: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const kind = bytes[at];
    const length = kind < 2 ? 1 : bytes[at + 1];
    if (kind === 2) names.push(`mss ${bytes.readUInt16BE(at + 2)}`);
    else if (kind === 3) names.push(`wscale ${bytes[at + 2]}`);
    else names.push(['eol', 'nop', '', '', 'sackOK', 'sack', '', '', 'TS'][kind] ?? `kind ${kind}`);
    if (length < 1) break;
    at += length;
  }
  return names;
}

const LETTERS: Readonly<Record<string, Flag>> = {
  F: Flag.FIN,
  S: Flag.SYN,
  R: Flag.RST,
  P: Flag.PSH,
  '.': Flag.ACK,
  U: Flag.URG,
  E: Flag.ECE,
  W: Flag.CWR,
};

/** The bits of tcpdump's letters. */
export function flagBits(letters: string): number {
  return [...letters].reduce((sum, letter) => sum | LETTERS[letter], 0);
}

export { formatFlags };
