import { performance } from 'node:perf_hooks';
import * as timers from 'node:timers';

/** One alarm. It is made unset and not holding the process. */
export interface ClockTimer {
  /** When it goes off, µs on the clock; replaces what was set. `Infinity`: not at all. */
  set(at: number): void;
  /** From now on it holds the process, even while it is not set. */
  ref(): void;
  unref(): void;
  /** Unsets it for good. */
  close(): void;
}

/** Where a stack takes the time from. */
export interface Clock {
  /** Whole µs since the stack was made. */
  now(): number;
  /** @param callback called from the event loop, never from `set`, at the time or after it */
  timer(callback: () => void): ClockTimer;
  /** Told that the program calls, or is called: a clock that is not real waits for it. */
  stir?(): void;
}

// Taken when the module is loaded, so that a test's fake timers don't stop the stack.
const { clearImmediate, clearTimeout, setImmediate, setTimeout } = timers;
const milliseconds = performance.now.bind(performance);

/**
 * Turns of the event loop between a deadline and the alarm. A program that was busy for long has
 * not looked at what has arrived meanwhile: the peer is not to blame, and a packet and its answer
 * inside the process take two turns.
 */
const TURNS = 3;

/** The longest delay that Node's timers take, ms. */
const LONGEST = 0x7fffffff;

/** The machine's monotonic clock. */
export class SystemClock implements Clock {
  readonly #epoch = milliseconds();

  now(): number {
    return Math.floor((milliseconds() - this.#epoch) * 1000);
  }

  timer(callback: () => void): ClockTimer {
    return new SystemTimer(this, callback);
  }
}

/**
 * An alarm on Node's timers. Most alarms are moved to a later time before they go off, so the timer
 * below is left where it is and set anew only when it has gone off too early.
 */
class SystemTimer implements ClockTimer {
  #at = Infinity;
  #timeout: NodeJS.Timeout | null = null;
  /** When `#timeout` goes off. */
  #due = Infinity;
  #holding = false;
  #closed = false;
  /** It is due, and so many turns of the event loop are left. */
  #turns = 0;
  #immediate: NodeJS.Immediate | null = null;
  readonly #fire = () => this.#fired();
  readonly #turn = () => this.#turned();

  constructor(
    private readonly clock: Clock,
    private readonly callback: () => void,
  ) {}

  set(at: number): void {
    this.#at = at;
    if (at < this.#due) this.#arm();
  }

  ref(): void {
    this.#holding = true;
    if (this.#timeout === null) this.#arm();
    else this.#timeout.ref();
  }

  unref(): void {
    this.#holding = false;
    this.#timeout?.unref();
  }

  close(): void {
    this.#closed = true;
    this.#at = Infinity;
    this.#clear();
  }

  #clear(): void {
    if (this.#timeout !== null) clearTimeout(this.#timeout);
    if (this.#immediate !== null && this.#closed) clearImmediate(this.#immediate);
    this.#timeout = null;
    this.#due = Infinity;
  }

  #arm(): void {
    this.#clear();
    if (this.#closed || (this.#at === Infinity && !this.#holding)) return;
    const now = this.clock.now();
    const delay = Math.min(Math.max(Math.ceil((this.#at - now) / 1000), 1), LONGEST);
    this.#due = Math.max(this.#at, now);
    if (delay === LONGEST) this.#due = now + LONGEST * 1000;
    this.#timeout = setTimeout(this.#fire, delay);
    if (!this.#holding) this.#timeout.unref();
  }

  #fired(): void {
    this.#timeout = null;
    this.#due = Infinity;
    if (this.clock.now() < this.#at) {
      this.#arm();
      return;
    }
    this.#turns = TURNS;
    this.#immediate = setImmediate(this.#turn);
  }

  #turned(): void {
    this.#immediate = null;
    if (--this.#turns > 0) {
      this.#immediate = setImmediate(this.#turn);
      return;
    }
    // What has arrived meanwhile may have moved it.
    if (this.clock.now() >= this.#at) {
      this.#at = Infinity;
      this.callback();
    }
    if (this.#timeout === null) this.#arm();
  }
}
