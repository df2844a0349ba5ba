import { Chaos, type Attack } from '../../support/chaos';
import { serve } from '../../support/rpc';

// In a process of its own: under Jest each look at a global costs, and a life takes ten times as
// long.
serve({
  /** Lives one life after another; throws with the seed of the one in which something broke. */
  live(first: number, last: number, attack: Attack): number {
    for (let seed = first; seed <= last; seed++) {
      try {
        new Chaos(seed, attack).run();
      } catch (error) {
        const causes: string[] = [];
        for (let at = error; at instanceof Error; at = at.cause) causes.push(at.message);
        throw new Error(`new Chaos(${seed}, '${attack}').run(): ${causes.join(': ')}`, {
          cause: error,
        });
      }
    }
    return last - first + 1;
  },
});
