import type { Connection } from './connection';
import { pacingRate } from './pacing';
import type { Settings } from './settings';

/** Most bytes of a burst: what a super-segment can have (GSO). */
const MOST_BYTES = 65_216;
/** A round trip of so many times 2^`burstRttLog` µs is no reason for longer bursts. */
const NEAR = 32;

/**
 * How much of what is to be sent leaves as one burst, which Linux would hand down as one
 * super-segment (tcp_tso_autosize, tcp_cwnd_test): about 1 ms of the rate that the congestion
 * window makes, more to a near peer, at most half of the congestion window. Deviation: with an MSS
 * under about 200 Linux's super-segments end elsewhere, and so their PSH.
 * @param unsent bytes that wait, 1 or more
 * @param window bytes that the peer's window has room for
 * @param quota segments that the congestion window has room for
 * @returns bytes; a segment or less: no burst
 */
export function burstBytes(
  c: Connection,
  settings: Settings,
  mss: number,
  unsent: number,
  window: number,
  quota: number,
): number {
  const half = Math.max(c.cwnd >> 1, 1);
  const wanted = burstSegments(c, settings, mss);
  const most = Math.min(wanted, half, Math.max(quota, 1)) * mss;
  return Math.min(most, unsent, window);
}

/** Full segments that leave as one where there are so many (Linux: tcp_tso_segs). */
export function burstSegments(c: Connection, settings: Settings, mss: number): number {
  return Math.max(segmentsAtOnce(c, settings, mss), settings.minBurst);
}

function segmentsAtOnce(c: Connection, settings: Settings, mss: number): number {
  const rate = pacingRate(c, settings);
  // Deviation: Linux goes by the smallest round trip, which a single early answer makes.
  const nearness = (c.srtt >> 3) >> settings.burstRttLog;
  const near = c.srtt > 0 && nearness < NEAR ? 65_536 >> nearness : 0;
  return Math.floor(Math.min(rate / 1024 + near, MOST_BYTES) / mss);
}
