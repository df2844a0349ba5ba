import { performance } from 'node:perf_hooks';
import * as timers from 'node:timers';

// Taken at import, so that fake timers that are installed later don't stop the links.
const { setTimeout, clearTimeout } = timers;
const milliseconds = performance.now.bind(performance);

/** One deadline. */
export interface Alarm {
  /** Sets it to a time of the clock, ms; `Infinity` unsets it. Replaces what was set. */
  set(at: number): void;
  /** While it is set it keeps the process alive (the default). */
  ref(): void;
  unref(): void;
}

/** Where an impairment takes the time from. */
export interface ImpairmentClock {
  /** ms */
  now(): number;
  /** @param callback called from the event loop, at the time or after it, never from `set` */
  alarm(callback: () => void): Alarm;
}

/** The machine's monotonic clock. */
export const systemClock: ImpairmentClock = {
  now: milliseconds,
  alarm: (callback) => new SystemAlarm(callback),
};

class SystemAlarm implements Alarm {
  private timeout: NodeJS.Timeout | null = null;
  private at = Infinity;
  private referenced = true;

  constructor(private readonly callback: () => void) {}

  set(at: number): void {
    if (at === this.at) return;
    if (this.timeout !== null) clearTimeout(this.timeout);
    this.timeout = null;
    this.at = at;
    if (at === Infinity) return;
    this.timeout = setTimeout(() => this.fire(), Math.ceil(at - milliseconds()));
    if (!this.referenced) this.timeout.unref();
  }

  ref(): void {
    this.referenced = true;
    this.timeout?.ref();
  }

  unref(): void {
    this.referenced = false;
    this.timeout?.unref();
  }

  private fire(): void {
    this.timeout = null;
    this.at = Infinity;
    this.callback();
  }
}
