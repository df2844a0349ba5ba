import { parsePrefix, writeAddress } from '../../lib/core/ip/address';
import type { SlabTable } from '../../lib/core/memory/slabs';
import type { SegmentBatch } from '../../lib/core/segment/batch';
import { Direction, Option, SLICE_WORDS, Word } from '../../lib/core/segment/layout';

/** A segment to be built, by the names of its fields; what is left out is 0 or the usual. */
export interface Fields {
  from?: string;
  to?: string;
  sourcePort?: number;
  destinationPort?: number;
  sequence?: number;
  acknowledgment?: number;
  flags?: number;
  window?: number;
  urgent?: number;
  hopLimit?: number;
  trafficClass?: number;
  identification?: number;
  gsoSize?: number;
  /** Default: TCP. */
  protocol?: number;
  mss?: number;
  windowScale?: number;
  sackPermitted?: boolean;
  timestamps?: readonly [number, number];
  sack?: readonly (readonly [number, number])[];
  /** One slice for each. */
  payload?: readonly Uint8Array[];
}

/** Adds the segment to the batch, its payload to the slabs; returns its first word. */
export function pushSegment(batch: SegmentBatch, slabs: SlabTable, fields: Fields): number {
  const { words, slices } = batch;
  const base = batch.push();
  if (base < 0) throw new Error('the batch is full');
  const from = parsePrefix(fields.from ?? '10.0.0.1')?.address;
  const to = parsePrefix(fields.to ?? '10.0.0.2')?.address;
  if (from === undefined || to === undefined) throw new Error('no address');
  words[base + Word.Family] = (fields.from ?? '').includes(':') ? 6 : 4;
  words[base + Word.Protocol] = fields.protocol ?? 6;
  words[base + Word.Direction] = Direction.Out;
  writeAddress(from, words, base + Word.Source);
  writeAddress(to, words, base + Word.Destination);
  words[base + Word.HopLimit] = fields.hopLimit ?? 64;
  words[base + Word.TrafficClass] = fields.trafficClass ?? 0;
  words[base + Word.Identification] = fields.identification ?? 0;
  words[base + Word.GsoSize] = fields.gsoSize ?? 0;
  words[base + Word.SourcePort] = fields.sourcePort ?? 40000;
  words[base + Word.DestinationPort] = fields.destinationPort ?? 50000;
  words[base + Word.Sequence] = fields.sequence ?? 0;
  words[base + Word.Acknowledgment] = fields.acknowledgment ?? 0;
  words[base + Word.Flags] = fields.flags ?? 0x10;
  words[base + Word.Window] = fields.window ?? 500;
  words[base + Word.Urgent] = fields.urgent ?? 0;
  setOptions(words, base, fields);
  const payload = fields.payload ?? [];
  words[base + Word.SliceCount] = payload.length;
  words[base + Word.PayloadLength] = payload.reduce((sum, bytes) => sum + bytes.length, 0);
  payload.forEach((bytes, i) => {
    slices.set([slabs.add(bytes), 0, bytes.length], batch.sliceBase(base) + i * SLICE_WORDS);
  });
  return base;
}

function setOptions(words: Int32Array, base: number, fields: Fields): void {
  const { mss, windowScale, sackPermitted, timestamps, sack } = fields;
  let present = 0;
  if (mss !== undefined) {
    present |= Option.Mss;
    words[base + Word.Mss] = mss;
  }
  if (windowScale !== undefined) {
    present |= Option.WindowScale;
    words[base + Word.WindowScale] = windowScale;
  }
  if (sackPermitted === true) present |= Option.SackPermitted;
  if (timestamps !== undefined) {
    present |= Option.Timestamps;
    words.set(timestamps, base + Word.TsVal);
  }
  if (sack !== undefined) {
    present |= Option.Sack;
    words[base + Word.SackCount] = sack.length;
    words.set(sack.flat(), base + Word.Sack);
  }
  words[base + Word.Options] = present;
}

/** `length` bytes that are easily told apart. */
export function pattern(length: number, start = 0): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = i * 7 + (i >> 8) + start;
  return bytes;
}

/** The bytes of a text of hexadecimal digits. */
export function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replace(/\s/g, ''), 'hex'));
}
