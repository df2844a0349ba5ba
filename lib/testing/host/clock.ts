import type { Clock, ClockTimer } from '../../driver/clock';
import { SimEvent } from '../engine/event-queue';
import type { Simulation } from '../engine/simulation';

/** A host's own clock: it may run faster or slower than the network's, and alarms may be late. */
export class HostClock implements Clock {
  private readonly alarms = new Set<HostAlarm>();
  /** Alarms that went off while the host stood still. */
  private overdue: HostAlarm[] = [];
  private speed = 1;
  /** What it showed at network time `since`, µs. */
  private base = 0;
  private since: number;
  private paused = false;
  private stopped = false;

  /** @param afterAlarm called when an alarm has gone off */
  constructor(
    private readonly simulation: Simulation,
    private readonly afterAlarm: () => void,
  ) {
    this.since = simulation.now;
  }

  /** Seconds that it counts in one of the network's. */
  get rate(): number {
    return this.speed;
  }

  set rate(rate: number) {
    this.base += (this.simulation.now - this.since) * this.speed;
    this.since = this.simulation.now;
    this.speed = rate;
    for (const alarm of this.alarms) alarm.arm();
  }

  now(): number {
    return this.shows(this.simulation.now);
  }

  /** What it shows at a time of the network. */
  private shows(at: number): number {
    return Math.floor(this.base + (at - this.since) * this.speed);
  }

  timer(callback: () => void): ClockTimer {
    const alarm = new HostAlarm(this, this.simulation, callback);
    if (this.stopped) alarm.close();
    else this.alarms.add(alarm);
    return alarm;
  }

  stir(): void {
    if (!this.stopped) this.simulation.activity++;
  }

  /** Alarms wait; time goes on. */
  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    const { overdue } = this;
    this.overdue = [];
    for (const alarm of overdue) alarm.arm();
  }

  /** No alarm goes off any more. */
  stop(): void {
    this.stopped = true;
    for (const alarm of this.alarms) alarm.close();
  }

  /** @internal When the network's clock is where this one shows `at`. */
  toNetwork(at: number): number {
    const time = this.since + Math.ceil((at - this.base) / this.speed);
    // Never early, be it by a fraction: whoever is woken early would ask for the same time again.
    return this.shows(time) < at ? time + Math.ceil(1 / this.speed) : time;
  }

  /** @internal */
  fired(alarm: HostAlarm, callback: () => void): void {
    if (this.paused) {
      this.overdue.push(alarm);
      return;
    }
    alarm.due = Infinity;
    callback();
    this.afterAlarm();
  }

  /** @internal */
  forget(alarm: HostAlarm): void {
    this.alarms.delete(alarm);
  }
}

class HostAlarm extends SimEvent implements ClockTimer {
  /** µs on the host's clock. */
  due = Infinity;
  private closed = false;

  constructor(
    private readonly clock: HostClock,
    private readonly simulation: Simulation,
    private readonly callback: () => void,
  ) {
    super();
  }

  set(at: number): void {
    if (this.closed || at === this.due) return;
    this.due = at;
    this.arm();
  }

  arm(): void {
    const { due } = this;
    this.simulation.at(this, due === Infinity ? Infinity : this.clock.toNetwork(due));
  }

  run(): void {
    if (!this.closed) this.clock.fired(this, this.callback);
  }

  // Virtual time keeps no process.
  ref(): void {
    return;
  }

  unref(): void {
    return;
  }

  close(): void {
    this.closed = true;
    this.due = Infinity;
    this.simulation.at(this, Infinity);
    this.clock.forget(this);
  }
}
