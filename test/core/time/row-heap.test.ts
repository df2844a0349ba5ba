import fc from 'fast-check';
import { RowHeap } from '../../../lib/core/time/row-heap';

describe('RowHeap', () => {
  const step = fc.record({
    do: fc.constantFrom('push', 'push', 'push', 'remove', 'move', 'pop'),
    row: fc.nat(99),
    time: fc.oneof(fc.nat(5), fc.nat(1000)),
  });

  test('has the earliest row on top, whatever is added, moved and removed', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300, size: 'max' }), (steps) => {
        const times = new Float64Array(100);
        const heap = new RowHeap();
        heap.attach(times, new Int32Array(100));
        const model = new Set<number>();
        const first = () => [...model].sort((a, b) => times[a] - times[b] || a - b)[0];
        for (const { do: what, row, time } of steps) {
          if (what === 'push' && !model.has(row)) {
            times[row] = time;
            heap.push(row);
            model.add(row);
          } else if (what === 'remove' && model.has(row)) {
            heap.remove(row);
            model.delete(row);
          } else if (what === 'move' && model.has(row)) {
            times[row] = time;
            heap.moved(row);
          } else if (what === 'pop' && model.size > 0) {
            model.delete(heap.top());
            heap.remove(heap.top());
          }
          expect(heap.size).toBe(model.size);
          if (model.size > 0) expect(heap.top()).toBe(first());
        }
      }),
      { numRuns: 100 },
    );
  });
});
