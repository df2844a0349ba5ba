import type { Clock, ClockTimer } from '../../lib/driver/clock';

interface Alarm {
  at: number;
  readonly order: number;
  readonly callback: () => void;
}

/** A clock that stands still until the test moves it. */
export class ManualClock implements Clock {
  #now = 0;
  #order = 0;
  readonly #alarms = new Set<Alarm>();

  now(): number {
    return this.#now;
  }

  timer(callback: () => void): ClockTimer {
    const alarm: Alarm = { at: Infinity, order: this.#order++, callback };
    this.#alarms.add(alarm);
    return {
      set: (at) => {
        alarm.at = at;
      },
      ref: () => undefined,
      unref: () => undefined,
      close: () => {
        this.#alarms.delete(alarm);
      },
    };
  }

  #next(): Alarm | null {
    let next: Alarm | null = null;
    for (const alarm of this.#alarms) {
      const earlier =
        next === null || alarm.at < next.at || (alarm.at === next.at && alarm.order < next.order);
      if (earlier) next = alarm;
    }
    return next;
  }

  /** Goes `milliseconds` on; between two alarms what they have caused may run its course. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds * 1000;
    await settle();
    for (let next = this.#next(); next !== null && next.at <= end; next = this.#next()) {
      this.#now = Math.max(this.#now, next.at);
      next.at = Infinity;
      next.callback();
      await settle();
    }
    this.#now = end;
  }
}

/** Lets the event loop turn until what is under way in the process has most likely come to rest. */
export async function settle(turns = 20): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise((done) => setImmediate(done));
}
