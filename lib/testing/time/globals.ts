import { syncBuiltinESMExports } from 'node:module';
import { performance } from 'node:perf_hooks';
import timers from 'node:timers';
import promises from 'node:timers/promises';
// These take their timers from node:timers as they are loaded, and are to have the real ones.
import 'node:child_process';
import 'node:http';
import 'node:net';
import 'node:readline';
import { codeError } from '../../errors';
import { enteredClock, setClock, standIns, type VirtualClock } from './stand-ins';

/** A property of a global or of a module that is replaced while a program is on virtual time. */
interface Place {
  holder: object;
  key: string;
  /** `value` or `get`. */
  standIn: PropertyDescriptor;
}

function place(holder: object, key: string, value: unknown): Place {
  return { holder, key, standIn: { value } };
}

const { setTimeout, setInterval, clearTimeout } = standIns;

const PLACES: readonly Place[] = [
  ...[globalThis, timers].flatMap((holder) => [
    place(holder, 'setTimeout', setTimeout),
    place(holder, 'setInterval', setInterval),
    place(holder, 'clearTimeout', clearTimeout),
    place(holder, 'clearInterval', clearTimeout),
  ]),
  place(globalThis, 'Date', standIns.Date),
  place(promises, 'setTimeout', standIns.sleep),
  place(promises, 'setInterval', standIns.every),
  place(promises.scheduler, 'wait', standIns.wait),
  place(AbortSignal, 'timeout', standIns.abortAfter),
  place(process, 'hrtime', standIns.hrtime),
  // The global one is another object under jsdom.
  ...new Set<object>([globalThis.performance, performance]),
].flatMap((entry) =>
  'key' in entry
    ? [entry as Place]
    : [
        place(entry, 'now', standIns.now),
        { holder: entry, key: 'timeOrigin', standIn: { get: standIns.timeOrigin } },
      ],
);

let saved: (PropertyDescriptor | undefined)[] = [];

/** Whose fake timers are installed, if any are. */
function fakesInstalled(): boolean {
  const date = Date as unknown as { isFake?: boolean; isMock?: boolean };
  if (date.isFake || date.isMock) return true;
  return [globalThis.setTimeout, timers.setImmediate].some((timer) => {
    const marks = timer as unknown as { clock?: unknown; _isMockFunction?: boolean };
    // node:test has no mark of its own.
    return marks.clock || marks._isMockFunction || timer.name === 'bound #createTimer';
  });
}

/**
 * Puts the globals on a clock.
 * @throws Error ERR_NETLAND_CLOCK_IN_USE while they are on one; ERR_NETLAND_FAKE_TIMERS
 */
export function switchGlobals(clock: VirtualClock): void {
  if (enteredClock() !== null) {
    const message = 'another network is running: a process has one virtual time at once';
    throw codeError(Error, 'ERR_NETLAND_CLOCK_IN_USE', message);
  }
  if (fakesInstalled()) {
    const message =
      "fake timers are installed, and a network puts the program's timers on a clock of its own: " +
      'uninstall them first (jest.useRealTimers(), vi.useRealTimers(), mock.timers.reset())';
    throw codeError(Error, 'ERR_NETLAND_FAKE_TIMERS', message);
  }
  setClock(clock);
  saved = PLACES.map(({ holder, key }) => Object.getOwnPropertyDescriptor(holder, key));
  PLACES.forEach(({ holder, key, standIn }, index) => {
    const before = saved[index];
    const { enumerable = true } = before ?? {};
    const writable = 'value' in standIn ? { writable: true } : {};
    Object.defineProperty(holder, key, { ...standIn, ...writable, enumerable, configurable: true });
  });
  syncBuiltinESMExports();
}

/** Gives the globals back what they had. What somebody else has replaced meanwhile stays. */
export function restoreGlobals(): void {
  PLACES.forEach(({ holder, key, standIn }, index) => {
    const current = Object.getOwnPropertyDescriptor(holder, key);
    if (current?.value !== standIn.value || current?.get !== standIn.get) return;
    const before = saved[index];
    if (before === undefined) Reflect.deleteProperty(holder, key);
    else Object.defineProperty(holder, key, before);
  });
  setClock(null);
  syncBuiltinESMExports();
}
