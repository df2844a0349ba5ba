import { formatAddress, formatAddressAs } from '../ip/address';
import type { StreamSocket } from '../socket/stream-socket';
import { Shape } from '../stack/four-tuples';
import { State, stateName, type StateName } from './state';
import type { Tcp } from './tcp';

/** One line of the listing: what `ss -tan` prints of a connection. */
export interface ConnectionEntry {
  /** As RFC 9293 writes it. */
  state: StateName;
  /** Bytes that wait to be read; in LISTEN, connections that wait to be accepted. */
  recvQ: number;
  /** Bytes that the peer has not acknowledged; in LISTEN, the backlog. */
  sendQ: number;
  localAddress: string;
  localPort: number;
  /** Null in LISTEN, as is the port. */
  remoteAddress: string | null;
  remotePort: number | null;
}

/** Everything that holds a local port: listeners, connections, handshakes and TIME-WAIT. */
export function listConnections(tcp: Tcp): ConnectionEntry[] {
  const entries = tcp.listeners.all().map(listenerEntry);
  tcp.tuples.forEach((row) => entries.push(tupleEntry(tcp, row)));
  return entries;
}

function listenerEntry(listener: StreamSocket): ConnectionEntry {
  return {
    state: stateName(State.LISTEN),
    recvQ: listener.waiting,
    sendQ: listener.listening?.backlog ?? 0,
    localAddress: formatAddressAs(listener.localAddress, listener.domain),
    localPort: listener.localPort,
    remoteAddress: null,
    remotePort: null,
  };
}

function tupleEntry(tcp: Tcp, row: number): ConnectionEntry {
  const { tuples } = tcp;
  const shape = tuples.shape(row);
  const c = shape === Shape.Connection ? tcp.connection(tuples.index(row)) : null;
  return {
    state: stateName(c === null ? waitingState(tcp, row) : c.state),
    recvQ: c?.receiveBuffer?.readable ?? 0,
    sendQ: c?.queued ?? 0,
    localAddress: formatAddress(tuples.local(row)),
    localPort: tuples.localPort(row),
    remoteAddress: formatAddress(tuples.remote(row)),
    remotePort: tuples.remotePort(row),
  };
}

function waitingState({ tuples, timeWait }: Tcp, row: number): State {
  if (tuples.shape(row) === Shape.Syn) return State.SYN_RECEIVED;
  return timeWait.state(tuples.index(row));
}
