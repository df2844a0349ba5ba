import type { Random } from '../../core/environment';
import { Xoshiro } from '../../core/random/xoshiro';
import { EventQueue, type SimEvent } from './event-queue';

/** Time, events and chance of one simulated network. All else of it is called from here. */
export class Simulation {
  /** Whole µs since the network was made. */
  now = 0;
  /** Grows with every call of the program into the network, and of the network into the program. */
  activity = 0;
  /** Events that have happened. */
  events = 0;
  /** Called after each event. */
  onEvent: (() => void) | null = null;
  /** What was thrown first where nobody could catch it; null: nothing. */
  private failure: { readonly error: unknown } | null = null;
  private readonly queue = new EventQueue();

  /** @param seed 0 to 2^53 - 1 */
  constructor(readonly seed: number) {}

  /** Sets an event to a time, not before now, in whole µs; Infinity: it doesn't happen. */
  at(event: SimEvent, time: number): void {
    this.queue.set(event, Math.max(Math.ceil(time), this.now));
  }

  /** The time of the next event; Infinity: there is none. */
  next(): number {
    return this.queue.next();
  }

  /** Lets the next event happen; there is one. */
  step(): void {
    this.now = this.queue.next();
    this.events++;
    this.queue.take().run();
    this.onEvent?.();
    this.rethrow();
  }

  /**
   * Takes what must not go through the stack that has led to it: `step`, and so the run, throws it.
   * Of several the first counts.
   */
  fail(error: unknown): void {
    this.failure ??= { error };
  }

  /** Throws what was taken by `fail`, once. */
  rethrow(): void {
    const { failure } = this;
    if (failure === null) return;
    this.failure = null;
    throw failure.error;
  }

  /**
   * Lets events happen up to and including `limit`, µs, until the program has been called. Doesn't
   * move the clock beyond the last of them.
   */
  advance(limit: number): void {
    const { activity } = this;
    while (this.activity === activity && this.next() <= limit) this.step();
  }

  /** Sets the clock to `at`, before which nothing happens. */
  moveTo(at: number): void {
    if (at > this.next()) throw new Error('the clock would jump over an event');
    this.now = Math.max(this.now, at);
  }

  /** A source of randomness for whatever has this name, so that none disturbs another. */
  random(name: string): Random {
    return new Xoshiro(this.seed + seedOf(name) * 2 ** 20);
  }
}

/** FNV-1a, 32 bits. */
function seedOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
