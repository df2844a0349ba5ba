import { seqGeq, seqGt, seqLeq } from '../sequence';

/** Words of a row of `SentQueue.words`. */
export const enum Sent {
  /** First sequence number; of the row at SND.UNA what is left of it. */
  Seq = 0,
  /** The sequence number behind the last one. */
  End = 1,
  /** `Mark` bits. */
  Marks = 2,
  /** Neighbours in the list that the row is in. */
  Next = 3,
  Previous = 4,
  /** A row at or behind this one before which all are SACKed. */
  Skip = 5,
  /** Segments that the connection had delivered when this one left (mod 2^32). */
  Delivered = 6,
  /** Number of its last transmission, in the order of all (mod 2^32). */
  Order = 7,
  Stride = 8,
}

/** Words of a row of `SentQueue.times`, µs. */
export const enum SentTime {
  /** When it was last sent. */
  At = 0,
  /** When `Delivered` was last raised before it left; 0: it has been counted. */
  Delivered = 1,
  /** When the first segment of the interval left that a rate is measured by. */
  First = 2,
  Stride = 3,
}

/** The bits of `Sent.Marks` (Linux: tcp_skb_cb.sacked). */
export const enum Mark {
  Sacked = 1,
  Lost = 2,
  /** Sent again, and that has not been found lost. */
  Retransmitted = 4,
  EverRetransmitted = 8,
  /** The program, not the network, was the limit when it left. */
  AppLimited = 16,
  /** It was the end of what the program had written. */
  Pushed = 32,
  /** It left in one burst with the next row, and may do so again. */
  Joined = 64,
  /** The program has ended a record with it (MSG_EOR). */
  EndsRecord = 128,
}

/** Rows when the first segment leaves; doubled when full. A power of two. */
const FIRST_ROWS = 16;
/** A queue that has grown beyond this does not keep its memory once it is empty. */
const KEPT_ROWS = 256;
const NONE = -1;

const NO_WORDS = new Int32Array(0);
const NO_TIMES = new Float64Array(0);

/** Ends of a list of rows. */
export interface RowList {
  first: number;
  last: number;
}

/**
 * The segments in flight, oldest first: the scoreboard of RFC 6675 §3 and the list by time of
 * transmission of RFC 8985 §5.1. A row of numbers for each, in a ring; a row is known by its place
 * in it. Finding one by its sequence number takes the logarithm of their number, everything else a
 * constant time, or the time of the rows that change.
 *
 * A row that is not SACKed is in one of two lists: `sent`, in the order of transmission, or `lost`,
 * waiting to be sent again.
 */
export class SentQueue {
  words: Int32Array = NO_WORDS;
  times: Float64Array = NO_TIMES;
  /** Place of the oldest row; where the next one will be is `tail`. */
  head = 0;
  /** Rows: segments sent and not cumulatively acknowledged (Linux: packets_out). */
  count = 0;
  /** Of these SACKed; without SACK, duplicate acknowledgments. */
  sackedOut = 0;
  lostOut = 0;
  /** Of these sent again, and those not lost again. */
  retransOut = 0;
  readonly sent: RowList = { first: NONE, last: NONE };
  readonly lost: RowList = { first: NONE, last: NONE };
  private mask = -1;
  private transmissions = 0;

  get tail(): number {
    return (this.head + this.count) & this.mask;
  }

  /** RFC 6675 §4, "pipe": segments that are in the network as far as is known. */
  get inFlight(): number {
    return this.count - this.sackedOut - this.lostOut + this.retransOut;
  }

  next(row: number): number {
    return (row + 1) & this.mask;
  }

  /** The row before, which must be there. */
  before(row: number): number {
    return (row - 1) & this.mask;
  }

  seq(row: number): number {
    return this.words[row * Sent.Stride + Sent.Seq];
  }

  end(row: number): number {
    return this.words[row * Sent.Stride + Sent.End];
  }

  marks(row: number): number {
    return this.words[row * Sent.Stride + Sent.Marks];
  }

  has(row: number, marks: number): boolean {
    return (this.words[row * Sent.Stride + Sent.Marks] & marks) !== 0;
  }

  mark(row: number, marks: number): void {
    this.words[row * Sent.Stride + Sent.Marks] |= marks;
  }

  unmark(row: number, marks: number): void {
    this.words[row * Sent.Stride + Sent.Marks] &= ~marks;
  }

  /** When it was last sent, µs. */
  sentAt(row: number): number {
    return this.times[row * SentTime.Stride + SentTime.At];
  }

  /** Which transmission the last one of this row was: later ones have higher numbers (mod 2^32). */
  order(row: number): number {
    return this.words[row * Sent.Stride + Sent.Order];
  }

  /** Row `after` in its list; -1 at the end. */
  following(row: number): number {
    return this.words[row * Sent.Stride + Sent.Next];
  }

  /** Adds the segment from `seq` to `end`, sent at `now` for the first time; its row. */
  push(seq: number, end: number, now: number): number {
    // One place stays free, so that the tail is never the head.
    if (this.count >= this.mask) this.grow();
    const row = this.tail;
    this.count++;
    const at = row * Sent.Stride;
    const w = this.words;
    w[at + Sent.Seq] = seq;
    w[at + Sent.End] = end;
    w[at + Sent.Marks] = 0;
    w[at + Sent.Skip] = row;
    w[at + Sent.Order] = this.transmissions = (this.transmissions + 1) | 0;
    const tail = this.tail;
    w[tail * Sent.Stride + Sent.Skip] = tail;
    this.times[row * SentTime.Stride + SentTime.At] = now;
    this.append(this.sent, row);
    return row;
  }

  /** Drops the oldest row, which is in a list unless it is SACKed. */
  shift(): void {
    const row = this.head;
    const marks = this.marks(row);
    if ((marks & Mark.Sacked) !== 0) this.sackedOut--;
    else this.remove(row);
    if ((marks & Mark.Lost) !== 0) this.lostOut--;
    if ((marks & Mark.Retransmitted) !== 0) this.retransOut--;
    this.head = this.next(row);
    this.count--;
  }

  /** Of the row at SND.UNA the numbers before `seq` are acknowledged. */
  trimHead(seq: number): void {
    this.words[this.head * Sent.Stride + Sent.Seq] = seq;
  }

  /** The first row that begins at `seq` or behind it; the tail if there is none. */
  locate(seq: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (seqGeq(this.seq((this.head + middle) & this.mask), seq)) high = middle;
      else low = middle + 1;
    }
    return (this.head + low) & this.mask;
  }

  /** The first row from `row` on that is not SACKed; the tail if all are. */
  unsacked(row: number): number {
    const w = this.words;
    let at = row;
    for (;;) {
      const skip = w[at * Sent.Stride + Sent.Skip];
      if (skip === at) return at;
      // Path halving: who comes again has half of the way.
      const further = w[skip * Sent.Stride + Sent.Skip];
      w[at * Sent.Stride + Sent.Skip] = further;
      at = further;
    }
  }

  /** Marks a row SACKed and takes it out of its list. */
  sack(row: number): void {
    this.remove(row);
    this.mark(row, Mark.Sacked);
    this.words[row * Sent.Stride + Sent.Skip] = this.next(row);
    this.sackedOut++;
  }

  /** RFC 2018 §8: nothing counts as SACKed any more. */
  forgetSacks(): void {
    for (let i = 0, row = this.head; i < this.count; i++, row = this.next(row)) {
      this.words[row * Sent.Stride + Sent.Skip] = row;
      if (!this.has(row, Mark.Sacked)) continue;
      this.unmark(row, Mark.Sacked);
      this.append(this.sent, row);
    }
    this.sackedOut = 0;
  }

  /**
   * Marks a row lost, and queues it to be sent again: before those that follow it in the stream.
   * @returns whether that is news: the row, or what was sent again of it, did not count as lost
   */
  markLost(row: number): boolean {
    const marks = this.marks(row);
    if ((marks & Mark.Sacked) !== 0) return false;
    if ((marks & Mark.Lost) === 0) {
      this.lostOut++;
      this.mark(row, Mark.Lost);
    } else if ((marks & Mark.Retransmitted) === 0) {
      return false;
    }
    if ((marks & Mark.Retransmitted) !== 0) {
      this.retransOut--;
      this.unmark(row, Mark.Retransmitted);
    }
    this.unlink(this.sent, row);
    const { first } = this.lost;
    if (first !== NONE && seqGt(this.seq(first), this.seq(row))) this.prepend(this.lost, row);
    else this.append(this.lost, row);
    return true;
  }

  /**
   * A timeout: what was sent at `deadline` or before counts as lost, the oldest row in any case,
   * and is to be sent again in the order of the stream.
   * @returns how many rows that is news for
   */
  markTimedOut(deadline: number): number {
    let news = 0;
    this.lost.first = this.lost.last = NONE;
    for (let i = 0, row = this.head; i < this.count; i++, row = this.next(row)) {
      const marks = this.marks(row);
      if ((marks & Mark.Sacked) !== 0) continue;
      if ((marks & (Mark.Lost | Mark.Retransmitted)) !== Mark.Lost) {
        if (i > 0 && this.sentAt(row) > deadline) continue;
        this.unlink(this.sent, row);
        if ((marks & Mark.Lost) === 0) this.lostOut++;
        if ((marks & Mark.Retransmitted) !== 0) this.retransOut--;
        this.unmark(row, Mark.Retransmitted);
        this.mark(row, Mark.Lost);
        news++;
      }
      this.append(this.lost, row);
    }
    return news;
  }

  /** A row was sent again at `now`. */
  retransmitted(row: number, now: number): void {
    this.remove(row);
    this.append(this.sent, row);
    if (!this.has(row, Mark.Retransmitted)) this.retransOut++;
    this.mark(row, Mark.Retransmitted);
    this.resent(row, now);
  }

  /** A row was sent again as a probe: it did not count as lost, and is in flight but once. */
  probed(row: number, now: number): void {
    if (!this.waits(row)) {
      this.unlink(this.sent, row);
      this.append(this.sent, row);
    }
    this.resent(row, now);
  }

  private resent(row: number, now: number): void {
    this.mark(row, Mark.EverRetransmitted);
    this.transmissions = (this.transmissions + 1) | 0;
    this.words[row * Sent.Stride + Sent.Order] = this.transmissions;
    this.times[row * SentTime.Stride + SentTime.At] = now;
  }

  /** Nothing counts as lost any more; what was, and was not sent again, is in flight again. */
  forgetLosses(): void {
    for (let i = 0, row = this.head; i < this.count; i++, row = this.next(row)) {
      this.unmark(row, Mark.Lost);
    }
    while (this.lost.last !== NONE) {
      const row = this.lost.last;
      this.unlink(this.lost, row);
      this.prepend(this.sent, row);
    }
    this.lostOut = 0;
  }

  /** Whether a row was, or is to be, sent again. */
  get anyRetransmitted(): boolean {
    return this.retransOut > 0 || (this.count > 0 && this.has(this.head, Mark.EverRetransmitted));
  }

  /**
   * Cuts rows that are longer than `most` bytes, since the path takes no more (RFC 1191 §6.4): they
   * are lost, unless they were SACKed.
   * @param dataEnd behind the last byte of payload: a FIN takes no room
   */
  resegment(most: number, dataEnd: number): void {
    const { words, times, head, mask, count } = this;
    this.words = NO_WORDS;
    this.times = NO_TIMES;
    this.clear();
    for (let i = 0, row = head; i < count; i++, row = (row + 1) & mask) {
      const from = row * Sent.Stride;
      const end = words[from + Sent.End];
      let seq = words[from + Sent.Seq];
      const fin = seqGt(end, dataEnd) ? 1 : 0;
      if (((end - seq) | 0) > most + fin && (words[from + Sent.Marks] & Mark.Sacked) === 0) {
        words[from + Sent.Marks] |= Mark.Lost;
        words[from + Sent.Marks] &= ~Mark.Retransmitted;
      }
      do {
        const cut = ((end - seq) | 0) > most + fin ? (seq + most) | 0 : end;
        const part = this.push(seq, cut, 0);
        this.restore(part, words, from, times, row * SentTime.Stride);
        if (cut !== end) {
          this.unmark(part, Mark.Pushed | Mark.EndsRecord);
          this.mark(part, Mark.Joined);
        }
        seq = cut;
      } while (seq !== end);
    }
  }

  /**
   * Cuts a row that is not SACKed in two (Linux: tcp_fragment), the second of which begins at
   * `seq`. Both are where the one was; rows have other places afterwards.
   * @returns the first
   */
  split(row: number, seq: number): number {
    const first = (row - this.head) & this.mask;
    const rest = first + 1;
    const rows = this.mask + 1;
    this.relocate(this.count >= this.mask ? 2 * rows : rows, first);
    const { words: w, times: t } = this;
    w.copyWithin(rest * Sent.Stride, first * Sent.Stride, rest * Sent.Stride);
    t.copyWithin(rest * SentTime.Stride, first * SentTime.Stride, rest * SentTime.Stride);
    w[first * Sent.Stride + Sent.End] = w[rest * Sent.Stride + Sent.Seq] = seq;
    w[rest * Sent.Stride + Sent.Skip] = rest;
    const list = this.waits(first) ? this.lost : this.sent;
    const next = w[first * Sent.Stride + Sent.Next];
    w[rest * Sent.Stride + Sent.Previous] = first;
    w[first * Sent.Stride + Sent.Next] = rest;
    if (next === NONE) list.last = rest;
    else w[next * Sent.Stride + Sent.Previous] = rest;
    this.unmark(first, Mark.Pushed | Mark.EndsRecord | Mark.Joined);
    this.count++;
    if (this.has(first, Mark.Lost)) this.lostOut++;
    if (this.has(first, Mark.Retransmitted)) this.retransOut++;
    return first;
  }

  /** Gives a new row at the tail what is known of the one that it is, or is a part of. */
  private restore(row: number, w: Int32Array, from: number, t: Float64Array, at: number): void {
    const marks = w[from + Sent.Marks];
    this.times.set(t.subarray(at, at + SentTime.Stride), row * SentTime.Stride);
    this.words[row * Sent.Stride + Sent.Delivered] = w[from + Sent.Delivered];
    const again = (marks & Mark.Retransmitted) !== 0;
    if ((marks & Mark.Sacked) !== 0) {
      this.sack(row);
      if (again) this.retransOut++;
    } else {
      if ((marks & Mark.Lost) !== 0) this.markLost(row);
      if (again) this.retransmitted(row, this.sentAt(row));
    }
    this.mark(row, marks);
  }

  /** No rows; a large ring is given up. */
  clear(): void {
    this.head = this.count = this.sackedOut = this.lostOut = this.retransOut = 0;
    this.sent.first = this.sent.last = this.lost.first = this.lost.last = NONE;
    if (this.words.length > KEPT_ROWS * Sent.Stride || this.words.length === 0) this.drop();
  }

  /** Gives up the ring's memory; there must be no rows. */
  drop(): void {
    this.words = NO_WORDS;
    this.times = NO_TIMES;
    this.head = 0;
    this.mask = -1;
  }

  /** Whether a row that is not SACKed is in the list `lost`. */
  waits(row: number): boolean {
    return (this.marks(row) & (Mark.Lost | Mark.Retransmitted)) === Mark.Lost;
  }

  private remove(row: number): void {
    this.unlink(this.waits(row) ? this.lost : this.sent, row);
  }

  private append(list: RowList, row: number): void {
    const w = this.words;
    w[row * Sent.Stride + Sent.Next] = NONE;
    w[row * Sent.Stride + Sent.Previous] = list.last;
    if (list.last === NONE) list.first = row;
    else w[list.last * Sent.Stride + Sent.Next] = row;
    list.last = row;
  }

  private prepend(list: RowList, row: number): void {
    const w = this.words;
    w[row * Sent.Stride + Sent.Next] = list.first;
    w[row * Sent.Stride + Sent.Previous] = NONE;
    if (list.first === NONE) list.last = row;
    else w[list.first * Sent.Stride + Sent.Previous] = row;
    list.first = row;
  }

  private unlink(list: RowList, row: number): void {
    const w = this.words;
    const next = w[row * Sent.Stride + Sent.Next];
    const previous = w[row * Sent.Stride + Sent.Previous];
    if (next === NONE) list.last = previous;
    else w[next * Sent.Stride + Sent.Previous] = previous;
    if (previous === NONE) list.first = next;
    else w[previous * Sent.Stride + Sent.Next] = next;
  }

  private grow(): void {
    this.relocate(Math.max(FIRST_ROWS, 2 * (this.mask + 1)), this.count);
  }

  /**
   * Moves the rows to the beginning of a ring of `rows`.
   * @param gap behind the row at this place, counted from the head, one is left free
   */
  private relocate(rows: number, gap: number): void {
    const words = new Int32Array(rows * Sent.Stride);
    const times = new Float64Array(rows * SentTime.Stride);
    const { head, mask, count } = this;
    const moved = (row: number): number => {
      if (row === NONE) return NONE;
      const place = (row - head) & mask;
      return place > gap ? place + 1 : place;
    };
    for (let i = 0, row = head; i < count; i++, row = this.next(row)) {
      const from = row * Sent.Stride;
      const to = moved(row) * Sent.Stride;
      words.set(this.words.subarray(from, from + Sent.Stride), to);
      const t = row * SentTime.Stride;
      times.set(this.times.subarray(t, t + SentTime.Stride), moved(row) * SentTime.Stride);
      for (const at of [Sent.Next, Sent.Previous, Sent.Skip])
        words[to + at] = moved(words[to + at]);
    }
    for (const list of [this.sent, this.lost]) {
      list.first = moved(list.first);
      list.last = moved(list.last);
    }
    const tail = count > gap ? count + 1 : count;
    words[tail * Sent.Stride + Sent.Skip] = tail;
    this.words = words;
    this.times = times;
    this.head = 0;
    this.mask = rows - 1;
  }

  /** Whether the row lies within `left` to `right`. */
  isWithin(row: number, left: number, right: number): boolean {
    return seqGeq(this.seq(row), left) && seqLeq(this.end(row), right);
  }
}
