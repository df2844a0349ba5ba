import * as fakeTimers from '@sinonjs/fake-timers';
import { performance } from 'node:perf_hooks';
import promises from 'node:timers/promises';
import { promisify } from 'node:util';
import { codeError, invalidArgType, outOfRange } from '../../errors';

/** As Node's `Timeout`. */
export interface TimerHandle {
  ref(): this;
  unref(): this;
  hasRef(): boolean;
  refresh(): this;
  close(): this;
  [Symbol.toPrimitive](): number;
}

export type TimerCallback = (...values: unknown[]) => void;

/** The clock that a program's timers are on while it is entered. */
export interface VirtualClock {
  /** µs since the network was made. */
  readonly micros: number;
  /** What `Date` showed then, ms since 1970. */
  readonly epoch: number;
  add(callback: TimerCallback, delay: unknown, repeat: boolean, values: unknown[]): TimerHandle;
  /** @param id what a handle gives as a number; unknown ones are ignored */
  clear(id: number): void;
}

interface Options {
  signal?: AbortSignal;
  ref?: boolean;
}

let entered: VirtualClock | null = null;

/** @param clock what the stand-ins work on from now on; null: the real thing */
export function setClock(clock: VirtualClock | null): void {
  entered = clock;
}

/** The clock that is entered. */
export function enteredClock(): VirtualClock | null {
  return entered;
}

/** What the stand-ins stand for; they themselves stay in the hands of whoever has kept one. */
const real = {
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  setInterval: globalThis.setInterval,
  sleep: promises.setTimeout,
  every: promises.setInterval,
  wait: promises.scheduler.wait.bind(promises.scheduler),
  now: performance.now.bind(performance),
  timeOrigin: performance.timeOrigin,
  dateNow: Date.now,
  hrtime: process.hrtime,
  abortAfter: AbortSignal.timeout.bind(AbortSignal),
};

// --- timers ----------------------------------------------------------------------------------

const handles = new WeakSet<object>();

/** From now on `clearTimeout` knows the handle. */
export function register(handle: TimerHandle): TimerHandle {
  handles.add(handle);
  return handle;
}

function setTimeout(callback: TimerCallback, delay?: number, ...values: unknown[]): unknown {
  if (entered === null) return real.setTimeout(callback, delay, ...values);
  return entered.add(callback, delay, false, values);
}

function setInterval(callback: TimerCallback, delay?: number, ...values: unknown[]): unknown {
  if (entered === null) return real.setInterval(callback, delay, ...values);
  return entered.add(callback, delay, true, values);
}

function clearTimeout(timer: unknown): void {
  if (typeof timer === 'object' && timer !== null && handles.has(timer)) {
    (timer as TimerHandle).close();
    return;
  }
  if (typeof timer === 'number' || typeof timer === 'string') entered?.clear(Number(timer));
  real.clearTimeout(timer as NodeJS.Timeout);
}

// --- timers that are promises ----------------------------------------------------------------

function checkOptions(delay: unknown, options: Options): void {
  if (delay !== undefined && typeof delay !== 'number') {
    throw invalidArgType('delay', 'of type number', delay);
  }
  if (typeof options !== 'object' || options === null) {
    throw invalidArgType('options', 'of type object', options);
  }
  const { signal, ref } = options;
  if (signal !== undefined && (typeof signal !== 'object' || !('aborted' in signal))) {
    throw invalidArgType('options.signal', 'an instance of AbortSignal', signal);
  }
  if (ref !== undefined && typeof ref !== 'boolean') {
    throw invalidArgType('options.ref', 'of type boolean', ref);
  }
}

function aborted(signal: AbortSignal): Error {
  const error = codeError(Error, 'ABORT_ERR', 'The operation was aborted');
  return Object.assign(error, { name: 'AbortError', cause: signal.reason });
}

async function sleep<T>(delay?: number, value?: T, options: Options = {}): Promise<T> {
  const clock = entered;
  if (clock === null) return real.sleep(delay, value as T, options);
  checkOptions(delay, options);
  const { signal, ref } = options;
  if (signal?.aborted) throw aborted(signal);
  return new Promise<T>((resolve, reject) => {
    const abort = () => {
      handle.close();
      reject(aborted(signal as AbortSignal));
    };
    const wake = () => {
      signal?.removeEventListener('abort', abort);
      resolve(value as T);
    };
    const handle = clock.add(wake, delay, false, []);
    if (ref === false) handle.unref();
    signal?.addEventListener('abort', abort, { once: true });
  });
}

async function* every<T>(delay?: number, value?: T, options: Options = {}): AsyncGenerator<T> {
  const clock = entered;
  if (clock === null) {
    yield* real.every(delay, value as T, options);
    return;
  }
  checkOptions(delay, options);
  const { signal, ref } = options;
  let due = 0;
  let wake = () => {};
  const stir = () => wake();
  const handle = clock.add(() => (due++, wake()), delay, true, []);
  if (ref === false) handle.unref();
  signal?.addEventListener('abort', stir, { once: true });
  try {
    while (!signal?.aborted) {
      if (due === 0) await new Promise<void>((resolve) => (wake = resolve));
      for (; due > 0 && !signal?.aborted; due--) yield value as T;
    }
    throw aborted(signal);
  } finally {
    handle.close();
    signal?.removeEventListener('abort', stir);
  }
}

function wait(delay: number, options?: Options): Promise<void> {
  return entered === null ? real.wait(delay, options) : sleep(delay, undefined, options);
}

// `util.promisify(setTimeout)`, as Node's own.
Object.defineProperty(setTimeout, promisify.custom, { get: () => sleep, enumerable: true });

/** The largest delay that `AbortSignal.timeout` takes, ms. */
const MAX_ABORT_DELAY = 2 ** 32 - 1;

function abortAfter(delay: number): AbortSignal {
  if (entered === null) return real.abortAfter(delay);
  if (typeof delay !== 'number') throw invalidArgType('delay', 'of type number', delay);
  if (!Number.isInteger(delay) || delay < 0 || delay > MAX_ABORT_DELAY) {
    throw outOfRange('delay', `an integer >= 0 && <= ${MAX_ABORT_DELAY}`, delay);
  }
  const controller = new AbortController();
  const text = 'The operation was aborted due to timeout';
  const abort = () => controller.abort(new DOMException(text, 'TimeoutError'));
  entered.add(abort, delay, false, []).unref();
  return controller.signal;
}

// --- clocks ----------------------------------------------------------------------------------

function now(): number {
  return entered === null ? real.now() : entered.micros / 1000;
}

function timeOrigin(): number {
  return entered === null ? real.timeOrigin : entered.epoch;
}

function hrtime(previous?: [number, number]): [number, number] {
  if (entered === null) return real.hrtime(previous);
  if (previous !== undefined && !Array.isArray(previous)) {
    throw invalidArgType('time', 'an instance of Array', previous);
  }
  const { micros } = entered;
  const [earlierSeconds, earlierNanos] = previous ?? [0, 0];
  const seconds = Math.floor(micros / 1e6) - earlierSeconds;
  const nanos = (micros % 1e6) * 1000 - earlierNanos;
  return nanos < 0 ? [seconds - 1, nanos + 1e9] : [seconds, nanos];
}

hrtime.bigint = (): bigint =>
  entered === null ? real.hrtime.bigint() : BigInt(entered.micros) * 1000n;

/** Makes the clocks of all networks: so no two of their timers have the same number. */
export const fakes = fakeTimers.withGlobal(globalThis);

/** A `Date` of the kind that fake-timers has, with our time instead of a clock's. */
const { Date: VirtualDate } = fakes.createClock();
Object.defineProperty(VirtualDate, 'clock', {
  value: {
    get now() {
      if (entered === null) return real.dateNow();
      return entered.epoch + Math.floor(entered.micros / 1000);
    },
  },
});

export const standIns = {
  setTimeout,
  setInterval,
  clearTimeout,
  sleep,
  every,
  wait,
  abortAfter,
  now,
  timeOrigin,
  hrtime,
  Date: VirtualDate,
};
