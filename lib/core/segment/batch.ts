import { MAX_SLICES, SLICE_WORDS, Word } from './layout';

/**
 * A run of descriptors that crosses a border in one call: received packets on their way up, or
 * segments to be built on their way down.
 *
 * The payload of a received packet is `PayloadLength` bytes at `PayloadOffset` of slab `Slab`, and
 * valid only during the call that hands the batch over. The payload of a segment to be built is
 * `SliceCount` slices, `MAX_SLICES` places of `SLICE_WORDS` words for each descriptor; it is valid
 * until the call that takes the batch returns.
 */
export class SegmentBatch {
  readonly words: Int32Array;
  readonly slices: Int32Array;
  /** Descriptors in use. */
  count = 0;
  /** Largest payload of a super-segment that whoever takes the batch can cut; 0: none. */
  gsoMax = 0;

  /** @param capacity descriptors that it can hold, 1 or more */
  constructor(readonly capacity: number) {
    this.words = new Int32Array(capacity * Word.Stride);
    this.slices = new Int32Array(capacity * MAX_SLICES * SLICE_WORDS);
  }

  /** First word of descriptor `index`. */
  base(index: number): number {
    return (index * Word.Stride) | 0;
  }

  /** Clears the next descriptor and returns its first word; -1 when the batch is full. */
  push(): number {
    if (this.count === this.capacity) return -1;
    const base = (this.count++ * Word.Stride) | 0;
    this.words.fill(0, base, base + Word.Stride);
    return base;
  }

  /** First word, in `slices`, of the slices of the descriptor that starts at `base`. */
  sliceBase(base: number): number {
    return ((base / Word.Stride) | 0) * MAX_SLICES * SLICE_WORDS;
  }

  /** Copies descriptors without payload from the front of `from`, as many as fit; their number. */
  append(from: SegmentBatch): number {
    const moved = Math.min(from.count, this.capacity - this.count);
    const words = from.words.subarray(0, moved * Word.Stride);
    this.words.set(words, this.count * Word.Stride);
    this.count += moved;
    return moved;
  }

  /** Drops the first `count` descriptors, none of which may have payload. */
  discard(count: number): void {
    if (count === 0) return;
    this.words.copyWithin(0, count * Word.Stride, this.count * Word.Stride);
    this.count -= count;
  }
}
