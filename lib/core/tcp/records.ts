import type { Connection } from './connection';

// MSG_EOR, as on Linux: the stream has no records, but what follows the end of one begins a segment
// of its own, and is never put together with what was before.

/** The program has ended a record with what it has sent last. */
export function endRecord(c: Connection): void {
  const buffer = c.sendBuffer;
  if (buffer === null) return;
  (buffer.records ??= []).push(c.sndEnd);
  buffer.lastPacket = buffer.packet = c.sndEnd;
}

/** Unsent bytes that may be put into segments together. */
export function unsentOfRecord(c: Connection): number {
  const records = c.sendBuffer === null ? null : c.sendBuffer.records;
  return records === null ? c.unsent : Math.min(c.unsent, (records[0] - c.sndNxt) | 0);
}

/** Whether a record of which something was unsent ends before the byte `end`. */
export function endsRecord(c: Connection, end: number): boolean {
  const records = c.sendBuffer === null ? null : c.sendBuffer.records;
  return records !== null && records[0] === end;
}

/** The record at SND.NXT has left. */
export function recordSent(c: Connection): void {
  const buffer = c.sendBuffer;
  if (buffer === null || buffer.records === null) return;
  if (buffer.records.length === 1) buffer.records = null;
  else buffer.records.shift();
}
