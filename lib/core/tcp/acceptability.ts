import type { Segment } from '../segment/segment';
import { seqGeq, seqGt, seqLt } from '../sequence';
import type { Connection } from './connection';

/** The four cases of RFC 9293 §3.4, table 6: some of the segment lies in the window. */
export function isAcceptable(rcvNxt: number, window: number, seq: number, len: number): boolean {
  if (window === 0) return len === 0 && seq === rcvNxt;
  const right = (rcvNxt + window) | 0;
  if (len === 0) return seqGeq(seq, rcvNxt) && seqLt(seq, right);
  const last = (seq + len - 1) | 0;
  return (seqGeq(seq, rcvNxt) && seqLt(seq, right)) || (seqGeq(last, rcvNxt) && seqLt(last, right));
}

/**
 * Whether the peer may have sent this segment now. An old one counts where it reaches up to what we
 * last acknowledged: its ACK field may be news. Deviation: as Linux does, also at a closed window
 * with payload, so that the ACK field is processed; the payload is then refused. One that reaches
 * beyond the window is taken whole where nothing waits to be read, and else not at all: it is not
 * cut to the window (RFC 9293 §3.10.7.4).
 */
export function reachesWindow(c: Connection, seg: Segment): boolean {
  const right = (c.rcvNxt + c.receiveWindow) | 0;
  if (seqLt(seg.end, c.rcvWup) || seqGt(seg.seq, right)) return false;
  // A FIN takes no room, and some peers send it just behind the window.
  if (!seqGt((seg.seq + seg.length) | 0, right)) return true;
  return c.receiveWindow === 0 || c.receiveBuffer === null || c.receiveBuffer.readable === 0;
}

/** Cuts what is old (RFC 9293 §3.10.7.4, first), and all where the window has no room for any. */
export function trimToWindow(c: Connection, seg: Segment): void {
  const old = (c.rcvNxt - seg.seq) | 0;
  if (old > 0) seg.trimFront(Math.min(old, seg.len));
  const right = (c.rcvNxt + c.receiveWindow) | 0;
  if (seqGeq(seg.seq, right)) cutPayload(seg, right);
}

/** Cuts the payload from `right` on, and with it the FIN. */
export function cutPayload(seg: Segment, right: number): void {
  const beyond = (seg.seq + seg.length - right) | 0;
  if (beyond > 0) seg.trimBack(Math.min(beyond + (seg.isFin ? 1 : 0), seg.len));
}
