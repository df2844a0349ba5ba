import type { Connection } from './connection';
import { segments } from './recovery';

/** Most bytes of a burst: what a super-segment can have (GSO). */
const MOST_BYTES = 65_216;
/** Beyond so many times 512 µs a round trip is no reason for longer bursts. */
const NEAR = 32;

/**
 * How much of what is to be sent leaves as one burst, which Linux would hand down as one
 * super-segment (tcp_tso_autosize, tcp_cwnd_test): about 1 ms of the rate that the congestion
 * window makes, more to a near peer, at most half of the congestion window.
 * @param least segments, where there are so many (`minBurst` of the settings)
 * @param unsent bytes that wait, 1 or more
 * @param window bytes that the peer's window has room for
 * @param quota segments that the congestion window has room for
 * @returns bytes; a segment or less: no burst
 */
export function burstBytes(
  c: Connection,
  least: number,
  mss: number,
  unsent: number,
  window: number,
  quota: number,
): number {
  const half = Math.max(c.cwnd >> 1, 1);
  const most = Math.min(Math.max(segmentsAtOnce(c, mss), least), half, Math.max(quota, 1)) * mss;
  return Math.min(most, unsent, window);
}

function segmentsAtOnce(c: Connection, mss: number): number {
  const rtt = c.srtt >> 3;
  let bytes = MOST_BYTES;
  if (rtt > 0) {
    const growth = c.cwnd < c.ssthresh >> 1 ? 2 : 1.2;
    const flight = Math.max(c.cwnd, segments(c, c.inFlight));
    bytes = (growth * flight * mss * 1_000_000) / rtt / 1024;
    const nearness = rtt >> 9;
    if (nearness < NEAR) bytes += 65_536 >> nearness;
  }
  return Math.floor(Math.min(bytes, MOST_BYTES) / mss);
}
