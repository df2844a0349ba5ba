import type { BlockPool } from '../memory/block-pool';
import { MAX_SLICES, SLICE_WORDS } from '../segment/layout';

/** From so many bytes on, new blocks are large ones. */
const LARGE_FROM = 8 * 1024;

const NONE = -1;

/**
 * What the program has written and the peer has not acknowledged yet, in order: first what has been
 * sent, then what has not. It lies in a chain of blocks of the pool, all full but the first (from
 * whose front bytes go) and the last (to whose end bytes come). An empty buffer holds no block.
 */
export class SendBuffer {
  /** Bytes held: sent and unacknowledged, and unsent. */
  length = 0;
  /** Bytes from the front to the end of what is urgent: SND.UP; 0: nothing is. */
  urgent = 0;
  /** Slices that the last `slice` wrote. */
  sliceCount = 0;

  /** Where the last packet that was begun has its first byte (`send-space.ts`). */
  lastPacket = 0;
  /** The same as `pushes.ts` has it. */
  packet = 0;
  /** Up to where PSH has been, or will be, said (Linux: pushed_seq). */
  pushed = 0;
  /** Where packets end that will bear PSH and have not left, in order; null: none (`pushes.ts`). */
  pushes: number[] | null = null;
  /** Where records end of which something is unsent, in order; null: none (`records.ts`). */
  records: number[] | null = null;

  private head = NONE;
  private tail = NONE;
  /** Bytes of the first block that are gone. */
  private headStart = 0;
  /** Bytes of the last block that are written. */
  private tailEnd = 0;
  /**
   * Where the furthest slice ended, for what is sent for the first time, and where the last one
   * before that did, for what is sent again: a block, and its first byte's distance from the front.
   */
  private cursor = NONE;
  private cursorAt = 0;
  private again = NONE;
  private againAt = 0;

  constructor(private readonly pool: BlockPool) {}

  /** Copies `length` bytes at `offset` of `bytes` to the end. */
  append(bytes: Uint8Array, offset: number, length: number): void {
    const pool = this.pool;
    const end = offset + length;
    while (offset < end) {
      let room = this.tail === NONE ? 0 : pool.sizeOf(this.tail) - this.tailEnd;
      if (room === 0) room = this.extend(this.length + end - offset);
      const count = Math.min(room, end - offset);
      const source =
        offset === 0 && count === bytes.length ? bytes : bytes.subarray(offset, offset + count);
      pool.bytesOf(this.tail).set(source, pool.offsetOf(this.tail) + this.tailEnd);
      this.tailEnd += count;
      this.length += count;
      offset += count;
    }
  }

  /**
   * Writes where `length` bytes lie, from `offset` bytes after the front: up to `most` slices at
   * `out[at]`, their number to `sliceCount`. The range must be within the buffer. The bytes stay
   * where they are until they are discarded.
   * @returns bytes covered: less than `length` when more slices would be needed
   */
  slice(
    offset: number,
    length: number,
    out: Int32Array,
    at: number,
    most: number = MAX_SLICES,
  ): number {
    if (offset < 0 || offset + length > this.length) {
      throw new RangeError(`${offset}+${length} is outside of a send buffer of ${this.length}`);
    }
    const pool = this.pool;
    const isNew = this.cursor !== NONE && offset >= this.cursorAt;
    let block = isNew ? this.cursor : this.again;
    let start = isNew ? this.cursorAt : this.againAt;
    if (block === NONE || offset < start) {
      block = this.head;
      start = -this.headStart;
    }
    while (block !== this.tail && offset - start >= pool.sizeOf(block)) {
      start += pool.sizeOf(block);
      block = pool.linkOf(block);
    }
    let count = 0;
    let covered = 0;
    while (covered < length) {
      const skipped = offset + covered - start;
      const room = pool.sizeOf(block) - skipped;
      if (room === 0) {
        start += pool.sizeOf(block);
        block = pool.linkOf(block);
        continue;
      }
      if (count === most) break;
      const bytes = Math.min(room, length - covered);
      out[at] = pool.slabOf(block);
      out[at + 1] = pool.offsetOf(block) + skipped;
      out[at + 2] = bytes;
      at += SLICE_WORDS;
      count++;
      covered += bytes;
    }
    if (this.cursor === NONE || start >= this.cursorAt) {
      this.cursor = block;
      this.cursorAt = start;
    } else {
      this.again = block;
      this.againAt = start;
    }
    this.sliceCount = count;
    return covered;
  }

  /** Acknowledged: drops `count` bytes from the front; at most `length`. */
  discard(count: number): void {
    if (count >= this.length) {
      this.clear();
      return;
    }
    const pool = this.pool;
    this.length -= count;
    this.urgent = Math.max(this.urgent - count, 0);
    this.headStart += count;
    while (this.headStart >= pool.sizeOf(this.head)) {
      const gone = this.head;
      this.headStart -= pool.sizeOf(gone);
      this.head = pool.linkOf(gone);
      if (this.cursor === gone) this.cursor = NONE;
      if (this.again === gone) this.again = NONE;
      pool.free(gone);
    }
    this.cursorAt -= count;
    this.againAt -= count;
  }

  /** Drops everything and frees the blocks. */
  clear(): void {
    for (let block = this.head; block !== NONE;) {
      const next = block === this.tail ? NONE : this.pool.linkOf(block);
      this.pool.free(block);
      block = next;
    }
    this.head = NONE;
    this.tail = NONE;
    this.cursor = NONE;
    this.again = NONE;
    this.headStart = 0;
    this.tailEnd = 0;
    this.length = 0;
    this.urgent = 0;
    this.records = this.pushes = null;
  }

  /** Appends a block, whose size depends on how much is going to be held; returns its size. */
  private extend(expected: number): number {
    const pool = this.pool;
    const block = expected >= LARGE_FROM ? pool.takeLarge() : pool.takeSmall();
    if (this.tail === NONE) this.head = block;
    else pool.setLink(this.tail, block);
    this.tail = block;
    this.tailEnd = 0;
    return pool.sizeOf(block);
  }
}
