import { seqLeq } from '../sequence';
import type { Connection } from './connection';
import type { SendBuffer } from './send-buffer';

// PSH within what the program has written, as on Linux: where a packet is full and half of the
// peer's largest window has been written since the last one (forced_push), and where a write found
// no more room (tcp_sendmsg_locked), so that the peer hands on what it has.

/** The packet that ends before the byte `end` will bear PSH. */
export function pushPacket(buffer: SendBuffer, end: number): void {
  buffer.pushed = end;
  const { pushes } = buffer;
  if (pushes === null) buffer.pushes = [end];
  else if (pushes[pushes.length - 1] !== end) pushes.push(end);
}

/**
 * A packet that ended before the byte `end` is added to.
 * @param added bytes of the same write; 0: they are of a later one, which will say itself
 */
export function extendPush(buffer: SendBuffer, end: number, added: number): void {
  const { pushes } = buffer;
  if (pushes === null || pushes[pushes.length - 1] !== end) return;
  pushes.pop();
  if (added > 0) pushes.push((end + added) | 0);
  else if (pushes.length === 0) buffer.pushes = null;
}

/** Whether a packet ends so before the byte `end`. */
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
