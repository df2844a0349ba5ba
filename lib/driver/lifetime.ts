/** Something that can keep the event loop alive. */
interface Handle {
  ref(): void;
  unref(): void;
}

/**
 * Decides whether a stack keeps the process alive, as the kernel's sockets would seem to: while an
 * endpoint holds it, and after that until what was sent is acknowledged, within a limit.
 */
export class Lifetime {
  #holds = 0;
  #alive = false;
  /** When the last endpoint let go and something was left unacknowledged; µs. */
  #since = Infinity;

  /** @param limit µs; @param handles all unref'd */
  constructor(
    private readonly limit: number,
    private readonly handles: readonly Handle[],
  ) {}

  hold(): void {
    this.#holds++;
  }

  release(): void {
    this.#holds--;
  }

  /**
   * @param unfinished connections that have something unacknowledged
   * @returns when this is to be called again at the latest
   */
  settle(unfinished: number, now: number): number {
    if (this.#holds > 0 || unfinished === 0) this.#since = Infinity;
    else if (this.#since === Infinity) this.#since = now;
    const end = this.#since + this.limit;
    this.#set(this.#holds > 0 || (unfinished > 0 && now < end));
    return now < end ? end : Infinity;
  }

  #set(alive: boolean): void {
    if (alive === this.#alive) return;
    this.#alive = alive;
    for (const handle of this.handles) {
      if (alive) handle.ref();
      else handle.unref();
    }
  }
}
