import type { SipHash } from '../random/sip-hash';
import { RowTable } from './row-table';

const NONE = -1;
const BUCKETS = 1024;

/** Words of a row before its key. */
const enum Head {
  /** The next row of the bucket. */
  Link = 0,
  Hash = 1,
  Key = 2,
}

/** Word of a row where its key begins; behind it stands what the owner keeps. */
export const KEY_START: number = Head.Key;

/** Rows that are found by a key of some words. Nobody can choose keys whose hashes collide. */
export class KeyedTable extends RowTable {
  private readonly buckets = new Int32Array(BUCKETS).fill(NONE);

  /**
   * @param keyWords words of a key
   * @param ownWords words that the owner keeps with it
   */
  constructor(
    private readonly keyWords: number,
    ownWords: number,
    private readonly hash: SipHash,
  ) {
    super(KEY_START + keyWords + ownWords);
  }

  /** The row with this key; -1: there is none. */
  find(key: Int32Array): number {
    const hash = this.hash.hash(key, this.keyWords);
    const { words } = this;
    let row = this.buckets[hash & (BUCKETS - 1)];
    while (row !== NONE) {
      const base = this.base(row);
      if (words[base + Head.Hash] === hash && this.hasKey(base, key)) return row;
      row = words[base + Head.Link];
    }
    return NONE;
  }

  /** A new row with this key, which no other has; what the owner keeps is 0. */
  insert(key: Int32Array): number {
    const hash = this.hash.hash(key, this.keyWords);
    const row = this.take();
    const base = this.base(row);
    const bucket = hash & (BUCKETS - 1);
    this.words[base + Head.Link] = this.buckets[bucket];
    this.words[base + Head.Hash] = hash;
    for (let i = 0; i < this.keyWords; i++) this.words[base + Head.Key + i] = key[i];
    this.buckets[bucket] = row;
    return row;
  }

  remove(row: number): void {
    const { words } = this;
    const base = this.base(row);
    const bucket = words[base + Head.Hash] & (BUCKETS - 1);
    let at = this.buckets[bucket];
    if (at === row) this.buckets[bucket] = words[base + Head.Link];
    else {
      while (words[this.base(at) + Head.Link] !== row) at = words[this.base(at) + Head.Link];
      words[this.base(at) + Head.Link] = words[base + Head.Link];
    }
    this.give(row);
  }

  private hasKey(base: number, key: Int32Array): boolean {
    for (let i = 0; i < this.keyWords; i++) {
      if (this.words[base + Head.Key + i] !== key[i]) return false;
    }
    return true;
  }
}
