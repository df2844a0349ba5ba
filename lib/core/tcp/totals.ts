import { elapsedMs } from '../time/elapsed';

/** Words of a connection's row in `Totals.words`: counts modulo 2^32, by Linux's names. */
export const enum Total {
  SegsIn = 0,
  SegsOut = 1,
  DataSegsIn = 2,
  DataSegsOut = 3,
  /** How often SND.UNA has passed ISS (low half), and RCV.NXT IRS (high half). */
  Wraps = 4,
  /** ms with something to send, up to `Since`, when the present `Limit` began. */
  BusyMs = 5,
  SinceMs = 6,
  Stride = 7,
}

/** What sending waits for (Linux: tcp_chrono): of several the highest counts. */
export const enum Limit {
  /** There is nothing to send, and all is acknowledged. */
  Idle = 0,
  Busy = 1,
  /** The peer's window. */
  Window = 2,
  /** The send buffer, which is full and has nothing that was not sent. */
  SendBuffer = 3,
}

const LIMIT_BITS = 3;
const WAITS_FOR_ROOM = 4;

/** Totals that most connections never have. */
export class RareTotals {
  totalRetrans = 0;
  bytesRetrans = 0;
  dsackDups = 0;
  reordSeen = 0;
  deliveredCe = 0;
  rcvOoopack = 0;
  totalRto = 0;
  totalRtoRecoveries = 0;
  /** ms, without the recovery that is under way. */
  totalRtoTime = 0;
  /** When the first timeout of the present recovery was, ms; meaningful while `inRto`. */
  rtoStampMs = 0;
  inRto = false;
  rwndLimitedMs = 0;
  sndbufLimitedMs = 0;
}

const UINT32 = 2 ** 32;
const FIRST_ROWS = 64;
const NONE = new RareTotals();

/**
 * What is summed up over the life of each connection, for `tcpInfo`: a row of numbers by the
 * connection's row, apart from the rest, as nothing depends on it.
 */
export class Totals {
  /** Replaced when rows are added: not to be kept. */
  words = new Uint32Array(FIRST_ROWS * Total.Stride);
  /** `Limit` of each row, and whether the program waits for room in the send buffer. */
  private sending = new Uint8Array(FIRST_ROWS);
  private readonly rare = new Map<number, RareTotals>();

  /** A connection begins. */
  begin(row: number): void {
    if (row >= this.sending.length) this.grow(row + Math.max(FIRST_ROWS, row >> 4));
    this.words.fill(0, row * Total.Stride, (row + 1) * Total.Stride);
    this.sending[row] = 0;
  }

  /** It is over, and nobody will ask any more. */
  end(row: number): void {
    this.rare.delete(row);
  }

  private grow(rows: number): void {
    const { words, sending } = this;
    this.words = new Uint32Array(rows * Total.Stride);
    this.words.set(words);
    this.sending = new Uint8Array(rows);
    this.sending.set(sending);
  }

  get(row: number, total: Total): number {
    return this.words[row * Total.Stride + total];
  }

  /** @param segments that the link has put together into one */
  arrived(row: number, segments: number, hasData: boolean): void {
    const at = row * Total.Stride;
    this.words[at + Total.SegsIn] += segments;
    if (hasData) this.words[at + Total.DataSegsIn] += segments;
  }

  left(row: number, hasData: boolean): void {
    const at = row * Total.Stride;
    this.words[at + Total.SegsOut]++;
    if (hasData) this.words[at + Total.DataSegsOut]++;
  }

  /** SND.UNA has gone from `from` to `to`, counted from ISS: did it pass that? */
  sent(row: number, from: number, to: number): void {
    if (to >>> 0 < from >>> 0) this.words[row * Total.Stride + Total.Wraps] += 1;
  }

  /** The same of RCV.NXT and IRS. */
  received(row: number, from: number, to: number): void {
    if (to >>> 0 < from >>> 0) this.words[row * Total.Stride + Total.Wraps] += 0x10000;
  }

  /** All that was acknowledged, where SND.UNA - ISS is `offset`. */
  sentBytes(row: number, offset: number): number {
    return (this.get(row, Total.Wraps) & 0xffff) * UINT32 + (offset >>> 0);
  }

  receivedBytes(row: number, offset: number): number {
    return (this.get(row, Total.Wraps) >>> 16) * UINT32 + (offset >>> 0);
  }

  /** To be read. */
  rareOf(row: number): Readonly<RareTotals> {
    return this.rare.get(row) ?? NONE;
  }

  /** To be written. */
  noteRare(row: number): RareTotals {
    let rare = this.rare.get(row);
    if (rare === undefined) this.rare.set(row, (rare = new RareTotals()));
    return rare;
  }

  /** A segment with `bytes` of payload has left again. */
  resent(row: number, bytes: number): void {
    const rare = this.noteRare(row);
    rare.totalRetrans++;
    rare.bytesRetrans += bytes;
  }

  /** Before the connection began its SYN+ACK was sent again so often, for so many ms. */
  synAckResent(row: number, times: number, ms: number): void {
    const rare = this.noteRare(row);
    rare.totalRetrans = rare.totalRto = times;
    rare.totalRtoRecoveries = 1;
    rare.totalRtoTime = ms;
  }

  /** The retransmission timer has gone off. @param first of its recovery */
  timedOut(row: number, nowMs: number, first: boolean): void {
    const rare = this.noteRare(row);
    rare.totalRto++;
    if (!first) return;
    rare.totalRtoRecoveries++;
    rare.rtoStampMs = nowMs;
    rare.inRto = true;
  }

  /** The recovery from a timeout is over. */
  recovered(row: number, nowMs: number): void {
    const rare = this.rare.get(row);
    if (rare === undefined || !rare.inRto) return;
    rare.totalRtoTime += (nowMs - rare.rtoStampMs) | 0;
    rare.inRto = false;
  }

  // --- what sending waits for ----------------------------------------------------------------

  limit(row: number): Limit {
    return this.sending[row] & LIMIT_BITS;
  }

  setLimit(row: number, limit: Limit, nowMs: number): void {
    const before = this.limit(row);
    if (before === limit) return;
    const at = row * Total.Stride;
    const spent = elapsedMs(nowMs, this.words[at + Total.SinceMs]);
    if (before !== Limit.Idle) this.words[at + Total.BusyMs] += spent;
    if (before === Limit.Window) this.noteRare(row).rwndLimitedMs += spent;
    if (before === Limit.SendBuffer) this.noteRare(row).sndbufLimitedMs += spent;
    this.words[at + Total.SinceMs] = nowMs;
    this.sending[row] = (this.sending[row] & ~LIMIT_BITS) | limit;
  }

  /** The program wanted to send more than there is room for, or there is room again. */
  setWaitsForRoom(row: number, waits: boolean): void {
    if (waits) this.sending[row] |= WAITS_FOR_ROOM;
    else this.sending[row] &= ~WAITS_FOR_ROOM;
  }

  waitsForRoom(row: number): boolean {
    return (this.sending[row] & WAITS_FOR_ROOM) !== 0;
  }

  /** Time spent with something to send; of it, waiting for what `limit` says; ms. */
  timeIn(row: number, limit: Limit.Busy | Limit.Window | Limit.SendBuffer, nowMs: number): number {
    const present = this.limit(row);
    const running = elapsedMs(nowMs, this.get(row, Total.SinceMs));
    switch (limit) {
      case Limit.Busy:
        return this.get(row, Total.BusyMs) + (present === Limit.Idle ? 0 : running);
      case Limit.Window:
        return this.rareOf(row).rwndLimitedMs + (present === Limit.Window ? running : 0);
      case Limit.SendBuffer:
        return this.rareOf(row).sndbufLimitedMs + (present === Limit.SendBuffer ? running : 0);
    }
  }
}
