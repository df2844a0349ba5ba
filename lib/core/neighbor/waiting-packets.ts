import { BlockPool } from '../memory/block-pool';
import { Payloads } from '../memory/payloads';
import { RowRing } from '../memory/row-ring';
import type { SlabTable } from '../memory/slabs';
import { truesize } from '../memory/truesize';
import type { SegmentBatch } from '../segment/batch';
import { BuildWord, SLICE_WORDS, Word } from '../segment/layout';
import type { HardwareAddress } from './hardware-address';

/** A row: the descriptor, and the first block of the payload. */
const BLOCK: number = Word.Stride;
const STRIDE = BLOCK + 1;

/** Memory of all packets that wait for neighbours, bounded. */
export class WaitingMemory {
  readonly payloads: Payloads;
  /** What Linux would count for them, bytes. */
  held = 0;
  private readonly pool: BlockPool;
  /** First block and length of payloads that a batch may still point to. */
  private readonly spent: number[] = [];

  constructor(
    readonly slabs: SlabTable,
    allocate: (bytes: number) => Uint8Array,
    readonly limit: number,
  ) {
    this.pool = new BlockPool(slabs, allocate);
    this.payloads = new Payloads(this.pool);
  }

  /** The payload goes as soon as the batch has been taken that is being filled. */
  spend(block: number, length: number): void {
    this.spent.push(block, length);
  }

  /** Nobody points to what was spent any more. */
  reclaim(): void {
    const { spent } = this;
    if (spent.length === 0) return;
    for (let i = 0; i < spent.length; i += 2) this.payloads.free(spent[i], spent[i + 1]);
    spent.length = 0;
  }
}

/** Packets that wait for the hardware address of one neighbour: copies, in order. */
export class WaitingPackets {
  private readonly rows = new RowRing(STRIDE);
  private held = 0;

  constructor(
    private readonly memory: WaitingMemory,
    /** As `truesize` counts, bytes. */
    private readonly limit: number,
  ) {}

  get count(): number {
    return this.rows.count;
  }

  /** The descriptors, and the first word of the oldest. */
  get words(): Int32Array {
    return this.rows.words;
  }
  get first(): number {
    return this.rows.first;
  }

  /**
   * Takes a copy of the packet; where it has no room the oldest give way.
   * @returns how many were dropped, itself among them where all together hold too much
   */
  add(batch: SegmentBatch, index: number): number {
    const { memory, rows } = this;
    const base = batch.base(index);
    const length = batch.words[base + Word.PayloadLength];
    const size = truesize(length);
    let dropped = 0;
    while (rows.count > 0 && !this.hasRoom(size)) {
      this.drop();
      dropped++;
    }
    if (!this.hasRoom(size)) return dropped + 1;
    const block = memory.payloads.take(length);
    const row = rows.push();
    rows.words.set(batch.words.subarray(base, base + Word.Stride), row);
    rows.words[row + BLOCK] = block;
    this.copy(batch, base);
    this.held += size;
    memory.held += size;
    return dropped;
  }

  private hasRoom(size: number): boolean {
    return this.held + size <= this.limit && this.memory.held + size <= this.memory.limit;
  }

  private copy(batch: SegmentBatch, base: number): void {
    const { payloads, slabs } = this.memory;
    let at = batch.sliceBase(base);
    for (let i = batch.words[base + Word.SliceCount]; i > 0; i--, at += SLICE_WORDS) {
      const slab = slabs.slabs[batch.slices[at]];
      payloads.append(slab, batch.slices[at + 1], batch.slices[at + 2]);
    }
  }

  /** Moves packets to the end of `batch` until none is left or it is full. */
  transmit(batch: SegmentBatch, to: HardwareAddress): void {
    const { rows, memory } = this;
    while (rows.count > 0 && batch.count < batch.capacity) {
      const base = batch.push();
      const { first, words } = rows;
      const length = words[first + Word.PayloadLength];
      batch.words.set(words.subarray(first, first + Word.Stride), base);
      batch.words[base + BuildWord.MacHigh] = to.high;
      batch.words[base + BuildWord.MacLow] = to.low;
      const at = batch.sliceBase(base);
      const block = words[first + BLOCK];
      const count = memory.payloads.slice(block, length, batch.slices, at);
      batch.words[base + Word.SliceCount] = count;
      this.drop();
    }
  }

  /** Drops the oldest; there must be one. */
  drop(): void {
    const { rows, memory } = this;
    const length = rows.words[rows.first + Word.PayloadLength];
    memory.spend(rows.words[rows.first + BLOCK], length);
    this.held -= truesize(length);
    memory.held -= truesize(length);
    rows.shift();
  }
}
