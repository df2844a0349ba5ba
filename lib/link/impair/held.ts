import { buildPacket, packetLength } from '../../codec/build';
import { parsePacket } from '../../codec/parse';
import { ParseResult } from '../../codec/result';
import type { SlabTable } from '../../core/memory/slabs';
import { SegmentBatch } from '../../core/segment/batch';
import { Direction, MAX_SLICES, SLICE_WORDS, Word } from '../../core/segment/layout';

/** Room of the two kinds of slabs: a packet of the usual MTU, and the longest packet. */
const SMALL = 2048;
const LARGE = 66 * 1024;
/** Memory for what is held at one time, bytes. */
const LIMIT = 64 * 1024 * 1024;

/** A segment with bytes of its own: descriptor 0 of `batch`. */
export interface Held {
  readonly batch: SegmentBatch;
  readonly slab: Uint8Array;
  /** Of the slab in the stack's table. */
  readonly slabIndex: number;
}

/** Copies one descriptor and its slices. */
export function copyDescriptor(
  from: SegmentBatch,
  fromIndex: number,
  to: SegmentBatch,
  toIndex: number,
): void {
  const source = from.base(fromIndex);
  const target = to.base(toIndex);
  for (let i = 0; i < Word.Stride; i++) to.words[target + i] = from.words[source + i];
  const sourceSlices = from.sliceBase(source);
  const targetSlices = to.sliceBase(target);
  const used = Math.min(from.words[source + Word.SliceCount], MAX_SLICES) * SLICE_WORDS;
  for (let i = 0; i < used; i++) to.slices[targetSlices + i] = from.slices[sourceSlices + i];
}

/** The memory of segments that wait: slabs of two sizes, used again and again. */
export class Holding {
  private readonly freeSmall: Held[] = [];
  private readonly freeLarge: Held[] = [];
  private allocated = 0;
  private retired: Held[] = [];

  constructor(
    private readonly slabs: SlabTable,
    private readonly hashKey: Int32Array,
    private readonly direction: Direction,
  ) {}

  /** A copy of descriptor `index` with its bytes; null when too much is held already. */
  copy(batch: SegmentBatch, index: number): Held | null {
    const base = batch.base(index);
    const received = this.direction === Direction.In;
    const held = this.take(batch.words[base + (received ? Word.PacketLength : Word.PayloadLength)]);
    if (held === null) return null;
    copyDescriptor(batch, index, held.batch, 0);
    if (received) this.copyPacket(held);
    else this.copyPayload(held, batch, base);
    return held;
  }

  /** The whole packet of a descriptor that is to be built; null as of `receive`. */
  build(batch: SegmentBatch, index: number): Held | null {
    const base = batch.base(index);
    const { words, slices } = batch;
    const held = this.take(packetLength(words, base));
    if (held === null) return null;
    const sliceBase = batch.sliceBase(base);
    const { slabs } = this.slabs;
    if (buildPacket(words, base, slices, sliceBase, slabs, held.slab, 0) > 0) return held;
    this.free(held);
    return null;
  }

  /**
   * A received packet made from a descriptor that is to be built, as if it had come in like that.
   * Null when too much is held already, or it can't be built.
   */
  receive(batch: SegmentBatch, index: number): Held | null {
    const held = this.build(batch, index);
    if (held === null) return null;
    const length = packetLength(batch.words, batch.base(index));
    if (this.parse(held, length)) return held;
    this.free(held);
    return null;
  }

  /** Makes the descriptor of a received packet that stands in the slab; false: it can't be read. */
  parse({ batch, slab, slabIndex }: Held, length: number): boolean {
    const result = parsePacket(slab, slabIndex, 0, length, batch.words, 0, this.hashKey);
    return result === ParseResult.Ok;
  }

  /** Gives a held segment up, as soon as the batch that it went into has been handed over. */
  retire(held: Held): void {
    this.retired.push(held);
  }

  /** What was retired is not used any more. */
  recycle(): void {
    for (const held of this.retired) this.free(held);
    this.retired.length = 0;
  }

  private copyPacket({ batch: { words }, slab, slabIndex }: Held): void {
    const offset = words[Word.PacketOffset];
    const end = offset + words[Word.PacketLength];
    slab.set(this.slabs.slabs[words[Word.Slab]].subarray(offset, end));
    words[Word.Slab] = slabIndex;
    words[Word.PacketOffset] = 0;
    words[Word.TransportOffset] -= offset;
    words[Word.PayloadOffset] -= offset;
  }

  private copyPayload(held: Held, batch: SegmentBatch, base: number): void {
    const { slices } = batch;
    let at = batch.sliceBase(base);
    let length = 0;
    for (let n = batch.words[base + Word.SliceCount]; n > 0; n--, at += SLICE_WORDS) {
      const offset = slices[at + 1];
      const bytes = this.slabs.slabs[slices[at]].subarray(offset, offset + slices[at + 2]);
      held.slab.set(bytes, length);
      length += bytes.length;
    }
    held.batch.words[Word.SliceCount] = length > 0 ? 1 : 0;
    held.batch.slices.set([held.slabIndex, 0, length]);
  }

  private take(length: number): Held | null {
    const size = length <= SMALL ? SMALL : LARGE;
    const free = size === SMALL ? this.freeSmall : this.freeLarge;
    const held = free.pop();
    if (held !== undefined) return held;
    if (length > LARGE || this.allocated + size > LIMIT) return null;
    this.allocated += size;
    const slab = new Uint8Array(size);
    const batch = new SegmentBatch(1);
    batch.count = 1;
    return { batch, slab, slabIndex: this.slabs.add(slab) };
  }

  private free(held: Held): void {
    (held.slab.length === SMALL ? this.freeSmall : this.freeLarge).push(held);
  }
}
