import { RowTable } from '../memory/row-table';
import { TimerTable } from '../time/timer-table';

/** A row of the SYN table, in words. */
export const enum SynField {
  /** Row of the four-tuple. Set by `alloc`, as is the next; the rest is the engine's. */
  FourTuple = 0,
  /** Number of the listener that the SYN came to. */
  Listener = 1,
  /** Our initial sequence number; SND.NXT is one more. */
  Iss = 2,
  /** The peer's; RCV.NXT is one more. */
  Irs = 3,
  /** What the peer's MSS option says, bytes; the default where it has none. */
  PeerMss = 4,
  /** Shift of the windows that the peer sends, 0 to 14. */
  PeerScale = 5,
  /** Shift of the windows that we send. */
  OurScale = 6,
  /** The set of `Option` bits that both sides have. */
  Options = 7,
  /** TS.Recent: the last TSval of the peer (RFC 7323 §4.3). */
  TsRecent = 8,
  /** Added to our clock to give our TSval. */
  TsOffset = 9,
  /** RCV.WND that we have offered, bytes. */
  ReceiveWindow = 10,
  /** When a segment that doesn't fit was last answered: ms; 0: never. */
  AnsweredMs = 11,
  /** How often the timer has expired. */
  Timeouts = 12,
  /** When SYN and ACK was first sent, the SYN of an undecided one received: µs, modulo 2^32. */
  SentAt = 13,
  /** Largest IP packet on the path, bytes. */
  PathMtu = 14,
  /** `SynFlag` bits. */
  Flags = 15,
  /** TSval of the first SYN+ACK: what is echoed can't be older. */
  TsFirst = 16,
  Stride = 17,
}

/** Bits of `SynField.Flags`. */
export const enum SynFlag {
  /** The SYN+ACK was sent again. */
  Resent = 1,
  /** The SYN+ACK is a cookie, and the row will not stay. */
  Cookie = 2,
  /** The peer has acknowledged the SYN+ACK, but there was no room, or no data yet. */
  Acknowledged = 4,
  /** Explicit congestion notification was asked for and granted. */
  Ecn = 8,
  /** Nothing was answered yet: the program is asked. */
  Undecided = 16,
}

/**
 * Connections in SYN-RECEIVED by passive open: what a SYN that may be forged costs us, and apart
 * from the accept queue. A row of 68 bytes, a timer and the four-tuple's row for each.
 */
export class SynTable extends RowTable {
  /** Kind 0 of each row: when SYN and ACK is sent again, or the row given up. */
  readonly timers = new TimerTable(1);

  /** @param limit rows that may be in use at a time */
  constructor(limit?: number) {
    super(SynField.Stride, limit);
  }

  /** Takes a row, whose other words are 0; -1 when the table is full. */
  alloc(fourTuple: number, listener: number): number {
    const row = this.take();
    if (row < 0) return -1;
    const base = row * SynField.Stride;
    this.words[base + SynField.FourTuple] = fourTuple;
    this.words[base + SynField.Listener] = listener;
    return row;
  }

  /** Gives a row back and cancels its timer. */
  free(row: number): void {
    if (!this.isUsed(row)) throw new Error(`SYN row ${row} is not in use`);
    this.timers.clear(row);
    this.give(row);
  }

  /**
   * The rows of a listener, one after another; they may be freed meanwhile. The table is searched,
   * as a listener closes rarely.
   * @param after the row before; -1 to begin
   * @returns -1 when there are no more
   */
  nextOf(listener: number, after: number): number {
    const rows = this.words.length / SynField.Stride;
    for (let row = after + 1; row < rows; row++) {
      const owner = this.words[row * SynField.Stride + SynField.Listener];
      if (owner === listener && this.isUsed(row)) return row;
    }
    return -1;
  }
}
