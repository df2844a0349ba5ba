import type { SegmentBatch } from '../../core/segment/batch';
import type { Dice } from './dice';
import type { Counts, Stage } from './stage';

/** Drops each segment with the same probability, 0 to 1. */
export class Loss implements Stage {
  constructor(
    private readonly next: Stage,
    private readonly dice: Dice,
    private readonly counts: Counts,
    private readonly probability: number,
  ) {}

  push(batch: SegmentBatch, index: number): void {
    if (this.dice.happens(this.probability)) this.counts.lost++;
    else this.next.push(batch, index);
  }
}
