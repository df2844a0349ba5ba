import type { Segment } from '../segment/segment';
import { seqGt, seqLeq, seqLt, seqMin } from '../sequence';
import { Errno } from '../errno';
import { reachesWindow, trimToWindow } from './acceptability';
import { AckResult, openSendWindow, processAck, takeSynRtt } from './acknowledgment';
import { challengeAck, mayAnswer } from './challenge-ack';
import { Has, type Connection } from './connection';
import { enterQuickAckMode } from './delayed-ack';
import { noteDuplicate, noteOldText } from './dsack';
import { takeCwr } from './ecn';
import { sendAckNow } from './emit';
import { established } from './establish';
import { refuse } from './arrives-closed';
import { startFinTimeout, waitForFin } from './orphans';
import { processFin, processText } from './segment-text';
import { canReceive, State } from './state';
import { pawsRejects } from './timestamps';
import type { Tcp } from './tcp';
import { sixthCheckUrg } from './urgent';

/** SEGMENT ARRIVES, other states (RFC 9293 §3.10.7.4), in the order of its steps. */
export function arrivesOtherwise(tcp: Tcp, c: Connection, seg: Segment): void {
  // Fifth, without ACK. Deviation: as on Linux before the first step, which would answer it outside
  // the window.
  if (!seg.isAck && !seg.isRst && !seg.isSyn) return;
  if (!firstCheckSequence(tcp, c, seg)) return;
  if (!secondCheckReset(tcp, c, seg)) return;
  // Third, security: the option is not used (RFC 9293 Appendix A.1).
  if (!fourthCheckSyn(tcp, c, seg)) return;
  if (!fifthCheckAck(tcp, c, seg)) return;
  takeCwr(tcp, c, seg);
  if (canReceive(c.state)) sixthCheckUrg(tcp, c, seg);
  if (refusesText(tcp, c, seg)) return;
  const had = seg.len;
  const isNew = seqGt(seg.end, c.rcvNxt);
  noteOldText(tcp, c, seg);
  trimToWindow(c, seg);
  if (had > 0 && seg.len === 0) {
    // All of it is old, or the window is closed: the peer learns where we stand.
    if (isNew) tcp.counters.TcpExtTCPZeroWindowDrop++;
    else tcp.counters.TcpExtDelayedACKLost++;
    enterQuickAckMode(tcp, c);
    sendAckNow(tcp, c);
  }
  processText(tcp, c, seg);
  processFin(tcp, c, seg);
}

function firstCheckSequence(tcp: Tcp, c: Connection, seg: Segment): boolean {
  if (pawsRejects(c, seg, tcp.nowMs)) {
    rejectOld(tcp, c, seg);
    return false;
  }
  const simultaneous = c.state === State.SYN_RECEIVED && seg.isSyn && seg.seq === c.irs;
  if (!reachesWindow(c, seg) && !simultaneous) {
    answerUnacceptable(tcp, c, seg);
    return false;
  }
  c.heardMs = tcp.nowMs;
  c.keepAliveProbes = 0;
  return true;
}

/**
 * RFC 7323 §5.3 R1. Deviation: as on Linux, an empty acknowledgment that a later one has overtaken
 * is not answered, since the peer would take the answer for a duplicate acknowledgment.
 */
function rejectOld(tcp: Tcp, c: Connection, seg: Segment): void {
  if (seg.isAck && seg.len === 0 && seqLeq(seg.seq, c.rcvNxt)) {
    tcp.counters.TcpExtPAWSOldAck++;
    return;
  }
  tcp.counters.TcpExtPAWSEstab++;
  answerUnacceptable(tcp, c, seg);
}

/** <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>, unless the RST bit is set. */
function answerUnacceptable(tcp: Tcp, c: Connection, seg: Segment): void {
  if (seg.isRst) {
    if (isLateReset(c, seg)) reset(tcp, c);
    return;
  }
  if (seg.isSyn) {
    challengeAck(tcp, c);
    return;
  }
  if (seqGt(seg.end, (c.rcvNxt + c.receiveWindow) | 0)) tcp.counters.TcpExtBeyondWindow++;
  if (seg.len > 0) {
    if (seqLt(seg.seq, c.rcvNxt)) {
      tcp.counters.TcpExtDelayedACKLost++;
      noteDuplicate(tcp, c, seg.seq, seqMin(seg.end, c.rcvNxt));
    }
    enterQuickAckMode(tcp, c);
  } else if (!isProbe(c, seg) && !mayAnswer(tcp, c)) {
    tcp.counters.TcpExtTCPACKSkippedSeq++;
    return;
  }
  sendAckNow(tcp, c);
}

/** A keepalive or window probe: an acknowledgment of the number before the next. */
function isProbe(c: Connection, seg: Segment): boolean {
  return seg.seq === ((c.rcvNxt - 1) | 0);
}

function secondCheckReset(tcp: Tcp, c: Connection, seg: Segment): boolean {
  if (!seg.isRst) return true;
  // RFC 5961 §3.2: not the next number: perhaps a blind attacker's.
  if (seg.seq === c.rcvNxt || isLateReset(c, seg) || followsSacked(c, seg)) reset(tcp, c);
  else challengeAck(tcp, c);
  return false;
}

/** Some peers number a RST behind their FIN as if there had been none, and Linux takes it. */
function isLateReset(c: Connection, seg: Segment): boolean {
  const { state } = c;
  const hadFin = state === State.CLOSE_WAIT || state === State.LAST_ACK || state === State.CLOSING;
  return hadFin && seg.seq === ((c.rcvNxt - 1) | 0);
}

/**
 * Where segments before it were lost, a RST has the number behind the last SACKed byte. Deviation:
 * Linux (tcp_validate_incoming) looks at the four last blocks only.
 */
function followsSacked(c: Connection, seg: Segment): boolean {
  return c.has(Has.Sack) && c.receiveBuffer !== null && c.receiveBuffer.endsAt(seg.seq);
}

function reset(tcp: Tcp, c: Connection): void {
  if (c.state === State.SYN_RECEIVED) tcp.counters.TcpAttemptFails++;
  else if (c.state === State.ESTABLISHED || c.state === State.CLOSE_WAIT) {
    tcp.counters.TcpEstabResets++;
  }
  tcp.finish(c, resetError(c.state));
}

/**
 * What the user's calls return after a RST, as on Linux. Deviation: RFC 9293 §3.10.7.4 has
 * "connection refused" in SYN-RECEIVED after an active OPEN.
 */
function resetError(state: State): number {
  switch (state) {
    case State.CLOSE_WAIT:
      return Errno.EPIPE;
    default:
      return Errno.ECONNRESET;
  }
}

function fourthCheckSyn(tcp: Tcp, c: Connection, seg: Segment): boolean {
  if (!seg.isSyn) return true;
  if (c.state === State.SYN_RECEIVED && seg.seq === c.irs) {
    if (!seg.isAck) {
      // The peer has sent its SYN again: so do we.
      c.set(Has.SynPending);
      tcp.markReady(c);
      return false;
    }
    // As Linux has it, only what is nothing but the answer to our SYN.
    if (seg.ack === c.sndNxt && seg.len === 1) return true;
  }
  // RFC 5961 §4.2.
  tcp.counters.TcpExtTCPSYNChallenge++;
  challengeAck(tcp, c);
  return false;
}

function fifthCheckAck(tcp: Tcp, c: Connection, seg: Segment): boolean {
  if (c.state === State.SYN_RECEIVED) {
    if (!handshakeAcknowledged(tcp, c, seg)) return false;
    if (seg.isSyn) {
      // The crossing SYN, now with ACK, which says no more: its window, too, is not scaled.
      seg.trimFront(1);
      sendAckNow(tcp, c);
      return true;
    }
  }
  switch (processAck(tcp, c, seg)) {
    case AckResult.Drop:
      return false;
    case AckResult.Continue:
      return true;
    case AckResult.FinAcknowledged:
      return finAcknowledged(tcp, c, seg);
  }
}

/** Fifth, SYN-RECEIVED: SND.UNA < SEG.ACK =< SND.NXT opens the connection, else a RST answers. */
function handshakeAcknowledged(tcp: Tcp, c: Connection, seg: Segment): boolean {
  if (seqLeq(seg.ack, c.sndUna) || seqGt(seg.ack, c.sndNxt)) {
    refuse(tcp, seg);
    return false;
  }
  takeSynRtt(tcp, c, seg);
  c.sndUna = (c.iss + 1) | 0;
  openSendWindow(c, seg);
  established(tcp, c);
  return true;
}

function finAcknowledged(tcp: Tcp, c: Connection, seg: Segment): boolean {
  switch (c.state) {
    case State.FIN_WAIT_1:
      tcp.setState(c, State.FIN_WAIT_2);
      if (!tcp.isOrphan(c)) return true;
      if (seg.len > 0) {
        startFinTimeout(tcp, c);
        return true;
      }
      waitForFin(tcp, c, seg);
      return false;
    case State.CLOSING:
      tcp.enterTimeWait(c);
      return false;
    case State.LAST_ACK:
      tcp.finish(c, 0);
      return false;
    default:
      return true;
  }
}

/** RFC 9293 §3.10.7.4 "after the user has closed": nobody will read it, and the peer must know. */
function refusesText(tcp: Tcp, c: Connection, seg: Segment): boolean {
  if (!c.has(Has.RcvShutdown) || seg.length === 0) return false;
  if (c.state !== State.FIN_WAIT_1 && c.state !== State.FIN_WAIT_2) return false;
  if (!seqLt(c.rcvNxt, (seg.seq + seg.length) | 0)) return false;
  tcp.counters.TcpExtTCPAbortOnData++;
  // As on Linux the RST is the answer to this segment, and has its acknowledgment as its number.
  refuse(tcp, seg);
  tcp.finish(c, Errno.ECONNRESET);
  return true;
}
