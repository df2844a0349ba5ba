import type { Connection } from '../../core/tcp/connection';
import { Has } from '../../core/tcp/connection';
import { State, stateName } from '../../core/tcp/state';
import { check } from './violation';

/**
 * RFC 9293 §3.3.2, figure 5, as far as a control block lives it: LISTEN and the SYN-RECEIVED of a
 * passive open have a shape of their own, so that such a connection begins in ESTABLISHED. Every
 * state can end: by a RST, an ABORT, or a timeout.
 */
const LEGAL: Readonly<Record<State, readonly State[]>> = {
  [State.CLOSED]: [State.ESTABLISHED],
  [State.LISTEN]: [],
  [State.SYN_SENT]: [State.SYN_RECEIVED, State.ESTABLISHED, State.CLOSED],
  [State.SYN_RECEIVED]: [State.ESTABLISHED, State.CLOSED],
  [State.ESTABLISHED]: [State.FIN_WAIT_1, State.CLOSE_WAIT, State.CLOSED],
  [State.FIN_WAIT_1]: [State.FIN_WAIT_2, State.CLOSING, State.CLOSED],
  [State.FIN_WAIT_2]: [State.TIME_WAIT, State.CLOSED],
  [State.CLOSE_WAIT]: [State.LAST_ACK, State.CLOSED],
  [State.CLOSING]: [State.TIME_WAIT, State.CLOSED],
  [State.LAST_ACK]: [State.CLOSED],
  [State.TIME_WAIT]: [State.CLOSED],
};

/** Whether `c` may go from the state that it is in to another. */
export function checkTransition(c: Connection, to: State): void {
  const legal = LEGAL[c.state].includes(to);
  if (!legal) check(false, `${stateName(c.state)} can't be followed by ${stateName(to)}`);
  check(c.state !== State.CLOSED || c.has(Has.Passive), 'ESTABLISHED without a handshake');
}
