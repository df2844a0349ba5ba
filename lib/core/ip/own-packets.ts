import { BlockPool, POOL_SLAB } from '../memory/block-pool';
import { Payloads } from '../memory/payloads';
import { RowRing } from '../memory/row-ring';
import type { SlabTable } from '../memory/slabs';
import type { SegmentBatch } from '../segment/batch';
import { Direction, Word } from '../segment/layout';
import type { Counters } from '../stack/counters';

/** A row: the descriptor, and the first block of the payload. */
const BLOCK: number = Word.Stride;
const STRIDE = BLOCK + 1;

/** Packets that wait at most, and memory of their payloads, bytes. */
export const MAX_OWN_PACKETS = 1024;
export const MAX_OWN_BYTES = POOL_SLAB;

/**
 * Packets that the stack itself sends, which belong to no socket: ICMP, IGMP, MLD, neighbour
 * discovery, ARP. They wait here until the link takes them, before everything else. To send one:
 *
 *     const base = own.push(length);
 *     if (base < 0) return;
 *     const { words } = own;
 *     words[base + Word.Family] = 6; …
 *     own.append(bytes, 0, length);
 */
export class OwnPackets {
  private readonly rows = new RowRing(STRIDE);
  private readonly pool: BlockPool;
  private readonly payloads: Payloads;

  /**
   * @param slabs where the memory of payloads is added
   * @param allocate memory, uninitialised where that is cheaper
   */
  constructor(
    slabs: SlabTable,
    allocate: (bytes: number) => Uint8Array,
    private readonly counters: Counters,
  ) {
    this.pool = new BlockPool(slabs, allocate);
    this.payloads = new Payloads(this.pool);
  }

  /** Packets that wait. */
  get count(): number {
    return this.rows.count;
  }

  /** Where the descriptors are; another array, perhaps, after each `push`. */
  get words(): Int32Array {
    return this.rows.words;
  }

  /**
   * Adds a packet with `length` bytes of payload (0 to 65,535), all of which `append` has to bring
   * before the next `push`.
   * @returns the first word of its descriptor in `words`, which says that it is to be sent and how
   *   long its payload is, all else being 0; -1: there is no room, it is dropped and counted
   */
  push(length: number): number {
    const { rows, pool } = this;
    if (rows.count === MAX_OWN_PACKETS || pool.used + length > MAX_OWN_BYTES) {
      this.counters.NetlandOwnPacketDrops++;
      return -1;
    }
    const base = rows.push();
    const { words } = rows;
    words.fill(0, base, base + Word.Stride);
    words[base + Word.Direction] = Direction.Out;
    words[base + Word.PayloadLength] = length;
    words[base + BLOCK] = this.payloads.take(length);
    return base;
  }

  /** Copies bytes to the end of the payload of the packet that was added last. */
  append(bytes: Uint8Array, offset: number, length: number): void {
    this.payloads.append(bytes, offset, length);
  }

  /** Moves packets to the end of `batch`, the oldest first, until none is left or it is full. */
  transmit(batch: SegmentBatch): void {
    const { rows, payloads } = this;
    while (rows.count > 0 && batch.count < batch.capacity) {
      const base = batch.push();
      const { first, words } = rows;
      for (let i = 0; i < Word.Stride; i++) batch.words[base + i] = words[first + i];
      const length = words[first + Word.PayloadLength];
      const block = words[first + BLOCK];
      const at = batch.sliceBase(base);
      batch.words[base + Word.SliceCount] = payloads.slice(block, length, batch.slices, at);
      payloads.free(block, length);
      rows.shift();
    }
  }
}
