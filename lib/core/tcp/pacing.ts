import { Timer, type Connection } from './connection';
import type { Settings } from './settings';
import type { Tcp } from './tcp';

// What the windows allow may leave spread over time, as with Linux's internal pacing: after each
// burst the next one waits as long as the burst takes at the pacing rate. The timer is the time of
// departure: while it is set nothing leaves.

/** Whether `c` is paced: all are, or its program has set a limit, or its controller a rate. */
export function isPaced(settings: Settings, c: Connection): boolean {
  return c.pacingRate > 0 || c.options.maxPacingRate > 0 || settings.pacing === 1;
}

/**
 * The rate at which data leaves, paced or as a measure for bursts: the controller's, else more than
 * a window in each round trip (Linux: tcp_update_pacing_rate), within SO_MAX_PACING_RATE.
 * @returns bytes per second; Infinity as long as no round trip was measured
 */
export function pacingRate(c: Connection, settings: Settings): number {
  const limit = c.options.maxPacingRate > 0 ? c.options.maxPacingRate : Infinity;
  if (c.pacingRate > 0) return Math.min(c.pacingRate * 1000, limit);
  const rtt = c.srtt >> 3;
  if (rtt === 0) return limit;
  const { pacingSlowStartRatio, pacingAvoidanceRatio } = settings;
  const ratio = c.cwnd < c.ssthresh >> 1 ? pacingSlowStartRatio : pacingAvoidanceRatio;
  const window = Math.max(c.cwnd, c.packetsOut) * c.sndMss;
  return Math.min((ratio * window * 10_000) / rtt, limit);
}

/** Whether the next burst may leave now; if not, the timer will say when (tcp_pacing_check). */
export function mayDepart(tcp: Tcp, c: Connection): boolean {
  const due = tcp.timers.due(c.row, Timer.Pacing);
  return due === Infinity || due <= tcp.now || !isPaced(tcp.settings, c);
}

/** `bytes` of payload have left. */
export function departed(tcp: Tcp, c: Connection, bytes: number): void {
  if (bytes <= 0 || !isPaced(tcp.settings, c)) return;
  const rate = pacingRate(c, tcp.settings);
  if (rate === Infinity) return;
  const due = tcp.timers.due(c.row, Timer.Pacing);
  const from = due === Infinity ? tcp.now : Math.max(due, tcp.now);
  tcp.timers.set(c.row, Timer.Pacing, from + (bytes * 1_000_000) / rate);
}
