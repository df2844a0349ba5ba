import { elapsedMs } from '../time/elapsed';
import { Has, Timer, type Connection } from './connection';
import { offeredWindow } from './receive-window';
import { canReceive, State } from './state';
import type { Tcp } from './tcp';

// RFC 9293 §3.8.6.3 and RFC 5681 §4.2, with the heuristics and constants of Linux: the first
// segments and those after a pause are acknowledged at once, later ones every second full segment
// or after a delay that follows the peer's rhythm.

/** Segments acknowledged at once when a connection starts, at most. */
const MAX_QUICK_ACKS = 16;
/** A delay beyond the minimum is bounded by this where no exchange was seen, ms. */
const LONGEST_UNPROVEN_MS = 500;
/** Least delay: Linux's timers go off with a tick of its clock, ms. */
const TICK_MS = 1;

/** The next `limit` segments at most, within half of the window, are acknowledged at once. */
export function startQuickAcks(c: Connection, limit: number = MAX_QUICK_ACKS): void {
  const half = c.rcvMss === 0 ? 0 : Math.floor(c.rcvWnd / (2 * c.rcvMss));
  c.quick = Math.max(c.quick, Math.min(half === 0 ? 2 : half, limit));
}

/** A duplicate or damaged stream, or congestion: no delay until it has passed. */
export function enterQuickAckMode(tcp: Tcp, c: Connection, limit: number = MAX_QUICK_ACKS): void {
  startQuickAcks(c, limit);
  c.unset(Has.PingPong);
  c.atoMs = tcp.settings.delayedAckMin;
}

/** Estimates the size of the peer's full segments; a smaller one is taken as the end of a write. */
function measureSegment(c: Connection, length: number): void {
  if (length >= c.rcvMss) {
    c.rcvMss = Math.min(length, c.advMss);
    return;
  }
  if (c.has(Has.Pushed)) c.set(Has.Pushed2);
  c.set(Has.Pushed);
}

/** New data was put in order: an acknowledgment is due, sooner or later. */
export function dataReceived(tcp: Tcp, c: Connection, length: number): void {
  c.set(Has.AckScheduled);
  measureSegment(c, length);
  const minimum = tcp.settings.delayedAckMin;
  const gap = elapsedMs(tcp.nowMs, c.lastReceiveMs);
  if (c.atoMs === 0) {
    startQuickAcks(c);
    c.atoMs = minimum;
  } else if (gap <= minimum >> 1) {
    c.atoMs = (c.atoMs >> 1) + (minimum >> 1);
  } else if (gap < c.atoMs) {
    c.atoMs = Math.min((c.atoMs >> 1) + gap, Math.floor(c.rto / 1000));
  } else if (gap > c.rto / 1000) {
    startQuickAcks(c);
  }
  c.lastReceiveMs = tcp.nowMs;
}

/**
 * Payload was sent, for the first time or again (Linux: tcp_event_data_sent). Soon after some was
 * received: acknowledgments can ride on such data.
 */
export function dataSent(tcp: Tcp, c: Connection): void {
  c.lastSendMs = tcp.nowMs;
  if (elapsedMs(tcp.nowMs, c.lastReceiveMs) < c.atoMs) c.set(Has.PingPong);
}

/**
 * After a segment was processed: acknowledge now, or set the timer. Deviation: as on Linux the
 * second full segment waits, too, where the window would be announced as narrower than it was last:
 * who reads acknowledges (`userRead`).
 */
export function acknowledgeSoonOrLater(tcp: Tcp, c: Connection): void {
  if (!c.has(Has.AckScheduled)) return;
  const unacknowledged = (c.rcvNxt - c.rcvWup) | 0;
  const wide = unacknowledged > c.rcvMss && offeredWindow(c) >= c.rcvWnd;
  if (wide || (c.quick > 0 && !c.has(Has.PingPong))) {
    c.set(Has.AckNow);
    tcp.markReady(c);
    return;
  }
  delay(tcp, c);
}

function delay(tcp: Tcp, c: Connection): void {
  const { delayedAckMin, delayedAckMax } = tcp.settings;
  let ato = c.atoMs;
  if (ato > delayedAckMin) {
    const proven = c.has(Has.PingPong) || c.has(Has.Pushed);
    let longest = proven ? delayedAckMax : LONGEST_UNPROVEN_MS;
    if (c.srtt !== 0) longest = Math.min(longest, Math.max((c.srtt >> 3) / 1000, delayedAckMin));
    ato = Math.min(ato, longest);
  }
  ato = Math.max(Math.min(ato, delayedAckMax), TICK_MS);
  const due = tcp.now + ato * 1000;
  const set = tcp.timers.due(c.row, Timer.DelayedAck);
  if (set <= tcp.now + (ato * 1000) / 4) {
    c.set(Has.AckNow);
    tcp.markReady(c);
  } else if (due < set) {
    tcp.timers.set(c.row, Timer.DelayedAck, due);
  }
}

/** An acknowledgment left, alone or with data. */
export function acknowledgmentSent(tcp: Tcp, c: Connection): void {
  if (c.quick > 0) {
    c.quick--;
    if (c.quick === 0) c.atoMs = tcp.settings.delayedAckMin;
  }
  c.unset(Has.AckScheduled | Has.AckNow | Has.Pushed | Has.Pushed2);
  tcp.timers.cancel(c.row, Timer.DelayedAck);
}

/** The timer of a delayed acknowledgment fired. */
export function delayedAckExpired(tcp: Tcp, c: Connection): void {
  if (!c.has(Has.AckScheduled)) return;
  if (c.has(Has.PingPong)) {
    c.unset(Has.PingPong);
    c.atoMs = tcp.settings.delayedAckMin;
  } else {
    c.atoMs = Math.min(c.atoMs << 1, Math.floor(c.rto / 1000));
  }
  tcp.counters.TcpExtDelayedACKs++;
  c.set(Has.AckNow);
  tcp.markReady(c);
}

/**
 * The user has read `bytes` (RECEIVE): acknowledge what was held back if all is read now, and tell
 * the peer when the window has at least doubled (RFC 9293 §3.8.6.2.2).
 */
export function userRead(tcp: Tcp, c: Connection, bytes: number): void {
  if (c.has(Has.AckScheduled)) {
    const unacknowledged = (c.rcvNxt - c.rcvWup) | 0;
    const pushed = c.has(Has.Pushed2) || (c.has(Has.Pushed) && !c.has(Has.PingPong));
    const emptied = bytes > 0 && pushed && (c.receiveBuffer?.readable ?? 0) === 0;
    if (unacknowledged > c.rcvMss || emptied) {
      c.set(Has.AckNow);
      tcp.markReady(c);
      return;
    }
  }
  if (!canReceive(c.state)) return;
  const window = c.receiveWindow;
  if (2 * window > c.rcvBuf) return;
  const offered = offeredWindow(c);
  if (offered > 0 && offered >= 2 * window) {
    c.set(Has.AckNow);
    tcp.markReady(c);
  }
}

/** TCP_QUICKACK (Linux: __tcp_sock_set_quickack): 0 lets acknowledgments wait for data again. */
export function setQuickAck(tcp: Tcp, c: Connection, value: number): void {
  if (value === 0) {
    c.set(Has.PingPong);
    return;
  }
  c.unset(Has.PingPong);
  const open = c.state === State.ESTABLISHED || c.state === State.CLOSE_WAIT;
  if (!open || !c.has(Has.AckScheduled)) return;
  c.set(Has.Pushed);
  userRead(tcp, c, 1);
  if ((value & 1) === 0) c.set(Has.PingPong);
}
