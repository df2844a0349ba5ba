import { seqGt } from '../sequence';
import { elapsedMs } from '../time/elapsed';
import { Has, type Connection } from './connection';
import type { Settings } from './settings';
import type { Tcp } from './tcp';
import { timestamp } from './timestamps';

/** Largest round trip that the int32 arithmetic holds times 8, µs. */
const MAX_RTT = 0x0fffffff;

/**
 * A round trip was measured (RFC 6298 §2). Deviation: as Linux does, the variation is gathered over
 * a round trip rather than per sample, rises at once and falls slowly, a falling round trip counts
 * for an eighth, and the minimum is applied to the variation instead of the sum.
 * @param rtt µs
 */
export function measuredRtt(c: Connection, rtt: number, settings: Settings): void {
  const sample = Math.min(Math.max(rtt, 1), MAX_RTT) | 0;
  const minimum = settings.rtoMin * 1000;
  if (c.srtt === 0) {
    c.srtt = sample << 3;
    c.mdev = sample << 1;
    c.rttvar = Math.max(c.mdev, minimum);
    c.mdevMax = c.rttvar;
    c.rttEnd = c.sndNxt;
  } else {
    let error = sample - (c.srtt >> 3);
    c.srtt += error;
    if (error < 0) {
      error = -error - (c.mdev >> 2);
      if (error > 0) error >>= 3;
    } else {
      error -= c.mdev >> 2;
    }
    c.mdev += error;
    if (c.mdev > c.mdevMax) {
      c.mdevMax = c.mdev;
      if (c.mdevMax > c.rttvar) c.rttvar = c.mdevMax;
    }
    if (seqGt(c.sndUna, c.rttEnd)) {
      if (c.mdevMax < c.rttvar) c.rttvar -= (c.rttvar - c.mdevMax) >> 2;
      c.rttEnd = c.sndNxt;
      c.mdevMax = Math.min(minimum, 0x7fffffff);
    }
  }
  setRto(c, settings);
}

/** RTO <- SRTT + 4 RTTVAR, within its bounds (RFC 6298 §2.3, §2.5); the backoff is over. */
export function setRto(c: Connection, settings: Settings): void {
  const rto = c.srtt === 0 ? settings.rtoInitial * 1000 : (c.srtt >> 3) + c.rttvar;
  c.rto = Math.min(rto, settings.rtoMax * 1000);
  c.backoff = 0;
}

/** RTO <- 2 RTO (RFC 6298 §5.5). */
export function backOff(c: Connection, settings: Settings): void {
  c.backoff++;
  c.rto = Math.min(c.rto * 2, settings.rtoMax * 1000);
}

/** Our SYN leaves: its round trip is measured, unless it has to be sent again (RFC 6298 §3). */
export function startTiming(c: Connection, now: number): void {
  c.set(Has.Timing);
  c.synSentAt = now | 0;
}

/** By the timestamp that the peer echoes (RFC 7323 §4.1), µs; -1: it can't be ours. */
export function rttByTimestamp(tcp: Tcp, c: Connection): number {
  const ms = (timestamp(tcp.now, c.tsOffset) - tcp.echo) | 0;
  return ms < 0 ? -1 : Math.max(ms, 1) * 1000;
}

/** The smallest round trip of the last minutes (Linux: tcp_update_rtt_min). */
export function noteMinRtt(tcp: Tcp, c: Connection, rtt: number): void {
  if (rtt < 0) return;
  const isOld = elapsedMs(tcp.nowMs, c.minRttMs) > tcp.settings.minRttWindow;
  if (c.minRtt !== 0 && rtt > c.minRtt && !isOld) return;
  c.minRtt = Math.max(Math.min(rtt, MAX_RTT), 1) | 0;
  c.minRttMs = tcp.nowMs;
}
