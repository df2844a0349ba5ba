import type { Random } from '../../core/environment';
import type { SlabTable } from '../../core/memory/slabs';
import { SegmentBatch } from '../../core/segment/batch';
import type { Direction } from '../../core/segment/layout';
import type { Alarm, ImpairmentClock } from './clock';
import { Delay } from './delay';
import { Dice } from './dice';
import { Duplicate } from './duplicate';
import { Holding, copyDescriptor } from './held';
import { Loss } from './loss';
import { DEFAULT_QUEUE, type ImpairOptions } from './options';
import { Rate } from './rate';
import { Reorder } from './reorder';
import { type PathMtu, Split } from './split';
import type { Counts, Stage, TimedStage } from './stage';

/** Segments handed over in one call. */
const BATCH = 64;

/** What a lane is made from, beside the options. */
export interface LaneContext {
  direction: Direction;
  slabs: SlabTable;
  hashKey: Int32Array;
  mtu: PathMtu;
  clock: ImpairmentClock;
  /** Seeds the stages, one word each. */
  random: Random;
  /** A generator from a seed. */
  generator: (seed: number) => Random;
  /** Takes what has passed; the batch is the lane's again on return. */
  sink: (batch: SegmentBatch) => void;
}

/**
 * The way of the segments of one direction: split, rate, loss, duplication, delay, reordering, in
 * this order, those of them that are asked for.
 */
export class Lane {
  readonly counts: Counts = {
    split: 0,
    queueFull: 0,
    lost: 0,
    duplicated: 0,
    delayed: 0,
    reordered: 0,
    overflow: 0,
  };
  private readonly batch = new SegmentBatch(BATCH);
  private readonly holding: Holding;
  private readonly timed: TimedStage[] = [];
  private readonly first: Stage;
  private readonly alarm: Alarm;
  private closed = false;

  constructor(
    private readonly context: LaneContext,
    options: ImpairOptions,
  ) {
    this.holding = new Holding(context.slabs, context.hashKey, context.direction);
    this.first = this.assemble(options);
    this.alarm = context.clock.alarm(() => this.expire(context.clock.now()));
  }

  /** Takes all segments of a batch; those that pass at once are with the sink on return. */
  take(batch: SegmentBatch): void {
    for (let i = 0; i < batch.count && !this.closed; i++) this.first.push(batch, i);
    this.settle();
  }

  ref(): void {
    this.alarm.ref();
  }

  unref(): void {
    this.alarm.unref();
  }

  /** Lets go at once of what is kept. */
  drain(): void {
    this.expire(Infinity);
  }

  /** Gives up what is kept; the sink gets nothing any more. */
  close(): void {
    this.closed = true;
    this.alarm.set(Infinity);
  }

  private expire(now: number): void {
    for (const stage of this.timed) stage.expire(now);
    this.settle();
  }

  private settle(): void {
    this.flush();
    if (this.closed) return;
    let due = Infinity;
    for (const stage of this.timed) due = Math.min(due, stage.due());
    this.alarm.set(due);
  }

  private flush(): void {
    try {
      if (this.batch.count > 0 && !this.closed) this.context.sink(this.batch);
    } finally {
      this.batch.count = 0;
      this.holding.recycle();
    }
  }

  /** The end of the way. */
  private collect(batch: SegmentBatch, index: number): void {
    copyDescriptor(batch, index, this.batch, this.batch.count++);
    if (this.batch.count === BATCH) this.flush();
  }

  /** Puts the stages one before the other, from the last to the first. */
  private assemble(options: ImpairOptions): Stage {
    const { context, counts, holding } = this;
    const { clock, direction, mtu } = context;
    // Each stage has its own, so that one of them doesn't change what another one does.
    const [forReorder, forDelay, forDuplicate, forLoss] = Array.from(
      { length: 4 },
      () => new Dice(context.generator(context.random.next())),
    );
    const { rate = Infinity, queue = DEFAULT_QUEUE } = options;
    const { loss = 0, duplicate = 0, delay = 0, jitter = 0, reorder } = options;
    let next: Stage = { push: (batch, index) => this.collect(batch, index) };
    if (reorder !== undefined) {
      const [least, most] = reorder.by ?? [1, 3];
      const { probability } = reorder;
      next = this.time(
        new Reorder(next, forReorder, counts, holding, clock, probability, least, most),
      );
    }
    if (delay > 0 || jitter > 0) {
      next = this.time(new Delay(next, forDelay, counts, holding, clock, delay, jitter));
    }
    if (duplicate > 0) next = new Duplicate(next, forDuplicate, counts, duplicate);
    if (loss > 0) next = new Loss(next, forLoss, counts, loss);
    if (rate < Infinity) {
      next = this.time(new Rate(next, direction, counts, holding, clock, rate, queue));
    }
    return new Split(next, direction, mtu, holding, counts);
  }

  /** Stages are called in the order of the way. */
  private time(stage: TimedStage): Stage {
    this.timed.unshift(stage);
    return stage;
  }
}
