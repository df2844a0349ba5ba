import type { Connection } from './connection';

/**
 * Congestion control of a connection. It owns `cwnd` (segments) while the connection is in
 * `CaState.Open`, and says to what a loss reduces it; which segments are lost is not its business.
 */
export interface CongestionControl {
  readonly name: string;
  /** The connection is established: `cwnd` and `ssthresh` have their initial values. */
  init(c: Connection): void;
  /** The slow start threshold after a loss, segments, at least 2 (RFC 5681 equation 4). */
  ssthresh(c: Connection): number;
  /** `acked` segments were newly acknowledged while `cwnd` was the limit. `now` in µs. */
  congAvoid(c: Connection, acked: number, now: number): void;
}
