import { Flag, Option, Word } from '../segment/layout';
import type { Segment } from '../segment/segment';
import { seqGeq, seqGt, seqLt } from '../sequence';
import { Has, type Connection } from './connection';
import { challengeAck } from './challenge-ack';
import { congestionEchoed, isCongestionEcho } from './ecn';
import { duplicateAck, newlyAcknowledged } from './recovery';
import { retransmissionAcknowledged } from './retransmission';
import { measuredRtt } from './rtt';
import { noteTimestamp, timestamp } from './timestamps';
import type { Tcp } from './tcp';
import { probeAnswered } from './zero-window';

/** What the ACK field asks for (RFC 9293 §3.10.7.4, fifth, ESTABLISHED). */
export const enum AckResult {
  /** Go on with the segment. */
  Continue = 0,
  /** The segment is to be dropped. */
  Drop = 1,
  /** Our FIN is now acknowledged: go on. */
  FinAcknowledged = 2,
}

/**
 * SND.UNA < SEG.ACK =< SND.NXT: removes what is acknowledged from the retransmission queue, takes
 * the window, measures, and tells loss recovery and congestion control.
 */
export function processAck(tcp: Tcp, c: Connection, seg: Segment): AckResult {
  const ack = seg.ack;
  if (seqGt(ack, c.sndNxt)) {
    // It acknowledges something not yet sent.
    challengeAck(tcp, c);
    return AckResult.Drop;
  }
  if (seqLt(ack, c.sndUna)) {
    // RFC 5961 §5.2: too old to be from this peer; else a mere duplicate, whose data may be good.
    if (seqLt(ack, (c.sndUna - c.maxSndWnd) | 0)) {
      challengeAck(tcp, c);
      return AckResult.Drop;
    }
    return AckResult.Continue;
  }
  // Nothing waits longer than the peer's next word (Linux: only the call itself holds back).
  c.unset(Has.More);
  // The path works.
  c.softError = 0;
  noteTimestamp(c, seg, tcp.nowMs);
  const flight = c.inFlight;
  const advanced = (ack - c.sndUna) | 0;
  const windowChanged = updateWindow(c, seg);
  const echoed = isCongestionEcho(c, seg) && flight > 0;
  if (advanced === 0) {
    const sacked = reportsSack(c, seg);
    if (flight > 0 && (sacked || isDuplicate(seg, windowChanged))) duplicateAck(tcp, c, sacked);
    if (flight === 0) probeAnswered(tcp, c);
    if (echoed) congestionEchoed(tcp, c, 0);
    tcp.markReady(c);
    return AckResult.Continue;
  }
  const result = newAck(tcp, c, seg, advanced);
  if (echoed) congestionEchoed(tcp, c, advanced);
  return result;
}

function newAck(tcp: Tcp, c: Connection, seg: Segment, advanced: number): AckResult {
  const finAcknowledged = c.has(Has.Fin) && seg.ack === ((c.sndEnd + 1) | 0);
  c.sendBuffer?.discard(finAcknowledged ? advanced - 1 : advanced);
  tcp.dropSendBuffer(c);
  c.sndUna = seg.ack;
  if (seqLt(c.sndSmall, c.sndUna)) c.sndSmall = c.sndUna;
  takeRtt(tcp, c, seg);
  newlyAcknowledged(tcp, c, advanced);
  retransmissionAcknowledged(tcp, c);
  c.probes = 0;
  tcp.markReady(c);
  if (c.socket !== null) tcp.notify(c.socket);
  if (!finAcknowledged) return AckResult.Continue;
  // Nothing of ours is left: the FIN no longer counts as sequence space to be sent.
  c.unset(Has.Fin);
  return AckResult.FinAcknowledged;
}

/**
 * RFC 9293 §3.10.7.4: SND.WL1 keeps old segments from setting the window. Of the same segment, the
 * wider window counts (as on Linux), so that SND.WL2 is not needed.
 */
function updateWindow(c: Connection, seg: Segment): boolean {
  const window = seg.wnd << c.sndScale;
  const newer =
    seqGt(seg.ack, c.sndUna) ||
    seqLt(c.sndWl1, seg.seq) ||
    (c.sndWl1 === seg.seq && (window > c.sndWnd || window === 0));
  if (!newer) return false;
  const changed = window !== c.sndWnd;
  c.sndWnd = window;
  c.sndWl1 = seg.seq;
  if (window > c.maxSndWnd) c.maxSndWnd = window;
  return changed;
}

/** RFC 5681 §2: a duplicate acknowledgment, without the help of SACK. */
function isDuplicate(seg: Segment, windowChanged: boolean): boolean {
  return seg.length === 0 && (seg.flags & (Flag.SYN | Flag.FIN)) === 0 && !windowChanged;
}

/**
 * RFC 6675 §2: what reports data behind a hole is a duplicate whatever else it says. Linux moves
 * its window with each of them. The first block is the latest news (RFC 2018 §4); of needless
 * retransmissions it lies before the acknowledgment (RFC 2883 §4).
 */
function reportsSack(c: Connection, seg: Segment): boolean {
  if (!c.has(Has.Sack) || (seg.options & Option.Sack) === 0) return false;
  return seqGt(seg.words[seg.base + Word.Sack], seg.ack);
}

/** RFC 6298 §3 and RFC 7323 §4.1: from the timed segment, else, after a loss, from TSecr. */
export function takeRtt(tcp: Tcp, c: Connection, seg: Segment): void {
  if (c.has(Has.Timing)) {
    if (!seqGeq(seg.ack, c.rttSeq)) return;
    c.unset(Has.Timing);
    measuredRtt(c, ((tcp.now | 0) - c.rttStart) | 0, tcp.settings);
    return;
  }
  if (!c.has(Has.Timestamps) || !seg.hasTimestamps || seg.tsEcr === 0) return;
  const ms = (timestamp(tcp.now, c.tsOffset) - seg.tsEcr) | 0;
  if (ms >= 0) measuredRtt(c, Math.max(ms, 1) * 1000, tcp.settings);
}

/** The handshake is over: takes the peer's window, which a SYN does not scale (RFC 7323 §2.2). */
export function openSendWindow(c: Connection, seg: Segment): void {
  c.sndWnd = seg.isSyn ? seg.wnd : seg.wnd << c.sndScale;
  c.sndWl1 = seg.seq;
  c.maxSndWnd = Math.max(c.maxSndWnd, c.sndWnd);
}
