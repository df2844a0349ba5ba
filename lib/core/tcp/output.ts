import type { SegmentBatch } from '../segment/batch';
import { seqGeq, seqLeq, seqLt } from '../sequence';
import { burstBytes, burstSegments } from './bursts';
import { CongestionEvent } from './congestion';
import { Has, type Connection } from './connection';
import { restartAfterIdle, validateCwnd } from './cwnd-validation';
import { dataSent } from './delayed-ack';
import { noteAppLimited, rateSent, rateStart } from './delivery-rate';
import { emitAck, emitSegment, emitSyn, hasPush, setPush } from './emit';
import { Pending, type Flight } from './flight';
import { departed, mayDepart } from './pacing';
import { endsRecord, recordSent, unsentOfRecord } from './records';
import { pushSent } from './pushes';
import {
  cutToWindow,
  fitSegments,
  insteadOfNew,
  isBeyondWindow,
  retransmit,
  retransmitLost,
} from './retransmit';
import { Mark } from './sent-queue';
import { syncPathMtu } from './path-mtu';
import { boundToHalfWindow } from './send-space';
import { countSent } from './prr';
import { probeSent, scheduleProbe } from './tlp';
import { startTiming } from './rtt';
import { armRetransmit } from './retransmission';
import { armPersist } from './zero-window';
import { State } from './state';
import { extendSegment } from './super-segment';
import type { Tcp } from './tcp';
import { isUrgentMode } from './urgent';

/**
 * Puts into `batch` what `c` may send now: its SYN, retransmissions, a window probe, new data and
 * FIN, or else a bare acknowledgment.
 * @returns false: the batch is full and something is left
 */
export function transmit(tcp: Tcp, c: Connection, batch: SegmentBatch): boolean {
  syncPathMtu(tcp, c);
  if (c.has(Has.SynPending)) return transmitSyn(tcp, c, batch);
  if (c.state < State.ESTABLISHED) return true;
  const f = c.flight;
  if (f !== null && f.tlpDue && !transmitProbe(tcp, c, f, batch)) return false;
  if (f !== null && !retransmitLost(tcp, c, f, batch)) return false;
  if (!transmitNew(tcp, c, batch)) return false;
  if (f !== null && f.frtoNew && !insteadOfNew(tcp, c, f, batch)) return false;
  if (c.has(Has.ProbePending)) {
    // RFC 9293 §3.8.6.1. Deviation: as Linux does, a probe is an old empty segment that the peer
    // must acknowledge, and carries no byte beyond the window.
    if (!probeUrgent(tcp, c, batch)) return false;
    if (emitSegment(tcp, c, batch, (c.sndUna - 1) | 0, 0, false) < 0) return false;
    c.unset(Has.ProbePending);
  }
  if (c.has(Has.AckNow) && !emitAck(tcp, c, batch)) return false;
  return true;
}

/** Tells the urgent pointer, which counts at a closed window too: a probe may be too old for it. */
function probeUrgent(tcp: Tcp, c: Connection, batch: SegmentBatch): boolean {
  return !isUrgentMode(c) || emitSegment(tcp, c, batch, c.sndUna, 0, false) >= 0;
}

function transmitSyn(tcp: Tcp, c: Connection, batch: SegmentBatch): boolean {
  if (!emitSyn(tcp, c, batch, c.state === State.SYN_RECEIVED)) return false;
  c.unset(Has.SynPending);
  if (c.retransmits > 0) {
    tcp.counters.TcpRetransSegs++;
    tcp.totals.resent(c.row, 0);
    c.unset(Has.Timing);
  } else {
    startTiming(c, tcp.now);
  }
  armRetransmit(tcp, c);
  return true;
}

/** RFC 8985 §7.3: a segment of new data, whatever the congestion window says, or else the last. */
function transmitProbe(tcp: Tcp, c: Connection, f: Flight, batch: SegmentBatch): boolean {
  const length = Math.min(unsentOfRecord(c), currentMss(c));
  const window = c.usableWindow;
  if (length > 0 && length <= window) {
    const fin = c.has(Has.Fin) && length === c.unsent && length < window;
    if (!sendNew(tcp, c, batch, length, fin, false)) return false;
    probeSent(tcp, c, f, false);
    return true;
  }
  if (f.count > 0) fitSegments(c, f, f.before(f.tail));
  const last = f.before(f.tail);
  if (f.count > 1) f.unmark(f.before(last), Mark.Joined);
  if (f.count === 0 || f.has(last, Mark.Sacked) || isBeyondWindow(c, f, last)) {
    f.tlpDue = false;
    armRetransmit(tcp, c, true);
    return true;
  }
  if (!retransmit(tcp, c, f, cutToWindow(c, f, last), batch, true)) return false;
  probeSent(tcp, c, f, true);
  return true;
}

/** New data as far as windows, Nagle and the FIN allow. */
function transmitNew(tcp: Tcp, c: Connection, batch: SegmentBatch): boolean {
  if (c.unsentNumbers === 0) return true;
  // While the peer's window is closed nothing begins (Linux: tcp_ack_update_window).
  if (c.inFlight === 0 && c.sndWnd > 0) restartAfterIdle(tcp, c);
  // What was SACKed, or told of by duplicates, has left the network: limited transmit (RFC 3042).
  let quota = c.cwnd - c.packetsInFlight;
  const before = c.packetsOut;
  let sent = false;
  let burst = 0;
  let burstEnd = c.sndNxt;
  let owed = false;
  while (c.unsentNumbers > 0 && quota > 0) {
    const { unsent, usableWindow: window } = c;
    const forced = c.has(Has.ForcePartial) && window > 0;
    const together = unsentOfRecord(c);
    const length = Math.min(together, currentMss(c), forced ? window : unsent);
    // The FIN has a number that the window must have room for, too, as on Linux.
    const fin = c.has(Has.Fin) && length === unsent && (!forced || length < window);
    // … unless its segment is the last of a burst.
    const room = fin && sent && seqLt(c.sndNxt, burstEnd) ? window + 1 : window;
    if (!forced && !mayLeave(c, length, room, fin, length < unsent)) break;
    if (seqGeq(c.sndNxt, burstEnd) && !mayDepart(tcp, c)) break;
    const joins = sent && seqLt(c.sndNxt, burstEnd);
    if (seqGeq(c.sndNxt, burstEnd) && !isUrgentMode(c)) {
      burst = startBurst(tcp, c, together, window, quota);
      burstEnd = (c.sndNxt + burst) | 0;
    }
    if (!sendNew(tcp, c, batch, length, fin, joins)) {
      if (sent) finishRound(tcp, c, quota, before);
      return false;
    }
    // As on Linux: a receiver that gathers passes it on.
    if (forced) setPush(batch, true);
    else if (burst > length) owed = endOrJoin(c, batch, seqGeq(c.sndNxt, burstEnd), owed);
    else if (burst === window && burst < together) cutShort(tcp, c, batch);
    c.unset(Has.ForcePartial);
    quota--;
    sent = true;
  }
  if (c.unsentNumbers === 0) {
    c.unset(Has.Push);
    if (c.flight !== null) noteAppLimited(c, c.flight);
  }
  if (sent) finishRound(tcp, c, quota, before);
  else if (quota <= 0) validateCwnd(tcp, c, true);
  else if (c.inFlight === 0 && c.unsentNumbers > 0 && mayDepart(tcp, c)) armPersist(tcp, c);
  return true;
}

/**
 * @param together bytes that may be put together
 * @returns bytes of the burst that leaves now; a segment or less: none
 */
function startBurst(
  tcp: Tcp,
  c: Connection,
  together: number,
  window: number,
  quota: number,
): number {
  const f = c.flight;
  // The one before may have been broken off.
  if (f !== null && f.count > 0) f.unmark(f.before(f.tail), Mark.Joined);
  const mss = currentMss(c);
  const burst = burstBytes(c, tcp.settings, mss, together, window, quota);
  const rest = burst % mss;
  if (burst === rest || burst < together) return burst;
  const followed = ((c.sndNxt + together) | 0) !== c.sndEnd;
  if (mayLeave(c, rest, window, c.has(Has.Fin), followed)) return burst;
  // Nagle holds back the end.
  return burst - rest;
}

/**
 * The segment that has left last is the end of its burst, which bears PSH, or one with the next:
 * its own PSH waits for the end (Linux: tcp_grow_skb).
 * @param owed a segment of the burst had PSH of its own
 * @returns the same, for the next
 */
function endOrJoin(c: Connection, batch: SegmentBatch, isEnd: boolean, owed: boolean): boolean {
  const f = c.flight;
  if (f === null) return false;
  const row = f.before(f.tail);
  setPush(batch, isEnd);
  if (isEnd) {
    if (owed) f.mark(row, Mark.Pushed);
    return false;
  }
  const pushed = f.has(row, Mark.Pushed);
  f.unmark(row, Mark.Pushed);
  f.mark(row, Mark.Joined);
  return owed || pushed;
}

/** The window has cut a burst down to a segment: its PSH would have been at the burst's end. */
function cutShort(tcp: Tcp, c: Connection, batch: SegmentBatch): void {
  if (burstSegments(c, tcp.settings, currentMss(c)) > 1) endOrJoin(c, batch, false, false);
}

/**
 * New data has left, and the congestion window has room for `quota` more segments.
 * @param before segments that were in flight
 */
function finishRound(tcp: Tcp, c: Connection, quota: number, before: number): void {
  const f = tcp.flightOf(c);
  validateCwnd(tcp, c, quota <= 0);
  armRetransmit(tcp, c, before === 0 || f.pending === Pending.Probe);
  scheduleProbe(tcp, c, f, false);
}

/**
 * Sends `length` bytes of new data, and the FIN, as a segment.
 * @param joins it is not the first of a burst: it may become one with those before it
 * @returns false: the batch is full
 */
function sendNew(
  tcp: Tcp,
  c: Connection,
  batch: SegmentBatch,
  length: number,
  fin: boolean,
  joins: boolean,
): boolean {
  const joined = joins && batch.gsoMax > 0 && extendSegment(tcp, c, batch, c.sndNxt, length, fin);
  const covered = joined ? length : emitSegment(tcp, c, batch, c.sndNxt, length, fin);
  if (covered < 0) return false;
  const wasIdle = c.flight === null;
  const f = tcp.flightOf(c);
  const starts = f.count === 0;
  if (starts) rateStart(c, f, tcp.now, wasIdle);
  const seq = c.sndNxt;
  const end = (seq + covered) | 0;
  if (length < currentMss(c)) f.small = end;
  c.sndNxt = fin && covered === length ? (end + 1) | 0 : end;
  const row = f.push(seq, c.sndNxt, tcp.now);
  if (hasPush(batch)) f.mark(row, Mark.Pushed);
  pushSent(c, end);
  if (covered > 0 && endsRecord(c, end)) {
    f.mark(row, Mark.EndsRecord);
    recordSent(c);
  }
  rateSent(c, f, row, tcp.now);
  countSent(c, f, 1);
  if (covered > 0) {
    if (starts) c.congestion.event?.(c, CongestionEvent.TransmitStart, tcp.now);
    dataSent(tcp, c);
    departed(tcp, c, covered);
  }
  return true;
}

/** Sequence numbers of the next new segment, with the FIN behind the data; 0: there is none. */
export function nextLength(c: Connection): number {
  const length = Math.min(unsentOfRecord(c), currentMss(c));
  return length === c.unsent && length < c.unsentNumbers ? length + 1 : length;
}

/** Payload of the next full segment (Linux: tcp_current_mss). */
function currentMss(c: Connection): number {
  return boundToHalfWindow(c, c.sndMss);
}

/**
 * Whether the peer's window has room for a segment of `length` bytes, and Nagle lets it go.
 * @param followed there is more that is not part of it: nothing will be added
 */
function mayLeave(
  c: Connection,
  length: number,
  window: number,
  fin: boolean,
  followed: boolean,
): boolean {
  if (length + Number(fin) > window) return false;
  if (fin || followed || length >= currentMss(c) || c.has(Has.Push) || isUrgentMode(c)) return true;
  // RFC 9293 §3.7.4, as amended by Minshall: only one small segment is in flight.
  if (c.options.cork === 1 || c.has(Has.More)) return false;
  if (c.options.noDelay === 1 || c.inFlight === 0) return true;
  return c.flight === null || seqLeq(c.flight.small, c.sndUna);
}
