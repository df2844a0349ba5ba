import { Duplex } from 'node:stream';
import type { Timeline } from '../../lib/testing/time/timeline';

interface Event {
  at: number;
  run: () => void;
}

/** The least that the turns can drive: events by time, and pairs of streams with a delay. */
export class ToyNetwork implements Timeline {
  activity = 0;
  now = 0;
  readonly #events: Event[] = [];

  /** @param at µs */
  at(at: number, run: () => void): void {
    const after = this.#events.findIndex((event) => event.at > at);
    this.#events.splice(after < 0 ? this.#events.length : after, 0, { at, run });
  }

  /** An event that doesn't concern the program, every ms. */
  hum(count: number): void {
    for (let i = 1; i <= count; i++) this.at(this.now + i * 1000, () => undefined);
  }

  next(): number {
    return this.#events[0]?.at ?? Infinity;
  }

  advance(limit: number): void {
    const { activity } = this;
    while (this.next() <= limit && this.activity === activity) {
      this.moveTo(this.next());
      while (this.next() === this.now) this.#events.shift()?.run();
    }
  }

  rethrow(): void {
    // Nothing goes wrong.
  }

  moveTo(at: number): void {
    if (at < this.now || this.next() < at) throw new Error(`${at} is not ahead of ${this.now}`);
    this.now = at;
  }

  /** Two ends of a wire, `delay` µs from each other, that `http` takes for sockets. */
  pair(delay: number): [Duplex, Duplex] {
    const a = this.#end(() => b, delay);
    const b: Duplex = this.#end(() => a, delay);
    return [a, b];
  }

  #end(peer: () => Duplex, delay: number): Duplex {
    const later = (delay: number, run: () => void) => {
      this.activity++;
      this.at(this.now + delay, () => {
        this.activity++;
        run();
      });
    };
    const end = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        const bytes = Buffer.from(chunk);
        later(delay, () => peer().push(bytes));
        later(2 * delay, done);
      },
      final(done) {
        later(delay, () => peer().push(null));
        done();
      },
    });
    const same = () => end;
    return Object.assign(end, {
      setTimeout: same,
      setNoDelay: same,
      setKeepAlive: same,
      ref: same,
      unref: same,
    });
  }
}
