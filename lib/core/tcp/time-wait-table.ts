import { RowTable } from '../memory/row-table';

/** A row of the TIME-WAIT table, in words. */
export const enum TimeWaitField {
  /** Row of the four-tuple. Set by `alloc`. */
  FourTuple = 0,
  SndNxt = 1,
  RcvNxt = 2,
  /** The window that we announce, as it stands in the header (scaled). */
  ReceiveWindow = 3,
  /** TS.Recent (RFC 7323 §4.3). */
  TsRecent = 4,
  /** When TS.Recent was set: ms, modulo 2^32. */
  TsRecentAge = 5,
  /** Added to our clock to give our TSval. */
  TsOffset = 6,
  /** `TimeWaitFlag` bits. */
  Flags = 7,
  /** When the row expires, µs: high and low word. The table's own, as are the next two. */
  ExpiryHigh = 8,
  ExpiryLow = 9,
  /** Neighbours in the order of expiry. */
  Earlier = 10,
  Later = 11,
  Stride = 12,
}

/** Bits of `TimeWaitField.Flags`. */
export const enum TimeWaitFlag {
  /** The connection has timestamps. */
  Timestamps = 1,
}

const NONE = -1;
const WORD = 2 ** 32;

/** Linux's tcp_max_tw_buckets. */
const LIMIT = 262_144;

/**
 * Connections in TIME-WAIT (RFC 9293 §3.3.2): a row of 48 bytes for each, beside that of the
 * four-tuple.
 *
 * The rows are in a list in the order of expiry. As all wait equally long, a row that begins or
 * begins anew belongs at the end; where durations differ, its place is sought from there.
 */
export class TimeWaitTable extends RowTable {
  /** First and last to expire. */
  private first = NONE;
  private last = NONE;

  /** @param limit rows that may be in use at a time (tcp_max_tw_buckets) */
  constructor(limit = LIMIT) {
    super(TimeWaitField.Stride, limit);
  }

  /**
   * Takes a row; -1 when the table is full. The words that are not the table's own are 0.
   * @param expiry absolute, µs, 0 to 2^53
   */
  alloc(fourTuple: number, expiry: number): number {
    const row = this.take();
    if (row < 0) return -1;
    this.words[row * TimeWaitField.Stride + TimeWaitField.FourTuple] = fourTuple;
    this.link(row, expiry);
    return row;
  }

  /** Gives a row back. */
  free(row: number): void {
    if (!this.isUsed(row)) throw new Error(`TIME-WAIT row ${row} is not in use`);
    this.unlink(row);
    this.give(row);
  }

  /** Sets anew when a row expires, µs: 2 MSL begins again. */
  schedule(row: number, expiry: number): void {
    this.unlink(row);
    this.link(row, expiry);
  }

  /** When the row expires, µs. */
  expiry(row: number): number {
    const base = row * TimeWaitField.Stride;
    const low = this.words[base + TimeWaitField.ExpiryLow] >>> 0;
    return this.words[base + TimeWaitField.ExpiryHigh] * WORD + low;
  }

  /** When the next row expires, µs; Infinity when the table is empty. */
  next(): number {
    return this.first === NONE ? Infinity : this.expiry(this.first);
  }

  /**
   * A row that has expired at `now` (µs), the earliest; -1: none. It is to be freed or scheduled
   * before the next call, which would give it again.
   */
  expire(now: number): number {
    return this.next() <= now ? this.first : NONE;
  }

  private link(row: number, expiry: number): void {
    const words = this.words;
    const base = row * TimeWaitField.Stride;
    // Never early: a fraction of a microsecond counts as a whole.
    const due = Math.ceil(expiry);
    words[base + TimeWaitField.ExpiryHigh] = Math.floor(due / WORD);
    words[base + TimeWaitField.ExpiryLow] = due | 0;
    let earlier = this.last;
    let later = NONE;
    while (earlier !== NONE && this.expiry(earlier) > due) {
      later = earlier;
      earlier = words[earlier * TimeWaitField.Stride + TimeWaitField.Earlier];
    }
    this.join(earlier, row);
    this.join(row, later);
  }

  private unlink(row: number): void {
    const base = row * TimeWaitField.Stride;
    const earlier = this.words[base + TimeWaitField.Earlier];
    this.join(earlier, this.words[base + TimeWaitField.Later]);
  }

  /** Makes two rows neighbours; either may be missing. */
  private join(earlier: number, later: number): void {
    if (earlier === NONE) this.first = later;
    else this.words[earlier * TimeWaitField.Stride + TimeWaitField.Later] = later;
    if (later === NONE) this.last = earlier;
    else this.words[later * TimeWaitField.Stride + TimeWaitField.Earlier] = earlier;
  }
}
