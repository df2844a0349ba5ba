import { MAX_SLICES, SLICE_WORDS } from '../segment/layout';
import { LARGE_BLOCK, SMALL_BLOCK, type BlockPool } from './block-pool';

const NO_BLOCK = -1;

/**
 * Payloads of packets that wait to be sent, each in blocks of a pool. One is known by the handle of
 * its first block, each of which has the next as its link; the owner keeps its length, too.
 */
export class Payloads {
  /** Where the next bytes of the payload that was taken last go. */
  private block = NO_BLOCK;
  private filled = 0;

  constructor(private readonly pool: BlockPool) {}

  /**
   * Memory for a payload of 0 to 65,536 bytes, which `append` brings: small blocks while a
   * descriptor has slices for them, else a large one.
   */
  take(length: number): number {
    const { pool } = this;
    let first = NO_BLOCK;
    if (length > SMALL_BLOCK * MAX_SLICES) {
      first = pool.takeLarge();
    } else {
      for (let room = 0; room < length; room += SMALL_BLOCK) {
        const block = pool.takeSmall();
        pool.setLink(block, first);
        first = block;
      }
    }
    this.block = first;
    this.filled = 0;
    return first;
  }

  /** Copies bytes to the end of the payload that was taken last. */
  append(bytes: Uint8Array, offset: number, length: number): void {
    const { pool } = this;
    let done = 0;
    while (done < length) {
      const size = pool.sizeOf(this.block);
      if (this.filled === size) {
        this.block = pool.linkOf(this.block);
        this.filled = 0;
        continue;
      }
      const part = Math.min(length - done, size - this.filled);
      const from = bytes.subarray(offset + done, offset + done + part);
      pool.bytesOf(this.block).set(from, pool.offsetOf(this.block) + this.filled);
      this.filled += part;
      done += part;
    }
  }

  /** Writes a payload's slices; how many. */
  slice(first: number, length: number, slices: Int32Array, at: number): number {
    const { pool } = this;
    let count = 0;
    for (let block = first, left = length; left > 0; block = pool.linkOf(block)) {
      const to = at + count++ * SLICE_WORDS;
      slices[to] = pool.slabOf(block);
      slices[to + 1] = pool.offsetOf(block);
      slices[to + 2] = Math.min(left, pool.sizeOf(block));
      left -= slices[to + 2];
    }
    return count;
  }

  /**
   * Gives a payload's blocks back. They keep their bytes until somebody takes them, which nobody
   * does before the batch that points there has been taken.
   */
  free(first: number, length: number): void {
    const { pool } = this;
    for (let block = first, left = length; left > 0;) {
      const isLarge = pool.sizeOf(block) === LARGE_BLOCK;
      const next = isLarge ? NO_BLOCK : pool.linkOf(block);
      left -= pool.sizeOf(block);
      pool.free(block);
      block = next;
    }
  }
}
