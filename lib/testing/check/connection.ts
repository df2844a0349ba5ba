import { seqGeq, seqLeq, seqLt } from '../../core/sequence';
import type { StackCore } from '../../core/stack/stack-core';
import { CaState, Has, Timer, type Connection } from '../../core/tcp/connection';
import { MAX_SCALE } from '../../core/tcp/receive-window';
import { isClosing, isSynchronized, State } from '../../core/tcp/state';
import type { Tcp } from '../../core/tcp/tcp';
import { check } from './violation';

/** The longest payload of a segment, bytes. */
const LONGEST = 65_535;

/** What was true of a connection when it was last looked at. */
export class Remembered {
  state: State;
  private sndUna: number;
  private sndNxt: number;
  private rcvNxt: number;
  /** Right edge of the window announced. */
  private edge: number | null = null;
  /** The largest that the buffers were allowed to be, bytes; what was in flight is. */
  private sendLimit = 0;
  private receiveLimit: number;

  constructor(readonly connection: Connection) {
    const c = connection;
    this.state = c.state;
    this.sndUna = c.sndUna;
    this.sndNxt = c.sndNxt;
    this.rcvNxt = c.rcvNxt;
    // What the handshake has announced is taken, whatever the user wants since.
    this.receiveLimit = c.rcvWnd;
  }

  /** What holds of the connection between two events, and against the last time. */
  check(core: StackCore): void {
    const c = this.connection;
    check(c.state > State.LISTEN && c.state < State.TIME_WAIT, 'a control block in such a state');
    check(c.state === this.state, 'a change of state that nobody was told of');
    checkSending(c);
    checkReceiving(c);
    checkClosing(c);
    checkControl(core.tcp, c);
    checkTimers(core.tcp, c);
    this.progress();
    this.memory();
  }

  /** Sequence numbers go on, never back; the right window edge never moves left. */
  private progress(): void {
    const c = this.connection;
    check(seqGeq(c.sndUna, this.sndUna), 'SND.UNA goes back');
    check(seqGeq(c.sndNxt, this.sndNxt), 'SND.NXT goes back');
    this.sndUna = c.sndUna;
    this.sndNxt = c.sndNxt;
    if (!isSynchronized(c.state)) return;
    const edge = (c.rcvWup + c.rcvWnd) | 0;
    if (this.edge !== null) {
      check(seqGeq(c.rcvNxt, this.rcvNxt), 'RCV.NXT goes back');
      check(seqGeq(edge, this.edge), 'the right window edge moves left');
    }
    this.rcvNxt = c.rcvNxt;
    this.edge = edge;
  }

  /** What the buffers hold was allowed; one that holds nothing is not kept. */
  private memory(): void {
    const { rcvBuf, sndBuf, sendBuffer, receiveBuffer, rcvScale, inFlight, sndMss } =
      this.connection;
    this.sendLimit = Math.max(this.sendLimit, sndBuf, inFlight);
    this.receiveLimit = Math.max(this.receiveLimit, rcvBuf);
    if (sendBuffer !== null) {
      // A packet that was begun is filled up; what of it has left makes room, as on Linux, so that
      // a program that doesn't wait may have one whole packet behind what is in flight, and what
      // Nagle holds back; another where a pause has shrunk the window that would have taken it.
      check(
        sendBuffer.length <= this.sendLimit + 2 * LONGEST + sndMss,
        'more in the send buffer than it may hold',
      );
      check(sendBuffer.length > 0, 'an empty send buffer that is kept');
    }
    if (receiveBuffer === null) return;
    const { held } = receiveBuffer;
    check(receiveBuffer.readable >= 0 && receiveBuffer.outOfOrder >= 0, 'less than no bytes');
    // A window is announced in whole units. What a peer sends beyond it is taken whole where
    // nothing waits to be read: one segment beyond a hole, and one in order.
    const most = this.receiveLimit + (1 << rcvScale) - 1 + 2 * LONGEST;
    check(held <= most, 'more in the receive buffer than it may hold');
    check(held > 0 || receiveBuffer.urgent !== 0, 'an empty receive buffer that is kept');
  }
}

/** RFC 9293 §3.3.1: SND.UNA =< SND.NXT =< what the user has sent, its SYN and FIN included. */
function checkSending(c: Connection): void {
  const handshake = !isSynchronized(c.state);
  const fin = c.has(Has.Fin) ? 1 : 0;
  check(c.inFlight >= 0, 'SND.UNA beyond SND.NXT');
  check(c.inFlight <= c.queued + fin + (handshake ? 1 : 0), 'SND.NXT beyond what was sent');
  check(seqGeq(c.sndUna, c.iss) || !handshake, 'SND.UNA before ISS');
  check(c.sndWnd >= 0 && c.sndWnd <= c.maxSndWnd, 'SND.WND larger than any that was offered');
  if (handshake) return;
  checkFlight(c);
}

/** The queue of segments in flight is what SND.UNA and SND.NXT say (RFC 6675 §3). */
function checkFlight(c: Connection): void {
  const f = c.flight;
  check(c.inFlight > 0 === c.packetsOut > 0, 'data in flight and the queue of it disagree');
  if (f === null) return;
  const open = c.caState === CaState.Open && !f.undoable && !f.tlpOut && c.unsent === 0;
  check(f.count > 0 || !open, 'an empty queue of segments that is kept');
  check(Math.min(f.sackedOut, f.lostOut, f.retransOut) >= 0, 'a negative count of segments');
  check(f.sackedOut + f.lostOut <= f.count, 'more segments SACKed and lost than there are');
  check(f.retransOut <= f.count, 'more segments sent again than there are');
  check(seqLeq(f.small, c.sndNxt), 'a small segment that was not sent');
  if (f.count === 0) return;
  check(f.seq(f.head) === c.sndUna, 'a queue of segments that does not begin at SND.UNA');
  check(f.end(f.before(f.tail)) === c.sndNxt, 'a queue of segments that does not end at SND.NXT');
}

/**
 * RCV.NXT lies in the window that was announced, or not further beyond than a segment that was
 * taken whole; a FIN may stand just behind it.
 */
function checkReceiving(c: Connection): void {
  if (!isSynchronized(c.state)) return;
  check(c.rcvWnd >= 0 && seqGeq(c.rcvNxt, c.rcvWup), 'RCV.NXT before the window');
  const room = (c.rcvWup + c.rcvWnd - c.rcvNxt) | 0;
  const fin = c.has(Has.EndOfStream) ? 1 : 0;
  check(room >= -LONGEST - fin, 'RCV.NXT beyond the window');
}

/** What the state says of the two FINs. */
function checkClosing(c: Connection): void {
  const { state } = c;
  const peerClosed =
    state === State.CLOSE_WAIT || state === State.CLOSING || state === State.LAST_ACK;
  check(c.has(Has.EndOfStream) === peerClosed, "the state and the peer's FIN disagree");
  if (peerClosed) check(c.has(Has.RcvFin) && seqLt(c.rcvFin, c.rcvNxt), 'a FIN not passed');
  if (isClosing(state)) check(c.has(Has.Fin), 'a close without a FIN');
  else if (state !== State.SYN_RECEIVED) check(!c.has(Has.Fin), 'a FIN without a close');
  if (state === State.FIN_WAIT_2) {
    check(c.queued === 0 && c.inFlight === 0, 'FIN-WAIT-2 with something unacknowledged');
  }
}

/** Windows, counts and sizes that make sense. */
function checkControl(tcp: Tcp, c: Connection): void {
  const handshake = !isSynchronized(c.state);
  check(c.cwnd >= (handshake ? 0 : 1) && c.ssthresh >= 2, 'a congestion window of nothing');
  check(c.cwndCount >= 0 && c.quick >= 0, 'a negative count');
  check(c.retransmits >= 0 && c.backoff >= 0 && c.probes >= 0, 'a negative count of attempts');
  const { rtoMin, rtoMax } = tcp.settings;
  check(c.rto > 0 && c.rto <= rtoMax * 1000, 'RTO out of range');
  // ICMP may have taken doublings back (RFC 6069), a round trip of what was SACKed all.
  const doublings = Math.min(c.retransmits, c.backoff);
  const backedOff = Math.min(rtoMin * 2 ** doublings, rtoMax) * 1000;
  check(handshake || c.rto >= backedOff, 'a timeout that was not doubled');
  check(c.srtt >= 0 && c.rttvar >= 0, 'a negative round trip');
  check(c.sndScale <= MAX_SCALE && c.rcvScale <= MAX_SCALE, 'a window scale beyond 14');
  check(c.sndMss >= (handshake ? 0 : 1) && c.sndMss < Math.max(c.pathMtu, 88), 'an impossible MSS');
}

/** A timer for whatever waits, and none where nothing does. */
function checkTimers(tcp: Tcp, c: Connection): void {
  const { timers, settings } = tcp;
  const retransmit = timers.due(c.row, Timer.Retransmit);
  const persist = timers.due(c.row, Timer.Persist);
  const delayed = timers.due(c.row, Timer.DelayedAck);
  const keepAlive = timers.due(c.row, Timer.KeepAlive);
  const limit = tcp.now + settings.rtoMax * 1000;
  check(retransmit === Infinity || retransmit <= limit, 'a retransmission far away');
  check(persist === Infinity || persist <= limit, 'a window probe far away');
  const longest = tcp.now + settings.delayedAckMax * 1000;
  check(delayed === Infinity || delayed <= longest, 'an acknowledgment far away');
  check(delayed === Infinity || c.has(Has.AckScheduled), 'a timer for no acknowledgment');
  const synchronized = isSynchronized(c.state);
  const early = Math.min(persist, delayed, keepAlive);
  check(synchronized || early === Infinity, 'a timer too early');
  const kept = synchronized && c.options.keepAlive === 1;
  const lost = c.state === State.FIN_WAIT_2 && tcp.isOrphan(c);
  check(!(kept || lost) || keepAlive !== Infinity, 'silence without a timer');
  // What is in the queue of those that have something to send is looked at first.
  if (c.has(Has.Ready)) return;
  check(c.inFlight > 0 === (retransmit !== Infinity), 'data in flight and its timer disagree');
  check(persist === Infinity || retransmit === Infinity, 'two timers for one thing');
  if (synchronized && c.inFlight === 0 && c.unsentNumbers > 0) {
    const paced = timers.due(c.row, Timer.Pacing) !== Infinity;
    check(persist !== Infinity || paced, 'something to send, and no timer');
  }
  check(!c.has(Has.AckScheduled) || delayed !== Infinity, 'an acknowledgment without a timer');
}
