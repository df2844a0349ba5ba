import { seqGeq } from '../sequence';
import { elapsedMs } from '../time/elapsed';
import { CongestionEvent } from './congestion';
import { CaState, Has, type Connection } from './connection';
import type { Tcp } from './tcp';

// A congestion window says something about the path only while it is what limits the sender: the
// idea of RFC 7661, as Linux has it (tcp_cwnd_validate, tcp_is_cwnd_limited, tcp_cwnd_restart).

/**
 * Whether the window was the limit. In slow start it may grow to twice what was in flight at once
 * (Linux: tcp_is_cwnd_limited).
 */
export function isCwndLimited(c: Connection): boolean {
  return c.has(Has.CwndLimited) || (c.cwnd < c.ssthresh && c.cwnd < 2 * (c.flight?.most ?? 0));
}

/**
 * Notes how much of the congestion window a round of sending has used: the most of a round trip
 * counts (Linux: tcp_cwnd_validate).
 * @param limited the window had no room for more
 */
export function validateCwnd(tcp: Tcp, c: Connection, limited: boolean): void {
  const f = tcp.flightOf(c);
  const flight = f.count;
  const isNews = seqGeq(c.sndUna, f.mostEnd) || limited;
  if (isNews || (!c.has(Has.CwndLimited) && flight > f.most)) {
    if (limited) c.set(Has.CwndLimited);
    else c.unset(Has.CwndLimited);
    f.most = flight;
    f.mostEnd = c.sndNxt;
  }
  if (isCwndLimited(c)) {
    c.cwndUsed = 0;
    c.cwndStampMs = tcp.nowMs;
    return;
  }
  c.cwndUsed = Math.max(c.cwndUsed, flight);
  const unused = elapsedMs(tcp.nowMs, c.cwndStampMs) * 1000;
  if (tcp.settings.slowStartAfterIdle === 1 && unused >= c.rto) applicationLimited(tcp, c);
}

/**
 * For a timeout the program, or the peer's window, has been the limit: the window comes half way
 * down to what was used (Linux: tcp_cwnd_application_limited). Not where the program waits for
 * room in the send buffer.
 */
function applicationLimited(tcp: Tcp, c: Connection): void {
  c.cwndStampMs = tcp.nowMs;
  if (c.congestion.control !== undefined) return;
  if (c.caState !== CaState.Open || c.socket === null || c.queued >= c.options.sendBuffer) return;
  const used = Math.max(c.cwndUsed, tcp.settings.initialCwnd);
  if (used < c.cwnd) {
    c.ssthresh = currentSsthresh(c);
    c.cwnd = (c.cwnd + used) >> 1;
  }
  c.cwndUsed = 0;
}

/**
 * RFC 5681 §4.1: what the congestion window was before a pause says little. As on Linux it is
 * halved for each timeout in which nothing was sent, down to the initial window.
 */
export function restartAfterIdle(tcp: Tcp, c: Connection): void {
  const { initialCwnd, slowStartAfterIdle } = tcp.settings;
  if (slowStartAfterIdle === 0 || c.congestion.control !== undefined) return;
  let idle = elapsedMs(tcp.nowMs, c.lastSendMs) * 1000 - c.rto;
  if (idle <= 0) return;
  c.congestion.event?.(c, CongestionEvent.Restart, tcp.now);
  c.ssthresh = currentSsthresh(c);
  const least = Math.min(initialCwnd, c.cwnd);
  for (; idle > 0 && c.cwnd > least; idle -= c.rto) c.cwnd >>= 1;
  c.cwnd = Math.max(c.cwnd, least);
  c.cwndUsed = 0;
  c.cwndStampMs = tcp.nowMs;
}

/** Slow start may come back to near where the window was (Linux: tcp_current_ssthresh). */
export function currentSsthresh(c: Connection): number {
  const reducing = c.caState === CaState.Cwr || c.caState === CaState.Recovery;
  return reducing ? c.ssthresh : Math.max(c.ssthresh, (c.cwnd >> 1) + (c.cwnd >> 2));
}
