import type { Segment } from '../segment/segment';
import { refuse } from './arrives-closed';
import { Has, Timer, type Connection } from './connection';
import type { Tcp } from './tcp';

// Connections that no program holds any more: they end by themselves (Linux: tcp_close).

/** What Linux does where tcp_orphan_retries is 0: more than 100 s from the smallest timeout on. */
const SAFE_RETRIES = 8;

/** TCP_LINGER2 below 0. */
const NOT_AT_ALL = -1;

/** The program has closed `c`, which has something to say yet, or to hear. */
export function becomesOrphan(tcp: Tcp, c: Connection): void {
  c.set(Has.Orphan);
  tcp.orphans++;
  if (tcp.orphans > tcp.settings.maxOrphans) {
    tcp.counters.TcpExtTCPAbortOnMemory++;
    // In CLOSING and LAST-ACK too: what was sent may have been lost, and nobody will send it again.
    tcp.reset(c);
    tcp.finish(c, 0);
  }
}

/**
 * An orphan comes to FIN-WAIT-2, or is made there, and the peer may never close: as on Linux it
 * waits for tcp_fin_timeout or TCP_LINGER2, as a row of the TIME-WAIT table.
 * @param seg has acknowledged our FIN; null: the program closes what has been half closed
 */
export function waitForFin(tcp: Tcp, c: Connection, seg: Segment | null): void {
  if (c.options.linger2 === NOT_AT_ALL) {
    if (seg === null) {
      tcp.counters.TcpExtTCPAbortOnLinger++;
      tcp.reset(c);
    } else {
      tcp.counters.TcpExtTCPAbortOnData++;
      refuse(tcp, seg);
    }
    tcp.finish(c, 0);
    return;
  }
  tcp.enterFinWait2(c, tcp.now + finTime(tcp, c));
}

/** A FIN, or data, comes with the acknowledgment of ours: the connection takes them first. */
export function startFinTimeout(tcp: Tcp, c: Connection): void {
  tcp.timers.set(c.row, Timer.KeepAlive, tcp.now + finTime(tcp, c));
}

/** µs; at least as long as it takes a FIN to be sent again twice (Linux: tcp_fin_time). */
function finTime(tcp: Tcp, c: Connection): number {
  const { linger2 } = c.options;
  return Math.max((linger2 > 0 ? linger2 : tcp.settings.finTimeout) * 1000, 3.5 * c.rto);
}

/**
 * How often an orphan sends again (Linux: tcp_orphan_retries).
 * @param alive whether the peer has not been silent for long
 */
export function orphanRetries(tcp: Tcp, c: Connection, alive: boolean): number {
  const { orphanRetries: retries } = tcp.settings;
  // ICMP says that something is wrong.
  if (c.softError !== 0 && !alive) return 0;
  return retries === 0 && alive ? SAFE_RETRIES : retries;
}
