import { Errno } from '../errno';
import { isIpv4 } from '../ip/address';
import { SocketOption } from '../socket/options';
import type { StreamSocket } from '../socket/stream-socket';
import { Connection, Has } from './connection';
import { userRead } from './delayed-ack';
import { asksForEcn } from './ecn';
import { becomesOrphan, waitForFin } from './orphans';
import { prepareHandshake } from './establish';
import { tuneOnRead } from './receive-tuning';
import { endRecord } from './records';
import { markPushes } from './pushes';
import { takeForSending } from './send-space';
import { State } from './state';
import { issBeyond } from './time-wait';
import type { Tcp } from './tcp';

/** What is left of a connection in TIME-WAIT whose endpoints another takes (RFC 6191). */
export interface Predecessor {
  readonly sndNxt: number;
  readonly tsRecent: number;
}

/**
 * OPEN, active (RFC 9293 §3.10.1): the endpoints are chosen.
 * @param before the connection in TIME-WAIT that it takes the endpoints from, if any
 */
export function open(
  tcp: Tcp,
  socket: StreamSocket,
  tuple: number,
  mtu: number,
  before: Predecessor | null,
): Connection {
  const { tuples, settings, isn } = tcp;
  const c = new Connection(tcp.allocateRow(), socket.options);
  c.tuple = tuple;
  c.socket = socket;
  c.iss = issBeyond(isn.ofTuple(tuples, tuple, tcp.now), before === null ? null : before.sndNxt);
  // Deviation: RFC 7323 §3.2 has 0 in a SYN's TSecr; Linux, what the old connection heard last.
  if (before !== null) c.tsRecent = before.tsRecent;
  c.tsOffset = isn.offsetOfTuple(tuples, tuple);
  c.sndUna = c.iss;
  c.sndNxt = (c.iss + 1) | 0;
  if (settings.timestamps === 1) c.set(Has.Timestamps);
  if (settings.sack === 1) c.set(Has.Sack);
  if (settings.windowScaling === 1) c.set(Has.WindowScale);
  if (asksForEcn(settings)) c.set(Has.Ecn);
  c.set(Has.SynPending);
  prepareHandshake(tcp, c, mtu, isIpv4(tuples.remote(tuple)) ? 4 : 6);
  c.state = State.SYN_SENT;
  tcp.enter(c);
  tcp.counters.TcpActiveOpens++;
  tcp.markReady(c);
  return c;
}

/** Linux's flags of send(2), as far as they mean something here. */
export const enum Msg {
  /** The last byte is urgent. */
  OOB = 0x1,
  /** What follows begins a segment of its own. */
  EOR = 0x80,
  /** Another call follows at once. */
  MORE = 0x8000,
}

/**
 * SEND (RFC 9293 §3.10.2): queues what the send buffer takes; its number of bytes, or -errno.
 * @param flags `Msg` bits
 */
export function send(
  tcp: Tcp,
  c: Connection,
  bytes: Uint8Array,
  offset: number,
  length: number,
  flags: number,
): number {
  const more = (flags & Msg.MORE) !== 0;
  const taken = takeForSending(tcp, c, length);
  if (taken === 0 || c.sendBuffer === null) {
    tcp.markReady(c);
    return -Errno.EAGAIN;
  }
  markPushes(tcp, c, c.sendBuffer, taken, length, more);
  c.sendBuffer.append(bytes, offset, taken);
  if ((flags & Msg.OOB) !== 0) c.sendBuffer.urgent = c.sendBuffer.length;
  if (taken === length && (flags & Msg.EOR) !== 0) endRecord(c);
  c.unset(Has.Push);
  // Where the buffer is full, what it has is not held back for more.
  if (more && taken === length) c.set(Has.More | Has.Unpushed);
  else c.unset(Has.More | Has.Unpushed);
  tcp.settle(c);
  tcp.markReady(c);
  return taken;
}

/**
 * TCP_NODELAY was set, or TCP_CORK cleared: what they, or MSG_MORE, have held back leaves (Linux:
 * __tcp_sock_set_nodelay, __tcp_sock_set_cork).
 */
export function releaseHeld(c: Connection, option: SocketOption): void {
  const { noDelay, cork } = c.options;
  if (option === SocketOption.Cork && cork === 0) c.unset(Has.More);
  const released = option === SocketOption.NoDelay || (option === SocketOption.Cork && cork === 0);
  if (released && noDelay === 1 && c.unsent > 0) c.set(Has.Push);
}

/** RECEIVE (RFC 9293 §3.10.3): the user has taken `bytes` out of the receive buffer. */
export function received(tcp: Tcp, c: Connection, bytes: number): void {
  if (c.row >= 0) {
    if (bytes > 0) tuneOnRead(tcp, c);
    userRead(tcp, c, bytes);
  }
  tcp.dropReceiveBuffer(c);
}

/** CLOSE (RFC 9293 §3.10.4), of our direction: the FIN follows what was sent. */
export function closeSending(tcp: Tcp, c: Connection): void {
  switch (c.state) {
    case State.SYN_RECEIVED:
      // Queued until the connection is established. Deviation: Linux sends it at once.
      c.set(Has.Fin);
      return;
    case State.ESTABLISHED:
      c.set(Has.Fin);
      tcp.setState(c, State.FIN_WAIT_1);
      break;
    case State.CLOSE_WAIT:
      c.set(Has.Fin);
      tcp.setState(c, State.LAST_ACK);
      break;
    default:
      return;
  }
  tcp.markReady(c);
}

/** The user lets go of the connection: in both directions nothing more is wanted. */
export function closeBoth(tcp: Tcp, c: Connection): void {
  c.socket = null;
  const unread = c.receiveBuffer !== null && c.receiveBuffer.readable > 0;
  c.receiveBuffer?.clear();
  tcp.dropReceiveBuffer(c);
  if (c.row < 0) return;
  if (c.state === State.SYN_SENT) {
    tcp.finish(c, 0);
    return;
  }
  if (unread) {
    // RFC 9293 §3.10.4: data that nobody will read is lost, and the peer must learn it.
    tcp.counters.TcpExtTCPAbortOnClose++;
    tcp.abort(c, 0);
    return;
  }
  if (c.options.linger === 0) {
    tcp.counters.TcpExtTCPAbortOnData++;
    tcp.abort(c, 0);
    return;
  }
  c.set(Has.RcvShutdown);
  closeSending(tcp, c);
  becomesOrphan(tcp, c);
  if (c.state === State.FIN_WAIT_2 && c.row >= 0) waitForFin(tcp, c, null);
}
