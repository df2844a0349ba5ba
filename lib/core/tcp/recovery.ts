import { seqGeq, seqGt, seqLt, seqMax } from '../sequence';
import { CaState, Has, type Connection } from './connection';
import { isCwndLimited } from './cwnd-validation';
import { queueCwr } from './ecn';
import type { Tcp } from './tcp';

/** Duplicate acknowledgments that signal a loss (RFC 5681 §3.2). */
const DUP_THRESHOLD = 3;

/** Segments that `bytes` of sequence space make. */
export function segments(c: Connection, bytes: number): number {
  return Math.ceil(bytes / c.sndMss);
}

/** Duplicate acknowledgments that let a new segment leave each (RFC 3042 §2). */
const LIMITED_TRANSMIT = 2;

/** New segments that may leave beyond `cwnd`, so that small windows see enough duplicates too. */
export function limitedTransmit(c: Connection): number {
  return c.caState === CaState.Open ? Math.min(c.dupAcks, LIMITED_TRANSMIT) : 0;
}

/**
 * RFC 5681 §3.2 and RFC 6582 §3.2: an acknowledgment that acknowledges nothing new.
 * @param sacked it reports data that has arrived behind a hole
 */
export function duplicateAck(tcp: Tcp, c: Connection, sacked: boolean): void {
  c.dupAcks++;
  switch (c.caState) {
    case CaState.Recovery:
      // Each says that a segment has left the network.
      c.cwnd++;
      tcp.markReady(c);
      return;
    case CaState.Cwr:
    case CaState.Loss:
      return;
    case CaState.Open:
    case CaState.Disorder:
      if (c.dupAcks === DUP_THRESHOLD && isNewLoss(c, sacked)) enterRecovery(tcp, c);
      return;
  }
}

/**
 * RFC 6582 §3.2 (2): not for duplicates of what an earlier recovery sent. At `recover` itself SACK
 * tells the two apart (RFC 6582 §4 has heuristics for it).
 */
function isNewLoss(c: Connection, sacked: boolean): boolean {
  return sacked ? seqGeq(c.sndUna, c.recover) : seqGt(c.sndUna, c.recover);
}

function enterRecovery(tcp: Tcp, c: Connection): void {
  queueCwr(c);
  c.ssthresh = c.congestion.ssthresh(c);
  c.cwnd = c.ssthresh + DUP_THRESHOLD;
  c.recover = c.sndNxt;
  c.caState = CaState.Recovery;
  c.set(Has.RetransmitHead);
  tcp.counters.TcpExtTCPRenoRecovery++;
  tcp.markReady(c);
}

/**
 * Reduces the window once for what has happened until now: ECN's echo (RFC 3168 §6.1.2), or a loss
 * that a probe has mended (RFC 8985 §7.4.2).
 */
export function enterCwr(c: Connection): void {
  if (c.caState >= CaState.Cwr) return;
  queueCwr(c);
  c.priorCwnd = c.cwnd;
  c.ssthresh = c.congestion.ssthresh(c);
  c.cwnd = Math.min(c.cwnd, c.ssthresh);
  c.recover = c.sndNxt;
  c.caState = CaState.Cwr;
}

/** A retransmission timeout (RFC 5681 §3.1, RFC 6582 §4): all in flight counts as lost. */
export function enterLoss(c: Connection): void {
  queueCwr(c);
  // Once for each loss: recovery that is under way has reduced the window (Linux: tcp_enter_loss).
  const recovering = c.caState === CaState.Recovery && seqLt(c.sndUna, c.recover);
  const again = c.caState === CaState.Loss && c.retransmits > 0;
  if (!recovering && !again) c.ssthresh = c.congestion.ssthresh(c);
  c.cwnd = 1;
  c.cwndCount = 0;
  c.dupAcks = 0;
  c.caState = CaState.Loss;
  c.recover = c.sndNxt;
  c.retransmitNext = c.sndUna;
}

/** SND.UNA has advanced by `bytes`. */
export function newlyAcknowledged(tcp: Tcp, c: Connection, bytes: number): void {
  const acked = Math.max(segments(c, bytes), 1);
  switch (c.caState) {
    case CaState.Cwr:
      // CWR is in what follows, so that the echo in this may still be of before.
      if (seqGt(c.sndUna, c.recover)) c.caState = CaState.Open;
      break;
    case CaState.Open:
    case CaState.Disorder:
      // Kept close behind, or it would seem to lie ahead once 2^31 bytes have been sent.
      if (seqGt(c.sndUna, c.recover)) c.recover = (c.sndUna - 1) | 0;
      break;
    case CaState.Recovery:
      if (seqGeq(c.sndUna, c.recover)) leaveRecovery(c);
      else partialAck(tcp, c, bytes, acked);
      c.dupAcks = 0;
      return;
    case CaState.Loss:
      c.retransmitNext = seqMax(c.retransmitNext, c.sndUna);
      if (seqGeq(c.sndUna, c.recover)) c.caState = CaState.Open;
      break;
  }
  // Duplicates have told of their segments already (Linux: tcp_remove_reno_sacks).
  const news = c.caState === CaState.Open ? Math.max(acked - c.dupAcks, 1) : acked;
  c.dupAcks = 0;
  if (isCwndLimited(c) || c.caState === CaState.Loss) c.congestion.congAvoid(c, news, tcp.now);
}

/** RFC 6582 §3.2 (3), full acknowledgment. */
function leaveRecovery(c: Connection): void {
  c.cwnd = Math.min(c.ssthresh, Math.max(segments(c, c.inFlight), 1) + 1);
  c.caState = CaState.Open;
  c.cwndCount = 0;
}

/** RFC 6582 §3.2 (3), partial acknowledgment: the next hole begins at SND.UNA. */
function partialAck(tcp: Tcp, c: Connection, bytes: number, acked: number): void {
  c.set(Has.RetransmitHead);
  c.cwnd = Math.max(c.cwnd - acked + (bytes >= c.sndMss ? 1 : 0), 1);
  tcp.markReady(c);
}
