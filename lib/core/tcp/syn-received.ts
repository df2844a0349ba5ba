import { Option, Word } from '../segment/layout';
import type { Segment } from '../segment/segment';
import { seqGt, seqLt } from '../sequence';
import type { Listening } from '../socket/listening';
import { firstReceiveBuffer, largestReceiveBuffer, type SocketOptions } from '../socket/options';
import type { StreamSocket } from '../socket/stream-socket';
import { Shape } from '../stack/four-tuples';
import { isAcceptable } from './acceptability';
import { openSendWindow, takeSynRtt } from './acknowledgment';
import { pathOf } from './arrives-listen';
import { arrivesOtherwise } from './arrives-otherwise';
import { refuse } from './arrives-closed';
import { answeredLately, answeredNow } from './challenge-ack';
import { Connection, Has } from './connection';
import { grantsEcn } from './ecn';
import { DEFAULT_MSS_V4, established, peerMss, peerScale, setSendMss } from './establish';
import { initialWindow, TIMESTAMP_BYTES, windowScaleFor } from './receive-window';
import { knownMtu, startPathMtu } from './path-mtu';
import { measuredRtt, noteMinRtt, setRto } from './rtt';
import { resendSynAck, rowMss, sendSynAck, sendSynReceivedAck } from './syn-answers';
import { cookieEcn, cookieOptions, cookieScale } from './syn-cookies';
import { SynField, SynFlag, SynTable } from './syn-table';
import { issBeyond } from './time-wait';
import { isOlder, timestamp } from './timestamps';
import type { Tcp } from './tcp';
import { arrivesUndecided, askFirst } from './undecided';

/** The options that a SYN may ask for and a SYN+ACK grant. */
const NEGOTIABLE = Option.Timestamps | Option.SackPermitted | Option.WindowScale;

/**
 * SYN-RECEIVED of a passive OPEN (RFC 9293 §3.10.7.4 for that state): a row of integers for each
 * handshake, so that a SYN costs little (mission S4); a control block is made when it succeeds.
 */
export class SynReceived {
  readonly table = new SynTable();

  constructor(private readonly tcp: Tcp) {}

  get count(): number {
    return this.table.count;
  }

  next(): number {
    return this.table.timers.next();
  }

  /**
   * Takes a SYN: the row of its handshake is made, and answered.
   * @param asks the program first
   */
  open(
    listener: StreamSocket,
    seg: Segment,
    mtu: number,
    afterIss: number | null,
    asks: boolean,
  ): void {
    const { tcp, table } = this;
    const row = this.enter(listener, seg, mtu, seg.options & this.offered());
    const tuple = table.words[row * SynField.Stride + SynField.FourTuple];
    const isn = tcp.isn.ofTuple(tcp.tuples, tuple, tcp.now);
    table.words[row * SynField.Stride + SynField.Iss] = issBeyond(isn, afterIss);
    if (asks) askFirst(tcp, listener, row, seg);
    else sendSynAck(tcp, table, row);
    this.startTimer(row);
  }

  /** Takes a SYN that there is no room to remember: the answer says all. */
  answerWithCookie(listener: StreamSocket, seg: Segment, mtu: number): void {
    const { tcp, table } = this;
    const agreed = seg.options & this.offered();
    // Without timestamps there is no place for other options.
    const row = this.enter(listener, seg, mtu, (agreed & Option.Timestamps) !== 0 ? agreed : 0);
    const w = table.words;
    const at = row * SynField.Stride;
    w[at + SynField.Iss] = tcp.synCookies.issue(seg, w[at + SynField.PeerMss], tcp.now);
    w[at + SynField.Flags] |= SynFlag.Cookie;
    if ((agreed & Option.Timestamps) === 0) w[at + SynField.Flags] &= ~SynFlag.Ecn;
    sendSynAck(tcp, table, row);
    this.drop(row);
    tcp.counters.TcpExtSyncookiesSent++;
    (listener.listening as Listening).cookieMs = tcp.nowMs;
  }

  /**
   * An acknowledgment comes to a listener that has sent cookies: if it is that of one, the
   * handshake is over as if it had been remembered.
   * @returns false: it is not
   */
  takeCookie(listener: StreamSocket, seg: Segment): boolean {
    const { tcp } = this;
    if (!this.mayHaveCookie(seg)) return false;
    const mss = tcp.synCookies.check(seg, tcp.now);
    if (mss > 0) return this.openByCookie(listener, seg, mss);
    tcp.counters.TcpExtSyncookiesFailed++;
    return false;
  }

  private mayHaveCookie(seg: Segment): boolean {
    const { settings, listeners, nowMs } = this.tcp;
    return settings.syncookies !== 0 && !seg.isSyn && listeners.sentCookies(seg, nowMs);
  }

  /**
   * The SYN of a row may have been answered with a cookie before, while there was no room: the peer
   * acknowledges the answer that came first.
   * @returns false: it does not
   */
  private takeEarlierCookie(row: number, seg: Segment): boolean {
    const { tcp, table } = this;
    const at = row * SynField.Stride;
    const listener = this.listenerOf(at);
    const isRepeated = ((seg.seq - 1) | 0) === table.words[at + SynField.Irs];
    if (!isRepeated || !this.mayHaveCookie(seg)) return false;
    const mss = tcp.synCookies.check(seg, tcp.now);
    if (mss === 0) return false;
    this.drop(row);
    return this.openByCookie(listener, seg, mss);
  }

  /**
   * The peer has acknowledged a cookie that says its MSS.
   * @returns false: it asks for what we didn't offer
   */
  private openByCookie(listener: StreamSocket, seg: Segment, mss: number): boolean {
    const { tcp, table } = this;
    tcp.counters.TcpExtSyncookiesRecv++;
    const path = pathOf(tcp, seg);
    if (path === null) return true;
    const row = this.enter(listener, seg, path.mtu, 0);
    const w = table.words;
    const at = row * SynField.Stride;
    w[at + SynField.Irs] = (seg.seq - 1) | 0;
    w[at + SynField.Iss] = (seg.ack - 1) | 0;
    w[at + SynField.PeerMss] = mss;
    const clock = (seg.tsEcr - w[at + SynField.TsOffset]) | 0;
    const ecn = seg.hasTimestamps && cookieEcn(clock) && tcp.settings.ecn !== 0;
    w[at + SynField.Flags] = SynFlag.Cookie | (ecn ? SynFlag.Ecn : 0);
    const agreed = seg.hasTimestamps ? Option.Timestamps | cookieOptions(clock) : 0;
    if ((agreed & ~this.offered()) !== 0) {
      this.drop(row);
      return false;
    }
    this.agree(row, listener, agreed, cookieScale(clock));
    // The path may have become narrower since the SYN+ACK, but no window is taken back: this is the
    // most that it can have announced.
    w[at + SynField.ReceiveWindow] = initialWindow(listener.options.receiveBuffer, 1);
    if (this.complete(row, seg) === null) this.drop(row);
    return true;
  }

  /** Makes a row for the handshake that a segment belongs to; its ISS is still to be set. */
  private enter(listener: StreamSocket, seg: Segment, mtu: number, options: number): number {
    const { tcp, table } = this;
    const { tuples } = tcp;
    const listening = listener.listening as Listening;
    const tuple = tuples.addReceived(seg.words, seg.base);
    tcp.ports.retain(tuples.local(tuple), tuples.localPort(tuple));
    const row = table.alloc(tuple, listening.id);
    const w = table.words;
    const at = row * SynField.Stride;
    const pathMtu = knownMtu(tcp, tuple, mtu);
    w[at + SynField.Irs] = seg.seq;
    w[at + SynField.PathMtu] = pathMtu;
    w[at + SynField.PeerMss] = peerMss(seg);
    if (grantsEcn(tcp.settings, seg)) w[at + SynField.Flags] |= SynFlag.Ecn;
    w[at + SynField.TsRecent] = seg.tsVal;
    w[at + SynField.TsOffset] = tcp.isn.offsetOfTuple(tuples, tuple);
    w[at + SynField.TsFirst] = timestamp(tcp.now, w[at + SynField.TsOffset]);
    w[at + SynField.SentAt] = tcp.now | 0;
    this.agree(row, listener, options, peerScale(seg));
    tuples.set(tuple, Shape.Syn, row);
    listening.handshakes++;
    listening.young++;
    return row;
  }

  /** What both sides have, and what follows from it for our window. */
  private agree(row: number, { options }: StreamSocket, agreed: number, scale: number): void {
    const { tcp, table } = this;
    const w = table.words;
    const at = row * SynField.Stride;
    const scaled = (agreed & Option.WindowScale) !== 0;
    w[at + SynField.Options] = agreed;
    w[at + SynField.PeerScale] = scaled ? scale : 0;
    w[at + SynField.OurScale] = scaled
      ? windowScaleFor(largestReceiveBuffer(options, tcp.settings))
      : 0;
    const tsBytes = (agreed & Option.Timestamps) !== 0 ? TIMESTAMP_BYTES : 0;
    const mss = rowMss(tcp, table, at);
    w[at + SynField.ReceiveWindow] = initialWindow(firstReceiveBuffer(options), mss - tsBytes);
  }

  private offered(): number {
    const { timestamps, sack, windowScaling } = this.tcp.settings;
    return (
      NEGOTIABLE &
      ((timestamps === 1 ? Option.Timestamps : 0) |
        (sack === 1 ? Option.SackPermitted : 0) |
        (windowScaling === 1 ? Option.WindowScale : 0))
    );
  }

  /** SEGMENT ARRIVES at a handshake, in the order of RFC 9293 §3.10.7.4. */
  arrives(row: number, seg: Segment): void {
    const { tcp, table } = this;
    const w = table.words;
    const at = row * SynField.Stride;
    if ((w[at + SynField.Flags] & SynFlag.Undecided) !== 0) {
      arrivesUndecided(tcp, row, seg);
      return;
    }
    const irs = w[at + SynField.Irs];
    const paws = this.isOld(at, seg);
    if (seg.isSyn && !seg.isAck && !seg.isRst && seg.seq === irs && !paws) {
      // The peer has sent its SYN again: ours was lost, or is on its way.
      if (!this.mayAnswer(at, seg)) return;
      resendSynAck(tcp, table, row);
      this.startTimer(row);
      return;
    }
    // Deviation: as on Linux before the sequence check, so that an old duplicate is told so.
    const acceptableAck = seg.isAck && seg.ack === ((w[at + SynField.Iss] + 1) | 0);
    if (seg.isAck && !acceptableAck && !seg.isRst) {
      if (!this.takeEarlierCookie(row, seg)) refuse(tcp, seg);
      return;
    }
    const forged = this.echoesWrongTime(at, seg);
    const window = w[at + SynField.ReceiveWindow];
    if (paws || forged || !isAcceptable((irs + 1) | 0, window, seg.seq, seg.len)) {
      if (paws) tcp.counters.TcpExtPAWSEstab++;
      else if (forged) tcp.counters.TcpExtTSEcrRejected++;
      if (!seg.isRst && this.mayAnswer(at, seg)) sendSynReceivedAck(tcp, table, row);
      return;
    }
    // Second: RFC 5961 §3.2 holds here too.
    if (seg.isRst && seg.seq !== ((irs + 1) | 0)) {
      if (this.mayAnswer(at, seg)) sendSynReceivedAck(tcp, table, row);
      return;
    }
    // Fourth: a SYN returns to LISTEN, as the RST does.
    if (seg.isRst || seg.isSyn) {
      tcp.counters.TcpAttemptFails++;
      this.reset(row, seg);
      return;
    }
    if (!acceptableAck || this.defers(row, seg)) return;
    if (this.complete(row, seg) !== null) return;
    // The acknowledgment is forgotten; the SYN+ACK, sent again, will bring another.
    if (tcp.settings.abortOnOverflow === 1) this.reset(row, seg);
    else w[at + SynField.Flags] |= SynFlag.Acknowledged;
  }

  /** The handshake has failed, and the peer learns it. */
  private reset(row: number, seg: Segment): void {
    refuse(this.tcp, seg);
    this.tcp.counters.TcpExtEmbryonicRsts++;
    this.drop(row);
  }

  /** PAWS (RFC 7323 §5): a segment for the row at `at` is a delayed one. */
  isOld(at: number, seg: Segment): boolean {
    const w = this.table.words;
    if ((w[at + SynField.Options] & Option.Timestamps) === 0 || !seg.hasTimestamps || seg.isRst) {
      return false;
    }
    return isOlder(seg.tsVal, w[at + SynField.TsRecent], 0, 0);
  }

  /** TSecr is not of a SYN+ACK of ours: whoever sent it has not seen one. */
  private echoesWrongTime(at: number, seg: Segment): boolean {
    const w = this.table.words;
    if ((w[at + SynField.Options] & Option.Timestamps) === 0) return false;
    if (!seg.hasTimestamps || seg.tsEcr === 0) return false;
    const latest = timestamp(this.tcp.now, w[at + SynField.TsOffset]);
    return seqLt(seg.tsEcr, w[at + SynField.TsFirst]) || seqGt(seg.tsEcr, latest);
  }

  /** The limit of `challenge-ack.ts`, for a handshake. */
  private mayAnswer(at: number, seg: Segment): boolean {
    const { tcp } = this;
    const w = this.table.words;
    if (seg.len > 0 && !seg.isSyn) return true;
    if (answeredLately(tcp, w[at + SynField.AnsweredMs])) {
      tcp.counters.TcpExtTCPACKSkippedSynRecv++;
      return false;
    }
    w[at + SynField.AnsweredMs] = answeredNow(tcp);
    return true;
  }

  /** TCP_DEFER_ACCEPT: the connection begins with its first data, or when the time is over. */
  private defers(row: number, seg: Segment): boolean {
    const w = this.table.words;
    const at = row * SynField.Stride;
    const deferred = this.listenerOf(at).options.deferAccept;
    if (w[at + SynField.Timeouts] >= deferred) return false;
    if (seg.end !== ((w[at + SynField.Irs] + 1) | 0)) return false;
    w[at + SynField.Flags] |= SynFlag.Acknowledged;
    this.tcp.counters.TcpExtTCPDeferAcceptDrop++;
    return true;
  }

  /** The listener of the row at `at`. */
  listenerOf(at: number): StreamSocket {
    return this.tcp.listeners.get(this.table.words[at + SynField.Listener]);
  }

  /**
   * The third segment: a control block takes the row's place and waits to be accepted.
   * @returns null: there is no room
   */
  private complete(row: number, seg: Segment): Connection | null {
    const { tcp, table } = this;
    const at = row * SynField.Stride;
    const listener = this.listenerOf(at);
    const listening = listener.listening as Listening;
    if (listening.isFull) {
      tcp.counters.TcpExtListenOverflows++;
      tcp.counters.TcpExtListenDrops++;
      return null;
    }
    const c = this.makeConnection(at, listener.options, seg);
    if (c.retransmits > 0) {
      const waited = ((tcp.now | 0) - table.words[at + SynField.SentAt]) | 0;
      tcp.totals.synAckResent(c.row, c.retransmits, Math.floor(waited / 1000));
    }
    this.uncount(at, listening);
    table.free(row);
    listening.requests?.succeeded(row, c);
    tcp.enter(c);
    c.listener = listener;
    c.set(Has.Embryo);
    tcp.counters.TcpPassiveOpens++;
    established(tcp, c);
    listener.enqueue(c);
    // As Linux counts: the SYN, and this one.
    tcp.totals.arrived(c.row, 1, false);
    tcp.totals.arrived(c.row, 1, seg.length > 0);
    arrivesOtherwise(tcp, c, seg);
    if (c.row >= 0) tcp.settle(c);
    return c;
  }

  private makeConnection(at: number, options: SocketOptions, seg: Segment): Connection {
    const { tcp } = this;
    const w = this.table.words;
    const c = new Connection(tcp.allocateRow(), options);
    const agreed = w[at + SynField.Options];
    c.tuple = w[at + SynField.FourTuple];
    c.iss = w[at + SynField.Iss];
    c.sndUna = (c.iss + 1) | 0;
    c.sndNxt = c.sndUna;
    c.irs = w[at + SynField.Irs];
    c.rcvNxt = (c.irs + 1) | 0;
    c.rcvWup = c.rcvNxt;
    c.set(Has.Passive);
    if ((agreed & Option.Timestamps) !== 0) c.set(Has.Timestamps);
    if ((agreed & Option.SackPermitted) !== 0) c.set(Has.Sack);
    if ((agreed & Option.WindowScale) !== 0) {
      c.set(Has.WindowScale);
      c.sndScale = w[at + SynField.PeerScale];
      c.rcvScale = w[at + SynField.OurScale];
    }
    if ((w[at + SynField.Flags] & SynFlag.Ecn) !== 0) c.set(Has.Ecn);
    c.tsRecent = w[at + SynField.TsRecent];
    c.tsRecentMs = tcp.nowMs;
    c.tsOffset = w[at + SynField.TsOffset];
    c.pathMtu = w[at + SynField.PathMtu];
    c.advMss = rowMss(tcp, this.table, at);
    c.rcvMss = Math.min(c.advMss, DEFAULT_MSS_V4);
    c.rcvWnd = w[at + SynField.ReceiveWindow];
    c.rcvSsthresh = c.rcvWnd;
    startPathMtu(tcp, c);
    setSendMss(c, w[at + SynField.PeerMss], seg.words[seg.base + Word.Family]);
    setRto(c, tcp.settings);
    c.retransmits = w[at + SynField.Timeouts];
    const flags = w[at + SynField.Flags];
    // Karn's rule: of a SYN+ACK that was sent twice it isn't known which one was acknowledged.
    if ((flags & SynFlag.Cookie) !== 0) takeSynRtt(tcp, c, seg);
    else if ((flags & SynFlag.Resent) === 0) {
      const rtt = ((tcp.now | 0) - w[at + SynField.SentAt]) | 0;
      noteMinRtt(tcp, c, rtt);
      measuredRtt(c, rtt, tcp.settings);
    }
    openSendWindow(c, seg);
    return c;
  }

  /** Retransmits every SYN+ACK that is due, with doubling intervals; gives up at the limit. */
  onTimer(): void {
    const { tcp, table } = this;
    while (table.timers.expire(tcp.now)) this.timeout(table.timers.row);
  }

  private timeout(row: number): void {
    const { tcp, table } = this;
    const w = table.words;
    const at = row * SynField.Stride;
    const listener = this.listenerOf(at);
    const listening = listener.listening as Listening;
    const { deferAccept, synCount } = listener.options;
    const timeouts = w[at + SynField.Timeouts];
    const limit = patience(listening, synCount > 0 ? synCount : tcp.settings.synackRetries);
    // Who has acknowledged, and only owes data, isn't asked again before his time is over.
    const waits = deferAccept > 0 && (w[at + SynField.Flags] & SynFlag.Acknowledged) !== 0;
    if (timeouts >= limit && (!waits || timeouts >= deferAccept)) {
      tcp.counters.TcpAttemptFails++;
      this.drop(row);
      return;
    }
    if (timeouts === 0) listening.young--;
    w[at + SynField.Timeouts] = timeouts + 1;
    if ((w[at + SynField.Flags] & SynFlag.Undecided) !== 0) {
      this.startTimer(row);
      return;
    }
    tcp.counters.TcpExtTCPTimeouts++;
    if (!waits || timeouts >= deferAccept - 1) resendSynAck(tcp, table, row);
    this.startTimer(row);
  }

  /** For the next timeout, by how many there have been. */
  startTimer(row: number): void {
    const { tcp, table } = this;
    const { rtoInitial, rtoMax } = tcp.settings;
    const timeouts = table.words[row * SynField.Stride + SynField.Timeouts];
    table.timers.set(row, 0, tcp.now + Math.min(rtoInitial * 2 ** timeouts, rtoMax) * 1000);
  }

  /**
   * An ICMP error quotes what has this sequence number (Linux: tcp_req_err).
   * @param fatal it says that our SYN+ACK will not arrive
   */
  icmpArrives(row: number, sequence: number, fatal: boolean): void {
    const { counters } = this.tcp;
    const w = this.table.words;
    const at = row * SynField.Stride;
    const isUndecided = (w[at + SynField.Flags] & SynFlag.Undecided) !== 0;
    if (isUndecided || sequence !== w[at + SynField.Iss]) {
      counters.TcpExtOutOfWindowIcmps++;
    } else if (fatal) {
      counters.TcpExtListenDrops++;
      counters.TcpAttemptFails++;
      this.drop(row);
    }
  }

  /** The listener closes: its handshakes are forgotten without a word. */
  listenerClosed(id: number): void {
    let row = -1;
    while ((row = this.table.nextOf(id, row)) >= 0) this.drop(row);
  }

  /** Forgets a handshake, without a word. */
  drop(row: number): void {
    const { tcp, table } = this;
    const at = row * SynField.Stride;
    const tuple = table.words[at + SynField.FourTuple];
    const listener = this.listenerOf(at);
    const listening = listener.listening as Listening;
    this.uncount(at, listening);
    listening.requests?.lost(listener, row);
    tcp.ports.release(tcp.tuples.local(tuple), tcp.tuples.localPort(tuple));
    tcp.tuples.remove(tuple);
    table.free(row);
  }

  private uncount(at: number, listening: Listening): void {
    listening.handshakes--;
    if (this.table.words[at + SynField.Timeouts] === 0) listening.young--;
  }
}

/**
 * How often a SYN+ACK is sent again at most: as Linux has it, half of the places are kept for those
 * who answer soon, and the more of the others there are, the sooner they are forgotten.
 */
function patience({ handshakes, young, backlog }: Listening, retries: number): number {
  if (2 * handshakes <= Math.max(8, backlog)) return retries;
  let left = retries;
  for (let share = 2 * young; left > 2 && handshakes >= share; share *= 2) left--;
  return left;
}
