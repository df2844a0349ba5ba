import type { Alarm, ImpairmentClock } from '../../../lib/link/impair/clock';

/**
 * A clock for `impair` that has no time of its own: while the gate is open, what is delayed leaves
 * in the next turn of the event loop; while it is shut, all waits.
 */
export class Gate implements ImpairmentClock {
  private time = 0;
  private shut = false;
  private readonly alarms: GateAlarm[] = [];

  now(): number {
    return this.time;
  }

  alarm(callback: () => void): Alarm {
    const alarm = new GateAlarm(() => {
      if (this.shut || alarm.at === Infinity) return;
      this.time = Math.max(this.time, alarm.at);
      alarm.at = Infinity;
      callback();
    });
    this.alarms.push(alarm);
    return alarm;
  }

  hold(): void {
    this.shut = true;
  }

  release(): void {
    this.shut = false;
    for (const alarm of this.alarms) alarm.set(alarm.at);
  }
}

class GateAlarm implements Alarm {
  at = Infinity;

  constructor(private readonly ring: () => void) {}

  set(at: number): void {
    this.at = at;
    setImmediate(this.ring);
  }

  ref(): void {
    // A process of the tests has calls to serve: it lives anyway.
  }

  unref(): void {
    // As `ref`.
  }
}
