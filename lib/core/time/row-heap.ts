/**
 * A binary heap of row numbers, the earliest time on top and of equal times the lowest row. Times
 * and positions are in arrays of the owner; the heap keeps the positions.
 */
export class RowHeap {
  size = 0;
  private rows = new Int32Array(16);
  private times: Float64Array = new Float64Array(0);
  private positions: Int32Array = new Int32Array(0);

  /**
   * @param times by row; the owner calls `moved` after a change
   * @param positions by row: where in the heap it is
   */
  attach(times: Float64Array, positions: Int32Array): void {
    this.times = times;
    this.positions = positions;
  }

  /** The first row. The heap must not be empty. */
  top(): number {
    return this.rows[0];
  }

  push(row: number): void {
    if (this.size === this.rows.length) {
      const rows = new Int32Array(this.size * 2);
      rows.set(this.rows);
      this.rows = rows;
    }
    this.up(this.size++, row);
  }

  remove(row: number): void {
    const position = this.positions[row];
    const last = this.rows[--this.size];
    if (last === row) return;
    this.positions[last] = position;
    this.rows[position] = last;
    this.moved(last);
  }

  /** The time of `row` has changed. */
  moved(row: number): void {
    const position = this.positions[row];
    if (position > 0 && this.before(row, this.rows[(position - 1) >> 1])) this.up(position, row);
    else this.down(position, row);
  }

  private before(a: number, b: number): boolean {
    const times = this.times;
    return times[a] < times[b] || (times[a] === times[b] && a < b);
  }

  private up(position: number, row: number): void {
    const rows = this.rows;
    while (position > 0) {
      const parent = (position - 1) >> 1;
      if (!this.before(row, rows[parent])) break;
      this.settle(position, rows[parent]);
      position = parent;
    }
    this.settle(position, row);
  }

  private down(position: number, row: number): void {
    const rows = this.rows;
    for (;;) {
      let child = 2 * position + 1;
      if (child >= this.size) break;
      if (child + 1 < this.size && this.before(rows[child + 1], rows[child])) child++;
      if (!this.before(rows[child], row)) break;
      this.settle(position, rows[child]);
      position = child;
    }
    this.settle(position, row);
  }

  private settle(position: number, row: number): void {
    this.rows[position] = row;
    this.positions[row] = position;
  }
}
