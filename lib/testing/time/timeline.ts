/** What the turns drive: a simulated network. Times are whole µs of its clock. */
export interface Timeline {
  /** Grows with every call of the program into the network, and of the network into the program. */
  readonly activity: number;
  readonly now: number;
  /** The earliest deadline of the network; Infinity: there is none. */
  next(): number;
  /**
   * Moves the clock from deadline to deadline, up to and including `limit`, and lets happen what is
   * due at each, until the program has been called (`activity` has changed) or no deadline up to
   * `limit` is left; the clock stands at the last deadline then. It never waits, nor returns to the
   * event loop.
   */
  advance(limit: number): void;
  /** Throws what has gone wrong since, if anything has: whoever moves the clock is to know. */
  rethrow(): void;
  /** Sets the clock to `at`; no deadline lies before it. */
  moveTo(at: number): void;
}
