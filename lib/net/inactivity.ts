import type { Clock, ClockTimer } from '../driver/clock';

/** Calls back when nothing has been seen of a connection for some time, again and again. */
export class Inactivity {
  #timer: ClockTimer | null = null;
  /** µs; 0 means never. */
  #limit = 0;

  constructor(
    private readonly clock: Clock,
    private readonly callback: () => void,
  ) {}

  /** @param msecs 0 means never */
  set(msecs: number): void {
    this.#limit = msecs * 1000;
    if (this.#limit > 0) this.touch();
    else this.#timer?.set(Infinity);
  }

  /** Something was seen: the time starts anew. */
  touch(): void {
    if (this.#limit === 0) return;
    this.#timer ??= this.clock.timer(() => {
      this.clock.stir?.();
      this.callback();
    });
    this.#timer.set(this.clock.now() + this.#limit);
  }

  close(): void {
    this.#limit = 0;
    this.#timer?.close();
    this.#timer = null;
  }
}
