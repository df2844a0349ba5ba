import type { SegmentBatch } from '../../core/segment/batch';
import type { ImpairmentClock } from './clock';
import type { Dice } from './dice';
import type { Held, Holding } from './held';
import type { Counts, Stage, TimedStage } from './stage';

/** What a segment waits at most for later ones, ms. */
const PATIENCE = 5;

interface Entry {
  held: Held;
  /** Segments that still have to pass before it. */
  behind: number;
  due: number;
}

/**
 * Keeps each segment with the same probability until some later ones have passed; when none come,
 * for 5 ms.
 */
export class Reorder implements TimedStage {
  /** In the order of arrival, which is that of `due` too. */
  private readonly entries: Entry[] = [];

  constructor(
    private readonly next: Stage,
    private readonly dice: Dice,
    private readonly counts: Counts,
    private readonly holding: Holding,
    private readonly clock: ImpairmentClock,
    private readonly probability: number,
    private readonly least: number,
    private readonly most: number,
  ) {}

  push(batch: SegmentBatch, index: number): void {
    if (this.dice.happens(this.probability)) {
      const held = this.holding.copy(batch, index);
      if (held !== null) {
        this.counts.reordered++;
        const behind = this.dice.between(this.least, this.most);
        this.entries.push({ held, behind, due: this.clock.now() + PATIENCE });
        return;
      }
    }
    this.next.push(batch, index);
    for (const entry of this.entries) entry.behind--;
    this.releasePassed();
  }

  due(): number {
    return this.entries.length > 0 ? this.entries[0].due : Infinity;
  }

  expire(now: number): void {
    while (this.entries.length > 0 && this.entries[0].due <= now) this.release(0);
  }

  /** Lets go those that enough have passed; each of them passes those that came before it. */
  private releasePassed(): void {
    for (let i = 0; i < this.entries.length;) {
      if (this.entries[i].behind > 0) {
        i++;
        continue;
      }
      this.release(i);
      for (let j = 0; j < i; j++) this.entries[j].behind--;
      i = 0;
    }
  }

  private release(index: number): void {
    const [{ held }] = this.entries.splice(index, 1);
    this.next.push(held.batch, 0);
    this.holding.retire(held);
  }
}
