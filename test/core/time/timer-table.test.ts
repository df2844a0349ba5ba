import fc from 'fast-check';
import { TimerTable } from '../../../lib/core/time/timer-table';

/** What `expire` gives until it says false. */
function drain(table: TimerTable, now: number): [row: number, kind: number][] {
  const fired: [number, number][] = [];
  while (table.expire(now)) fired.push([table.row, table.kind]);
  return fired;
}

/** The same table, as a list that is searched. */
class Model {
  readonly timers = new Map<string, { due: number; row: number; kind: number }>();

  set(row: number, kind: number, due: number) {
    this.timers.set(`${row}/${kind}`, { due, row, kind });
  }

  cancel(row: number, kind: number) {
    this.timers.delete(`${row}/${kind}`);
  }

  get earliest() {
    return Math.min(Infinity, ...[...this.timers.values()].map((timer) => timer.due));
  }

  take(now: number) {
    const due = [...this.timers.values()].filter((timer) => timer.due <= now);
    due.sort((a, b) => a.due - b.due || a.row - b.row || a.kind - b.kind);
    const first = due.at(0);
    if (first !== undefined) this.cancel(first.row, first.kind);
    return first;
  }
}

describe('TimerTable', () => {
  test('is empty at first', () => {
    const table = new TimerTable(2);
    expect(table.next()).toBe(Infinity);
    expect(table.expire(2 ** 53)).toBe(false);
    expect(table.due(1000, 1)).toBe(Infinity);
    table.cancel(1000, 1);
    table.clear(1000);
  });

  test('a row that was never set changes nothing', () => {
    for (let rows = 1; rows < 70; rows++) {
      const table = new TimerTable(2);
      for (let row = 0; row < rows; row++) table.set(row, 1, 5000 + row);
      for (let row = rows; row < 150; row++) {
        expect(table.due(row, 1)).toBe(Infinity);
        table.cancel(row, 1);
        table.clear(row);
      }
      expect(drain(table, 6000).length).toBe(rows);
    }
  });

  test('fires at the microsecond, not before', () => {
    const table = new TimerTable(1);
    table.set(3, 0, 200_000);
    expect(table.next()).toBe(200_000);
    expect(table.expire(199_999)).toBe(false);
    expect(table.expire(200_000)).toBe(true);
    expect([table.row, table.kind]).toEqual([3, 0]);
    expect(table.due(3, 0)).toBe(Infinity);
    expect(table.next()).toBe(Infinity);
  });

  test('takes fractions of a microsecond and time 0', () => {
    const table = new TimerTable(1);
    table.set(1, 0, 0.5);
    table.set(2, 0, 0);
    table.set(3, 0, 0.25);
    expect(drain(table, 0)).toEqual([[2, 0]]);
    expect(drain(table, 1)).toEqual([
      [3, 0],
      [1, 0],
    ]);
  });

  test('fires by time, then row, then kind', () => {
    const table = new TimerTable(3);
    for (const [row, kind, due] of [
      [5, 2, 70],
      [5, 0, 70],
      [4, 1, 70],
      [9, 1, 69],
      [1, 1, 900_000_000],
      [2, 2, 5_000],
    ]) {
      table.set(row, kind, due);
    }
    expect(drain(table, 1_000_000_000)).toEqual([
      [9, 1],
      [4, 1],
      [5, 0],
      [5, 2],
      [2, 2],
      [1, 1],
    ]);
  });

  test('a timer that is set anew fires once, at its last time', () => {
    const table = new TimerTable(1);
    table.set(0, 0, 10_000);
    table.set(0, 0, 50_000_000);
    // The wheel comes to the old place, finds nothing and says so by the next time.
    expect(table.next()).toBeLessThanOrEqual(50_000_000);
    expect(table.expire(10_000)).toBe(false);
    expect(table.next()).toBe(50_000_000);
    table.set(0, 0, 20_000);
    expect(table.next()).toBe(20_000);
    expect(drain(table, 60_000_000)).toEqual([[0, 0]]);
  });

  test('a row without timers wakes nobody', () => {
    const table = new TimerTable(2);
    table.set(7, 0, 3_000);
    table.set(7, 1, 9_000);
    table.cancel(7, 0);
    table.set(7, 1, Infinity);
    expect(table.next()).toBe(Infinity);
    table.set(7, 1, 9_000);
    table.clear(7);
    expect(table.next()).toBe(Infinity);
    expect(table.expire(1e9)).toBe(false);
  });

  test('a timer that is set in the past while others fire comes in its order', () => {
    const table = new TimerTable(1);
    table.set(1, 0, 1_000_000);
    table.set(2, 0, 3_000_000);
    expect(table.expire(5_000_000)).toBe(true);
    table.set(3, 0, 2_000_000);
    table.set(4, 0, 10);
    expect(drain(table, 5_000_000).map(([row]) => row)).toEqual([4, 3, 2]);
  });

  test('keeps deadlines of every size apart', () => {
    const table = new TimerTable(1);
    const dues: number[] = [];
    for (let bits = 0; bits <= 53; bits++) {
      for (const offset of [-1, 0, 1]) {
        const due = Math.min(2 ** 53, Math.max(0, 2 ** bits + offset));
        dues.push(due);
        table.set(dues.length - 1, 0, due);
      }
    }
    const order = dues.map((due, row) => ({ due, row }));
    order.sort((a, b) => a.due - b.due || a.row - b.row);
    for (const { due, row } of order) {
      for (;;) {
        const next = table.next();
        expect(next).toBeLessThanOrEqual(due);
        if (table.expire(next)) break;
      }
      expect([table.row, dues[table.row]]).toEqual([row, due]);
    }
    expect(table.next()).toBe(Infinity);
  });

  test('refuses what is no time', () => {
    const table = new TimerTable(1);
    expect(() => table.set(0, 0, NaN)).toThrow(RangeError);
    expect(() => table.set(0, 0, -1)).toThrow(RangeError);
  });

  test('a slot with very many rows takes no more steps for each of them', () => {
    const rows = 100_000;
    const table = new TimerTable(1);
    for (let i = 0; i < rows; i++) table.set(i, 0, 60_000_000 + ((i * 7919) % rows) / 100);
    let last = 0;
    let fired = 0;
    let disordered = 0;
    while (table.expire(60_000_000 + rows)) {
      const due = 60_000_000 + ((table.row * 7919) % rows) / 100;
      if (due < last) disordered++;
      last = due;
      fired++;
    }
    expect(disordered).toBe(0);
    expect(fired).toBe(rows);
  });
});

describe('TimerTable against a sorted list', () => {
  const row = fc.oneof(fc.nat(8), fc.nat(60));
  const kind = fc.nat(2);
  const delay = fc.oneof(
    fc.nat(3),
    fc.nat(3_000),
    fc.nat(300_000),
    fc.nat(80_000_000),
    fc.maxSafeNat().map((n) => n / 8),
  );
  const operation = fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant('set'), row, kind, delay }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('past'), row, kind, delay }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('cancel'), row, kind, delay }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('clear'), row, kind, delay }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('wait'), row, kind, delay }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('sleep'), row, kind, delay }) },
  );

  test('fires the same timers in the same order', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 120, size: 'max' }), (operations) => {
        const table = new TimerTable(3);
        const model = new Model();
        const rows = new Set(operations.map((step) => step.row));
        let now = 0;
        for (const step of operations) {
          if (step.do === 'set' || step.do === 'past') {
            const due = step.do === 'set' ? now + step.delay : Math.max(0, now - step.delay);
            table.set(step.row, step.kind, due);
            model.set(step.row, step.kind, due);
          } else if (step.do === 'cancel') {
            table.cancel(step.row, step.kind);
            model.cancel(step.row, step.kind);
          } else if (step.do === 'clear') {
            table.clear(step.row);
            for (let i = 0; i < 3; i++) model.cancel(step.row, i);
          } else {
            const next = table.next();
            expect(next).toBeLessThanOrEqual(model.earliest);
            if (model.timers.size === 0) expect(next).toBe(Infinity);
            // 'sleep' as a driver does: until the table wants to be asked.
            const until = step.do === 'sleep' && next !== Infinity ? next : now + step.delay;
            now = Math.max(now, until);
            for (;;) {
              const expected = model.take(now);
              expect(table.expire(now)).toBe(expected !== undefined);
              if (expected === undefined) break;
              expect([table.row, table.kind]).toEqual([expected.row, expected.kind]);
            }
          }
          for (const row of rows) {
            for (let kind = 0; kind < 3; kind++) {
              const due = model.timers.get(`${row}/${kind}`)?.due ?? Infinity;
              if (table.due(row, kind) !== due) expect(table.due(row, kind)).toBe(due);
            }
          }
        }
      }),
      { numRuns: 50 },
    );
  });

  test('waiting by next() alone comes to every timer in few steps', () => {
    fc.assert(
      fc.property(fc.array(delay, { minLength: 1, maxLength: 50, size: 'max' }), (delays) => {
        const table = new TimerTable(1);
        delays.forEach((due, i) => table.set(i, 0, due * 2));
        // Some move later: each costs at most one needless wake for each level that it crosses.
        delays.forEach((due, i) => table.set(i, 0, due * 3));
        let wakes = 0;
        let fired = 0;
        while (table.next() !== Infinity) {
          wakes++;
          const now = table.next();
          while (table.expire(now)) fired++;
        }
        expect(fired).toBe(delays.length);
        expect(wakes).toBeLessThanOrEqual(delays.length * 10);
      }),
    );
  });
});
