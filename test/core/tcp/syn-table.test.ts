import { SynField, SynTable } from '../../../lib/core/tcp/syn-table';

function entry(table: SynTable, tuple: number, listener: number): number {
  const row = table.alloc(tuple, listener);
  expect(table.words[table.base(row) + SynField.Listener]).toBe(listener);
  return row;
}

describe('SynTable', () => {
  test('gives rows of zeros, also those that were in use', () => {
    const table = new SynTable();
    const row = entry(table, 5, 7);
    table.words.fill(99, table.base(row), table.base(row) + SynField.Stride);
    table.free(row);
    expect(table.count).toBe(0);
    const again = table.alloc(0, 0);
    expect(again).toBe(row);
    const words = table.words.subarray(table.base(again), table.base(again) + SynField.Stride);
    expect([...words]).toEqual(new Array(SynField.Stride).fill(0));
  });

  test('keeps its rows when it grows', () => {
    const table = new SynTable();
    const rows = Array.from({ length: 1000 }, (_, i) => entry(table, i, i % 3));
    expect(new Set(rows).size).toBe(1000);
    expect(table.count).toBe(1000);
    rows.forEach((row, i) => expect(table.words[table.base(row) + SynField.FourTuple]).toBe(i));
  });

  test('is full at its limit', () => {
    const table = new SynTable(2);
    const first = entry(table, 1, 0);
    entry(table, 2, 0);
    expect(table.alloc(9, 9)).toBe(-1);
    table.free(first);
    expect(table.alloc(9, 9)).toBe(first);
  });

  test('finds the rows of a listener that closes, and lets go of them', () => {
    const table = new SynTable();
    for (let i = 0; i < 300; i++) entry(table, i, i % 3);
    const tuples: number[] = [];
    for (let row = table.nextOf(1, -1); row >= 0; row = table.nextOf(1, row)) {
      tuples.push(table.words[table.base(row) + SynField.FourTuple]);
      table.free(row);
    }
    expect(tuples).toEqual(Array.from({ length: 100 }, (_, i) => 3 * i + 1));
    expect(table.count).toBe(200);
    expect(table.nextOf(1, -1)).toBe(-1);
    // A row that has never been used has the listener 0, and isn't one of its.
    for (let row = table.nextOf(0, -1); row >= 0; row = table.nextOf(0, row)) table.free(row);
    expect(table.count).toBe(100);
  });

  test('grows by a sixteenth: little is unused, and it is not copied for every few rows', () => {
    const table = new SynTable();
    const arrays = new Set<Int32Array>();
    for (let i = 0; i < 10_000; i++) {
      entry(table, i, 1);
      arrays.add(table.words);
      const capacity = table.words.length / SynField.Stride;
      expect(capacity - table.count).toBeLessThanOrEqual(Math.max(64, table.count / 16));
    }
    expect(arrays.size).toBeLessThan(80);
  });

  test('a row that is freed has no timer', () => {
    const table = new SynTable();
    const row = entry(table, 1, 1);
    table.timers.set(row, 0, 1_000_000);
    table.free(row);
    expect(table.timers.next()).toBe(Infinity);
    expect(() => table.free(row)).toThrow('not in use');
    expect(() => table.free(50)).toThrow('not in use');
  });
});
