import { seqGeq, seqGt } from '../sequence';
import { News } from './ack-news';
import { CongestionEvent } from './congestion';
import { CaState, Has, Timer, type Connection } from './connection';
import { currentSsthresh } from './cwnd-validation';
import { addDuplicate, markByThreshold, markHead, resetDuplicates } from './dup-threshold';
import { queueCwr } from './ecn';
import { Pending, type Flight } from './flight';
import { processLoss } from './frto';
import { endReduction, reduceWindow, startReduction } from './prr';
import { rackDetectLoss, rackTimeout, usesRack } from './rack';
import { Mark } from './sent-queue';
import type { Tcp } from './tcp';
import { startUndo, undoByDsack, undoPartially, undoRecovery } from './undo';

/** How long a peer that seems to have reneged is waited for at least, µs. */
const RENEGING_WAIT = 10_000;

// The states of loss recovery and what moves a connection between them, in the order in which Linux
// has it (tcp_fastretrans_alert), from which the names are.

/**
 * An acknowledgment that is a duplicate, SACKs, or comes while something is amiss. What is lost is
 * marked; it leaves with the next `transmit`.
 * @param duplicate RFC 5681 §2
 */
export function recoverFromLoss(tcp: Tcp, c: Connection, f: Flight, duplicate: boolean): void {
  const { news } = tcp;
  // RFC 3168 §6.1.2: what ECN asks for is not taken back.
  if (news.has(News.Ece)) f.priorSsthresh = 0;
  if (hasReneged(tcp, c, f)) return;
  if (c.caState === CaState.Open) {
    f.retransmitting = false;
    f.markedTo = c.sndUna;
  } else if (seqGeq(c.sndUna, f.highSeq) && leavesState(tcp, c, f)) return;
  switch (c.caState) {
    case CaState.Recovery:
      if (!inRecovery(tcp, c, f, duplicate)) return;
      break;
    case CaState.Loss:
      processLoss(tcp, c, f, duplicate);
      findLosses(tcp, c, f);
      if ((c.caState as CaState) !== CaState.Open && !news.has(News.LostRetransmission)) return;
      inOrder(tcp, c, f, duplicate);
      break;
    case CaState.Open:
    case CaState.Disorder:
    case CaState.Cwr:
      inOrder(tcp, c, f, duplicate);
      break;
  }
}

/** `highSeq` has been acknowledged. @returns whether that was all there is to do */
function leavesState(tcp: Tcp, c: Connection, f: Flight): boolean {
  switch (c.caState) {
    case CaState.Cwr:
      // Held until something above `highSeq` is acknowledged.
      if (c.sndUna !== f.highSeq) {
        endReduction(tcp, c, f);
        c.caState = CaState.Open;
      }
      return false;
    case CaState.Recovery:
      if (!c.has(Has.Sack)) resetDuplicates(f);
      if (undoRecovery(tcp, c, f)) return true;
      endReduction(tcp, c, f);
      return false;
    default:
      return false;
  }
}

function inRecovery(tcp: Tcp, c: Connection, f: Flight, duplicate: boolean): boolean {
  if (!tcp.news.has(News.Advanced)) {
    if (!c.has(Has.Sack) && duplicate) addDuplicate(tcp, c, f);
  } else if (undoPartially(tcp, c, f)) return false;
  if (undoByDsack(tcp, c, f)) tryToOpen(tcp, c, f);
  findLosses(tcp, c, f);
  if (c.caState === CaState.Recovery) return true;
  if (f.lostOut === 0) return false;
  enterRecovery(tcp, c, f);
  return true;
}

/** Open, Disorder, Cwr, and Loss when it is over or finds a retransmission lost. */
function inOrder(tcp: Tcp, c: Connection, f: Flight, duplicate: boolean): void {
  if (!c.has(Has.Sack)) {
    if (tcp.news.has(News.Advanced)) resetDuplicates(f);
    if (duplicate) addDuplicate(tcp, c, f);
  }
  if (c.caState <= CaState.Disorder) undoByDsack(tcp, c, f);
  findLosses(tcp, c, f);
  if (f.lostOut === 0) tryToOpen(tcp, c, f);
  else enterRecovery(tcp, c, f);
}

function findLosses(tcp: Tcp, c: Connection, f: Flight): void {
  if (f.count === 0) return;
  if (!c.has(Has.Sack)) {
    markHead(tcp, c, f);
    return;
  }
  if (!usesRack(tcp)) {
    markByThreshold(tcp, c, f);
    return;
  }
  const { retransOut } = f;
  if (rackDetectLoss(tcp, c, f)) tcp.news.flags &= ~News.SetTimer;
  if (f.retransOut < retransOut) tcp.news.add(News.LostRetransmission);
}

/**
 * RFC 2018 §8: the oldest segment is SACKed and not acknowledged, so that the peer has dropped it,
 * or is about to acknowledge it: half a round trip decides.
 */
function hasReneged(tcp: Tcp, c: Connection, f: Flight): boolean {
  if (f.count === 0 || !f.has(f.head, Mark.Sacked)) return false;
  f.pending = Pending.Timeout;
  const wait = Math.max(c.srtt >> 4, RENEGING_WAIT);
  tcp.timers.set(c.row, Timer.Retransmit, tcp.now + wait);
  tcp.news.flags &= ~News.SetTimer;
  return true;
}

function tryToOpen(tcp: Tcp, c: Connection, f: Flight): void {
  if (!f.anyRetransmitted) f.retransmitting = false;
  if (tcp.news.has(News.Ece)) enterCwr(c);
  if (c.caState !== CaState.Cwr) keepOpen(c, f);
}

/** Open, or Disorder where something is SACKed, lost or was sent again. */
export function keepOpen(c: Connection, f: Flight): void {
  const disorder = f.sackedOut > 0 || f.lostOut > 0 || f.anyRetransmitted;
  const state = disorder ? CaState.Disorder : CaState.Open;
  if (c.caState === state) return;
  c.caState = state;
  f.highSeq = c.sndNxt;
}

/** Fast recovery (RFC 6675 §5, RFC 6582 §3.2): the window goes down by PRR. */
function enterRecovery(tcp: Tcp, c: Connection, f: Flight): void {
  if (c.has(Has.Sack)) tcp.counters.TcpExtTCPSackRecovery++;
  else tcp.counters.TcpExtTCPRenoRecovery++;
  f.priorSsthresh = 0;
  startUndo(c, f);
  // In CWR or Loss the window has been reduced already.
  if (c.caState < CaState.Cwr) {
    if (!tcp.news.has(News.Ece)) f.priorSsthresh = currentSsthresh(c);
    startReduction(c, f);
  }
  c.caState = CaState.Recovery;
}

/**
 * Reduces the window once for what was in flight: ECN's echo (RFC 3168 §6.1.2). Deviation: a window
 * of one segment doesn't wait for the retransmission timer, but as on Linux none is reduced below
 * two.
 */
function enterCwr(c: Connection): void {
  const f = c.flight;
  if (f === null || c.caState >= CaState.Cwr) return;
  f.priorSsthresh = 0;
  f.undoable = false;
  startReduction(c, f);
  c.caState = CaState.Cwr;
}

/** A retransmission timeout (RFC 6298, RFC 8985 §6.3): what is in flight counts as lost. */
export function enterLoss(tcp: Tcp, c: Connection, f: Flight): void {
  const fresh = c.caState < CaState.Recovery;
  queueCwr(c);
  markTimedOut(tcp, c, f);
  // Once for each loss: recovery that is under way has reduced the window.
  const first = c.caState === CaState.Loss && c.retransmits === 0;
  if (c.caState <= CaState.Disorder || !seqGt(f.highSeq, c.sndUna) || first) {
    f.priorSsthresh = currentSsthresh(c);
    c.priorCwnd = c.cwnd;
    c.ssthresh = c.congestion.ssthresh(c);
    c.congestion.event?.(c, CongestionEvent.Loss, tcp.now);
    startUndo(c, f);
  }
  c.cwnd = f.inFlight + 1;
  c.cwndCount = 0;
  // So many duplicates, and yet a timeout: less reordering than was thought.
  const { reordering, frto } = tcp.settings;
  if (c.caState <= CaState.Disorder && f.sackedOut >= reordering) {
    c.reordering = Math.min(c.reordering, reordering);
  }
  c.caState = CaState.Loss;
  f.highSeq = c.sndNxt;
  f.tlpOut = f.tlpDue = f.frtoNew = false;
  // RFC 5682 §2.1 step 1: unless recovery was under way.
  f.frto = frto > 0 && (fresh || c.retransmits > 0);
}

function markTimedOut(tcp: Tcp, c: Connection, f: Flight): void {
  if (f.count > 0 && f.has(f.head, Mark.Sacked)) {
    tcp.counters.TcpExtTCPSACKReneging++;
    f.forgetSacks();
    f.reneged = true;
  } else if (!c.has(Has.Sack)) resetDuplicates(f);
  // RFC 8985 §6.3: what was sent of late may still be on its way; after reneging nothing is.
  const recent = f.reneged ? Infinity : tcp.now - f.rackRtt;
  f.losses = (f.losses + f.markTimedOut(recent)) | 0;
}

/** The reordering window has ended (RFC 8985 §6.2). */
export function reorderingTimeout(tcp: Tcp, c: Connection, f: Flight): void {
  const { losses } = f;
  if (!rackTimeout(tcp, c, f)) return;
  if (c.caState !== CaState.Recovery) {
    tcp.news.flags = 0;
    enterRecovery(tcp, c, f);
    if (c.congestion.control === undefined) {
      reduceWindow(c, f, 1, (f.losses - losses) | 0, false);
    }
  }
  tcp.markReady(c);
}

/** What the window becomes: it shrinks during a reduction, else the controller lets it grow. */
export function adjustWindow(tcp: Tcp, c: Connection, f: Flight, limited: boolean): void {
  const { news } = tcp;
  const { congestion } = c;
  if (congestion.control !== undefined) {
    congestion.control(c, news, tcp.now);
  } else if (c.caState === CaState.Cwr || c.caState === CaState.Recovery) {
    reduceWindow(c, f, news.ackedSacked, news.losses, news.has(News.Advanced));
  } else if (limited && mayRaise(tcp, c)) {
    congestion.congAvoid(c, news.ackedSacked, tcp.now);
  }
}

/** Where segments overtake each other, SACK is progress, too. */
function mayRaise(tcp: Tcp, c: Connection): boolean {
  const bits = c.reordering > tcp.settings.reordering ? News.Advanced | News.Sacked : News.Advanced;
  return tcp.news.has(bits) && tcp.news.ackedSacked > 0;
}
