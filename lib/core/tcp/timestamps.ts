import type { Segment } from '../segment/segment';
import { seqLeq, seqLt } from '../sequence';
import { elapsedMs } from '../time/elapsed';
import { Has, type Connection } from './connection';

/** A TS.Recent older than this says nothing any more, ms (RFC 7323 §5.5: 24 days). */
const PAWS_LIFETIME_MS = 24 * 24 * 3_600_000;

/** Our timestamp clock: 1 ms ticks, shifted by the connection's secret offset (RFC 7323 §5.4). */
export function timestamp(now: number, offset: number): number {
  return (Math.floor(now / 1000) + offset) | 0;
}

/** Whether `tsVal` is older than `tsRecent`, which was noted at `recentMs` (RFC 7323 §5.2). */
export function isOlder(tsVal: number, tsRecent: number, recentMs: number, nowMs: number): boolean {
  return seqLt(tsVal, tsRecent) && elapsedMs(nowMs, recentMs) < PAWS_LIFETIME_MS;
}

/** PAWS: the segment is an old duplicate (RFC 7323 §5.3 R1). A RST is never refused by it. */
export function pawsRejects(c: Connection, seg: Segment, nowMs: number): boolean {
  if (!c.has(Has.Timestamps) || !seg.hasTimestamps || seg.isRst) return false;
  return isOlder(seg.tsVal, c.tsRecent, c.tsRecentMs, nowMs);
}

/** RFC 7323 §4.3 (2): the timestamp of a segment that covers Last.ACK.sent is the one to echo. */
export function noteTimestamp(c: Connection, seg: Segment, nowMs: number): void {
  if (!c.has(Has.Timestamps) || !seg.hasTimestamps) return;
  if (!seqLeq(seg.seq, c.rcvWup)) return;
  if (isOlder(seg.tsVal, c.tsRecent, c.tsRecentMs, nowMs)) return;
  c.tsRecent = seg.tsVal;
  c.tsRecentMs = nowMs;
}
