import type { SegmentBatch } from '../../core/segment/batch';

/** A step on the way of the segments of one direction. */
export interface Stage {
  /** Takes the segment at `index`, which is valid only during the call. */
  push(batch: SegmentBatch, index: number): void;
}

/** A stage that keeps segments for a time. */
export interface TimedStage extends Stage {
  /** When `expire` wants to be called, ms of the clock; `Infinity` when nothing is kept. */
  due(): number;
  /** Lets go what has waited long enough. */
  expire(now: number): void;
}

/** What every lane counts, in segments. */
export interface SplitCounts {
  /** Super-segments, and packets longer than their path, that were cut. */
  split: number;
  /** Dropped because too much was kept already. */
  overflow: number;
}

/** What was done in one direction, in segments. */
export interface Counts extends SplitCounts {
  /** Dropped because the queue before the rate was full. */
  queueFull: number;
  lost: number;
  /** With a bit flipped. */
  corrupted: number;
  duplicated: number;
  /** Kept for a time. */
  delayed: number;
  /** Kept until later ones had gone. */
  reordered: number;
}
