/**
 * What a congestion controller sees of a connection, and may set. Windows are in segments of `mss`
 * bytes, times in ms with fractions. It is valid during the call that it is passed to, no longer;
 * what is to be kept of a connection goes into `state`.
 */
export interface CongestionView<State = unknown> {
  /**
   * The congestion window: segments that may be in flight, 1 to 1,048,576; fractions are cut off.
   */
  cwnd: number;
  /**
   * Slow start threshold: 2 or more; Infinity as long as nothing was lost. Below it `cwnd` is in
   * slow start.
   */
  ssthresh: number;
  /** What leaves is spread over time so, bytes per second; 0: it isn't. */
  pacingRate: number;
  /** What the controller keeps of this connection; undefined at first. */
  state: State | undefined;
  /** Payload of a full segment, bytes. */
  readonly mss: number;
  /** Segments in flight. */
  readonly inFlight: number;
  /** Smoothed round trip (RFC 6298), ms; 0: none was measured. */
  readonly srtt: number;
  /** Smallest round trip of late (net.ipv4.tcp_min_rtt_wlen), ms; 0: none was measured. */
  readonly minRtt: number;
  /** `cwnd` before the last reduction. */
  readonly priorCwnd: number;
  /** Whether the present loss, or ECN's echo, is still being mended. */
  readonly recovering: boolean;
  /**
   * Slow start (RFC 5681 §3.1): one segment for each that was acknowledged, up to `ssthresh`.
   * @returns how many of `acked` are left then
   */
  slowStart(acked: number): number;
  /** One segment for every `window` that are acknowledged: `cwnd` of them make Reno's growth. */
  increase(acked: number, window: number): void;
}

/**
 * What happens to a connection: something is sent after nothing was in flight; the window was
 * shrunk after a pause; the reduction after a loss, or ECN's echo, is over; a retransmission
 * timeout, so that all in flight counts as lost; a needless reduction was taken back.
 */
export type CongestionEventName = 'transmit-start' | 'restart' | 'recovery-done' | 'loss' | 'undo';

/** What one acknowledgment told about the rate of delivery. Valid during the call only. */
export interface DeliverySample {
  /** Segments delivered during `interval`; -1: no sample. */
  readonly delivered: number;
  /** ms; -1: no sample. */
  readonly interval: number;
  /** Round trip of the newest segment that was acknowledged, ms; -1: none was measured. */
  readonly rtt: number;
  /** Segments newly acknowledged, cumulatively or selectively. */
  readonly ackedSacked: number;
  /** Segments newly marked lost. */
  readonly losses: number;
  /** Segments in flight before the acknowledgment. */
  readonly priorInFlight: number;
  /** The program, not the network, was the limit. */
  readonly isAppLimited: boolean;
}

/**
 * A congestion controller of one's own. It says how the congestion window grows and to what a loss
 * reduces it; which segments are lost, and how the window shrinks during recovery, is the stack's
 * business. One object may serve any number of connections and stacks.
 *
 * Its methods are called in the middle of the stack's work: they must not call the stack, its
 * sockets or servers (that throws). A result that is no window (NaN, 0, negative, huge) is brought
 * into range, and counted as NetlandCongestionNonsense. When a method throws, that connection goes
 * on with 'reno'; the error becomes an uncaught exception of the program, and is counted as
 * NetlandCongestionErrors.
 */
export interface CongestionController<State = unknown> {
  /** 1 to 15 characters; not that of a controller of the stack's own. */
  readonly name: string;
  /** The connection is established, or has changed to this controller. */
  init?(connection: CongestionView<State>): void;
  /** The slow start threshold after a loss or ECN's echo, segments. `cwnd` comes down to it. */
  ssthresh(connection: CongestionView<State>): number;
  /**
   * `acked` segments were newly acknowledged while `cwnd` was the limit, and nothing is being
   * mended: the place to change `cwnd`. Needed, unless there is `control`.
   * @param now ms since the stack was opened
   */
  congAvoid?(connection: CongestionView<State>, acked: number, now: number): void;
  /** `cwnd` after a needless reduction. Default: what it was, or is, if more. */
  undoCwnd?(connection: CongestionView<State>): number;
  /**
   * Segments were acknowledged, in any state.
   * @param rtt round trip of the newest that was sent once, ms; -1: not measured
   */
  acked?(connection: CongestionView<State>, acked: number, rtt: number, now: number): void;
  event?(connection: CongestionView<State>, event: CongestionEventName, now: number): void;
  /**
   * Sets `cwnd` and `pacingRate` with each acknowledgment in every state, instead of `congAvoid`
   * and of the stack's way through recovery (Linux: cong_control). For controllers by model.
   */
  control?(connection: CongestionView<State>, sample: DeliverySample, now: number): void;
}
