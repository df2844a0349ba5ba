import type { SegmentBatch } from '../segment/batch';
import { Flag, Word } from '../segment/layout';
import { seqGeq, seqLt, seqMax } from '../sequence';
import { burstBytes } from './bursts';
import { CongestionEvent } from './congestion';
import { CaState, Has, type Connection } from './connection';
import { restartAfterIdle, validateCwnd } from './cwnd-validation';
import { dataSent } from './delayed-ack';
import { emitAck, emitSegment, emitSyn } from './emit';
import { limitedTransmit, segments } from './recovery';
import { syncPathMtu } from './path-mtu';
import { startTiming } from './rtt';
import { armRetransmit } from './retransmission';
import { armPersist } from './zero-window';
import { State } from './state';
import type { Tcp } from './tcp';

/**
 * Puts into `batch` what `c` may send now: its SYN, retransmissions, a window probe, new data and
 * FIN, or else a bare acknowledgment.
 * @returns false: the batch is full and something is left
 */
export function transmit(tcp: Tcp, c: Connection, batch: SegmentBatch): boolean {
  syncPathMtu(tcp, c);
  if (c.has(Has.SynPending)) return transmitSyn(tcp, c, batch);
  if (c.state < State.ESTABLISHED) return true;
  if (!retransmitLost(tcp, c, batch)) return false;
  if (!transmitNew(tcp, c, batch)) return false;
  if (c.has(Has.ProbePending)) {
    // RFC 9293 §3.8.6.1. Deviation: as Linux does, a probe is an old empty segment that the peer
    // must acknowledge, and carries no byte beyond the window.
    if (emitSegment(tcp, c, batch, (c.sndUna - 1) | 0, 0, false) < 0) return false;
    c.unset(Has.ProbePending);
  }
  if (c.has(Has.AckNow) && !emitAck(tcp, c, batch)) return false;
  return true;
}

function transmitSyn(tcp: Tcp, c: Connection, batch: SegmentBatch): boolean {
  if (!emitSyn(tcp, c, batch, c.state === State.SYN_RECEIVED)) return false;
  c.unset(Has.SynPending);
  if (c.retransmits > 0) {
    tcp.counters.TcpRetransSegs++;
    c.unset(Has.Timing);
  } else {
    startTiming(c, c.sndNxt, tcp.now);
  }
  armRetransmit(tcp, c);
  return true;
}

/** Sends again what loss recovery asks for. */
function retransmitLost(tcp: Tcp, c: Connection, batch: SegmentBatch): boolean {
  if (c.inFlight === 0) {
    c.unset(Has.RetransmitHead);
    return true;
  }
  if (c.has(Has.RetransmitHead)) {
    const next = retransmit(tcp, c, batch, c.sndUna);
    if (next === c.sndUna) return false;
    c.unset(Has.RetransmitHead);
    if (c.caState === CaState.Loss) c.retransmitNext = seqMax(c.retransmitNext, next);
  }
  if (c.caState !== CaState.Loss) return true;
  while (seqLt(c.retransmitNext, c.recover)) {
    if (segments(c, (c.retransmitNext - c.sndUna) | 0) >= c.cwnd) break;
    if (seqGeq(c.retransmitNext, (c.sndUna + c.sndWnd) | 0)) break;
    const next = retransmit(tcp, c, batch, c.retransmitNext);
    if (next === c.retransmitNext) return false;
    c.retransmitNext = next;
  }
  return true;
}

/** Sends one segment from `seq` again; returns what follows it, `seq` if the batch is full. */
function retransmit(tcp: Tcp, c: Connection, batch: SegmentBatch, seq: number): number {
  const end = c.sndEnd;
  const length = Math.max(Math.min((end - seq) | 0, (c.sndNxt - seq) | 0, c.sndMss), 0);
  const fin = c.has(Has.Fin) && seqGeq(c.sndNxt, (end + 1) | 0) && ((seq + length) | 0) === end;
  const covered = emitSegment(tcp, c, batch, seq, length, fin);
  if (covered < 0) return seq;
  tcp.counters.TcpRetransSegs++;
  if (c.caState === CaState.Loss) tcp.counters.TcpExtTCPSlowStartRetrans++;
  else tcp.counters.TcpExtTCPFastRetrans++;
  c.unset(Has.Timing);
  return (seq + covered + (fin && covered === length ? 1 : 0)) | 0;
}

/** New data as far as windows, Nagle and the FIN allow. */
function transmitNew(tcp: Tcp, c: Connection, batch: SegmentBatch): boolean {
  if (!hasUnsent(c)) return true;
  // While the peer's window is closed nothing begins (Linux: tcp_ack_update_window).
  if (c.inFlight === 0 && c.sndWnd > 0) restartAfterIdle(tcp, c);
  let quota = c.cwnd + limitedTransmit(c) - segments(c, c.inFlight);
  let sent = false;
  let burst = 0;
  let burstEnd = c.sndNxt;
  for (;;) {
    const unsent = (c.sndEnd - c.sndNxt) | 0;
    if (!hasUnsent(c)) break;
    if (quota <= 0 && unsent > 0) break;
    const window = (c.sndUna + c.sndWnd - c.sndNxt) | 0;
    const forced = c.has(Has.ForcePartial) && window > 0;
    const length = Math.min(unsent, currentMss(c), forced ? window : unsent);
    const fin = c.has(Has.Fin) && length === unsent;
    if (length > 0 && !forced && !mayLeave(c, length, window, fin)) break;
    if (seqGeq(c.sndNxt, burstEnd)) {
      burst = burstBytes(c, tcp.settings.minBurst, currentMss(c), unsent, window, quota);
      burstEnd = (c.sndNxt + burst) | 0;
    }
    if (!sendNew(tcp, c, batch, length, fin)) {
      if (sent) finishRound(tcp, c, quota);
      return false;
    }
    if (burst > length && seqGeq(c.sndNxt, burstEnd)) pushLast(batch);
    c.unset(Has.ForcePartial);
    quota--;
    sent = true;
  }
  if (!hasUnsent(c)) c.unset(Has.Push);
  if (sent) finishRound(tcp, c, quota);
  else if (quota <= 0) validateCwnd(tcp, c, true);
  else if (c.inFlight === 0 && (c.sndEnd - c.sndNxt) | 0) armPersist(tcp, c);
  return true;
}

/** New data has left, and the congestion window has room for `quota` more segments. */
function finishRound(tcp: Tcp, c: Connection, quota: number): void {
  validateCwnd(tcp, c, quota <= 0);
  armRetransmit(tcp, c);
}

/** The last segment of a burst has PSH, as on Linux: a receiver that gathers passes it on. */
function pushLast(batch: SegmentBatch): void {
  batch.words[batch.base(batch.count - 1) + Word.Flags] |= Flag.PSH;
}

function hasUnsent(c: Connection): boolean {
  const left = (c.sndEnd - c.sndNxt) | 0;
  return left > 0 || (left === 0 && c.has(Has.Fin));
}

function sendNew(
  tcp: Tcp,
  c: Connection,
  batch: SegmentBatch,
  length: number,
  fin: boolean,
): boolean {
  const covered = emitSegment(tcp, c, batch, c.sndNxt, length, fin);
  if (covered < 0) return false;
  const starts = c.inFlight === 0;
  const end = (c.sndNxt + covered) | 0;
  if (length < c.sndMss) c.sndSmall = end;
  c.sndNxt = fin && covered === length ? (end + 1) | 0 : end;
  if (covered > 0) {
    if (starts) c.congestion.event?.(c, CongestionEvent.TransmitStart, tcp.now);
    c.lastSendMs = tcp.nowMs;
    startTiming(c, c.sndNxt, tcp.now);
    dataSent(tcp, c);
  }
  return true;
}

/**
 * Payload of the next full segment. To a peer whose whole buffer is small a segment takes at most
 * half of it, or it would never fit (RFC 9293 §3.8.6.2.1; Linux: tcp_bound_to_half_wnd).
 */
export function currentMss(c: Connection): number {
  const half = c.maxSndWnd > 536 ? c.maxSndWnd >> 1 : c.maxSndWnd;
  return half > 0 && half < c.sndMss ? Math.max(half, 48) : c.sndMss;
}

/** Whether the peer's window has room for a segment of `length` bytes, and Nagle lets it go. */
function mayLeave(c: Connection, length: number, window: number, fin: boolean): boolean {
  if (length > window) return false;
  if (fin || length >= currentMss(c) || c.has(Has.Push)) return true;
  // RFC 9293 §3.7.4, as amended by Minshall: only one small segment is in flight.
  if (c.options.cork === 1 || c.has(Has.More)) return false;
  if (c.options.noDelay === 1 || c.inFlight === 0) return true;
  return ((c.sndSmall - c.sndUna) | 0) <= 0;
}
