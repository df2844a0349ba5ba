const FIRST_ROWS = 64;
const NONE = -1;

/** Word 0 of a row that is free; the next word is the next free row. */
const FREE = -1;

/**
 * Rows of a fixed number of 32-bit words in one array, with a list of free ones: the shape of what
 * there is a lot of. It grows by a sixteenth at a time, so that little of it is
 * unused.
 */
export class RowTable {
  /**
   * The rows, side by side. Replaced when the table grows: not to be kept across `alloc`.
   */
  words: Int32Array;
  /** Rows in use. */
  count = 0;

  /** Rows that have been in use at some time; those above are fresh. */
  private used = 0;
  private freeRow = NONE;

  /**
   * @param stride words of a row, 2 or more
   * @param limit rows that may be in use at a time
   */
  constructor(
    protected readonly stride: number,
    readonly limit = 0x7fffffff,
  ) {
    this.words = new Int32Array(FIRST_ROWS * stride);
  }

  /** First word of a row. */
  base(row: number): number {
    return row * this.stride;
  }

  /** Takes a row, all of whose words are 0; -1 when `limit` rows are in use. */
  protected take(): number {
    if (this.count >= this.limit) return NONE;
    this.count++;
    const row = this.freeRow;
    if (row === NONE) {
      if (this.used * this.stride === this.words.length) this.grow();
      return this.used++;
    }
    const base = row * this.stride;
    this.freeRow = this.words[base + 1];
    this.words.fill(0, base, base + this.stride);
    return row;
  }

  /** Whether a row is in use; only where word 0 of those that are is never -1. */
  protected isUsed(row: number): boolean {
    return row < this.used && this.words[row * this.stride] !== FREE;
  }

  /** Gives a row back. */
  protected give(row: number): void {
    const base = row * this.stride;
    this.words[base] = FREE;
    this.words[base + 1] = this.freeRow;
    this.freeRow = row;
    this.count--;
  }

  private grow(): void {
    const words = new Int32Array((this.used + Math.max(FIRST_ROWS, this.used >> 4)) * this.stride);
    words.set(this.words);
    this.words = words;
  }
}
