import fc from 'fast-check';
import { TimeWaitField, TimeWaitFlag, TimeWaitTable } from '../../../lib/core/tcp/time-wait-table';

const SECOND = 1_000_000;

function entry(table: TimeWaitTable, tuple: number, expiry: number): number {
  return table.alloc(tuple, expiry);
}

describe('TimeWaitTable', () => {
  test('rows expire in their order, each at its microsecond', () => {
    const table = new TimeWaitTable();
    expect([table.next(), table.expire(2 ** 53)]).toEqual([Infinity, -1]);
    const first = entry(table, 10, 60 * SECOND);
    const second = entry(table, 11, 61 * SECOND);
    expect(table.next()).toBe(60 * SECOND);
    expect(table.expire(60 * SECOND - 1)).toBe(-1);
    expect(table.expire(60 * SECOND)).toBe(first);
    table.free(first);
    expect(table.next()).toBe(61 * SECOND);
    expect(table.expire(60 * SECOND)).toBe(-1);
    table.free(second);
    expect([table.next(), table.count]).toEqual([Infinity, 0]);
  });

  test('a wait that begins anew goes behind the others', () => {
    const table = new TimeWaitTable();
    const rows = [1, 2, 3].map((i) => entry(table, i, i * SECOND));
    table.schedule(rows[0], 4 * SECOND);
    const order: number[] = [];
    for (let row = table.expire(1e12); row >= 0; row = table.expire(1e12)) {
      order.push(row);
      table.free(row);
    }
    expect(order).toEqual([rows[1], rows[2], rows[0]]);
  });

  test('is full at its limit', () => {
    const table = new TimeWaitTable(2);
    const row = entry(table, 1, 1);
    entry(table, 2, 2);
    expect(entry(table, 3, 3)).toBe(-1);
    table.free(row);
    expect(entry(table, 3, 3)).toBe(row);
  });

  test('a row has zeros where it is not the table that writes; none is freed twice', () => {
    const table = new TimeWaitTable();
    const row = entry(table, 1, 1);
    table.words.fill(-1, table.base(row) + 1, table.base(row) + TimeWaitField.Flags);
    table.words[table.base(row) + TimeWaitField.Flags] |= TimeWaitFlag.Timestamps;
    table.schedule(row, 2);
    expect(table.words[table.base(row) + TimeWaitField.Flags]).toBe(TimeWaitFlag.Timestamps);
    table.free(row);
    expect(() => table.free(row)).toThrow('not in use');
    const base = table.base(entry(table, 1, 1));
    expect([...table.words.subarray(base, base + TimeWaitField.Flags + 1)]).toEqual([
      1, 0, 0, 0, 0, 0, 0, 0,
    ]);
  });

  test('is exact up to 2^53 µs and never early', () => {
    const table = new TimeWaitTable();
    for (const expiry of [0, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 52 + 1, 2 ** 53 - 1]) {
      const row = entry(table, 1, expiry);
      expect([table.expiry(row), table.next()]).toEqual([expiry, expiry]);
      table.free(row);
    }
    expect(table.expiry(entry(table, 1, 7.25))).toBe(8);
  });

  test('holds the same as a sorted list, whatever the durations', () => {
    const operation = fc.record({
      do: fc.constantFrom('alloc', 'alloc', 'start', 'free', 'expire'),
      pick: fc.nat(),
      wait: fc.oneof(fc.constant(60 * SECOND), fc.nat(120 * SECOND)),
    });
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 150, size: 'max' }), (operations) => {
        const table = new TimeWaitTable(40);
        const model = new Map<number, { expiry: number; tuple: number }>();
        let now = 0;
        operations.forEach((step, tuple) => {
          now += step.pick % (5 * SECOND);
          const rows = [...model.keys()];
          const picked = rows.length === 0 ? undefined : rows[step.pick % rows.length];
          if (step.do === 'alloc') {
            if (model.size === 40) {
              expect(entry(table, 3, 3)).toBe(-1);
              return;
            }
            const row = entry(table, tuple, now + step.wait);
            expect(model.has(row)).toBe(false);
            model.set(row, { expiry: now + step.wait, tuple });
          } else if (step.do === 'start' && picked !== undefined) {
            table.schedule(picked, now + step.wait);
            model.set(picked, { expiry: now + step.wait, tuple: model.get(picked)?.tuple ?? -1 });
          } else if (step.do === 'free' && picked !== undefined) {
            table.free(picked);
            model.delete(picked);
          } else if (step.do === 'expire') {
            let last = 0;
            for (let row = table.expire(now); row >= 0; row = table.expire(now)) {
              expect(table.expiry(row)).toBeGreaterThanOrEqual(last);
              last = table.expiry(row);
              expect(last).toBe(model.get(row)?.expiry);
              table.free(row);
              model.delete(row);
            }
          }
          const expiries = [...model.values()].map(({ expiry }) => expiry);
          expect(table.next()).toBe(Math.min(Infinity, ...expiries));
          expect(table.count).toBe(model.size);
          for (const [row, { tuple: owner }] of model) {
            expect(table.words[table.base(row) + TimeWaitField.FourTuple]).toBe(owner);
          }
        });
      }),
      { numRuns: 20 },
    );
  });
});
