import type { CongestionControl } from './congestion';
import type { Connection } from './connection';

/** Slow start (RFC 5681 §3.1, with the byte counting of RFC 3465 and L without bound, as Linux
 * does): returns what of `acked` is left once `ssthresh` is reached. */
export function slowStart(c: Connection, acked: number): number {
  const cwnd = Math.min(c.cwnd + acked, c.ssthresh);
  const left = acked - (cwnd - c.cwnd);
  c.cwnd = cwnd;
  return left;
}

/** Adds one segment to `cwnd` for every `window` segments acknowledged. */
export function additiveIncrease(c: Connection, window: number, acked: number): void {
  // What was gathered for a larger `window` is paid out gently (Linux: tcp_cong_avoid_ai).
  if (c.cwndCount >= window) {
    c.cwndCount = 0;
    c.cwnd++;
  }
  c.cwndCount += acked;
  if (c.cwndCount >= window) {
    const steps = Math.floor(c.cwndCount / window);
    c.cwndCount -= steps * window;
    c.cwnd += steps;
  }
}

/** Slow start and congestion avoidance of RFC 5681 §3.1. */
export const reno: CongestionControl = {
  name: 'reno',
  init() {},
  ssthresh(c) {
    return Math.max(c.cwnd >> 1, 2);
  },
  congAvoid(c, acked) {
    const left = c.cwnd < c.ssthresh ? slowStart(c, acked) : acked;
    if (left > 0) additiveIncrease(c, c.cwnd, left);
  },
};
