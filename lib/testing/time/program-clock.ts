import { AsyncResource } from 'node:async_hooks';
import { invalidArgType } from '../../errors';
import { restoreGlobals, switchGlobals } from './globals';
import {
  enteredClock,
  fakes,
  register,
  type TimerCallback,
  type TimerHandle,
  type VirtualClock,
} from './stand-ins';

/** 2030-01-01T00:00:00Z, ms since 1970: equal runs show equal dates. */
export const DEFAULT_EPOCH = Date.UTC(2030, 0, 1);

/** The longest delay of Node's timers, ms. */
const LONGEST = 2 ** 31 - 1;

/** Milliseconds that Node makes of a delay. */
function milliseconds(delay: unknown): number {
  const number = Number(delay);
  return number >= 1 && number <= LONGEST ? Math.trunc(number) : 1;
}

/** A timer of fake-timers, as far as it is read here. */
interface FakeTimer {
  callAt: number;
  interval?: number;
  handle?: TimerHandle;
}

/**
 * The clock of a program that runs on a network: its timers, `Date`, `performance.now` and
 * `process.hrtime` show the network's time between `enter()` and `leave()`
 * (docs/virtual-time.md). Timers that are pending at `leave()` stay so.
 */
export class ProgramClock implements VirtualClock {
  readonly #clock = fakes.createClock();
  #time: { readonly now: number } = { now: 0 };

  /** @param epoch what `Date` shows at time 0, ms since 1970 */
  constructor(readonly epoch: number = DEFAULT_EPOCH) {
    // The fake clock has no time of its own. It stops to count in whole ms by that.
    Object.defineProperty(this.#clock, 'now', { get: () => this.micros / 1000, set: () => {} });
  }

  /** From now on it shows this time. */
  follow(time: { readonly now: number }): void {
    this.#time = time;
  }

  get micros(): number {
    return this.#time.now;
  }

  /**
   * The program is on this clock from now on.
   * @throws Error ERR_NETLAND_CLOCK_IN_USE: it is on one already; ERR_NETLAND_FAKE_TIMERS: on that
   *   of a test framework
   */
  enter(): void {
    switchGlobals(this);
  }

  /** It is on the real one again. */
  leave(): void {
    if (enteredClock() === this) restoreGlobals();
  }

  /** Leaves, and drops all timers. */
  close(): void {
    this.leave();
    this.#clock.reset();
  }

  add(callback: TimerCallback, delay: unknown, repeat: boolean, values: unknown[]): TimerHandle {
    if (typeof callback !== 'function') {
      throw invalidArgType('callback', 'of type function', callback);
    }
    const resource = new AsyncResource('Timeout');
    const call = () => resource.runInAsyncScope(callback, handle, ...values);
    const set = repeat ? this.#clock.setInterval : this.#clock.setTimeout;
    const handle = set(call, milliseconds(delay)) as unknown as TimerHandle;
    const id = Number(handle);
    const timer = this.#clock.timers?.get(id) as FakeTimer;
    timer.handle = handle;
    const close = () => {
      this.clear(id);
      return handle;
    };
    return register(complete(handle, callback, close));
  }

  clear(id: number): void {
    if (this.#clock.timers?.has(id)) this.#clock.clearTimeout(id);
  }

  /** When the earliest timer goes off, µs; Infinity: there is none. */
  next(): number {
    const first = this.#clock.timerHeap?.peek();
    return first === undefined ? Infinity : micros(first);
  }

  /** How many timers are due now. */
  due(): number {
    const timers = this.#clock.timerHeap?.timers ?? [];
    const dueFrom = (at: number): number =>
      at < timers.length && micros(timers[at]) <= this.micros
        ? 1 + dueFrom(2 * at + 1) + dueFrom(2 * at + 2)
        : 0;
    return dueFrom(0);
  }

  /** Calls the earliest timer, if one is due. Throws what it throws. */
  fire(): void {
    if (this.next() <= this.micros) this.#clock.next();
  }

  /** Timers that would keep a process alive: `setTimeout`s, not intervals. */
  get pendingTimeouts(): number {
    let count = 0;
    for (const timer of this.#timers()) {
      if (timer.interval === undefined && timer.handle?.hasRef()) count++;
    }
    return count;
  }

  /** Whether there is any timer, intervals included, that would keep a process alive. */
  get isWaiting(): boolean {
    for (const timer of this.#timers()) if (timer.handle?.hasRef()) return true;
    return false;
  }

  #timers(): Iterable<FakeTimer> {
    return (this.#clock.timers?.values() ?? []) as Iterable<FakeTimer>;
  }
}

function micros(timer: { callAt?: number }): number {
  return Math.round((timer.callAt as number) * 1000);
}

/** Adds what Node's `Timeout` has and the handles of fake-timers haven't. */
function complete(handle: TimerHandle, callback: unknown, close: () => TimerHandle): TimerHandle {
  Object.defineProperties(handle, {
    close: { value: close },
    // The real clearTimeout puts null here. So it works on our timers, too, outside of `run`.
    _onTimeout: { get: () => callback, set: (value) => value === null && close() },
    _destroyed: { value: true },
  });
  if (typeof Symbol.dispose === 'symbol') {
    Object.defineProperty(handle, Symbol.dispose, { value: close });
  }
  return handle;
}
