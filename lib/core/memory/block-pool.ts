import type { SlabTable } from './slabs';

/** Bytes of the two kinds of block, and of the slabs that they are carved from. */
export const SMALL_BLOCK = 2 * 1024;
export const LARGE_BLOCK = 64 * 1024;
export const POOL_SLAB = 1024 * 1024;

const LARGE_PER_SLAB = POOL_SLAB / LARGE_BLOCK;
/** As many as a word has bits: one word tells which small blocks of a large one are free. */
const SMALL_PER_LARGE = LARGE_BLOCK / SMALL_BLOCK;
const ALL_FREE = -1;

/**
 * Memory for what waits to be sent. A block is known by its handle, a number: twice the number of
 * its first 2 KiB in the pool, plus 1 if the block is a large one.
 *
 * A large block is given out whole or as 32 small ones, and is whole again as soon as all of these
 * have come back. Slabs stay: links may have registered them.
 */
export class BlockPool {
  /** Blocks given out, in bytes. */
  used = 0;

  /** Index in the slab table of each slab of the pool. */
  private readonly slabIndices: number[] = [];
  /** For each large block: which of its small blocks are free, and its neighbours in a list. */
  private free_: Int32Array = new Int32Array(0);
  private next: Int32Array = new Int32Array(0);
  private previous: Int32Array = new Int32Array(0);
  /** List of the large blocks that are free, singly linked. */
  private freeLarge = -1;
  /** List of the large blocks of which some small ones are free and some are not. */
  private divided = -1;
  /** For each 2 KiB: what the owner of the block that begins there has written. */
  private links: Int32Array = new Int32Array(0);

  /**
   * @param slabs where the pool's slabs are added
   * @param allocate memory, uninitialised where that is cheaper
   */
  constructor(
    private readonly slabs: SlabTable,
    private readonly allocate: (bytes: number) => Uint8Array,
  ) {}

  /** Bytes of all slabs of the pool. */
  get size(): number {
    return this.slabIndices.length * POOL_SLAB;
  }

  /** Takes a block of 2 KiB; its handle. */
  takeSmall(): number {
    if (this.divided < 0) {
      const large = this.takeWhole();
      this.free_[large] = ALL_FREE;
      this.linkDivided(large);
    }
    const large = this.divided;
    const free = this.free_[large];
    const bit = 31 - Math.clz32(free & -free);
    this.free_[large] = free & ~(1 << bit);
    if (this.free_[large] === 0) this.unlinkDivided(large);
    this.used += SMALL_BLOCK;
    return (large * SMALL_PER_LARGE + bit) * 2;
  }

  /** Takes a block of 64 KiB; its handle. */
  takeLarge(): number {
    this.used += LARGE_BLOCK;
    return this.takeWhole() * SMALL_PER_LARGE * 2 + 1;
  }

  /** Gives a block back. */
  free(handle: number): void {
    const unit = handle >> 1;
    const large = (unit / SMALL_PER_LARGE) | 0;
    this.used -= this.sizeOf(handle);
    if ((handle & 1) === 1) {
      this.freeWhole(large);
      return;
    }
    const free = this.free_[large];
    this.free_[large] = free | (1 << (unit % SMALL_PER_LARGE));
    if (free === 0) this.linkDivided(large);
    if (this.free_[large] === ALL_FREE) {
      this.unlinkDivided(large);
      this.freeWhole(large);
    }
  }

  /** Bytes of a block. */
  sizeOf(handle: number): number {
    return (handle & 1) === 1 ? LARGE_BLOCK : SMALL_BLOCK;
  }

  /** Index in the slab table of the slab that the block is in. */
  slabOf(handle: number): number {
    return this.slabIndices[((handle >> 1) / (SMALL_PER_LARGE * LARGE_PER_SLAB)) | 0];
  }

  /** Where the block begins in its slab. */
  offsetOf(handle: number): number {
    return ((handle >> 1) % (SMALL_PER_LARGE * LARGE_PER_SLAB)) * SMALL_BLOCK;
  }

  /** The bytes of the slab that the block is in. */
  bytesOf(handle: number): Uint8Array {
    return this.slabs.slabs[this.slabOf(handle)];
  }

  /** A number that the owner keeps with a block, such as the handle of the next. */
  linkOf(handle: number): number {
    return this.links[handle >> 1];
  }

  setLink(handle: number, value: number): void {
    this.links[handle >> 1] = value;
  }

  private takeWhole(): number {
    if (this.freeLarge < 0) this.addSlab();
    const large = this.freeLarge;
    this.freeLarge = this.next[large];
    return large;
  }

  private freeWhole(large: number): void {
    this.next[large] = this.freeLarge;
    this.freeLarge = large;
  }

  private addSlab(): void {
    const first = this.slabIndices.length * LARGE_PER_SLAB;
    const index = this.slabs.add(this.allocate(POOL_SLAB));
    this.slabIndices.push(index);
    const blocks = first + LARGE_PER_SLAB;
    if (blocks > this.next.length) {
      const capacity = Math.max(blocks, 2 * this.next.length);
      this.free_ = extended(this.free_, capacity);
      this.next = extended(this.next, capacity);
      this.previous = extended(this.previous, capacity);
      this.links = extended(this.links, capacity * SMALL_PER_LARGE);
    }
    for (let large = blocks - 1; large >= first; large--) this.freeWhole(large);
  }

  private linkDivided(large: number): void {
    this.next[large] = this.divided;
    this.previous[large] = -1;
    if (this.divided >= 0) this.previous[this.divided] = large;
    this.divided = large;
  }

  private unlinkDivided(large: number): void {
    const next = this.next[large];
    const previous = this.previous[large];
    if (next >= 0) this.previous[next] = previous;
    if (previous >= 0) this.next[previous] = next;
    else this.divided = next;
  }
}

function extended(from: Int32Array, length: number): Int32Array {
  const to = new Int32Array(length);
  to.set(from);
  return to;
}
