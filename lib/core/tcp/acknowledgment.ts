import { Option } from '../segment/layout';
import type { Segment } from '../segment/segment';
import { seqGt, seqLt } from '../sequence';
import { News, type AckNews } from './ack-news';
import { takeAcknowledged } from './acked';
import { CaState, Has, Timer, type Connection } from './connection';
import { challengeAck } from './challenge-ack';
import { isCwndLimited } from './cwnd-validation';
import { rateSample } from './delivery-rate';
import { isCongestionEcho } from './ecn';
import { Pending, type Flight } from './flight';
import { rackUpdateWindow } from './rack';
import { adjustWindow, recoverFromLoss } from './recovery';
import { armRetransmit } from './retransmission';
import { measuredRtt, noteMinRtt, rttByTimestamp } from './rtt';
import { processSack } from './sack';
import { spaceFreed } from './send-space';
import { noteTimestamp } from './timestamps';
import type { Tcp } from './tcp';
import { probeAcknowledged, scheduleProbe } from './tlp';
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
 * How far behind SND.UNA an acknowledgment may lie: a window, and no further than anything was sent
 * (as on Linux, which counts what was acknowledged).
 */
function oldestAck({ totals }: Tcp, c: Connection): number {
  const acknowledged = totals.sentBytes(c.row, c.sndUna - c.iss) - (c.has(Has.Passive) ? 1 : 0);
  return Math.min(c.maxSndWnd, acknowledged);
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
  const { news } = tcp;
  news.start(c.sndUna, c.delivered, c.packetsInFlight);
  tcp.echo = c.has(Has.Timestamps) && seg.hasTimestamps ? seg.tsEcr : 0;
  if (seqLt(ack, c.sndUna)) {
    // RFC 5961 §5.2: too old to be from this peer; else a mere duplicate, whose data may be good.
    if (seqLt(ack, (c.sndUna - oldestAck(tcp, c)) | 0)) {
      challengeAck(tcp, c);
      return AckResult.Drop;
    }
    oldAck(tcp, c, seg);
    return AckResult.Continue;
  }
  // Nothing waits longer than the peer's next word (Linux: only the call itself holds back).
  c.unset(Has.More);
  // The path works.
  c.softError = 0;
  noteTimestamp(c, seg, tcp.nowMs);
  if (seg.len > 0) news.add(News.Data);
  if (updateWindow(c, seg)) news.add(News.WindowUpdate);
  const advanced = (ack - c.sndUna) | 0;
  const finAcknowledged = advanced > 0 && takeFromBuffer(tcp, c, ack, advanced);
  if (c.flight !== null) updateFlight(tcp, c, c.flight, seg);
  if (advanced === 0 && c.inFlight === 0) probeAnswered(tcp, c);
  tcp.markReady(c);
  if (advanced > 0) spaceFreed(tcp, c);
  // Forward progress (RFC 4861 §7.3.1): the neighbour that it goes through can be reached.
  if (advanced > 0) tcp.neighborhood?.confirm(tcp.tuples.words, tcp.tuples.remoteAt(c.tuple));
  if (advanced > 0 && c.socket !== null) tcp.notify(c.socket);
  return finAcknowledged ? AckResult.FinAcknowledged : AckResult.Continue;
}

/** SND.UNA advances. @returns whether our FIN is acknowledged */
function takeFromBuffer(tcp: Tcp, c: Connection, ack: number, advanced: number): boolean {
  const finAcknowledged = c.has(Has.Fin) && ack === ((c.sndEnd + 1) | 0);
  tcp.news.add(News.Advanced);
  c.sendBuffer?.discard(finAcknowledged ? advanced - 1 : advanced);
  tcp.dropSendBuffer(c);
  c.sndUna = ack;
  if (c.flight !== null && seqLt(c.flight.small, ack)) c.flight.small = ack;
  c.retransmits = 0;
  c.probes = 0;
  // Nothing of ours is left: the FIN no longer counts as sequence space to be sent.
  if (finAcknowledged) c.unset(Has.Fin);
  return finAcknowledged;
}

/** What the acknowledgment says of segments in flight, in the order in which Linux has it. */
function updateFlight(tcp: Tcp, c: Connection, f: Flight, seg: Segment): void {
  const { news } = tcp;
  const { losses } = f;
  const limited = isCwndLimited(c);
  news.priorFack = f.sackedTo(news.priorUna);
  if (f.count > 0 && isCongestionEcho(c, seg)) news.add(News.Ece);
  if (reportsSack(c, seg)) processSack(tcp, c, f, seg);
  if (f.count > 0) {
    takeAcknowledged(tcp, c, f, seg.ack);
    if (news.sampleAt !== 0) rackUpdateWindow(tcp, c, f, news.sampleDelivered);
    if (f.tlpOut) probeAcknowledged(tcp, c, f, seg.ack);
    if (isDubious(c, news)) recoverFromLoss(tcp, c, f, isDuplicate(news));
    if (news.has(News.SetTimer)) setTimer(tcp, c, f);
    finishNews(tcp, c, f, losses);
    c.congestion.acked?.(c, news.ackedSacked, news.rtt, tcp.now);
    adjustWindow(tcp, c, f, limited);
  } else {
    if (news.has(News.Dsack)) recoverFromLoss(tcp, c, f, false);
    if (f.tlpOut) probeAcknowledged(tcp, c, f, seg.ack);
    // Before the flight is given up, which knows of it.
    if (f.dsackSeen) rackUpdateWindow(tcp, c, f, c.delivered);
  }
  tcp.dropFlight(c);
}

/** An acknowledgment that a later one has overtaken: what it SACKs may be news. */
function oldAck(tcp: Tcp, c: Connection, seg: Segment): void {
  const f = c.flight;
  if (f === null || !reportsSack(c, seg)) return;
  const { losses } = f;
  tcp.news.priorFack = f.sackedTo(c.sndUna);
  processSack(tcp, c, f, seg);
  recoverFromLoss(tcp, c, f, false);
  finishNews(tcp, c, f, losses);
  tcp.dropFlight(c);
  tcp.markReady(c);
}

function finishNews(tcp: Tcp, c: Connection, f: Flight, losses: number): void {
  const { news } = tcp;
  news.ackedSacked = (c.delivered - news.priorDelivered) | 0;
  news.losses = (f.losses - losses) | 0;
  if (news.has(News.Ece)) {
    tcp.counters.TcpExtTCPDeliveredCE += news.ackedSacked;
    tcp.totals.noteRare(c.row).deliveredCe += news.ackedSacked;
  }
  rateSample(tcp, c, f, news);
}

/** Whether something may be amiss: a duplicate, SACK, ECN's echo, or a state that isn't Open. */
function isDubious(c: Connection, news: AckNews): boolean {
  if (c.caState !== CaState.Open || news.has(News.Sacked | News.Ece | News.Dsack)) return true;
  return !news.has(News.Data | News.WindowUpdate | News.Advanced);
}

/** RFC 5681 §2; a report of a duplicate of ours says nothing of a loss (RFC 2883 §5). */
function isDuplicate(news: AckNews): boolean {
  return !news.has(News.Data | News.WindowUpdate | News.Advanced | News.Dsack);
}

/** A probe of the tail, or else the retransmission timer, for what is in flight now. */
function setTimer(tcp: Tcp, c: Connection, f: Flight): void {
  if (f.count === 0) {
    f.pending = Pending.Timeout;
    tcp.timers.cancel(c.row, Timer.Retransmit);
  } else if (!scheduleProbe(tcp, c, f, true)) armRetransmit(tcp, c, true);
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
  c.sndWnd = window;
  c.sndWl1 = seg.seq;
  if (window > c.maxSndWnd) c.maxSndWnd = window;
  return true;
}

function reportsSack(c: Connection, seg: Segment): boolean {
  return c.has(Has.Sack) && (seg.options & Option.Sack) !== 0;
}

/** The handshake's round trip (RFC 6298 §3, RFC 7323 §4.1), where its SYN was not lost. */
export function takeSynRtt(tcp: Tcp, c: Connection, seg: Segment): void {
  tcp.echo = c.has(Has.Timestamps) && seg.hasTimestamps ? seg.tsEcr : 0;
  let rtt = -1;
  if (c.has(Has.Timing)) rtt = ((tcp.now | 0) - c.synSentAt) | 0;
  else if (tcp.echo !== 0) rtt = rttByTimestamp(tcp, c);
  c.unset(Has.Timing);
  if (rtt < 0) return;
  noteMinRtt(tcp, c, rtt);
  measuredRtt(c, rtt, tcp.settings);
}

/** The handshake is over: takes the peer's window, which a SYN does not scale (RFC 7323 §2.2). */
export function openSendWindow(c: Connection, seg: Segment): void {
  c.sndWnd = seg.isSyn ? seg.wnd : seg.wnd << c.sndScale;
  c.sndWl1 = seg.seq;
  c.maxSndWnd = Math.max(c.maxSndWnd, c.sndWnd);
}
