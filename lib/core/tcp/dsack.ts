import { Word } from '../segment/layout';
import type { Segment } from '../segment/segment';
import { seqGt, seqLt, seqMax, seqMin } from '../sequence';
import { Has, type Connection } from './connection';
import type { Tcp } from './tcp';

// D-SACK, the receiver's part (RFC 2883): what arrives twice is reported, once, in the first block
// of the next acknowledgment's SACK option.

/** Notes that the numbers from `left` to `right` - 1 have arrived before. */
export function noteDuplicate(tcp: Tcp, c: Connection, left: number, right: number): void {
  if (!c.has(Has.Sack) || tcp.settings.dsack === 0) return;
  if (seqLt(left, c.rcvNxt)) tcp.counters.TcpExtTCPDSACKOldSent++;
  else tcp.counters.TcpExtTCPDSACKOfoSent++;
  const inbound = (c.inbound ??= tcp.inbounds.take());
  inbound.duplicateLeft = left;
  inbound.duplicateRight = right;
}

/** The same of more than the segment's front: the block that is noted grows if it is contiguous. */
export function extendDuplicate(tcp: Tcp, c: Connection, left: number, right: number): void {
  const { inbound } = c;
  if (inbound === null || !inbound.hasDuplicate) {
    noteDuplicate(tcp, c, left, right);
    return;
  }
  if (seqGt(left, inbound.duplicateRight) || seqLt(right, inbound.duplicateLeft)) return;
  inbound.duplicateLeft = seqMin(left, inbound.duplicateLeft);
  inbound.duplicateRight = seqMax(right, inbound.duplicateRight);
}

/** A segment came: what of it is old is a duplicate. An older note has had its time. */
export function noteOldText(tcp: Tcp, c: Connection, seg: Segment): void {
  if (seg.len === 0) return;
  dropDuplicate(tcp, c);
  if (seqLt(seg.seq, c.rcvNxt)) noteDuplicate(tcp, c, seg.seq, seqMin(seg.end, c.rcvNxt));
}

/** Puts the block in front of the others; returns whether there is one. */
export function reportDuplicate(tcp: Tcp, c: Connection, words: Int32Array, base: number): boolean {
  const { inbound } = c;
  if (inbound === null || !inbound.hasDuplicate) return false;
  words[base + Word.Sack] = inbound.duplicateLeft;
  words[base + Word.Sack + 1] = inbound.duplicateRight;
  dropDuplicate(tcp, c);
  return true;
}

/** What was noted is not reported any more. */
export function dropDuplicate(tcp: Tcp, c: Connection): void {
  const { inbound } = c;
  if (inbound === null) return;
  inbound.duplicateLeft = inbound.duplicateRight;
  tcp.dropInbound(c);
}
