import type { SegmentBatch } from '../../core/segment/batch';
import type { ImpairmentClock } from './clock';
import type { Dice } from './dice';
import type { Held, Holding } from './held';
import type { Counts, Stage, TimedStage } from './stage';

interface Entry {
  due: number;
  held: Held;
}

/**
 * Keeps each segment for `delay` ms, more or less by up to `jitter` (uniformly). Jitter lets
 * segments overtake each other.
 */
export class Delay implements TimedStage {
  /** By `due`, the earliest last. */
  private readonly entries: Entry[] = [];

  constructor(
    private readonly next: Stage,
    private readonly dice: Dice,
    private readonly counts: Counts,
    private readonly holding: Holding,
    private readonly clock: ImpairmentClock,
    private readonly delay: number,
    private readonly jitter: number,
  ) {}

  push(batch: SegmentBatch, index: number): void {
    const held = this.holding.copy(batch, index);
    if (held === null) {
      this.counts.overflow++;
      return;
    }
    this.counts.delayed++;
    const wait = this.delay + this.jitter * (2 * this.dice.fraction() - 1);
    const due = this.clock.now() + Math.max(0, wait);
    let place = 0;
    while (place < this.entries.length && this.entries[place].due > due) place++;
    this.entries.splice(place, 0, { due, held });
  }

  due(): number {
    return this.entries.at(-1)?.due ?? Infinity;
  }

  expire(now: number): void {
    for (;;) {
      const last = this.entries.at(-1);
      if (last === undefined || last.due > now) return;
      this.entries.pop();
      const { held } = last;
      this.next.push(held.batch, 0);
      this.holding.retire(held);
    }
  }
}
