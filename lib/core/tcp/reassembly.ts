import type { Arena } from '../memory/arena';
import { PieceQueue } from '../memory/piece-queue';
import { seqLeq, seqLt, seqMax, seqMin } from '../sequence';

/**
 * So many pieces are kept in any case; beyond, they must hold so many bytes on average. A peer
 * could otherwise make us keep objects for each byte of the window.
 */
export const FREE_PIECES = 512;
export const BYTES_PER_PIECE = 256;
/** What keeping a piece beyond a hole costs beside its bytes, about (Linux: truesize). */
export const PIECE_COST = 256;

/** Bytes without a hole between them: sequence numbers `left` to `right - 1`. */
class Run extends PieceQueue {
  /** Neighbours in the list by age of the last segment that belongs to the run. */
  newer: Run | null = null;
  older: Run | null = null;

  constructor(
    public left: number,
    public right: number,
  ) {
    super();
  }
}

/**
 * Data that has arrived beyond a hole: runs in the order of their sequence numbers, with a hole
 * between each and the next. Each byte is held once; the first copy counts.
 */
export class Reassembly {
  bytes = 0;
  pieces = 0;
  /** What the last `insert` found to be here already; edges that are the same: nothing. */
  duplicateLeft = 0;
  duplicateRight = 0;
  private readonly runs: Run[] = [];
  private newest: Run | null = null;

  constructor(private readonly arena: Arena) {}

  /** Sequence number at which the first run begins. There must be one. */
  get left(): number {
    return this.runs[0].left;
  }

  get isEmpty(): boolean {
    return this.runs.length === 0;
  }

  /**
   * Stores what is new of the segment at `left`.
   * @returns false when the segment was refused, since too many small pieces are held
   */
  insert(left: number, from: Uint8Array, offset: number, length: number): boolean {
    this.duplicateLeft = this.duplicateRight = 0;
    if (this.pieces >= FREE_PIECES && this.bytes < this.pieces * BYTES_PER_PIECE) return false;
    const right = (left + length) | 0;
    const index = this.find(left);
    this.overlap(index, left, right);
    let next = index;
    let run: Run;
    if (index < this.runs.length && seqLeq(this.runs[index].left, left)) {
      run = this.runs[next++];
    } else {
      run = new Run(left, left);
    }
    const pieces = run.count;
    this.pieces -= pieces;
    // Fill the holes between the runs that the segment touches, and join these.
    while (next < this.runs.length && seqLeq(this.runs[next].left, right)) {
      const joined = this.runs[next++];
      this.fill(run, joined.left, right, from, offset, length);
      this.pieces -= joined.count;
      run.concat(joined);
      run.right = joined.right;
      this.unlink(joined);
    }
    this.fill(run, right, right, from, offset, length);
    this.pieces += run.count;
    if (next !== index + 1 || this.runs[index] !== run) this.runs.splice(index, next - index, run);
    this.refresh(run);
    return true;
  }

  /**
   * Notes what of the numbers from `left` to `right` - 1 is in the first run that has any of them
   * (RFC 2883 §4: one block, so that what lies beyond the next hole is not told).
   * @param index of the first run that ends at `left` or later
   */
  overlap(index: number, left: number, right: number): void {
    this.duplicateLeft = this.duplicateRight = 0;
    let at = index;
    if (at < this.runs.length && this.runs[at].right === left) at++;
    if (at === this.runs.length || !seqLt(this.runs[at].left, right)) return;
    this.duplicateLeft = seqMax(left, this.runs[at].left);
    this.duplicateRight = seqMin(right, this.runs[at].right);
  }

  /** Appends to `run` what it lacks below `upTo`, from the segment that ends at `right`. */
  private fill(
    run: Run,
    upTo: number,
    right: number,
    from: Uint8Array,
    offset: number,
    length: number,
  ): void {
    const missing = (upTo - run.right) | 0;
    if (missing <= 0) return;
    const start = offset + length - ((right - run.right) | 0);
    run.append(this.arena, from, start, missing);
    run.right = upTo;
    this.bytes += missing;
  }

  /** Moves the first run, whose hole has been filled, to `queue`; returns where it ends. */
  shift(queue: PieceQueue): number {
    const run = this.runs.shift() as Run;
    this.unlink(run);
    this.pieces -= run.count;
    this.bytes -= (run.right - run.left) | 0;
    queue.concat(run);
    return run.right;
  }

  /**
   * Writes the edges of up to `max` runs to `words[at]`: first the one that the last segment
   * belongs to, then those before it (RFC 2018 §4). Deviation: Linux remembers four; who has more
   * holes learns more. Returns how many.
   */
  blocks(max: number, words: Int32Array, at: number): number {
    let count = 0;
    for (let run = this.newest; run !== null && count < max; run = run.older) {
      words[at + 2 * count] = run.left;
      words[at + 2 * count + 1] = run.right;
      count++;
    }
    return count;
  }

  /** Where the last of what is held ends. */
  get right(): number {
    return this.runs[this.runs.length - 1].right;
  }

  /**
   * Gives up the last run, if it begins beyond `seq`: RFC 2018 §8 lets a receiver drop even what it
   * has SACKed.
   * @returns whether there was one
   */
  prune(seq: number): boolean {
    const last = this.runs.at(-1);
    if (last === undefined || !seqLt(seq, last.left)) return false;
    this.runs.pop();
    this.unlink(last);
    this.pieces -= last.count;
    this.bytes -= (last.right - last.left) | 0;
    last.clear(this.arena);
    return true;
  }

  clear(): void {
    for (const run of this.runs) run.clear(this.arena);
    this.runs.length = 0;
    this.newest = null;
    this.bytes = 0;
    this.pieces = 0;
  }

  /** Index of the first run that ends at `left` or later. */
  private find(left: number): number {
    let low = 0;
    let high = this.runs.length;
    // Most segments extend the last run.
    if (high > 0 && seqLt(this.runs[high - 1].right, left)) return high;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (seqLt(this.runs[middle].right, left)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private refresh(run: Run): void {
    if (this.newest === run) return;
    this.unlink(run);
    run.older = this.newest;
    if (this.newest !== null) this.newest.newer = run;
    this.newest = run;
  }

  private unlink(run: Run): void {
    if (run.newer !== null) run.newer.older = run.older;
    else if (this.newest === run) this.newest = run.older;
    if (run.older !== null) run.older.newer = run.newer;
    run.newer = run.older = null;
  }
}
