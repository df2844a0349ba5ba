import { Errno } from '../errno';
import { elapsedMs } from '../time/elapsed';
import { Timer, type Connection } from './connection';
import { emitSegment } from './emit';
import { isSynchronized } from './state';
import type { Tcp } from './tcp';

// RFC 9293 §3.8.4. Off unless the user asks for it; any segment from the peer starts it anew.

/** Also of a connection that is half closed, for as long as the peer likes to send. */
function applies(c: Connection): boolean {
  return c.options.keepAlive === 1 && isSynchronized(c.state);
}

/** Starts the timer, or stops it where the option is off. */
export function armKeepAlive(tcp: Tcp, c: Connection): void {
  c.keepAliveProbes = 0;
  if (applies(c)) tcp.timers.set(c.row, Timer.KeepAlive, tcp.now + c.options.keepIdle * 1000);
  else tcp.timers.cancel(c.row, Timer.KeepAlive);
}

/** TCP_KEEPIDLE has changed: the silence so far counts (Linux: tcp_sock_set_keepidle). */
export function keepIdleChanged(tcp: Tcp, c: Connection): void {
  if (!applies(c)) return;
  const left = Math.max(c.options.keepIdle - elapsedMs(tcp.nowMs, c.heardMs), 0);
  tcp.timers.set(c.row, Timer.KeepAlive, tcp.now + left * 1000);
}

/** The timer expired: perhaps the peer has spoken since, else a probe asks, else it is given up. */
export function keepAliveTimeout(tcp: Tcp, c: Connection): void {
  if (!applies(c)) return;
  const { keepIdle, keepInterval, keepCount, userTimeout } = c.options;
  const busy = c.inFlight > 0 || c.unsentNumbers > 0;
  const idle = elapsedMs(tcp.nowMs, c.heardMs);
  if (busy || idle < keepIdle) {
    const wait = busy ? keepIdle : keepIdle - idle;
    tcp.timers.set(c.row, Timer.KeepAlive, tcp.now + wait * 1000);
    return;
  }
  const exhausted =
    userTimeout > 0 ? idle >= userTimeout && c.keepAliveProbes > 0 : c.keepAliveProbes >= keepCount;
  if (exhausted) {
    tcp.counters.TcpExtTCPAbortOnTimeout++;
    tcp.abort(c, c.softError !== 0 ? c.softError : Errno.ETIMEDOUT);
    return;
  }
  // An old sequence number, which the peer must answer.
  if (emitSegment(tcp, c, tcp.replies, (c.sndUna - 1) | 0, 0, false) >= 0) {
    c.keepAliveProbes++;
    tcp.counters.TcpExtTCPKeepAlive++;
  }
  tcp.timers.set(c.row, Timer.KeepAlive, tcp.now + keepInterval * 1000);
}
