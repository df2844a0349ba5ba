import type { Segment } from '../segment/segment';
import { seqLt } from '../sequence';
import { Has, type Connection } from './connection';
import type { Inbound } from './inbound';
import { initialWindow, TIMESTAMP_BYTES, windowClamp } from './receive-window';
import { State } from './state';
import { timestamp } from './timestamps';
import type { Tcp } from './tcp';

// Dynamic right-sizing (Fisk and Feng, 2001; Linux: tcp_rcv_space_adjust): the receive buffer grows
// to twice what the program reads in a round trip, and more while that grows, so that the window
// never limits a sender whose reader keeps up. Ours counts payload, Linux twice as much.

/** Largest round trip that int32 holds times 8, µs. */
const MAX_RTT = 0x0fffffff;
/** What a connection receives in segments of full size until it is worth being measured. */
const FREE_SEGMENTS = 2;
/** What a program is thought to read in a round trip at first, segments (Linux: TCP_INIT_CWND). */
const FIRST_SEGMENTS = 10;

/** Payload has arrived in order: measures the round trip as far as a receiver can. */
export function tuneOnArrival(tcp: Tcp, c: Connection, seg: Segment): void {
  const inbound = c.inbound !== null && c.inbound.space > 0 ? c.inbound : start(tcp, c, seg);
  if (inbound === null) return;
  byWindow(tcp, c, inbound);
  byTimestamp(tcp, c, inbound, seg);
}

function start(tcp: Tcp, c: Connection, seg: Segment): Inbound | null {
  if (seg.length < c.rcvMss || (c.rcvNxt - c.irs) >>> 0 <= FREE_SEGMENTS * c.advMss) return null;
  const inbound = (c.inbound ??= tcp.inbounds.take());
  inbound.space = firstSpace(c);
  restart(tcp, c, inbound);
  return inbound;
}

/** What the program is thought to read in a round trip as long as nothing is known. */
function firstSpace(c: Connection): number {
  const window = initialWindow(c.options.receiveBuffer, c.advMss);
  const stamps = c.has(Has.Timestamps) ? TIMESTAMP_BYTES : 0;
  return Math.min(window, windowClamp(c), FIRST_SEGMENTS * (c.advMss - stamps));
}

/** The round trip as the receiver sees it, µs; 0: unknown. */
export function measuredRoundTrip(c: Connection): number {
  const { inbound } = c;
  return inbound === null ? 0 : (inbound.rtt || inbound.lastRtt) >> 3;
}

/** Bytes that the program has read in the best round trip so far. */
export function readInRoundTrip(c: Connection): number {
  if (c.state === State.SYN_SENT) return 0;
  const { inbound } = c;
  return (inbound === null ? 0 : Math.max(inbound.space, inbound.lastSpace)) || firstSpace(c);
}

/** The next round trip begins. */
function restart(tcp: Tcp, c: Connection, inbound: Inbound): void {
  inbound.spaceSeq = readUpTo(c);
  inbound.spaceStart = tcp.now | 0;
}

/** Sequence number of the first byte that the program has not read. */
function readUpTo(c: Connection): number {
  return (c.rcvNxt - unread(c)) | 0;
}

function unread(c: Connection): number {
  return c.receiveBuffer === null ? 0 : c.receiveBuffer.readable;
}

/** Without timestamps: a whole window takes a round trip at least; the shortest time counts. */
function byWindow(tcp: Tcp, c: Connection, inbound: Inbound): void {
  if (inbound.hasWindow) {
    if (seqLt(c.rcvNxt, inbound.windowEnd)) return;
    update(c, inbound, ((tcp.now | 0) - inbound.windowStart) | 0, true);
  }
  inbound.hasWindow = true;
  inbound.windowEnd = (c.rcvNxt + c.rcvWnd) | 0;
  inbound.windowStart = tcp.now | 0;
}

/** RFC 7323 §4.1, at the receiver: each echo of ours counts once. */
function byTimestamp(tcp: Tcp, c: Connection, inbound: Inbound, seg: Segment): void {
  if (!c.has(Has.Timestamps) || !seg.hasTimestamps || seg.tsEcr === inbound.tsEcr) return;
  inbound.tsEcr = seg.tsEcr;
  if (seg.length < c.rcvMss) return;
  const ms = (timestamp(tcp.now, c.tsOffset) - seg.tsEcr) | 0;
  if (ms > 0 && ms <= MAX_RTT / 1000) update(c, inbound, ms * 1000, false, seg.length);
}

/**
 * @param bound the sample is not shorter than the round trip, but may be longer
 * @param fresh payload that is unread only because it has just come
 */
function update(c: Connection, inbound: Inbound, us: number, bound: boolean, fresh = 0): void {
  const sample = us < 1 ? 1 : Math.min(us, MAX_RTT);
  if (inbound.rtt === 0 || sample << 3 < inbound.rtt) inbound.rtt = sample << 3;
  // Where data waits to be read the sender may have waited as well.
  else if (!bound && unread(c) <= fresh) inbound.rtt += sample - (inbound.rtt >> 3);
}

/** The program has read: once in a round trip the buffer is held against what it has read. */
export function tuneOnRead(tcp: Tcp, c: Connection): void {
  const { inbound } = c;
  if (inbound === null || inbound.rtt === 0) return;
  const elapsed = ((tcp.now | 0) - inbound.spaceStart) >>> 0;
  if (elapsed < inbound.rtt >> 3) return;
  // What waits has come since: the sender doesn't wait for the program.
  const copied = ((readUpTo(c) - inbound.spaceSeq) | 0) - unread(c);
  if (copied > inbound.space) grow(tcp, c, inbound, copied);
  else if (copied < FIRST_SEGMENTS * c.advMss) inbound.rest();
  restart(tcp, c, inbound);
  tcp.dropInbound(c);
}

function grow(tcp: Tcp, c: Connection, inbound: Inbound, copied: number): void {
  const before = inbound.space;
  inbound.space = copied;
  const { moderateReceiveBuffer, receiveBufferMax } = tcp.settings;
  if (moderateReceiveBuffer === 0 || c.options.receiveBufferFixed === 1) return;
  if (tcp.memory.isHigh) return;
  // What is measured is a round trip old, and in slow start the sender doubles its rate.
  let wanted = 2 * copied;
  wanted += 2 * Math.floor((wanted * (copied - before)) / before);
  if (c.receiveBuffer !== null) wanted += c.receiveBuffer.outOfOrder;
  const size = Math.min(wanted, receiveBufferMax);
  if (size > c.rcvBuf) inbound.rcvBuf = size;
}
