import { isLoopback } from '../ip/address';
import { elapsedMs } from '../time/elapsed';
import { Direction, Flag, Option, Word } from '../segment/layout';
import type { Segment } from '../segment/segment';
import { seqGt } from '../sequence';
import { Shape } from '../stack/four-tuples';
import { isAcceptable } from './acceptability';
import { refuse } from './arrives-closed';
import { arrivesListen } from './arrives-listen';
import { answeredLately, answeredNow } from './challenge-ack';
import { Has, type Connection } from './connection';
import { ECN_MASK } from './ecn';
import { State } from './state';
import { SETTINGS } from './settings';
import { TimeWaitField, TimeWaitFlag, TimeWaitTable } from './time-wait-table';
import { isOlder, timestamp } from './timestamps';
import type { Tcp } from './tcp';

/** Values of `Settings.twReuse` (Linux: tcp_tw_reuse). */
const enum Reuse {
  Never = 0,
  Always = 1,
  Loopback = 2,
}

/** What `TimeWaitFlag.TrafficClass` counts. */
const TRAFFIC_CLASS_BITS = 0xff;
const SCALE_BITS = 0xf;

/** More than a window without scaling, as on Linux. */
const ISS_GAP = 65_537;

/**
 * TIME-WAIT (RFC 9293 §3.4.2, §3.10.7.4): what is left of a connection is a row of integers that
 * answers its late segments and keeps its endpoints from being used again for 2 MSL.
 */
export class TimeWait {
  readonly table = new TimeWaitTable(SETTINGS.maxTimeWait.max);

  constructor(private readonly tcp: Tcp) {}

  get count(): number {
    return this.table.count;
  }

  next(): number {
    return this.table.next();
  }

  /**
   * Puts a row in the place of `c`; false when there are too many. Deviation: RFC 9293 §3.6.1 has
   * everyone wait; as on Linux nobody does beyond `maxTimeWait`, nor who has given up FIN-WAIT-2.
   * @param until when it expires, µs
   * @param finWait2 whether the peer has not closed yet
   */
  take(c: Connection, until: number, finWait2: boolean): boolean {
    const { tcp, table } = this;
    if (table.count >= tcp.settings.maxTimeWait) return false;
    const flags =
      (c.has(Has.Timestamps) ? TimeWaitFlag.Timestamps : 0) |
      (finWait2 ? TimeWaitFlag.FinWait2 : 0) |
      (c.rcvScale * TimeWaitFlag.Scale) |
      (c.options.trafficClass * TimeWaitFlag.TrafficClass);
    const row = table.alloc(c.tuple, until, flags);
    if (row < 0) return false;
    const w = table.words;
    const at = row * TimeWaitField.Stride;
    w[at + TimeWaitField.SndNxt] = c.sndNxt;
    w[at + TimeWaitField.RcvNxt] = c.rcvNxt;
    w[at + TimeWaitField.ReceiveWindow] = c.receiveWindow;
    w[at + TimeWaitField.TsRecent] = c.tsRecent;
    w[at + TimeWaitField.TsRecentAge] = c.tsRecentMs;
    w[at + TimeWaitField.TsOffset] = c.tsOffset;
    tcp.tuples.set(c.tuple, Shape.TimeWait, row);
    tcp.counters.TcpExtTW++;
    return true;
  }

  /** When a wait that begins now ends: after 2 MSL. */
  expiry(): number {
    return this.tcp.now + 2 * this.tcp.settings.msl * 1000;
  }

  /** TIME-WAIT, or FIN-WAIT-2. */
  state(row: number): State {
    return this.awaitsFin(row * TimeWaitField.Stride) ? State.FIN_WAIT_2 : State.TIME_WAIT;
  }

  private awaitsFin(at: number): boolean {
    return (this.table.words[at + TimeWaitField.Flags] & TimeWaitFlag.FinWait2) !== 0;
  }

  private hasTimestamps(at: number): boolean {
    return (this.table.words[at + TimeWaitField.Flags] & TimeWaitFlag.Timestamps) !== 0;
  }

  isEntry(tuple: number): boolean {
    return this.tcp.tuples.shape(tuple) === Shape.TimeWait;
  }

  /**
   * Whether a connection that we open may take over the entry: timestamps tell its segments from
   * the old ones (RFC 6191 §2), since the clock has moved on.
   * @param named the program has named the local port: as on Linux it knows what it does
   */
  mayReuse(row: number, named: boolean): boolean {
    const { tcp, table } = this;
    const { twReuse, twReuseDelay, timestamps } = tcp.settings;
    const at = row * TimeWaitField.Stride;
    if (!this.hasTimestamps(at) || timestamps === 0 || this.awaitsFin(at)) return false;
    if (named) return true;
    if (twReuse === (Reuse.Never as number)) return false;
    if (twReuse === (Reuse.Loopback as number)) {
      const tuple = table.words[at + TimeWaitField.FourTuple];
      if (!isLoopback(tcp.tuples.local(tuple)) && !isLoopback(tcp.tuples.remote(tuple))) {
        return false;
      }
    }
    return elapsedMs(tcp.nowMs, table.words[at + TimeWaitField.TsRecentAge]) > twReuseDelay;
  }

  /** TS.Recent of the old connection. */
  tsRecent(row: number): number {
    return this.table.words[row * TimeWaitField.Stride + TimeWaitField.TsRecent];
  }

  /**
   * Ends the entry early for a new connection on its endpoints.
   * @returns SND.NXT of the old connection: the new one's ISS must be beyond it
   */
  recycle(row: number): number {
    const sndNxt = this.table.words[row * TimeWaitField.Stride + TimeWaitField.SndNxt];
    this.tcp.counters.TcpExtTWRecycled++;
    this.end(row);
    return sndNxt;
  }

  private end(row: number): void {
    const { tcp, table } = this;
    const tuple = table.words[row * TimeWaitField.Stride + TimeWaitField.FourTuple];
    tcp.ports.release(tcp.tuples.local(tuple), tcp.tuples.localPort(tuple));
    tcp.tuples.remove(tuple);
    table.free(row);
  }

  onTimer(): void {
    for (;;) {
      const row = this.table.expire(this.tcp.now);
      if (row < 0) return;
      this.end(row);
    }
  }

  /** SEGMENT ARRIVES, TIME-WAIT, or FIN-WAIT-2 of an orphan. */
  arrives(row: number, seg: Segment): void {
    const { tcp, table } = this;
    if (this.awaitsFin(row * TimeWaitField.Stride)) {
      this.arrivesBeforeFin(row, seg);
      return;
    }
    const w = table.words;
    const at = row * TimeWaitField.Stride;
    const old = this.isOld(at, seg);
    if (old) tcp.counters.TcpExtPAWSEstab++;
    if (isOpening(seg) && !old && this.isNewer(at, seg) && this.reopen(row, seg)) return;
    const expected = !old && seg.seq === w[at + TimeWaitField.RcvNxt];
    if (seg.isRst) {
      // RFC 1337: a RST, even a right one, must not end the wait.
      if (tcp.settings.rfc1337 === 0 && expected) this.end(row);
      return;
    }
    if (expected && seg.isAck && seg.len === 0) {
      this.noteTimestamp(at, seg);
      return;
    }
    // Fifth: in the window, but the ACK bit is off.
    if (expected && !seg.isAck && !seg.isSyn) return;
    // A repeated FIN, which restarts the wait, or something else that the peer must be told about.
    if (seg.isFin && !old) table.schedule(row, this.expiry());
    this.answer(at, seg);
  }

  /** FIN-WAIT-2: only the FIN is of interest, as nobody will read data (RFC 9293 §3.10.7.4). */
  private arrivesBeforeFin(row: number, seg: Segment): void {
    const { tcp, table } = this;
    const w = table.words;
    const at = row * TimeWaitField.Stride;
    const rcvNxt = w[at + TimeWaitField.RcvNxt];
    const old = this.isOld(at, seg);
    if (old || !isAcceptable(rcvNxt, w[at + TimeWaitField.ReceiveWindow], seg.seq, seg.len)) {
      if (old) tcp.counters.TcpExtPAWSEstab++;
      if (!seg.isRst) this.answer(at, seg);
      return;
    }
    if (seg.isRst) {
      // RFC 5961 §3.2. Deviation: Linux takes any RST in the window.
      if (seg.seq === rcvNxt) this.end(row);
      else this.answer(at, seg);
      return;
    }
    if (seg.isSyn) {
      // RFC 5961 §4.2. Deviation: Linux resets.
      this.answer(at, seg);
      return;
    }
    if (!seg.isAck || !seqGt(seg.end, rcvNxt)) return;
    if (!seg.isFin || seg.end !== ((rcvNxt + 1) | 0)) {
      tcp.counters.TcpExtTCPAbortOnData++;
      refuse(tcp, seg);
      this.end(row);
      return;
    }
    w[at + TimeWaitField.RcvNxt] = seg.end;
    this.noteTimestamp(at, seg);
    table.enterTimeWait(row, this.expiry());
    this.sendAck(at);
  }

  /** An acknowledgment, unless one of the same kind has just left: see `challenge-ack.ts`. */
  private answer(at: number, seg: Segment): void {
    const { tcp, table } = this;
    if (seg.len === 0 || seg.isSyn) {
      if (answeredLately(tcp, table.words[at + TimeWaitField.AnsweredMs])) {
        if (this.awaitsFin(at)) tcp.counters.TcpExtTCPACKSkippedFinWait2++;
        else tcp.counters.TcpExtTCPACKSkippedTimeWait++;
        return;
      }
      table.words[at + TimeWaitField.AnsweredMs] = answeredNow(tcp);
    }
    this.sendAck(at);
  }

  private isOld(at: number, seg: Segment): boolean {
    const w = this.table.words;
    if (!this.hasTimestamps(at) || !seg.hasTimestamps) return false;
    return isOlder(
      seg.tsVal,
      w[at + TimeWaitField.TsRecent],
      w[at + TimeWaitField.TsRecentAge],
      this.tcp.nowMs,
    );
  }

  private noteTimestamp(at: number, seg: Segment): void {
    const w = this.table.words;
    if (!this.hasTimestamps(at) || !seg.hasTimestamps) return;
    w[at + TimeWaitField.TsRecent] = seg.tsVal;
    w[at + TimeWaitField.TsRecentAge] = this.tcp.nowMs;
  }

  /** RFC 6191 §2 and RFC 9293 §3.10.7.4: the SYN can't be a duplicate of the old connection's. */
  private isNewer(at: number, seg: Segment): boolean {
    const w = this.table.words;
    if (seqGt(seg.seq, w[at + TimeWaitField.RcvNxt])) return true;
    return (
      this.hasTimestamps(at) &&
      seg.hasTimestamps &&
      seqGt(seg.tsVal, w[at + TimeWaitField.TsRecent])
    );
  }

  /** Deviation: as on Linux there is no way back to TIME-WAIT if the SYN turns out to be old. */
  private reopen(row: number, seg: Segment): boolean {
    const { tcp } = this;
    const listener = tcp.listeners.find(seg.words, seg.base);
    if (listener === null) return false;
    arrivesListen(tcp, listener, seg, this.recycle(row));
    return true;
  }

  /** <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>. */
  private sendAck(at: number): void {
    const { tcp } = this;
    const w = this.table.words;
    const base = tcp.replies.push();
    if (base < 0) {
      tcp.counters.NetlandReplyDrops++;
      return;
    }
    const words = tcp.replies.words;
    tcp.tuples.fill(w[at + TimeWaitField.FourTuple], words, base);
    words[base + Word.Protocol] = 6;
    words[base + Word.Direction] = Direction.Out;
    words[base + Word.HopLimit] = tcp.settings.ttl;
    words[base + Word.Sequence] = w[at + TimeWaitField.SndNxt];
    words[base + Word.Acknowledgment] = w[at + TimeWaitField.RcvNxt];
    words[base + Word.Flags] = Flag.ACK;
    const flags = w[at + TimeWaitField.Flags];
    words[base + Word.TrafficClass] =
      ((flags / TimeWaitFlag.TrafficClass) | 0) & TRAFFIC_CLASS_BITS & ~ECN_MASK;
    const scale = ((flags / TimeWaitFlag.Scale) | 0) & SCALE_BITS;
    words[base + Word.Window] = w[at + TimeWaitField.ReceiveWindow] >> scale;
    if (this.hasTimestamps(at)) {
      words[base + Word.Options] = Option.Timestamps;
      words[base + Word.TsVal] = timestamp(tcp.now, w[at + TimeWaitField.TsOffset]);
      words[base + Word.TsEcr] = w[at + TimeWaitField.TsRecent];
    }
    tcp.counters.TcpOutSegs++;
  }
}

/** A SYN that asks for a connection, and nothing else. */
function isOpening(seg: Segment): boolean {
  return (seg.flags & (Flag.SYN | Flag.ACK | Flag.RST | Flag.FIN)) === Flag.SYN;
}

/** The ISS of a connection on endpoints whose last one sent up to `before` (RFC 9293 §3.4.2). */
export function issBeyond(isn: number, before: number | null): number {
  return before === null || seqGt(isn, before) ? isn : (before + ISS_GAP) | 0;
}
