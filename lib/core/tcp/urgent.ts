import { Errno } from '../errno';
import { Flag, Word } from '../segment/layout';
import type { Segment } from '../segment/segment';
import { seqGeq, seqGt, seqLt } from '../sequence';
import { Has, type Connection } from './connection';
import type { ReceiveBuffer } from './receive-buffer';
import type { Tcp } from './tcp';

// Urgent data (RFC 9293 §3.8.5, RFC 6093). The pointer is to the byte behind the urgent one. As on
// Linux one byte is urgent at a time: it stays in its place of the stream, where a reading call
// stops, and can be read out of band as soon as its segment is here. What the sender knows of it
// (SND.UP) lies in the send buffer, the receiver's part (RCV.UP) in the receive buffer.

/** `ReceiveBuffer.urgent`: one of these, beside the byte itself (Linux: urg_data). */
const enum Urgent {
  /** No urgent byte lies ahead of the reader. */
  None = 0,
  /** It is here. */
  Valid = 0x100,
  /** It was announced, and is on its way. */
  NotYet = 0x200,
  /** It is here, and was read out of band. */
  Read = 0x400,
  /** The program was not told of the pointer yet (Linux: SIGURG). */
  News = 0x800,
}

/** Longest distance that the header can tell. */
const FURTHEST = 0xffff;

/** Whether what is sent is urgent: SND.UP is ahead of SND.UNA. */
export function isUrgentMode(c: Connection): boolean {
  return c.sendBuffer !== null && c.sendBuffer.urgent > 0;
}

/**
 * Sets the urgent pointer of a segment that begins with `seq`. While it lies further ahead than the
 * header can tell it points as far as that goes (RFC 6093 §3.1 leaves it open).
 * @returns flags to be added
 */
export function urgentFlags(c: Connection, words: Int32Array, base: number, seq: number): number {
  if (c.sendBuffer === null || c.sendBuffer.urgent === 0) return 0;
  const ahead = (c.sndUna + c.sendBuffer.urgent - seq) | 0;
  if (ahead <= 0) return 0;
  // Of what is sent again the end is not that far.
  if (ahead > FURTHEST && !seqGt((seq + FURTHEST) | 0, c.sndNxt)) return 0;
  words[base + Word.Urgent] = Math.min(ahead, FURTHEST);
  return Flag.URG;
}

/** RFC 9293 §3.10.7.4, sixth: the URG bit. The segment is not yet trimmed to the window. */
export function sixthCheckUrg(tcp: Tcp, c: Connection, seg: Segment): void {
  if ((seg.flags & Flag.URG) !== 0) takePointer(tcp, c, seg);
  const buffer = c.receiveBuffer;
  if (buffer === null || (buffer.urgent & Urgent.NotYet) === 0) return;
  const at = (markSequence(c, buffer) - seg.seq) | 0;
  if (at < 0 || at >= seg.length) return;
  buffer.urgent = (buffer.urgent & Urgent.News) | Urgent.Valid | seg.slab[seg.offset + at];
  if (c.socket !== null) tcp.notify(c.socket);
}

/** The number of the urgent byte. */
function markSequence(c: Connection, buffer: ReceiveBuffer): number {
  const end = c.has(Has.EndOfStream) ? c.rcvNxt - 1 : c.rcvNxt;
  return (end - buffer.readable + buffer.mark) | 0;
}

/** RCV.UP <- max(RCV.UP, SEG.UP); the program is told at once if it is news (MUST-32). */
function takePointer(tcp: Tcp, c: Connection, seg: Segment): void {
  const { stdUrgent } = tcp.settings;
  const pointer = seg.words[seg.base + Word.Urgent];
  const last = pointer > 0 && stdUrgent === 0 ? pointer - 1 : pointer;
  const urgent = (seg.seq + last) | 0;
  // Of what has arrived it says nothing new.
  if (seqLt(urgent, c.rcvNxt)) return;
  const known = c.receiveBuffer;
  if (known !== null && known.urgent !== 0 && seqGeq(markSequence(c, known), urgent)) return;
  const buffer = (c.receiveBuffer ??= tcp.receiveBuffers.take());
  // The byte that the reader stands at was urgent, and is not to become ordinary data.
  passUrgentByte(c);
  buffer.urgent = Urgent.NotYet | Urgent.News;
  buffer.mark = (urgent - c.rcvNxt + buffer.readable) | 0;
  if (c.socket !== null) tcp.notify(c.socket);
}

/** Whether the next byte in order is the urgent one, and is read out of band. */
function standsAtUrgentByte(c: Connection, buffer: ReceiveBuffer): boolean {
  if (buffer.urgent === 0 || buffer.mark !== 0) return false;
  return buffer.readable > 0 && c.options.oobInline === 0;
}

/** What a reading call can have of what is in order, bytes. */
export function available(c: Connection): number {
  const buffer = c.receiveBuffer;
  if (buffer === null) return 0;
  return buffer.readable - (standsAtUrgentByte(c, buffer) ? 1 : 0);
}

/** SIOCINQ: bytes to be read, up to the mark. */
export function bytesToMark(c: Connection): number {
  const buffer = c.receiveBuffer;
  if (buffer === null) return 0;
  const isAhead = buffer.urgent !== 0 && buffer.mark < buffer.readable;
  return isAhead && c.options.oobInline === 0 ? buffer.mark : buffer.readable;
}

/** Before ordinary data is read: the urgent byte is passed over; whether there was one. */
export function passUrgentByte(c: Connection): boolean {
  const buffer = c.receiveBuffer;
  if (buffer === null || !standsAtUrgentByte(c, buffer)) return false;
  buffer.skip();
  return true;
}

/** SIOCATMARK: whether the next byte in order is, or will be, the urgent one. */
export function isAtMark(c: Connection): boolean {
  const buffer = c.receiveBuffer;
  return buffer !== null && buffer.urgent !== 0 && buffer.mark === 0;
}

/** POLLPRI: the urgent byte can be read out of band. */
export function hasUrgentByte(c: Connection): boolean {
  return c.receiveBuffer !== null && (c.receiveBuffer.urgent & Urgent.Valid) !== 0;
}

/**
 * Reads the urgent byte out of band.
 * @param peek it can be read again
 * @param ended the program will not read any more
 * @returns the byte; null: none will come; -errno, as Linux has it (tcp_recv_urg)
 */
export function takeUrgentByte(c: Connection, peek: boolean, ended: boolean): number | null {
  const buffer = c.receiveBuffer;
  if (c.options.oobInline === 1 || buffer === null) return -Errno.EINVAL;
  if ((buffer.urgent & Urgent.NotYet) !== 0) {
    return ended || c.has(Has.EndOfStream) ? null : -Errno.EAGAIN;
  }
  if ((buffer.urgent & Urgent.Valid) === 0) return -Errno.EINVAL;
  const byte = buffer.urgent & 0xff;
  if (!peek) buffer.urgent = (buffer.urgent & Urgent.News) | Urgent.Read;
  return byte;
}

/** Whether there is a pointer that the program was not told of; it is now. */
export function takeUrgentNews(c: Connection): boolean {
  const buffer = c.receiveBuffer;
  if (buffer === null || (buffer.urgent & Urgent.News) === 0) return false;
  buffer.urgent &= ~Urgent.News;
  return true;
}
