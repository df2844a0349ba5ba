import { RowHeap } from './row-heap';

/** Microseconds in a tick of the wheel. */
const TICK = 1000;
/** A tick's number is split: its low 30 bits are the levels 0 to 4, the rest the levels above. */
const LOW_BITS = 30;
const LOW_SPAN = 2 ** LOW_BITS;
const LEVEL_BITS = 6;
const SLOTS = 1 << LEVEL_BITS;
const LOW_LEVELS = LOW_BITS / LEVEL_BITS;
/** Enough for 2^53 µs, which is less than 2^44 ticks. */
const LEVELS = LOW_LEVELS + 3;

const FIRST_ROWS = 16;

/** Values of `place` other than the number of a slot of the wheel. */
const enum Place {
  None = -1,
  Heap = -2,
}

/**
 * The timers of a table of things: each row has a fixed number of kinds of timer, of which any can
 * be set. A hierarchical timing wheel (G. Varghese, T. Lauck) with ticks of 1 ms whose level is the
 * highest group of six bits in which an entry's tick differs from the wheel's. The rows of the
 * present tick are in a heap, which gives the exact order.
 *
 * The wheel has one entry per row, at or before the earliest of its timers: setting a timer later
 * costs one write, and the row is moved when the wheel comes to the old place. Times are µs from 0
 * to 2^53; nothing is allocated except when a higher row number than ever before is used.
 */
export class TimerTable {
  /** The timer that `expire` took. */
  row = -1;
  kind = -1;

  /** When each timer is due; Infinity: unset. */
  private dues: Float64Array;
  /** The time at which the row stands in the wheel or the heap; Infinity: in neither. */
  private queued: Float64Array;
  /** Neighbours in the slot's list; `previous` is the position for a row in the heap. */
  private next_: Int32Array;
  private previous: Int32Array;
  private place: Int16Array;

  private readonly heads = new Int32Array(LEVELS * SLOTS).fill(-1);
  /** No later than the earliest row of each slot. */
  private readonly earliest = new Float64Array(LEVELS * SLOTS).fill(Infinity);
  /** Two words for each level: which of its slots hold rows. */
  private readonly occupied = new Int32Array(LEVELS * 2);
  /** Which levels hold rows. */
  private levels = 0;
  private readonly heap = new RowHeap();

  /** The tick that the wheel has come to, split. Rows due in it or before are in the heap. */
  private low = 0;
  private high = 0;

  /** @param kinds timers of each row, 1 or more */
  constructor(private readonly kinds: number) {
    this.dues = new Float64Array(FIRST_ROWS * kinds).fill(Infinity);
    this.queued = new Float64Array(FIRST_ROWS).fill(Infinity);
    this.next_ = new Int32Array(FIRST_ROWS);
    this.previous = new Int32Array(FIRST_ROWS);
    this.place = new Int16Array(FIRST_ROWS).fill(Place.None);
    this.heap.attach(this.queued, this.previous);
  }

  /**
   * Sets a timer, or sets it anew. One that is due in the past fires with the next `expire`.
   * @param row 0 or more
   * @param due absolute, µs; Infinity unsets it
   */
  set(row: number, kind: number, due: number): void {
    if (due === Infinity) {
      this.cancel(row, kind);
      return;
    }
    if (!(due >= 0)) throw new RangeError(`a timer can't be due at ${due}`);
    if (row >= this.queued.length) this.grow(row + 1);
    this.dues[row * this.kinds + kind] = due;
    if (due < this.queued[row]) this.enqueue(row, due);
  }

  /** Unsets a timer; nothing happens when it isn't set. */
  cancel(row: number, kind: number): void {
    if (row >= this.queued.length) return;
    this.dues[row * this.kinds + kind] = Infinity;
    // A row without timers must not wake anyone; one with others may stay where it is.
    if (this.queued[row] !== Infinity && this.earliestOf(row) === Infinity) this.dequeue(row);
  }

  /** Unsets all timers of a row. */
  clear(row: number): void {
    if (row >= this.queued.length) return;
    const from = row * this.kinds;
    for (let i = from; i < from + this.kinds; i++) this.dues[i] = Infinity;
    if (this.queued[row] !== Infinity) this.dequeue(row);
  }

  /** When the timer is due, µs; Infinity when it is unset. */
  due(row: number, kind: number): number {
    return row < this.queued.length ? this.dues[row * this.kinds + kind] : Infinity;
  }

  /**
   * When `expire` is worth calling, µs: never later than the earliest timer, and earlier only where
   * one has been set anew or unset. Infinity when no timer is set.
   */
  next(): number {
    if (this.heap.size > 0) return this.queued[this.heap.top()];
    const slot = this.firstSlot();
    return slot < 0 ? Infinity : this.earliest[slot];
  }

  /**
   * Takes one timer that is due at `now` (µs) and unsets it: the first in the order of time, row
   * and kind. `row` and `kind` say which.
   * @returns false when none is due
   */
  expire(now: number): boolean {
    for (;;) {
      while (this.heap.size > 0) {
        const row = this.heap.top();
        const due = this.earliestOf(row);
        if (due > this.queued[row]) {
          this.enqueue(row, due);
        } else if (due > now) {
          return false;
        } else {
          this.take(row, due);
          return true;
        }
      }
      if (!this.advance(now)) return false;
    }
  }

  private take(row: number, due: number): void {
    let kind = 0;
    while (this.dues[row * this.kinds + kind] !== due) kind++;
    this.dues[row * this.kinds + kind] = Infinity;
    const following = this.earliestOf(row);
    if (following === Infinity) this.dequeue(row);
    else this.enqueue(row, following);
    this.row = row;
    this.kind = kind;
  }

  private earliestOf(row: number): number {
    const from = row * this.kinds;
    let earliest = this.dues[from];
    for (let i = from + 1; i < from + this.kinds; i++) {
      if (this.dues[i] < earliest) earliest = this.dues[i];
    }
    return earliest;
  }

  /** Puts a row where `due` belongs; it may be anywhere before. */
  private enqueue(row: number, due: number): void {
    const tick = Math.floor(due / TICK);
    const high = Math.floor(tick / LOW_SPAN);
    const low = tick - high * LOW_SPAN;
    const place = this.placeOf(low, high);
    if (place === Place.Heap && this.place[row] === Place.Heap) {
      this.queued[row] = due;
      this.heap.moved(row);
      return;
    }
    if (this.place[row] !== Place.None) this.dequeue(row);
    this.queued[row] = due;
    this.place[row] = place;
    if (place === Place.Heap) this.heap.push(row);
    else this.link(row, place, due);
  }

  /** The slot for a tick, or the heap if the wheel has come to it already. */
  private placeOf(low: number, high: number): number {
    if (high === this.high) {
      if (low <= this.low) return Place.Heap;
      const level = groupOf(low ^ this.low);
      return level * SLOTS + ((low >> (level * LEVEL_BITS)) & (SLOTS - 1));
    }
    if (high < this.high) return Place.Heap;
    const level = groupOf(high ^ this.high);
    return (LOW_LEVELS + level) * SLOTS + ((high >> (level * LEVEL_BITS)) & (SLOTS - 1));
  }

  private link(row: number, slot: number, due: number): void {
    const head = this.heads[slot];
    this.next_[row] = head;
    this.previous[row] = -1;
    this.heads[slot] = row;
    if (head >= 0) this.previous[head] = row;
    else this.occupied[slot >> 5] |= 1 << (slot & 31);
    this.levels |= 1 << (slot >> LEVEL_BITS);
    if (due < this.earliest[slot]) this.earliest[slot] = due;
  }

  private dequeue(row: number): void {
    const slot = this.place[row];
    this.place[row] = Place.None;
    if (slot === Place.Heap) {
      this.heap.remove(row);
    } else {
      const next = this.next_[row];
      const previous = this.previous[row];
      if (next >= 0) this.previous[next] = previous;
      if (previous >= 0) this.next_[previous] = next;
      else this.heads[slot] = next;
      if (this.heads[slot] < 0) this.vacate(slot);
    }
    this.queued[row] = Infinity;
  }

  private vacate(slot: number): void {
    const level = slot >> LEVEL_BITS;
    this.heads[slot] = -1;
    this.earliest[slot] = Infinity;
    this.occupied[slot >> 5] &= ~(1 << (slot & 31));
    if ((this.occupied[2 * level] | this.occupied[2 * level + 1]) === 0) {
      this.levels &= ~(1 << level);
    }
  }

  /** The slot with the earliest rows of the wheel: the first of the lowest level; -1: none. */
  private firstSlot(): number {
    if (this.levels === 0) return -1;
    const level = lowestBit(this.levels);
    const first = this.occupied[2 * level];
    const bit = first !== 0 ? lowestBit(first) : 32 + lowestBit(this.occupied[2 * level + 1]);
    return level * SLOTS + bit;
  }

  /**
   * Moves the wheel to the start of its first slot that holds rows, if `now` has come to it, and
   * places these rows anew. False: no row can be due.
   */
  private advance(now: number): boolean {
    const slot = this.firstSlot();
    if (slot < 0 || this.earliest[slot] > now) return false;
    const level = slot >> LEVEL_BITS;
    const group = slot & (SLOTS - 1);
    if (level < LOW_LEVELS) {
      this.low = startOf(this.low, level, group);
    } else {
      this.high = startOf(this.high, level - LOW_LEVELS, group);
      this.low = 0;
    }
    let row = this.heads[slot];
    this.vacate(slot);
    while (row >= 0) {
      const next = this.next_[row];
      this.place[row] = Place.None;
      this.enqueue(row, this.earliestOf(row));
      row = next;
    }
    return true;
  }

  private grow(atLeast: number): void {
    const before = this.queued.length;
    const rows = Math.max(atLeast, before + (before >> 1));
    this.dues = extended(this.dues, new Float64Array(rows * this.kinds).fill(Infinity));
    this.queued = extended(this.queued, new Float64Array(rows).fill(Infinity));
    this.next_ = extended(this.next_, new Int32Array(rows));
    this.previous = extended(this.previous, new Int32Array(rows));
    this.place = extended(this.place, new Int16Array(rows).fill(Place.None));
    this.heap.attach(this.queued, this.previous);
  }
}

function extended<T extends Float64Array | Int32Array | Int16Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** The group of six bits that the highest bit of `x` (not 0) is in. */
function groupOf(x: number): number {
  return ((31 - Math.clz32(x)) / LEVEL_BITS) | 0;
}

function lowestBit(x: number): number {
  return 31 - Math.clz32(x & -x);
}

/** `tick` with its group at `level` replaced and all below it zero. */
function startOf(tick: number, level: number, group: number): number {
  const shift = level * LEVEL_BITS;
  return ((tick >> (shift + LEVEL_BITS)) << (shift + LEVEL_BITS)) | (group << shift);
}
