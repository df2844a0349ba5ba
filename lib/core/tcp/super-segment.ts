import type { SegmentBatch } from '../segment/batch';
import { Flag, MAX_SLICES, Option, SLICE_WORDS, Word } from '../segment/layout';
import type { Connection } from './connection';
import { pushFlag } from './emit';
import type { SendBuffer } from './send-buffer';
import type { Tcp } from './tcp';

/**
 * Adds `length` bytes of new data from `seq` to the segment of `c` that was put into `batch` last
 * and ends there: a device cuts such a super-segment into full segments again (GSO), each with the
 * header of the whole, but PSH and FIN on the last and CWR on the first alone. Counted are the
 * segments.
 * @returns false, and nothing has happened, where a segment of its own is needed: the link cuts
 *   none, or not as many; what is there is no row of full segments, or has SACK blocks, which would
 *   be in each; or the bytes lie in too many pieces
 */
export function extendSegment(
  tcp: Tcp,
  c: Connection,
  batch: SegmentBatch,
  seq: number,
  length: number,
  fin: boolean,
): boolean {
  const { words } = batch;
  const base = batch.base(batch.count - 1);
  const payload = words[base + Word.PayloadLength];
  const size = words[base + Word.GsoSize] || payload;
  if (length === 0 || length > size || payload % size !== 0) return false;
  if (payload + length > batch.gsoMax || (words[base + Word.Options] & Option.Sack) !== 0) {
    return false;
  }
  const offset = (seq - c.sndUna) | 0;
  if (c.sendBuffer === null || !addSlices(c.sendBuffer, offset, length, batch, base)) return false;
  words[base + Word.GsoSize] = size;
  words[base + Word.PayloadLength] = payload + length;
  words[base + Word.Flags] &= ~Flag.PSH;
  words[base + Word.Flags] |= pushFlag(c, (seq + length) | 0) | (fin ? Flag.FIN : 0);
  // The device numbers them one by one.
  c.ipId = (c.ipId % 0xffff) + 1;
  tcp.counters.TcpOutSegs++;
  tcp.totals.left(c.row, true);
  return true;
}

/** Adds the places of `length` bytes to the slices of a descriptor; false where they don't fit. */
function addSlices(
  buffer: SendBuffer,
  offset: number,
  length: number,
  batch: SegmentBatch,
  base: number,
): boolean {
  const { slices, words } = batch;
  const used = words[base + Word.SliceCount];
  const at = batch.sliceBase(base) + used * SLICE_WORDS;
  if (buffer.slice(offset, length, slices, at, MAX_SLICES - used) < length) return false;
  let count = buffer.sliceCount;
  const last = at - SLICE_WORDS;
  if (slices[last] === slices[at] && slices[last + 1] + slices[last + 2] === slices[at + 1]) {
    slices[last + 2] += slices[at + 2];
    count--;
    slices.copyWithin(at, at + SLICE_WORDS, at + (count + 1) * SLICE_WORDS);
  }
  words[base + Word.SliceCount] = used + count;
  return true;
}
