import type { SegmentBatch } from '../../core/segment/batch';
import type { Dice } from './dice';
import type { Counts, Stage } from './stage';

/** Lets each segment pass twice with the same probability, 0 to 1. */
export class Duplicate implements Stage {
  constructor(
    private readonly next: Stage,
    private readonly dice: Dice,
    private readonly counts: Counts,
    private readonly probability: number,
  ) {}

  push(batch: SegmentBatch, index: number): void {
    this.next.push(batch, index);
    if (!this.dice.happens(this.probability)) return;
    this.counts.duplicated++;
    this.next.push(batch, index);
  }
}
