/** Packets in tcpdump's notation, as tcpdump 4.99 prints them without a time. */
import { TCP_HEADER } from '../codec/headers';
import { optionsLength, writeOptions } from '../codec/options';
import { parsePacket } from '../codec/parse';
import { formatAddress, readAddress } from '../core/ip/address';
import type { SegmentBatch } from '../core/segment/batch';
import { isTcp } from '../core/segment/kind';
import { Direction, Flag, Word } from '../core/segment/layout';
import { Conversations } from './conversations';
import { PacketBytes } from './packet-bytes';
import { formatPacket, formatPort } from './tcpdump-ip';
import { type SackReference, formatOptions } from './tcpdump-options';

export interface FormatOptions {
  /**
   * What a received descriptor points into: its options are then read there and stand in their own
   * order. Without it they are laid out as they would be sent.
   */
  slabs?: readonly Uint8Array[];
  /** The payload of what isn't TCP, where `slabs` don't have it: more is told with it. */
  payload?: Uint8Array;
  /** What sequence numbers, acknowledgments and SACK blocks are relative to; absolute without. */
  relativeTo?: SegmentReference;
  /** Well-known ports by name, as tcpdump without `-n` has them; addresses stay numbers. */
  names?: boolean;
}

/** What the numbers of one segment are counted from, int32. */
export interface SegmentReference extends SackReference {
  sequence: number;
  acknowledgment: number;
}

export interface TcpdumpOptions {
  /** Absolute sequence numbers (`-S`). */
  absolute?: boolean;
  /** A dump of the packet in hex and ASCII below its line (`-X`). */
  hex?: boolean;
  /** Well-known ports by name; numbers else (`-n`). */
  names?: boolean;
}

const NO_KEY = new Int32Array(2);

const FLAG_LETTERS: readonly (readonly [Flag, string])[] = [
  [Flag.FIN, 'F'],
  [Flag.SYN, 'S'],
  [Flag.RST, 'R'],
  [Flag.PSH, 'P'],
  [Flag.ACK, '.'],
  [Flag.URG, 'U'],
  [Flag.ECE, 'E'],
  [Flag.CWR, 'W'],
  [Flag.AE, 'e'],
];

/** The flags in tcpdump's letters and order: 'S.', 'FP.', 'none'. */
export function formatFlags(flags: number): string {
  const letters = FLAG_LETTERS.filter(([flag]) => (flags & flag) !== 0).map(([, letter]) => letter);
  return letters.join('') || 'none';
}

/** The flags of which these are tcpdump's letters, in any order; -1: they are none. */
export function parseFlags(letters: string): number {
  if (letters === 'none') return 0;
  let flags = 0;
  for (const each of letters) {
    const found = FLAG_LETTERS.find(([, letter]) => letter === each);
    if (found === undefined) return -1;
    flags |= found[0];
  }
  return flags;
}

/**
 * The line for the descriptor at `base`, as `tcpdump -n` prints it:
 * `IP 10.0.0.1.40000 > 10.0.0.2.80: Flags [S], seq 1368668675, win 29200, length 0`, or
 * `IP 10.0.0.99 > 10.0.0.1: ICMP host 10.0.0.2 unreachable, length 36`.
 */
export function formatSegment(
  words: Int32Array,
  base: number,
  options: FormatOptions = {},
): string {
  if (!isTcp(words, base)) {
    const payload = options.payload ?? payloadIn(words, base, options.slabs);
    return formatPacket(words, base, payload, options.names);
  }
  const family = words[base + Word.Family] === 6 ? 'IP6' : 'IP';
  const { names } = options;
  const source = endpoint(words, base + Word.Source, base + Word.SourcePort, names);
  const destination = endpoint(words, base + Word.Destination, base + Word.DestinationPort, names);
  return `${family} ${source} > ${destination}: ${formatFields(words, base, options)}`;
}

/** What stands behind the two ends in such a line: `Flags [S], seq 1368668675, …`. */
export function formatFields(words: Int32Array, base: number, options: FormatOptions = {}): string {
  const flags = words[base + Word.Flags];
  const length = words[base + Word.PayloadLength];
  const reference = options.relativeTo;
  const sequence = (words[base + Word.Sequence] - (reference?.sequence ?? 0)) >>> 0;
  const acknowledgment =
    (words[base + Word.Acknowledgment] - (reference?.acknowledgment ?? 0)) >>> 0;

  let line = `Flags [${formatFlags(flags)}]`;
  if (length > 0) line += `, seq ${sequence}:${(sequence + length) >>> 0}`;
  else if ((flags & (Flag.SYN | Flag.FIN | Flag.RST)) !== 0) line += `, seq ${sequence}`;
  if ((flags & Flag.ACK) !== 0) line += `, ack ${acknowledgment}`;
  line += `, win ${words[base + Word.Window]}`;
  if ((flags & Flag.URG) !== 0) line += `, urg ${words[base + Word.Urgent]}`;
  const bytes = optionBytes(words, base, options.slabs);
  if (bytes.length > 0) line += `, options [${formatOptions(bytes, reference?.sack ?? 0)}]`;
  return `${line}, length ${length}`;
}

function endpoint(words: Int32Array, address: number, port: number, names?: boolean): string {
  return `${formatAddress(readAddress(words, address))}.${formatPort(words[port], 'tcp', names)}`;
}

function payloadIn(
  words: Int32Array,
  base: number,
  slabs: readonly Uint8Array[] | undefined,
): Uint8Array | undefined {
  if (slabs === undefined || words[base + Word.Direction] !== Direction.In) return undefined;
  const start = words[base + Word.PayloadOffset];
  const end = start + words[base + Word.PayloadLength];
  return slabs[words[base + Word.Slab]].subarray(start, end);
}

function optionBytes(
  words: Int32Array,
  base: number,
  slabs: readonly Uint8Array[] | undefined,
): Uint8Array {
  // A received packet has its length in the descriptor, one to be built has not.
  if (slabs !== undefined && words[base + Word.PacketLength] > 0) {
    const offset = words[base + Word.TransportOffset] + TCP_HEADER;
    const length = words[base + Word.OptionsLength];
    return slabs[words[base + Word.Slab]].subarray(offset, offset + length);
  }
  const bytes = new Uint8Array(optionsLength(words, base));
  writeOptions(words, base, bytes, 0);
  return bytes;
}

/**
 * Prints the segments of a link as tcpdump does, sequence numbers relative to the first ones of
 * their conversation unless `absolute`.
 */
export class Tcpdump {
  private readonly conversations = new Conversations();
  private readonly bytes: PacketBytes;

  /** @param slabs what descriptors and slices point into (`SlabTable.slabs`) */
  constructor(
    private readonly slabs: readonly Uint8Array[],
    private readonly options: TcpdumpOptions = {},
  ) {
    this.bytes = new PacketBytes(slabs);
  }

  /**
   * The line for descriptor `index` of a batch, or those of the fragments that it becomes; with
   * `hex`, the lines of the dump behind each.
   * @param direction whether the batch was received or is to be sent
   */
  format(batch: SegmentBatch, index: number, direction: Direction): string {
    const base = batch.base(index);
    const { words } = batch;
    if (direction === Direction.Out && !isTcp(words, base)) return this.formatBuilt(batch, index);
    const absolute = this.options.absolute === true;
    const line = formatSegment(words, base, {
      slabs: direction === Direction.In ? this.slabs : undefined,
      relativeTo: absolute ? undefined : this.conversations.capture(words, base),
      names: this.options.names,
    });
    if (this.options.hex !== true) return line;
    const packet = this.bytes.of(batch, index, direction);
    return packet === null ? line : `${line}\n${hexDump(packet)}`;
  }

  /** What isn't TCP is told from its bytes. */
  private formatBuilt(batch: SegmentBatch, index: number): string {
    const lines: string[] = [];
    this.bytes.forEach(batch, index, Direction.Out, (packet) => {
      const words = new Int32Array(Word.Stride);
      parsePacket(packet, 0, 0, packet.length, words, 0, NO_KEY);
      lines.push(formatSegment(words, 0, { slabs: [packet], names: this.options.names }));
      if (this.options.hex === true) lines.push(hexDump(packet));
    });
    return lines.join('\n');
  }
}

/** The bytes as `tcpdump -X` shows a packet: offset, eight pairs, ASCII. */
export function hexDump(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = bytes.subarray(at, at + 16);
    let pairs = '';
    let text = '';
    row.forEach((byte, i) => {
      pairs += (i % 2 === 0 ? ' ' : '') + byte.toString(16).padStart(2, '0');
      text += byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.';
    });
    lines.push(`\t0x${at.toString(16).padStart(4, '0')}: ${pairs.padEnd(41)} ${text}`);
  }
  return lines.join('\n');
}
