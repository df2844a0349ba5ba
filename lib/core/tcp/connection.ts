import type { StreamSocket } from '../socket/stream-socket';
import type { SocketOptions } from '../socket/options';
import type { CongestionControl } from './congestion';
import type { Flight } from './flight';
import type { Inbound } from './inbound';
import type { ReceiveBuffer } from './receive-buffer';
import type { SendBuffer } from './send-buffer';
import { State } from './state';

/** Timers of a connection: the kinds of its row in the timer table. */
export const enum Timer {
  /** RFC 6298: the oldest segment in flight, or our SYN, has not been acknowledged. */
  Retransmit = 0,
  /** RFC 9293 §3.8.6.1: the peer's window is closed and data waits. */
  Persist = 1,
  /** RFC 9293 §3.8.6.3. */
  DelayedAck = 2,
  /** RFC 9293 §3.8.4; after our close, the end of FIN-WAIT-2. */
  KeepAlive = 3,
  /** What is to leave next waits for its turn: pacing. */
  Pacing = 4,
  Kinds = 5,
}

/** Where loss recovery stands (Linux: tcp_ca_state, with its numbers). */
export const enum CaState {
  Open = 0,
  /** Duplicate or selective acknowledgments have come, and nothing counts as lost yet. */
  Disorder = 1,
  /** The window is being reduced after ECN's echo or a loss that a probe has mended. */
  Cwr = 2,
  /** Fast recovery (RFC 6675, RFC 6582). */
  Recovery = 3,
  /** After a retransmission timeout. */
  Loss = 4,
}

/** The bits of `Connection.flags`. */
export const enum Has {
  /** Timestamps were agreed on (RFC 7323 §3.2). */
  Timestamps = 1,
  /** Selective acknowledgments were agreed on (RFC 2018 §2). */
  Sack = 2,
  /** Window scaling was agreed on (RFC 7323 §2.2). */
  WindowScale = 4,
  /** Explicit congestion notification was agreed on (RFC 3168 §6.1.1); until then, asked for. */
  Ecn = 8,
  /** Our SYN, or SYN+ACK, is to be sent. */
  SynPending = 0x10,
  /** Our FIN stands behind the data. */
  Fin = 0x20,
  /** The peer's FIN has arrived, perhaps ahead of data: see `rcvFin`. */
  RcvFin = 0x40,
  /** An acknowledgment is to leave with the next segment, or alone. */
  AckNow = 0x80,
  /** A window probe is to be sent. */
  ProbePending = 0x200,
  /** A round trip is being timed: `rttSeq`, `rttStart`. */
  Timing = 0x400,
  /** Something was received since the last acknowledgment left (Linux: ack scheduled). */
  AckScheduled = 0x800,
  /** A small segment arrived, perhaps a second one (Linux: pushed, pushed2). */
  Pushed = 0x1000,
  Pushed2 = 0x2000,
  /** The congestion window, not the program or the peer, limits what is in flight. */
  CwndLimited = 0x4000,
  /** The user will not RECEIVE any more: data that arrives is answered with RST. */
  RcvShutdown = 0x8000,
  /** Made by LISTEN and not yet accepted. */
  Embryo = 0x10000,
  /** In the queue of connections that have something to send. */
  Ready = 0x20000,
  /** Counted in `Tcp.unfinished`. */
  Unfinished = 0x40000,
  /** Our handshake came by LISTEN or by a crossing SYN: RFC 9293's passive OPEN. */
  Passive = 0x80000,
  /** An interactive exchange: acknowledgments wait for data to ride on. */
  PingPong = 0x100000,
  /** What fits a window that is open, but too small, is to be sent all the same. */
  ForcePartial = 0x200000,
  /** The peer's FIN was taken: the program has been, or will be, told of the end. */
  EndOfStream = 0x400000,
  /** The program says that more follows at once (MSG_MORE): what is no full segment waits. */
  More = 0x800000,
  /** The last byte was sent so, and bears no PSH. */
  Unpushed = 0x1000000,
  /** What waits unsent is to leave, cork and Nagle or not (Linux: TCP_NAGLE_PUSH). */
  Push = 0x2000000,
  /** A packet with CE has arrived: ECE until CWR comes (Linux: TCP_ECN_DEMAND_CWR). */
  DemandCwr = 0x4000000,
  /** The next new data has CWR (Linux: TCP_ECN_QUEUE_CWR). */
  QueueCwr = 0x8000000,
  /** The peer has sent ECT or CE: its new data is marked (Linux: TCP_ECN_SEEN). */
  EcnSeen = 0x10000000,
  /** `pathMtu` is what routers have said, and not what the route has room for. */
  PathMtu = 0x20000000,
  /** Routers may fragment what is sent: IPv4's DF is clear. */
  MayFragment = 0x40000000,
  /** The program has closed it: see `orphans.ts`. The last bit. */
  Orphan = -0x80000000,
}

/**
 * The transmission control block (RFC 9293 §3.3.1) from SYN-SENT to LAST-ACK. One class, one shape:
 * every field but the last few is an int32. Sequence numbers are absolute; times are µs since the
 * stack's epoch as int32, modulo 2^32, unless the name ends in `Ms`.
 */
export class Connection {
  state: State = State.CLOSED;
  /** `Has` bits. */
  flags = 0;
  /** Row in the four-tuple table; -1 when it has left it. */
  tuple = -1;

  // Send sequence space.
  iss = 0;
  sndUna = 0;
  sndNxt = 0;
  /** In bytes, scaled. */
  sndWnd = 0;
  sndWl1 = 0;
  /** Shift for windows that the peer announces. */
  sndScale = 0;
  /** The largest window that the peer has offered. */
  maxSndWnd = 0;

  // Receive sequence space.
  irs = 0;
  rcvNxt = 0;
  /** RCV.WND as last announced, counted from `rcvWup`. */
  rcvWnd = 0;
  /** RCV.NXT when the window was last announced: Last.ACK.sent (RFC 7323 §4.3). */
  rcvWup = 0;
  rcvScale = 0;
  /** The window never opens wider than this; it grows as the peer proves to fill it. */
  rcvSsthresh = 0;
  /** Payload that may be held for the peer, bytes; it grows (Linux: sk_sndbuf). */
  sndBuf: number;
  /** The size that the peer's full segments seem to have (Linux: rcv_mss). */
  rcvMss = 0;
  /** Sequence number of the peer's FIN, once seen. */
  rcvFin = 0;

  // Segment size (RFC 9293 §3.7.1).
  /** Largest IP packet on the path. */
  pathMtu = 0;
  /** Payload of a full segment to the peer: the options of every segment are taken off. */
  sndMss = 0;
  /** What we announced. */
  advMss = 0;
  /** What the peer announced, or is taken to take. */
  peerMss = 0;

  // Timestamps (RFC 7323).
  tsRecent = 0;
  tsRecentMs = 0;
  /** Added to our clock in TSval. */
  tsOffset = 0;

  // Round trip and retransmission (RFC 6298), µs; srtt is held times 8, mdev times 4.
  srtt = 0;
  mdev = 0;
  mdevMax = 0;
  rttvar = 0;
  /** The round trip during which `mdevMax` is gathered ends with this sequence number. */
  rttEnd = 0;
  rto = 0;
  /** Retransmissions of the same data so far. */
  retransmits = 0;
  /** Doublings of the timeout so far. */
  backoff = 0;
  /** When the first of them was sent, or a closed window was met. */
  retransmitStartMs = 0;
  /** When our SYN left, while `Has.Timing`. */
  synSentAt = 0;
  probes = 0;

  // Congestion control and recovery; windows in segments.
  cwnd = 0;
  cwndCount = 0;
  /** The most segments in flight while the window was not the limit (Linux: snd_cwnd_used). */
  cwndUsed = 0;
  /** When the window was last the limit, or was brought down to what is used. */
  cwndStampMs = 0;
  ssthresh = 0x7fffffff;
  /** `cwnd` before the last reduction. */
  priorCwnd = 0;
  /** What leaves is spread so, bytes per ms; 0: it is not. */
  pacingRate = 0;
  /** The smallest round trip of late, µs; 0: none measured. */
  minRtt = 0;
  /** When it was measured. */
  minRttMs = 0;
  caState: CaState = CaState.Open;
  /** Segments that were delivered (mod 2^32). */
  delivered = 0;
  /** Of the last good sample, bytes per ms, times 2; plus 1 if the program was its limit. */
  packedRate = 0;
  /** Segments that may overtake one (Linux: reordering). */
  reordering = 3;
  /** RFC 8985 §6.2, packed: see `reoWndSteps`, `reoWndPersist`, `reorderingSeen`. */
  reoWnd = 1;

  // Delayed acknowledgments.
  /** Acknowledgments still to be sent at once. */
  quick = 0;
  /** Delay that fits the peer's rhythm, ms; 0 before the first segment. */
  atoMs = 0;
  /** When data was last received, and when last anything was. */
  lastReceiveMs = 0;
  heardMs = 0;
  /** When payload was last sent. */
  lastSendMs = 0;
  /** When an unacceptable segment was last answered; 0: never. */
  answeredMs = 0;

  keepAliveProbes = 0;
  /** ICMP's or the path's complaint, told if the connection is given up. */
  softError = 0;
  ipId = 0;

  /** What the congestion controller keeps of this connection. */
  congestionState: unknown = null;
  /** The segments in flight; null where nothing is, nor was of late. */
  flight: Flight | null = null;
  sendBuffer: SendBuffer | null = null;
  receiveBuffer: ReceiveBuffer | null = null;
  inbound: Inbound | null = null;
  socket: StreamSocket | null = null;
  /** The listener that it came by, until it is accepted. */
  listener: StreamSocket | null = null;
  nextReady: Connection | null = null;
  congestion: CongestionControl;

  /** @param row its place in the stack's connection and timer tables; -1 once it is over */
  constructor(
    public row: number,
    public options: SocketOptions,
  ) {
    this.congestion = options.congestion;
    this.sndBuf = options.sendBuffer;
  }

  has(bits: number): boolean {
    return (this.flags & bits) !== 0;
  }

  set(bits: number): void {
    this.flags |= bits;
  }

  unset(bits: number): void {
    this.flags &= ~bits;
  }

  /** Bytes of sequence space in flight: SND.NXT - SND.UNA. */
  get inFlight(): number {
    return (this.sndNxt - this.sndUna) | 0;
  }

  /** The rate of the last good sample, bytes per ms; 0: there was none. */
  get deliveryRate(): number {
    return this.packedRate >>> 1;
  }

  /** The program was the limit of that sample. */
  get rateAppLimited(): boolean {
    return (this.packedRate & 1) !== 0;
  }

  noteRate(bytesPerMs: number, appLimited: boolean): void {
    this.packedRate = bytesPerMs * 2 + (appLimited ? 1 : 0);
  }

  /** Segments sent and not cumulatively acknowledged (Linux: packets_out). */
  get packetsOut(): number {
    return this.flight === null ? 0 : this.flight.count;
  }

  /** Segments in the network, as far as is known (RFC 6675: pipe). */
  get packetsInFlight(): number {
    return this.flight === null ? 0 : this.flight.inFlight;
  }

  /** The reordering window in quarters of the smallest round trip, 1 to 255 (RFC 8985 §6.2). */
  get reoWndSteps(): number {
    return this.reoWnd & 0xff;
  }

  set reoWndSteps(steps: number) {
    this.reoWnd = (this.reoWnd & ~0xff) | steps;
  }

  /** Recoveries that are left until the window is as it was. */
  get reoWndPersist(): number {
    return (this.reoWnd >> 8) & 0xff;
  }

  set reoWndPersist(recoveries: number) {
    this.reoWnd = (this.reoWnd & ~0xff00) | (recoveries << 8);
  }

  /** Segments have overtaken others. */
  get reorderingSeen(): boolean {
    return this.reoWnd > 0xffff;
  }

  noteReordering(): void {
    this.reoWnd |= 0x10000;
  }

  /** Payload that the user has sent and the peer has not acknowledged. */
  get queued(): number {
    return this.sendBuffer === null ? 0 : this.sendBuffer.length;
  }

  /** Sequence number after the last byte of data that the user has sent. */
  get sndEnd(): number {
    return (this.sndUna + this.queued) | 0;
  }

  /** Payload that has not been sent yet, bytes. */
  get unsent(): number {
    return Math.max((this.sndEnd - this.sndNxt) | 0, 0);
  }

  /** Sequence numbers that have not been sent yet: of payload, and of the FIN behind it. */
  get unsentNumbers(): number {
    return Math.max((this.sndEnd + (this.has(Has.Fin) ? 1 : 0) - this.sndNxt) | 0, 0);
  }

  /** What the peer's window has room for; it may be negative (RFC 9293 §3.8.6.2.1). */
  get usableWindow(): number {
    return (this.sndUna + this.sndWnd - this.sndNxt) | 0;
  }

  /** Payload that may be held for the program, bytes; it grows (Linux: sk_rcvbuf, twice that). */
  get rcvBuf(): number {
    const grown = this.inbound === null ? 0 : this.inbound.rcvBuf;
    return grown === 0 ? this.options.receiveBuffer : grown;
  }

  /** What is left of the window that we announced, bytes (Linux: tcp_receive_window). */
  get receiveWindow(): number {
    const window = (this.rcvWup + this.rcvWnd - this.rcvNxt) | 0;
    return window < 0 ? 0 : window;
  }
}
