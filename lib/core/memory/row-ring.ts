const FIRST_ROWS = 4;
/** Of the queues that have never had a row. */
const NOTHING = new Int32Array(0);

/** A queue of rows of a fixed number of 32-bit words, first in, first out, in one array. */
export class RowRing {
  /** Replaced when the queue grows: not to be kept across `push`. */
  words: Int32Array = NOTHING;
  count = 0;
  private head = 0;

  /** @param stride words of a row */
  constructor(private readonly stride: number) {}

  /** First word of the oldest row; there must be one. */
  get first(): number {
    return this.head * this.stride;
  }

  /** Adds a row, which still has what an earlier one had; its first word. */
  push(): number {
    const rows = this.words.length / this.stride;
    if (this.count === rows) this.grow(rows);
    const capacity = this.words.length / this.stride;
    const row = (this.head + this.count++) % capacity;
    return row * this.stride;
  }

  /** Drops the oldest row. */
  shift(): void {
    this.head = (this.head + 1) % (this.words.length / this.stride);
    this.count--;
  }

  private grow(rows: number): void {
    const words = new Int32Array(Math.max(FIRST_ROWS * this.stride, this.words.length * 2));
    const split = this.head * this.stride;
    words.set(this.words.subarray(split));
    words.set(this.words.subarray(0, split), (rows - this.head) * this.stride);
    this.words = words;
    this.head = 0;
  }
}
