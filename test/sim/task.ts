import { SimEvent } from '../../lib/testing/engine/event-queue';
import type { Simulation } from '../../lib/testing/engine/simulation';

/** Something to be done at a time. */
export class Task extends SimEvent {
  constructor(
    private readonly simulation: Simulation,
    private readonly action: () => void,
  ) {
    super();
  }

  /** @param delay µs from now; Infinity: not at all */
  after(delay: number): this {
    this.simulation.at(this, this.simulation.now + delay);
    return this;
  }

  run(): void {
    this.action();
  }
}

export const SECOND = 1_000_000;
