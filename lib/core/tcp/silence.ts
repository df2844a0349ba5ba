import type { Connection } from './connection';
import type { Tcp } from './tcp';

/**
 * R1 of RFC 9293 §3.8.3 (Linux: tcp_retries1): the peer has not answered so many retransmissions.
 * IP may know another way, and the program may know better than to wait for R2.
 */
export function noteSilence(tcp: Tcp, c: Connection): void {
  if (c.retransmits !== tcp.settings.retries1 + 1) return;
  tcp.counters.NetlandSilences++;
  tcp.environment.paths.doubt?.(tcp.tuples.remote(c.tuple));
  if (c.socket !== null) tcp.notify(c.socket);
}

/** Whether R1 has passed, and nothing was acknowledged since. */
export function isSilent(tcp: Tcp, c: Readonly<Connection>): boolean {
  return c.row >= 0 && c.retransmits > tcp.settings.retries1;
}
