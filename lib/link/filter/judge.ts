import type { SlabTable } from '../../core/memory/slabs';
import { SegmentBatch } from '../../core/segment/batch';
import { isTcp } from '../../core/segment/kind';
import { Direction, Flag, Word } from '../../core/segment/layout';
import { outOfRange } from '../../errors';
import { Conversations } from '../../observe/conversations';
import type { PacketBytes } from '../../observe/packet-bytes';
import type { SegmentReference } from '../../observe/tcpdump';
import type { ImpairmentClock } from '../impair/clock';
import { type Held, type Holding, copyDescriptor } from '../impair/held';
import type { Way } from '../impair/lane';
import type { SplitCounts, Stage, TimedStage } from '../impair/stage';
import { type Draft, LiveSegment } from './live-segment';

/**
 * Sees each packet of a link.
 * @param direction 'in': the stack receives it; 'out': the stack sends it
 * @returns false: it is dropped; a number: so many ms later it passes, while others do; anything
 *   else: it passes
 */
export type LinkFilter = (segment: LiveSegment, direction: 'in' | 'out') => boolean | number | void;

/** What the filter has done in one direction, in packets. */
export interface FilterCounts extends SplitCounts {
  /** Dropped by the filter. */
  filtered: number;
  /** Kept for a time. */
  delayed: number;
  /** Passed with other fields. */
  changed: number;
  /** Sent by the filter. */
  answers: number;
}

interface Entry {
  due: number;
  held: Held;
}

const MAX_DELAY = 3_600_000;
/** Room for a payload that a filter has written. */
const SCRATCH = 64 * 1024;

// Taken at import, so that fake timers that are installed later don't reach the links.
const nextTick = process.nextTick.bind(process);

function rethrow(error: unknown): void {
  throw error;
}

/** What both directions have in common. */
export interface Court {
  readonly filter: LinkFilter;
  readonly slabs: SlabTable;
  /** The bytes of what these point to. */
  readonly bytes: PacketBytes;
  readonly conversations: Conversations;
  /** Sends a segment the other way. */
  answer(direction: Direction, draft: Draft): void;
}

/** Asks the program's filter about the segments of one direction, and does what it says. */
export class Judge implements TimedStage {
  private readonly next: Stage;
  private readonly clock: ImpairmentClock;
  private readonly holding: Holding;
  private readonly direction: Direction;
  /** By `due`, the earliest last. */
  private readonly entries: Entry[] = [];
  private readonly piece = new SegmentBatch(1);
  /** Its index in the table, and the slab; made when it is first needed. */
  private scratch: { index: number; slab: Uint8Array } | null = null;

  constructor(
    { end, clock, holding, direction }: Way,
    private readonly court: Court,
    private readonly counts: FilterCounts,
  ) {
    this.next = end;
    this.clock = clock;
    this.holding = holding;
    this.direction = direction;
    this.piece.count = 1;
  }

  push(batch: SegmentBatch, index: number): void {
    const { direction, counts, court } = this;
    const { slabs, bytes } = court;
    const reference = this.reference(batch.words, batch.base(index));
    const segment = new LiveSegment(batch, index, direction, slabs.slabs, bytes, reference);
    const delay = this.judge(segment);
    segment.release();
    // An answer first: the segment itself is then still what it was.
    for (const draft of segment.answers) court.answer(direction, draft);
    const { draft } = segment;
    if (delay === Infinity) counts.filtered++;
    else if (draft !== null) this.replace(draft, batch, index, delay);
    else if (delay > 0) this.keep(this.holding.copy(batch, index), delay);
    else this.next.push(batch, index);
  }

  due(): number {
    return this.entries.at(-1)?.due ?? Infinity;
  }

  expire(now: number): void {
    for (;;) {
      const last = this.entries.at(-1);
      if (last === undefined || last.due > now) return;
      this.entries.pop();
      this.pass(last.held);
    }
  }

  /** Takes a segment that the filter has made, to go as soon as the event loop comes round. */
  send(draft: Draft): void {
    this.counts.answers++;
    this.prepare(draft, null, 0);
    this.keep(this.take(), 0);
  }

  /** By how many ms the program delays the segment; Infinity: it is dropped. */
  private judge(segment: LiveSegment): number {
    try {
      const name = this.direction === Direction.In ? 'in' : 'out';
      const verdict: unknown = this.court.filter(segment, name);
      if (verdict === false) return Infinity;
      if (typeof verdict !== 'number') return 0;
      if (verdict >= 0 && verdict <= MAX_DELAY) return verdict;
      throw outOfRange('filter()', `a boolean, or ms >= 0 and <= ${MAX_DELAY}`, verdict);
    } catch (error) {
      // Not through the stack: an uncaught exception of the program's.
      nextTick(rethrow, error);
      return Infinity;
    }
  }

  private replace(draft: Draft, batch: SegmentBatch, index: number, delay: number): void {
    this.counts.changed++;
    this.prepare(draft, batch, index);
    const held = this.take();
    if (delay > 0 || held === null) this.keep(held, delay);
    else this.pass(held);
  }

  /** Makes `piece` of a draft; its payload, if it has none, is that of a segment of the batch. */
  private prepare({ words, payload }: Draft, batch: SegmentBatch | null, index: number): void {
    const { piece } = this;
    if (batch !== null) copyDescriptor(batch, index, piece, 0);
    piece.words.set(words);
    piece.words[Word.GsoSize] = 0;
    if (payload !== null) {
      this.scratch ??= this.allocate();
      this.scratch.slab.set(payload);
      piece.slices.set([this.scratch.index, 0, payload.length]);
    } else if (this.direction === Direction.In) {
      const { [Word.Slab]: slab, [Word.PayloadOffset]: offset } = words;
      piece.slices.set([slab, offset, words[Word.PayloadLength]]);
    } else {
      return;
    }
    piece.words[Word.SliceCount] = words[Word.PayloadLength] > 0 ? 1 : 0;
  }

  private allocate(): { index: number; slab: Uint8Array } {
    const slab = new Uint8Array(SCRATCH);
    return { index: this.court.slabs.add(slab), slab };
  }

  /** `piece` with memory of its own, as this direction has its segments; null: no room for it. */
  private take(): Held | null {
    if (this.direction === Direction.Out) return this.holding.copy(this.piece, 0);
    const held = this.holding.receive(this.piece, 0);
    if (held !== null) held.batch.words[Word.Interface] = this.piece.words[Word.Interface];
    return held;
  }

  private keep(held: Held | null, delay: number): void {
    if (held === null) {
      this.counts.overflow++;
      return;
    }
    if (delay > 0) this.counts.delayed++;
    const due = this.clock.now() + delay;
    let place = 0;
    while (place < this.entries.length && this.entries[place].due > due) place++;
    this.entries.splice(place, 0, { due, held });
  }

  private pass(held: Held): void {
    this.next.push(held.batch, 0);
    this.holding.retire(held);
  }

  /** What the numbers of a segment are counted from; a SYN's own number is 0. */
  private reference(words: Int32Array, base: number): SegmentReference {
    if (!isTcp(words, base)) return { sequence: 0, acknowledgment: 0, sack: 0 };
    const known = this.court.conversations.initial(words, base);
    if ((words[base + Word.Flags] & Flag.SYN) === 0) return known;
    const acknowledgment = (words[base + Word.Acknowledgment] - 1) | 0;
    return { sequence: words[base + Word.Sequence], acknowledgment, sack: acknowledgment };
  }
}
