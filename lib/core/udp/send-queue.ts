import { LARGE_BLOCK, SMALL_BLOCK, type BlockPool } from '../memory/block-pool';
import { RowRing } from '../memory/row-ring';
import { truesize } from '../memory/truesize';
import { MAX_SLICES, SLICE_WORDS } from '../segment/layout';

/** A row: a datagram that waits to be sent, in words. */
export const enum Out {
  Source = 0,
  Destination = 4,
  SourcePort = 8,
  DestinationPort = 9,
  /** Hop limit, traffic class << 8. */
  Header = 10,
  /** `OutFlag` bits. */
  Flags = 11,
  /** Largest IP packet on the way, bytes. */
  Mtu = 12,
  /** Of the payload, bytes. */
  Length = 13,
  /** The first block of the payload; each has the next as its link. */
  Block = 14,
  Stride = 15,
}

export const enum OutFlag {
  /** Without DF. */
  MayFragment = 1,
  /** Without a checksum. */
  NoChecksum = 2,
  /** To a group or all hosts: sockets of our own get it, too. */
  Loop = 4,
  /** It doesn't leave the stack. */
  Inside = 8,
}

const NO_BLOCK = -1;

/** Datagrams that the program has sent, until they leave: each in blocks of the stack's pool. */
export class SendQueue {
  readonly rows = new RowRing(Out.Stride);
  /** What Linux would count for them (sk_wmem_alloc), bytes. */
  held = 0;
  /** Where the next bytes of the last datagram go. */
  private block = NO_BLOCK;
  private filled = 0;

  constructor(private readonly pool: BlockPool) {}

  get count(): number {
    return this.rows.count;
  }

  /** Adds a datagram, whose bytes `append` brings; its row, of which the rest is to be filled. */
  push(length: number): number {
    const row = this.rows.push();
    const { words } = this.rows;
    words[row + Out.Length] = length;
    words[row + Out.Block] = this.block = this.takeBlocks(length);
    this.filled = 0;
    this.held += truesize(length);
    return row;
  }

  /** Small blocks while a descriptor has slices for them, else a large one. */
  private takeBlocks(length: number): number {
    const { pool } = this;
    if (length === 0) return NO_BLOCK;
    if (length > SMALL_BLOCK * MAX_SLICES) return pool.takeLarge();
    let first = NO_BLOCK;
    for (let room = 0; room < length; room += SMALL_BLOCK) {
      const block = pool.takeSmall();
      pool.setLink(block, first);
      first = block;
    }
    return first;
  }

  /** Copies bytes to the end of the last datagram. */
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

  /** Writes the slices of the oldest datagram's payload; how many. */
  slice(slices: Int32Array, at: number): number {
    const { pool, rows } = this;
    let left = rows.words[rows.first + Out.Length];
    let count = 0;
    for (let block = rows.words[rows.first + Out.Block]; left > 0; block = pool.linkOf(block)) {
      const to = at + count++ * SLICE_WORDS;
      slices[to] = pool.slabOf(block);
      slices[to + 1] = pool.offsetOf(block);
      slices[to + 2] = Math.min(left, pool.sizeOf(block));
      left -= slices[to + 2];
    }
    return count;
  }

  /**
   * Drops the oldest datagram. Its blocks keep their bytes until somebody takes them, which nobody
   * does before the batch that points there has been taken.
   */
  shift(): void {
    const { pool, rows } = this;
    let left = rows.words[rows.first + Out.Length];
    this.held -= truesize(left);
    for (let block = rows.words[rows.first + Out.Block]; left > 0;) {
      const isLarge = pool.sizeOf(block) === LARGE_BLOCK;
      const next = isLarge ? NO_BLOCK : pool.linkOf(block);
      left -= pool.sizeOf(block);
      pool.free(block);
      block = next;
    }
    rows.shift();
  }
}
