import { BlockPool, SMALL_BLOCK } from '../memory/block-pool';
import { RowTable } from '../memory/row-table';
import { SlabTable } from '../memory/slabs';

const NONE = -1;

/** Words of a fragment's row. */
const enum Field {
  /** The one behind it in the datagram. */
  Next = 0,
  Offset = 1,
  End = 2,
  /** The first block of its bytes, each of which has the next as its link. */
  Block = 3,
  /** Bytes of headers that are kept before what it carries. */
  Header = 4,
  Stride = 5,
}

/** What came of putting a fragment into its place. */
export const enum Placing {
  Placed = 0,
  /** All of it was there already. */
  Duplicate = 1,
  /** Some of it was there already. */
  Overlap = 2,
}

/** Memory that a fragment's row counts for beside its blocks, bytes. */
const ROW_BYTES = Field.Stride * 4;

/** The fragments of datagrams: of each a list by offset, and their bytes in blocks of 2 KiB. */
export class FragmentStore extends RowTable {
  private readonly pool: BlockPool;

  /** @param allocate memory, uninitialised where that is cheaper */
  constructor(allocate: (bytes: number) => Uint8Array) {
    super(Field.Stride);
    this.pool = new BlockPool(new SlabTable(), allocate);
  }

  /** Memory that is taken, bytes. */
  get bytes(): number {
    return this.pool.used + this.count * ROW_BYTES;
  }

  offset(row: number): number {
    return this.words[this.base(row) + Field.Offset];
  }

  end(row: number): number {
    return this.words[this.base(row) + Field.End];
  }

  headerLength(row: number): number {
    return this.words[this.base(row) + Field.Header];
  }

  next(row: number): number {
    return this.words[this.base(row) + Field.Next];
  }

  /**
   * Where the bytes `offset` to `end` belong in a list: behind the row that is returned (-1: at the
   * front), if they are neither there nor in part. As Linux has it, a duplicate lies within one or
   * several fragments that have no gap.
   * @param first of the list; `last`: its last row; -1: it is empty
   */
  place(first: number, last: number, offset: number, end: number): Placing {
    this.behind = NONE;
    if (last !== NONE && this.end(last) <= offset) {
      this.behind = last;
      return Placing.Placed;
    }
    let row = first;
    while (row !== NONE && this.end(row) <= offset) {
      this.behind = row;
      row = this.next(row);
    }
    if (row === NONE || this.offset(row) >= end) return Placing.Placed;
    if (this.offset(row) > offset) return Placing.Overlap;
    while (this.end(row) < end) {
      const next = this.next(row);
      if (next === NONE || this.offset(next) !== this.end(row)) return Placing.Overlap;
      row = next;
    }
    return Placing.Duplicate;
  }

  /** Where `place` has found a place: behind this row; -1: at the front. */
  behind = NONE;

  /**
   * A new row behind `previous`, unless that is -1, with a copy of bytes.
   * @param from where its header begins in `bytes`; what it carries follows
   * @param next the row that it comes before; -1: none
   */
  add(
    bytes: Uint8Array,
    from: number,
    header: number,
    offset: number,
    end: number,
    previous: number,
    next: number,
  ): number {
    const row = this.take();
    const base = this.base(row);
    const { words } = this;
    words[base + Field.Offset] = offset;
    words[base + Field.End] = end;
    words[base + Field.Header] = header;
    words[base + Field.Next] = next;
    words[base + Field.Block] = this.store(bytes, from, header + end - offset);
    if (previous !== NONE) words[this.base(previous) + Field.Next] = row;
    return row;
  }

  /** Frees a list. */
  freeAll(first: number): void {
    for (let row = first; row !== NONE;) {
      const next = this.next(row);
      let block = this.words[this.base(row) + Field.Block];
      while (block !== NONE) {
        const following = this.pool.linkOf(block);
        this.pool.free(block);
        block = following;
      }
      this.give(row);
      row = next;
    }
  }

  /**
   * Copies bytes of a row, from `skip` behind the beginning of its header on, to `at` of `out`.
   * @returns how many: up to `most`
   */
  copy(row: number, skip: number, most: number, out: Uint8Array, at: number): number {
    const base = this.base(row);
    const { words, pool } = this;
    const all = words[base + Field.Header] + words[base + Field.End] - words[base + Field.Offset];
    const length = Math.max(0, Math.min(most, all - skip));
    let block = words[base + Field.Block];
    for (; skip >= SMALL_BLOCK; skip -= SMALL_BLOCK) block = pool.linkOf(block);
    for (let left = length; left > 0; skip = 0) {
      const size = Math.min(left, SMALL_BLOCK - skip);
      const start = pool.offsetOf(block) + skip;
      out.set(pool.bytesOf(block).subarray(start, start + size), at);
      at += size;
      left -= size;
      block = pool.linkOf(block);
    }
    return length;
  }

  /** The first block of a copy; of nothing too there is one. */
  private store(bytes: Uint8Array, from: number, length: number): number {
    const { pool } = this;
    const first = pool.takeSmall();
    for (let block = first, at = 0; ;) {
      const size = Math.min(SMALL_BLOCK, length - at);
      pool.bytesOf(block).set(bytes.subarray(from + at, from + at + size), pool.offsetOf(block));
      at += size;
      if (at === length) {
        pool.setLink(block, NONE);
        return first;
      }
      const next = pool.takeSmall();
      pool.setLink(block, next);
      block = next;
    }
  }
}
