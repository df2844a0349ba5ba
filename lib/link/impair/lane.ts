import type { SlabTable } from '../../core/memory/slabs';
import { SegmentBatch } from '../../core/segment/batch';
import type { Direction } from '../../core/segment/layout';
import type { Alarm, ImpairmentClock } from './clock';
import { Holding, copyDescriptor } from './held';
import { type PathMtu, Split } from './split';
import type { SplitCounts, Stage, TimedStage } from './stage';

/** Segments handed over in one call. */
const BATCH = 64;

/** What a lane is made from, beside its stages. */
export interface LaneContext {
  direction: Direction;
  slabs: SlabTable;
  hashKey: Int32Array;
  mtu: PathMtu;
  clock: ImpairmentClock;
  /** Takes what has passed; the batch is the lane's again on return. */
  sink: (batch: SegmentBatch) => void;
}

/** What the stages of a lane are made from. */
export interface Way {
  readonly direction: Direction;
  readonly clock: ImpairmentClock;
  readonly holding: Holding;
  /** Behind the last stage: what comes here has passed. */
  readonly end: Stage;
  /** To be called for each stage that keeps segments, from the last to the first. */
  time(stage: TimedStage): Stage;
}

/** The stages of a lane. */
export interface Course<C extends SplitCounts = SplitCounts> {
  readonly counts: C;
  /** Puts the stages one before the other; the first of them. */
  assemble(way: Way): Stage;
}

/**
 * The way of the segments of one direction: they are split, and pass the stages of a course.
 */
export class Lane {
  readonly counts: SplitCounts;
  private readonly batch = new SegmentBatch(BATCH);
  private readonly holding: Holding;
  private readonly timed: TimedStage[] = [];
  private readonly first: Stage;
  private readonly alarm: Alarm;
  private closed = false;

  constructor(
    private readonly context: LaneContext,
    course: Course,
  ) {
    const { direction, clock, mtu } = context;
    const { counts } = course;
    const holding = new Holding(context.slabs, context.hashKey, direction);
    const end: Stage = { push: (batch, index) => this.collect(batch, index) };
    const time = (stage: TimedStage) => {
      this.timed.unshift(stage);
      return stage;
    };
    const first = course.assemble({ direction, clock, holding, end, time });
    this.counts = counts;
    this.holding = holding;
    this.first = new Split(first, direction, mtu, holding, counts);
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

  /** To be called when a stage has been given something to keep from elsewhere. */
  arm(): void {
    if (this.closed) return;
    let due = Infinity;
    for (const stage of this.timed) due = Math.min(due, stage.due());
    this.alarm.set(due);
  }

  private settle(): void {
    this.flush();
    this.arm();
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
}
