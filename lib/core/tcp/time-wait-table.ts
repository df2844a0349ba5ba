import { RowTable } from '../memory/row-table';

/** A row of the TIME-WAIT table, in words. */
export const enum TimeWaitField {
  /** Row of the four-tuple. Set by `alloc`. */
  FourTuple = 0,
  SndNxt = 1,
  RcvNxt = 2,
  /** The window that we announce, bytes. */
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
  /** When a segment that doesn't fit was last answered: ms; 0: never. */
  AnsweredMs = 12,
  Stride = 13,
}

/** Bits of `TimeWaitField.Flags`. */
export const enum TimeWaitFlag {
  /** The connection has timestamps. */
  Timestamps = 1,
  /** The peer's FIN has not come: FIN-WAIT-2, not TIME-WAIT. */
  FinWait2 = 2,
  /** From here on four bits: the shift of our window. */
  Scale = 0x10,
  /** From here on eight bits: the traffic class. */
  TrafficClass = 0x100,
}

const NONE = -1;
const WORD = 2 ** 32;

/** Linux's tcp_max_tw_buckets. */
const LIMIT = 262_144;

/**
 * Connections in TIME-WAIT (RFC 9293 §3.3.2): a row of 52 bytes for each, beside that of the
 * four-tuple; and those in FIN-WAIT-2 that no program holds.
 *
 * Each kind has a list in the order of expiry. As all of a kind wait equally long, a row that
 * begins or begins anew belongs at the end; where durations differ, its place is sought from there.
 */
export class TimeWaitTable extends RowTable {
  /** First and last to expire, in TIME-WAIT and in FIN-WAIT-2. */
  private readonly first = [NONE, NONE];
  private readonly last = [NONE, NONE];

  /** @param limit rows that may be in use at a time (tcp_max_tw_buckets) */
  constructor(limit = LIMIT) {
    super(TimeWaitField.Stride, limit);
  }

  /**
   * Takes a row; -1 when the table is full. The words that are not the table's own are 0.
   * @param expiry absolute, µs, 0 to 2^53
   * @param flags `TimeWaitFlag` bits
   */
  alloc(fourTuple: number, expiry: number, flags = 0): number {
    const row = this.take();
    if (row < 0) return -1;
    this.words[row * TimeWaitField.Stride + TimeWaitField.FourTuple] = fourTuple;
    this.words[row * TimeWaitField.Stride + TimeWaitField.Flags] = flags;
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

  /** FIN-WAIT-2 is over. */
  enterTimeWait(row: number, expiry: number): void {
    this.unlink(row);
    this.words[row * TimeWaitField.Stride + TimeWaitField.Flags] &= ~TimeWaitFlag.FinWait2;
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
    return Math.min(this.nextOf(0), this.nextOf(1));
  }

  /**
   * A row that has expired at `now` (µs), the earliest; -1: none. It is to be freed or scheduled
   * before the next call, which would give it again.
   */
  expire(now: number): number {
    const list = this.nextOf(0) <= this.nextOf(1) ? 0 : 1;
    return this.nextOf(list) <= now ? this.first[list] : NONE;
  }

  private nextOf(list: number): number {
    return this.first[list] === NONE ? Infinity : this.expiry(this.first[list]);
  }

  private listOf(row: number): number {
    const flags = this.words[row * TimeWaitField.Stride + TimeWaitField.Flags];
    return (flags & TimeWaitFlag.FinWait2) >> 1;
  }

  private link(row: number, expiry: number): void {
    const words = this.words;
    const base = row * TimeWaitField.Stride;
    // Never early: a fraction of a microsecond counts as a whole.
    const due = Math.ceil(expiry);
    words[base + TimeWaitField.ExpiryHigh] = Math.floor(due / WORD);
    words[base + TimeWaitField.ExpiryLow] = due | 0;
    const list = this.listOf(row);
    let earlier = this.last[list];
    let later = NONE;
    while (earlier !== NONE && this.expiry(earlier) > due) {
      later = earlier;
      earlier = words[earlier * TimeWaitField.Stride + TimeWaitField.Earlier];
    }
    this.join(list, earlier, row);
    this.join(list, row, later);
  }

  private unlink(row: number): void {
    const base = row * TimeWaitField.Stride;
    const earlier = this.words[base + TimeWaitField.Earlier];
    this.join(this.listOf(row), earlier, this.words[base + TimeWaitField.Later]);
  }

  /** Makes two rows neighbours; either may be missing. */
  private join(list: number, earlier: number, later: number): void {
    if (earlier === NONE) this.first[list] = later;
    else this.words[earlier * TimeWaitField.Stride + TimeWaitField.Later] = later;
    if (later === NONE) this.last[list] = earlier;
    else this.words[later * TimeWaitField.Stride + TimeWaitField.Earlier] = earlier;
  }
}
