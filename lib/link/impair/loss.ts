import type { SegmentBatch } from '../../core/segment/batch';
import type { GilbertElliott } from './burst-loss';
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

/** Drops segments in bursts. */
export class BurstLoss implements Stage {
  private bad = false;
  private readonly inGood: number;
  private readonly inBad: number;
  private readonly toBad: number;
  private readonly toGood: number;

  constructor(
    private readonly next: Stage,
    private readonly dice: Dice,
    private readonly stateDice: Dice,
    private readonly counts: Counts,
    model: GilbertElliott,
  ) {
    this.toBad = model.p;
    this.toGood = model.r ?? 1 - model.p;
    this.inBad = model['1-h'] ?? 1;
    this.inGood = model['1-k'] ?? 0;
  }

  push(batch: SegmentBatch, index: number): void {
    const { bad } = this;
    if (this.stateDice.happens(bad ? this.toGood : this.toBad)) this.bad = !bad;
    if (this.dice.happens(bad ? this.inBad : this.inGood)) this.counts.lost++;
    else this.next.push(batch, index);
  }
}
