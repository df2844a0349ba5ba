import { Timer, type Connection } from './connection';
import { retransmitTimer } from './retransmission';
import { backOff, setRto } from './rtt';
import type { Tcp } from './tcp';

/**
 * RFC 6069: a router that says it can't reach the peer proves that retransmissions are not lost by
 * congestion, so one doubling of the timeout is taken back, and the connection goes on sooner when
 * the path has healed.
 * @param sequence of the quoted segment: it counts if that is the one that is retransmitted (§4.1)
 */
export function revertBackoff(tcp: Tcp, c: Connection, sequence: number): void {
  if (sequence !== c.sndUna || c.retransmits === 0 || c.backoff === 0) return;
  const due = tcp.timers.due(c.row, Timer.Retransmit);
  if (due === Infinity) return;
  const sentAt = due - c.rto;
  const doublings = c.backoff - 1;
  setRto(c, tcp.settings);
  while (c.backoff < doublings) backOff(c, tcp.settings);
  if (sentAt + c.rto > tcp.now) tcp.timers.set(c.row, Timer.Retransmit, sentAt + c.rto);
  else retransmitTimer(tcp, c);
}
