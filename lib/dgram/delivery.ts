import type { ClockTimer } from '../driver/clock';
import type { Driver } from '../driver/driver';

// Taken when the module is loaded, so that a test's fake timers don't stop the stack.
const nextTick = process.nextTick.bind(process);
const settled = Promise.resolve();

/** Where datagrams are taken from. */
export interface Source {
  /** How many can be taken. */
  readonly waiting: number;
  /** Takes one, and calls the program with it. */
  deliver(): void;
}

/**
 * Gives the program datagrams one by one: between two of them its promises and ticks run, as
 * between two of node:dgram's, so that who waits for the next with `await once(socket, 'message')`
 * misses none. What the program sends meanwhile leaves when all have been given.
 */
export class Delivery {
  #isRunning = false;
  /** How many the link has brought; what comes of the program's own waits for another turn. */
  #left = 0;
  #timer: ClockTimer | null = null;
  readonly #step = () => this.#next();
  readonly #later = () => nextTick(this.#step);

  constructor(
    private readonly driver: Driver,
    private readonly source: Source,
  ) {}

  /** To be called from a round of the driver. */
  start(): void {
    // One more, for an error that waits beside them.
    this.#left = this.source.waiting + 1;
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.driver.beginDelivery();
    this.#next();
  }

  stop(): void {
    this.#left = 0;
    this.#timer?.close();
  }

  #next(): void {
    this.driver.clock.stir?.();
    try {
      this.source.deliver();
    } finally {
      if (--this.#left > 0 && this.source.waiting > 0) void settled.then(this.#later);
      else this.#end();
    }
  }

  #end(): void {
    this.#isRunning = false;
    this.driver.endDelivery();
    if (this.source.waiting === 0) return;
    const { clock } = this.driver;
    this.#timer ??= clock.timer(() => {
      this.driver.enter();
      this.start();
    });
    this.#timer.set(clock.now());
  }
}
