import { CongestionEvent } from './congestion';
import { CaState, Has, type Connection } from './connection';
import { queueCwr } from './ecn';
import type { Flight } from './flight';
import type { Tcp } from './tcp';

/** A reduction begins (RFC 9937 §5): the window goes to what the controller says, by and by. */
export function startReduction(c: Connection, f: Flight): void {
  f.highSeq = c.sndNxt;
  f.tlpOut = false;
  c.cwndCount = 0;
  c.priorCwnd = c.cwnd;
  f.prrDelivered = f.prrOut = 0;
  c.ssthresh = c.congestion.ssthresh(c);
  queueCwr(c);
}

/**
 * Proportional Rate Reduction (RFC 9937 §5): so much may leave for what was delivered that, at the
 * end of recovery, `ssthresh` segments are in flight; below that it rises as in slow start where
 * SND.UNA advances and nothing more is lost, else by what was delivered.
 */
export function reduceWindow(
  c: Connection,
  f: Flight,
  delivered: number,
  losses: number,
  advanced: boolean,
): void {
  if (delivered <= 0 || c.priorCwnd <= 0) return;
  const room = c.ssthresh - f.inFlight;
  f.prrDelivered += delivered;
  let send: number;
  if (room < 0) {
    send = Math.ceil((c.ssthresh * f.prrDelivered) / c.priorCwnd) - f.prrOut;
  } else {
    send = Math.max(f.prrDelivered - f.prrOut, delivered);
    if (advanced && losses === 0) send++;
    send = Math.min(room, send);
  }
  // The first retransmission leaves whatever the arithmetic says; without SACK the next hole, too
  // (RFC 6582 §3.2, partial acknowledgment).
  const forced = f.prrOut === 0 || (advanced && losses > 0 && !c.has(Has.Sack));
  c.cwnd = f.inFlight + Math.max(send, forced ? 1 : 0);
}

/** So many segments have left. */
export function countSent(c: Connection, f: Flight, segments: number): void {
  if (c.caState === CaState.Cwr || c.caState === CaState.Recovery) f.prrOut += segments;
}

/** The reduction is over: the window is what the controller said. */
export function endReduction(tcp: Tcp, c: Connection, f: Flight): void {
  const { congestion } = c;
  if (congestion.control === undefined && c.ssthresh < 0x7fffffff) {
    if (c.caState === CaState.Cwr || f.undoable) c.cwnd = Math.max(c.ssthresh, 1);
  }
  congestion.event?.(c, CongestionEvent.RecoveryDone, tcp.now);
}
