import type { Connection } from './connection';
import { nextLength } from './output';
import { isWritable } from './send-space';
import { canSend } from './state';
import type { Tcp } from './tcp';
import { Limit } from './totals';

/**
 * After `transmit`: what holds back the rest, or will (Linux: tcp_chrono_start and tcp_chrono_stop
 * in tcp_write_xmit, tcp_cwnd_validate and tcp_check_space).
 */
export function noteLimit(tcp: Tcp, c: Connection): void {
  const { totals } = tcp;
  if (totals.waitsForRoom(c.row) && isWritable(tcp, c)) {
    totals.setWaitsForRoom(c.row, false);
    // What was unsent has left (TCP_NOTSENT_LOWAT).
    if (c.socket !== null) tcp.notify(c.socket);
  }
  if (c.queued === 0 && totals.limit(c.row) <= Limit.Busy) return;
  totals.setLimit(c.row, limit(tcp, c), tcp.nowMs);
}

function limit(tcp: Tcp, c: Connection): Limit {
  const next = nextLength(c);
  if (c.packetsInFlight >= c.cwnd) return Limit.Busy;
  if (next === 0) {
    return canSend(c.state) && tcp.totals.waitsForRoom(c.row) ? Limit.SendBuffer : Limit.Busy;
  }
  return next > c.usableWindow ? Limit.Window : Limit.Busy;
}
