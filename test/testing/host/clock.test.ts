import * as fc from 'fast-check';
import { Simulation } from '../../../lib/testing/engine/simulation';
import { HostClock } from '../../../lib/testing/host/clock';

test('an alarm never goes off before the clock shows its time, whatever the rate', () => {
  const rates = fc.oneof(
    fc.constantFrom(1, 1.02, 0.99, 1.1, 0.9, 0.5, 2, 1 / 3),
    fc.double({ min: 1e-3, max: 1000, noNaN: true }),
  );
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 10_000_000_000 }),
      rates,
      fc.integer({ min: 0, max: 10_000_000_000 }),
      rates,
      fc.integer({ min: 1, max: 1_000_000_000 }),
      (start, first, changed, second, wait) => {
        const simulation = new Simulation(1);
        simulation.now = start;
        const clock = new HostClock(simulation, () => undefined);
        clock.rate = first;
        simulation.now += changed;
        clock.rate = second;
        let shown = -1;
        // The core's deadlines need not be whole µs.
        const due = clock.now() + wait / 4;
        clock.timer(() => (shown = clock.now())).set(due);
        simulation.step();
        expect(shown).toBeGreaterThanOrEqual(due);
        // Nor later than a unit of either clock, and what rounding gives.
        expect(shown).toBeLessThanOrEqual(due + 2 + 2 * second);
      },
    ),
    { numRuns: process.env.NETLAND_NIGHTLY === '1' ? 20_000 : 3000 },
  );
});
