import type { Connection } from './connection';

/** What happens to a connection that a controller may want to know (Linux: tcp_ca_event). */
export const enum CongestionEvent {
  /** Something is sent after nothing was in flight. */
  TransmitStart = 0,
  /** The window was shrunk after a pause (RFC 5681 §4.1). */
  Restart = 1,
  /** The reduction after a loss, or after ECN's echo, is over. */
  RecoveryDone = 2,
  /** A retransmission timeout: all in flight counts as lost. */
  Loss = 3,
  /** A needless reduction was taken back. */
  Undo = 4,
}

/**
 * What an acknowledgment told about the rate of delivery. One object serves a stack, so that it is
 * valid only during the call.
 */
export interface RateSample {
  /** Segments delivered during `interval`; -1: no sample. */
  delivered: number;
  /** µs; -1: no sample. */
  interval: number;
  /** Round trip of the newest segment (s)acked, µs; -1: none was measured. */
  rtt: number;
  /** Segments newly acknowledged, cumulatively or selectively. */
  ackedSacked: number;
  /** Segments newly marked lost. */
  losses: number;
  /** Segments in flight before the acknowledgment. */
  priorInFlight: number;
  /** The sample was limited by the program, not by the network. */
  isAppLimited: boolean;
}

/**
 * Congestion control of a connection. It says how `c.cwnd` (segments) grows, and to what a loss
 * reduces it; which segments are lost, and how the window shrinks during recovery (PRR), is not its
 * business. One object serves all connections; what it knows of one lies in `c.congestionState`,
 * made when first needed, so that an idle connection has none.
 */
export interface CongestionControl {
  /** Linux's name where there is one. */
  readonly name: string;
  /** The connection is established, with initial `cwnd`; or has changed to this controller. */
  init(c: Connection): void;
  /** The slow start threshold after a loss or ECN's echo, segments, at least 2. */
  ssthresh(c: Connection): number;
  /**
   * `acked` segments were newly acknowledged while `cwnd` was the limit, outside of a reduction.
   * @param now µs
   */
  congAvoid(c: Connection, acked: number, now: number): void;
  /** `cwnd` after a needless reduction; default: what it was (`c.priorCwnd`), or is, if more. */
  undoCwnd?(c: Connection): number;
  /**
   * Segments were acknowledged or selectively acknowledged, in any state.
   * @param rtt of the newest that was sent once, µs; -1: not measured
   */
  acked?(c: Connection, acked: number, rtt: number, now: number): void;
  event?(c: Connection, event: CongestionEvent, now: number): void;
  /**
   * Sets `cwnd` and `pacingRate` in every state, instead of `congAvoid` and PRR (as Linux's
   * cong_control, for controllers by model).
   */
  control?(c: Connection, sample: Readonly<RateSample>, now: number): void;
}
