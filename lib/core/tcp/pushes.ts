import { seqLeq, seqMax, seqMin } from '../sequence';
import { burstSegments } from './bursts';
import type { Connection } from './connection';
import type { SendBuffer } from './send-buffer';
import { leavesNow, packetGoal } from './send-space';
import type { Tcp } from './tcp';

// PSH within what the program has written, as on Linux: where a packet is full and half of the
// peer's largest window has been written since the last one (forced_push), and where a write found
// no more room (tcp_sendmsg_locked), so that the peer hands on what it has. A mark is a place in
// the stream, and has no say in what leaves.

/**
 * Marks what is about to be appended, following the packets that Linux would make of it: one is
 * filled up to the goal, unless it leaves before.
 * @param taken bytes of the write that the send buffer takes
 * @param length bytes of the write
 * @param more the program says that more follows at once
 */
export function markPushes(
  tcp: Tcp,
  c: Connection,
  buffer: SendBuffer,
  taken: number,
  length: number,
  more: boolean,
): void {
  const goal = packetGoal(c);
  const end = c.sndEnd;
  if (buffer.length === 0) buffer.packet = buffer.pushed = end;
  // What was unsent and leaves as packets are filled is not added to any more.
  let first = (end - c.unsent) | 0;
  for (let done = 0; done < taken;) {
    const at = (end + done) | 0;
    let begun = seqMax(buffer.packet, first);
    let room = (begun + goal - at) | 0;
    if (begun === at || room <= 0) {
      buffer.packet = begun = at;
      room = goal;
    }
    const added = Math.min(room, taken - done);
    if (begun !== at) extendPush(buffer, at, done > 0 ? added : 0);
    // Nothing is added to the packet that the write before has ended with.
    else if (done === 0 && first !== at && buffer.pushed === at) pushPacket(buffer, at);
    done += added;
    if (added === room && done < length) first = packetFull(tcp, c, buffer, begun, first, done);
  }
  const last = (end + taken) | 0;
  if (taken < length || (more && isOverdue(c, buffer, last))) pushPacket(buffer, last);
  else if (!more) buffer.pushed = last;
}

/** Linux: forced_push. */
function isOverdue(c: Connection, buffer: SendBuffer, end: number): boolean {
  return ((end - buffer.pushed) | 0) > c.maxSndWnd >> 1;
}

/**
 * The packet from `begun` on is full, and there is more to come (Linux: tcp_push_one).
 * @param first where what has not left begins
 * @param done bytes of the write that have been gone through
 * @returns the same, now
 */
function packetFull(
  tcp: Tcp,
  c: Connection,
  buffer: SendBuffer,
  begun: number,
  first: number,
  done: number,
): number {
  const end = (c.sndEnd + done) | 0;
  const waiting = c.unsent + done;
  const furthest = (end - waiting + leavesNow(tcp, c, waiting)) | 0;
  if (isOverdue(c, buffer, end)) {
    pushPacket(buffer, end);
    return seqMax(first, furthest);
  }
  if (begun !== first) return first;
  const segments = Math.min(burstSegments(c, tcp.settings, c.sndMss), Math.max(c.cwnd >> 1, 1));
  return seqMax(first, seqMin((first + segments * c.sndMss) | 0, furthest));
}

/** The packet that ends before the byte `end` will bear PSH. */
function pushPacket(buffer: SendBuffer, end: number): void {
  buffer.pushed = end;
  const { pushes } = buffer;
  if (pushes === null) buffer.pushes = [end];
  else if (pushes[pushes.length - 1] !== end) pushes.push(end);
}

/**
 * A packet that ended before the byte `end` is added to.
 * @param added bytes of the same write; 0: they are of a later one, which will say itself
 */
function extendPush(buffer: SendBuffer, end: number, added: number): void {
  const { pushes } = buffer;
  if (pushes === null || pushes[pushes.length - 1] !== end) return;
  pushes.pop();
  if (added > 0) pushes.push((end + added) | 0);
  else if (pushes.length === 0) buffer.pushes = null;
}

/** Whether a packet that ends before the byte `end` bears PSH. */
export function endsPush(c: Connection, end: number): boolean {
  const pushes = c.sendBuffer === null ? null : c.sendBuffer.pushes;
  return pushes !== null && pushes[0] === end;
}

/** SND.NXT has come to `end`. */
export function pushSent(c: Connection, end: number): void {
  const buffer = c.sendBuffer;
  if (buffer === null || buffer.pushes === null) return;
  const { pushes } = buffer;
  while (pushes.length > 0 && seqLeq(pushes[0], end)) pushes.shift();
  if (pushes.length === 0) buffer.pushes = null;
}
