import { seqGt } from '../sequence';
import { Has, type Connection } from './connection';
import { mayDepart } from './pacing';
import { TIMESTAMP_BYTES } from './receive-window';
import type { Tcp } from './tcp';

// What a program may write ahead of the network. Deviation: Linux counts memory, in which a segment
// that was sent weighs a power of two; here payload is counted against the same limit.

/** What Linux adds to a segment's payload before it rounds it up, and after, bytes. */
const HEADROOM = 640;
const BOOKKEEPING = 256;
/** The window that the buffer has room for at least, segments (Linux: TCP_INIT_CWND). */
const LEAST_SEGMENTS = 10;
/** Room for what is sent again beside what is new (RFC 6675; Linux: tcp_sndbuf_expand). */
const WINDOWS = 2;
/** The largest packet that is made at once (Linux: sk_gso_max_size), bytes. */
const LARGEST_PACKET = 65_215;
/** Linux: TCP_MSS_DEFAULT. */
const DEFAULT_MSS = 536;
/** An IP packet that every path takes, 68 bytes, without a TCP header. */
const LEAST_LENGTH = 48;
/** What every connection may have, however scarce memory is (Linux: tcp_wmem[0]). */
const ASSURED = 4096;

/** Linux: tcp_sndbuf_expand. The buffer grows with the congestion window, unless it was fixed. */
export function expandSendBuffer(tcp: Tcp, c: Connection): void {
  if (c.options.sendBufferFixed === 1) return;
  const mss = c.sndMss + (c.has(Has.Timestamps) ? TIMESTAMP_BYTES : 0) + HEADROOM;
  const weight = 2 ** Math.ceil(Math.log2(mss)) + BOOKKEEPING;
  const wanted = WINDOWS * Math.max(c.cwnd, LEAST_SEGMENTS) * weight;
  c.sndBuf = Math.max(c.sndBuf, Math.min(wanted, tcp.settings.sendBufferMax));
}

/** TCP_NOTSENT_LOWAT, or the stack's tcp_notsent_lowat. */
function unsentLimit(tcp: Tcp, c: Connection): number {
  return c.options.notSentLowWater || tcp.settings.notSentLowWater;
}

/** Whether a further packet may be begun (Linux: sk_stream_memory_free). */
function mayBegin(tcp: Tcp, c: Connection, queued: number, waiting: number): boolean {
  if (queued > ASSURED && tcp.memory.isExhausted) return false;
  return queued < c.sndBuf && waiting < unsentLimit(tcp, c);
}

/**
 * To a peer whose whole buffer is small a segment takes at most half of it, or it would never fit
 * (RFC 9293 §3.8.6.2.1; Linux: tcp_bound_to_half_wnd).
 */
export function boundToHalfWindow(c: Connection, length: number): number {
  const half = c.maxSndWnd > DEFAULT_MSS ? c.maxSndWnd >> 1 : c.maxSndWnd;
  return half > 0 && half < length ? Math.max(half, LEAST_LENGTH) : length;
}

/** Payload of the largest packet that is made of what is written (Linux: tcp_xmit_size_goal). */
export function packetGoal(c: Connection): number {
  const most = boundToHalfWindow(c, LARGEST_PACKET);
  return Math.max(Math.floor(most / c.sndMss) * c.sndMss, Math.min(c.sndMss, most));
}

/** What of the unsent data leaves as soon as it is looked at: whole segments. */
export function leavesNow(tcp: Tcp, c: Connection, waiting: number): number {
  if (!mayDepart(tcp, c)) return 0;
  const quota = (c.cwnd - c.packetsInFlight) * c.sndMss;
  const most = Math.max(Math.min(waiting, quota, c.usableWindow), 0);
  return most - (most % c.sndMss);
}

/**
 * Bytes of a write of `length` that are taken: as on Linux a packet that was begun is filled up,
 * and a new one is begun as long as the limits are not reached.
 */
export function takeForSending(tcp: Tcp, c: Connection, length: number): number {
  const goal = packetGoal(c);
  const end = c.sndEnd;
  let tail = c.sendBuffer === null ? end : c.sendBuffer.lastPacket;
  let taken = 0;
  while (taken < length) {
    const queued = c.queued + taken;
    const waiting = c.unsent + taken;
    // The packets that leave now are not added to any more.
    const leaves = taken > 0 ? leavesNow(tcp, c, waiting) : 0;
    const first = (end + taken - waiting + leaves) | 0;
    const begun = seqGt(tail, first) ? tail : first;
    let room = waiting > 0 ? (begun + goal - (end + taken)) | 0 : 0;
    if (((end + taken - begun) | 0) <= 0) room = 0;
    if (room <= 0) {
      if (!mayBegin(tcp, c, queued, waiting - leaves)) break;
      tail = (end + taken) | 0;
      room = goal;
    }
    taken += Math.min(room, length - taken);
  }
  if (taken > 0) (c.sendBuffer ??= tcp.sendBuffers.take()).lastPacket = tail;
  if (taken < length) tcp.totals.setWaitsForRoom(c.row, true);
  return taken;
}

/**
 * How many of `length` bytes keep TCP_NOTSENT_LOWAT to the byte, whole segments aside: what leaves
 * at once, and then as much as may wait. `takeForSending` fills up what Linux would.
 */
export function withinUnsentLimit(tcp: Tcp, c: Connection, length: number): number {
  const limit = unsentLimit(tcp, c);
  const waiting = c.unsent;
  if (waiting + length <= limit) return length;
  const left = limit + leavesNow(tcp, c, Infinity) - waiting;
  const room = left <= 0 ? 0 : Math.max(left, c.sndMss);
  if (room >= length) return length;
  tcp.totals.setWaitsForRoom(c.row, true);
  return room;
}

/** Whether poll(2) says POLLOUT (Linux: sk_stream_is_writeable): a third of the buffer is free. */
export function isWritable(tcp: Tcp, c: Connection): boolean {
  const { queued } = c;
  return c.sndBuf - queued >= queued >> 1 && 2 * c.unsent < unsentLimit(tcp, c);
}

/** Data was acknowledged: where the program waits for room, there may be more (tcp_new_space). */
export function spaceFreed(tcp: Tcp, c: Connection): void {
  if (tcp.totals.waitsForRoom(c.row) && tcp.memory.mayGrow) expandSendBuffer(tcp, c);
}
