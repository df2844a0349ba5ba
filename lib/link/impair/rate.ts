import { packetLength } from '../../codec/build';
import type { SegmentBatch } from '../../core/segment/batch';
import { Direction, Word } from '../../core/segment/layout';
import type { ImpairmentClock } from './clock';
import type { Held, Holding } from './held';
import type { Counts, Stage, TimedStage } from './stage';

/** Bits of a byte, ms of a second. */
const BITS_PER_MS = 8000;

interface Entry {
  held: Held;
  /** When it has left, ms. */
  due: number;
}

/** Lets segments leave one after the other, as fast as the rate allows; a full queue drops. */
export class Rate implements TimedStage {
  /** In the order of arrival, from `first` on. */
  private entries: Entry[] = [];
  private first = 0;
  /** When the last one has left, ms and fractions, so that the rate is kept exactly. */
  private freeAt = 0;

  /**
   * @param rate bits per second
   * @param limit bytes that wait or are leaving, at most; one packet passes in any case
   */
  constructor(
    private readonly next: Stage,
    private readonly direction: Direction,
    private readonly counts: Counts,
    private readonly holding: Holding,
    private readonly clock: ImpairmentClock,
    private readonly rate: number,
    private readonly limit: number,
  ) {}

  push(batch: SegmentBatch, index: number): void {
    const now = this.clock.now();
    const base = batch.base(index);
    const { words } = batch;
    const received = this.direction === Direction.In;
    const length = received ? words[base + Word.PacketLength] : packetLength(words, base);
    const start = Math.max(now, this.freeAt);
    const waiting = ((start - now) * this.rate) / BITS_PER_MS;
    if (waiting > 0 && waiting + length > this.limit) {
      this.counts.queueFull++;
      return;
    }
    const held = this.holding.copy(batch, index);
    if (held === null) {
      this.counts.overflow++;
      return;
    }
    this.freeAt = start + (length * BITS_PER_MS) / this.rate;
    this.entries.push({ held, due: this.freeAt });
  }

  due(): number {
    return this.first < this.entries.length ? this.entries[this.first].due : Infinity;
  }

  expire(now: number): void {
    while (this.first < this.entries.length && this.entries[this.first].due <= now) {
      const { held } = this.entries[this.first++];
      this.next.push(held.batch, 0);
      this.holding.retire(held);
    }
    // Not with each one, or it would cost a move of all.
    if (this.first > 256 || this.first === this.entries.length) {
      this.entries = this.entries.slice(this.first);
      this.first = 0;
    }
  }
}
