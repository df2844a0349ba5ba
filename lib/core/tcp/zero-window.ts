import { Has, Timer, type Connection } from './connection';
import { nextLength } from './output';
import { orphanRetries } from './orphans';
import { giveUp, userTimeoutLeft } from './retransmission';
import type { Tcp } from './tcp';

// RFC 9293 §3.8.6.1: the peer has closed its window, data or a FIN waits, nothing is in flight.

/** Starts the persist timer, unless it runs. */
export function armPersist(tcp: Tcp, c: Connection): void {
  if (tcp.timers.due(c.row, Timer.Persist) !== Infinity) return;
  c.backoff = 0;
  tcp.timers.set(c.row, Timer.Persist, tcp.now + persistInterval(tcp, c));
}

/**
 * The timeout, doubled with each probe (Linux: tcp_probe0_when). TCP_USER_TIMEOUT counts from the
 * first.
 */
function persistInterval(tcp: Tcp, c: Connection): number {
  const interval = Math.min(c.rto * 2 ** Math.min(c.backoff, 31), tcp.settings.rtoMax * 1000);
  return c.backoff === 0 ? interval : Math.min(interval, Math.max(userTimeoutLeft(tcp, c), 1000));
}

/**
 * The persist timer expired. What a small window, or the user's cork, has held back leaves now; a
 * closed window gets a probe. A peer that answers is probed for as long as it likes (RFC 9293
 * §3.8.6.1), unless the user has set a timeout or has let go of the connection.
 */
export function persistTimeout(tcp: Tcp, c: Connection): void {
  if (c.inFlight > 0 || c.unsentNumbers === 0) return;
  tcp.markReady(c);
  if (c.usableWindow > 0) {
    c.set(Has.ForcePartial);
    c.unset(Has.Unpushed);
    return;
  }
  if (c.backoff === 0) c.retransmitStartMs = tcp.nowMs;
  if (isExhausted(tcp, c) || userTimeoutLeft(tcp, c) === 0) {
    giveUp(tcp, c);
    return;
  }
  c.set(Has.ProbePending);
  tcp.counters.TcpExtTCPWinProbe++;
  c.probes++;
  c.backoff++;
  tcp.timers.set(c.row, Timer.Persist, tcp.now + persistInterval(tcp, c));
}

/** `probes` counts those without an answer. Where no program waits, answers help for a while. */
function isExhausted(tcp: Tcp, c: Connection): boolean {
  if (tcp.isOrphan(c)) {
    const alive = c.rto * 2 ** Math.min(c.backoff, 31) < tcp.settings.rtoMax * 1000;
    const retries = orphanRetries(tcp, c, alive);
    return (!alive && c.backoff >= retries) || c.probes >= retries;
  }
  return c.probes >= tcp.settings.retries2;
}

/** The peer has answered, and perhaps opened its window; else the time runs anew, as on Linux. */
export function probeAnswered(tcp: Tcp, c: Connection): void {
  c.probes = 0;
  if (c.usableWindow >= nextLength(c)) {
    c.backoff = 0;
    c.unset(Has.ProbePending | Has.ForcePartial);
    tcp.timers.cancel(c.row, Timer.Persist);
  } else if (tcp.timers.due(c.row, Timer.Persist) !== Infinity) {
    tcp.timers.set(c.row, Timer.Persist, tcp.now + persistInterval(tcp, c));
  }
}
