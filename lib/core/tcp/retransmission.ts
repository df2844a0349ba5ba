import { Errno } from '../errno';
import { elapsedMs } from '../time/elapsed';
import { CaState, Has, Timer, type Connection } from './connection';
import { queueCwr } from './ecn';
import { Pending, type Flight } from './flight';
import { orphanRetries } from './orphans';
import { enterLoss, reorderingTimeout } from './recovery';
import { backOff, setRto } from './rtt';
import { State } from './state';
import { noteSilence } from './silence';
import type { Settings } from './settings';
import type { Tcp } from './tcp';
import { probeTimeout } from './tlp';

/** With fewer segments in flight a stream is thin. */
const THIN_SEGMENTS = 4;
/** Timeouts of a thin stream that do not double (Linux: TCP_THIN_LINEAR_RETRIES). */
const THIN_RETRIES = 6;
/** Least timeout: that of Linux's clock, µs. */
const TICK = 1000;

/**
 * RFC 6298 §5.1, §5.3: starts the timer for what is in flight, and restarts it. Where it stood for
 * a probe or for RACK, it goes on from when the oldest segment left.
 */
export function armRetransmit(tcp: Tcp, c: Connection, restart = false): void {
  if (!restart && tcp.timers.due(c.row, Timer.Retransmit) !== Infinity) return;
  let wait = clampToUserTimeout(tcp, c);
  const f = c.flight;
  if (f !== null) {
    if (f.pending !== Pending.Timeout && f.count > 0) {
      wait = Math.min(wait, Math.max(timeoutLeft(tcp, c, f), TICK));
    }
    f.pending = Pending.Timeout;
  }
  tcp.timers.cancel(c.row, Timer.Persist);
  tcp.timers.set(c.row, Timer.Retransmit, tcp.now + wait);
}

/** µs until the oldest segment in flight has waited for the timeout. */
export function timeoutLeft(tcp: Tcp, c: Connection, f: Flight): number {
  return f.sentAt(f.head) + c.rto - tcp.now;
}

/** The first timeout is the peer's; from then on the timer must not outlast the user's patience. */
function clampToUserTimeout(tcp: Tcp, c: Connection): number {
  return c.retransmits === 0 ? c.rto : Math.min(c.rto, Math.max(userTimeoutLeft(tcp, c), 1000));
}

/** What is left of TCP_USER_TIMEOUT since the peer's first silence, µs; Infinity without one. */
export function userTimeoutLeft(tcp: Tcp, c: Connection): number {
  const { userTimeout } = c.options;
  if (userTimeout === 0) return Infinity;
  return Math.max(userTimeout - elapsedMs(tcp.nowMs, c.retransmitStartMs), 0) * 1000;
}

/** The timer went off, for what it stood for. */
export function retransmitTimer(tcp: Tcp, c: Connection): void {
  const f = c.flight;
  if (c.state === State.SYN_SENT || c.state === State.SYN_RECEIVED) {
    synTimeout(tcp, c);
    return;
  }
  if (f === null || f.count === 0) return;
  switch (f.pending) {
    case Pending.Timeout:
      retransmissionTimeout(tcp, c, f);
      return;
    case Pending.Probe:
      probeTimeout(tcp, c, f);
      return;
    case Pending.Reorder:
      reorderingTimeout(tcp, c, f);
      armRetransmit(tcp, c, true);
      return;
  }
}

/** RFC 6298 §5.4 to 5.7: the retransmission timer has expired. */
function retransmissionTimeout(tcp: Tcp, c: Connection, f: Flight): void {
  if (isTimedOut(tcp, c)) {
    giveUp(tcp, c);
    return;
  }
  tcp.counters.TcpExtTCPTimeouts++;
  if (c.retransmits === 0) countFailure(tcp, c, f);
  enterLoss(tcp, c, f);
  if (c.retransmits === 0) c.retransmitStartMs = tcp.nowMs;
  tcp.totals.timedOut(c.row, tcp.nowMs, c.retransmits === 0);
  c.retransmits++;
  noteSilence(tcp, c);
  if (isThin(tcp, c, f)) setRto(c, tcp.settings);
  else backOff(c, tcp.settings);
  tcp.markReady(c);
  armRetransmit(tcp, c, true);
}

/** Too little is in flight for fast recovery: timeouts may come as fast (tcp_stream_is_thin). */
function isThin(tcp: Tcp, c: Connection, f: Flight): boolean {
  if (tcp.settings.thinLinearTimeouts === 0 || c.state !== State.ESTABLISHED) return false;
  return f.count < THIN_SEGMENTS && c.retransmits <= THIN_RETRIES;
}

/** What loss recovery had begun was not enough. */
function countFailure(tcp: Tcp, c: Connection, f: Flight): void {
  const { counters } = tcp;
  const sack = c.has(Has.Sack);
  if (c.caState === CaState.Recovery) {
    if (sack) counters.TcpExtTCPSackRecoveryFail++;
    else counters.TcpExtTCPRenoRecoveryFail++;
  } else if (c.caState === CaState.Loss) {
    counters.TcpExtTCPLossFailures++;
  } else if (c.caState === CaState.Disorder || f.sackedOut > 0) {
    if (sack) counters.TcpExtTCPSackFailures++;
    else counters.TcpExtTCPRenoFailures++;
  }
}

/**
 * SYN or SYN+ACK of a connection that the user opened: linear first, then doubling. Deviation: by
 * RFC 9293 §3.8.3 three minutes at least would have to pass; Linux gives up after 131 s.
 */
function synTimeout(tcp: Tcp, c: Connection): void {
  const { synRetries, synLinearTimeouts, synackRetries } = tcp.settings;
  const active = c.state === State.SYN_SENT;
  const linear = active ? synLinearTimeouts : 0;
  const retries = c.options.synCount > 0 ? c.options.synCount : synRetries;
  const limit = active ? retries + linear : synackRetries;
  if (c.retransmits >= limit || userTimeoutReached(tcp, c)) {
    giveUp(tcp, c);
    return;
  }
  tcp.counters.TcpExtTCPTimeouts++;
  tcp.totals.timedOut(c.row, tcp.nowMs, c.retransmits === 0);
  if (c.retransmits === 0) c.retransmitStartMs = tcp.nowMs;
  c.retransmits++;
  noteSilence(tcp, c);
  if (c.retransmits > linear) backOff(c, tcp.settings);
  queueCwr(c);
  c.set(Has.SynPending);
  c.unset(Has.Timing);
  tcp.markReady(c);
  armRetransmit(tcp, c, true);
}

function userTimeoutReached(tcp: Tcp, c: Connection): boolean {
  return c.retransmits > 0 && userTimeoutLeft(tcp, c) === 0;
}

/**
 * RFC 9293 §3.8.3 R2: given up by time, which is what `retries` retransmissions would take from the
 * smallest timeout on, so that a short round trip doesn't shorten it (Linux: tcp_retries2, counted
 * from the first retransmission).
 */
function isTimedOut(tcp: Tcp, c: Connection): boolean {
  if (c.retransmits === 0) return false;
  if (c.options.userTimeout > 0) return userTimeoutReached(tcp, c);
  const retries = tcp.isOrphan(c)
    ? orphanRetries(tcp, c, c.rto < tcp.settings.rtoMax * 1000)
    : tcp.settings.retries2;
  // A peer that answers, but has closed its window, is alive (RFC 9293 §3.8.6.1); a connection
  // that no program holds doesn't wait for it.
  const alive = c.sndWnd === 0 && !tcp.isOrphan(c) && ((c.heardMs - c.retransmitStartMs) | 0) > 0;
  const since = alive ? c.heardMs : c.retransmitStartMs;
  // Linux rounds each timeout up to its tick, 1 ms at least: what it has waited is more by that.
  const { rtoMin } = tcp.settings;
  const waited = elapsedMs(tcp.nowMs, since) * (1 + 1 / rtoMin);
  return waited >= retriesToMs(retries, tcp.settings);
}

/** How long `retries` retransmissions take when the timeout starts at its minimum, ms. */
export function retriesToMs(retries: number, settings: Settings): number {
  const { rtoMin, rtoMax } = settings;
  const doublings = Math.max(Math.floor(Math.log2(rtoMax / rtoMin)), 0);
  if (retries <= doublings) return (2 ** (retries + 1) - 1) * rtoMin;
  return (2 ** (doublings + 1) - 1) * rtoMin + (retries - doublings) * rtoMax;
}

/** The peer does not answer: the user gets ETIMEDOUT, or what ICMP said meanwhile. */
export function giveUp(tcp: Tcp, c: Connection): void {
  tcp.counters.TcpExtTCPAbortOnTimeout++;
  tcp.finish(c, c.softError !== 0 ? c.softError : Errno.ETIMEDOUT);
}
