import { seqLt } from '../sequence';
import { CongestionEvent } from './congestion';
import { CaState, Has, type Connection } from './connection';
import { withdrawCwr } from './ecn';
import type { Flight } from './flight';
import { rackPersist } from './rack';
import { noteReordering } from './sack';
import { keepOpen } from './recovery';
import type { Tcp } from './tcp';

// Undo of needless reductions: by D-SACK (RFC 3708's idea on RFC 2883), and by timestamps (Eifel,
// RFC 3522 and RFC 4015). Which retransmissions were needless is known when all of them were
// reported as duplicates, or when an echo is older than the first of them.

/** Notes what to go back to: a reduction begins (RFC 4015 §3, step 1). */
export function startUndo(c: Connection, f: Flight): void {
  f.undoable = true;
  f.undoMarker = c.sndUna;
  f.undoRetrans = f.retransOut + (f.tlpOut && f.tlpRetransmitted ? 1 : 0);
  if (f.undoRetrans === 0) f.undoRetrans = -1;
}

/**
 * RFC 3522 §3.2 step 4: the peer answers to what left before the first retransmission, or none has
 * left yet.
 */
function originalAnswered(tcp: Tcp, c: Connection, f: Flight): boolean {
  // Without SACK `holdsReno` forgets retransmissions.
  if (!f.retransmitting) return c.has(Has.Sack) || seqLt(c.sndUna, f.highSeq);
  if (!c.has(Has.Timestamps) || tcp.echo === 0) return false;
  return seqLt(tcp.echo, f.retransStamp);
}

function mayUndo(tcp: Tcp, c: Connection, f: Flight): boolean {
  return f.undoable && (f.undoRetrans === 0 || originalAnswered(tcp, c, f));
}

/** RFC 4015 §3.3: the window is what it was. */
function undo(tcp: Tcp, c: Connection, f: Flight, forgetLosses: boolean): void {
  if (forgetLosses) f.forgetLosses();
  if (f.priorSsthresh > 0) {
    const { congestion } = c;
    const before = Math.max(c.cwnd, c.priorCwnd);
    c.cwnd = congestion.undoCwnd === undefined ? before : congestion.undoCwnd(c);
    if (f.priorSsthresh > c.ssthresh) {
      c.ssthresh = f.priorSsthresh;
      withdrawCwr(c);
    }
    congestion.event?.(c, CongestionEvent.Undo, tcp.now);
  }
  f.undoable = false;
  // What still counts as lost, or no longer does, is looked at anew.
  f.rackAdvanced = true;
}

/** Recovery, or the repair of a timeout, is over: was it needed? */
export function undoRecovery(tcp: Tcp, c: Connection, f: Flight): boolean {
  const { counters } = tcp;
  if (mayUndo(tcp, c, f)) {
    undo(tcp, c, f, false);
    if (c.caState === CaState.Loss) counters.TcpExtTCPLossUndo++;
    else counters.TcpExtTCPFullUndo++;
  } else if (c.reoWndPersist > 0) {
    c.reoWndPersist--;
  }
  if (holdsReno(c, f)) return true;
  f.reneged = false;
  c.caState = CaState.Open;
  return false;
}

/**
 * RFC 6582 §3.2: without SACK nothing tells duplicates of old from new ones at `highSeq` itself, so
 * that the state ends only with what lies beyond it.
 */
function holdsReno(c: Connection, f: Flight): boolean {
  if (c.has(Has.Sack) || c.sndUna !== f.highSeq) return false;
  if (!f.anyRetransmitted) f.retransmitting = false;
  return true;
}

/** All retransmissions were reported as duplicates. */
export function undoByDsack(tcp: Tcp, c: Connection, f: Flight): boolean {
  if (!f.undoable || f.undoRetrans !== 0) return false;
  rackPersist(c);
  undo(tcp, c, f, false);
  tcp.counters.TcpExtTCPDSACKUndo++;
  return true;
}

/** During recovery SND.UNA has advanced, and not through a retransmission. */
export function undoPartially(tcp: Tcp, c: Connection, f: Flight): boolean {
  if (!f.undoable || !originalAnswered(tcp, c, f)) return false;
  noteReordering(tcp, c, tcp.news.priorUna, f.sackedTo(c.sndUna), true);
  // While retransmissions are on their way the window stays, lest there be a burst.
  if (f.retransOut > 0) return true;
  if (!f.anyRetransmitted) f.retransmitting = false;
  undo(tcp, c, f, true);
  tcp.counters.TcpExtTCPPartialUndo++;
  keepOpen(c, f);
  return false;
}

/** After a timeout. @param byFrto F-RTO has found it needless (RFC 5682 §2.1 step 3b) */
export function undoTimeout(tcp: Tcp, c: Connection, f: Flight, byFrto: boolean): boolean {
  if (!byFrto && !mayUndo(tcp, c, f)) return false;
  undo(tcp, c, f, true);
  tcp.counters.TcpExtTCPLossUndo++;
  if (byFrto) tcp.counters.TcpExtTCPSpuriousRTOs++;
  c.retransmits = 0;
  if (holdsReno(c, f)) return true;
  if (byFrto || c.has(Has.Sack)) {
    c.caState = CaState.Open;
    f.reneged = false;
  }
  return true;
}
