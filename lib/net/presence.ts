import type { Driver, Endpoint } from '../driver/driver';

/** That a stack knows of a socket or server, and whether that keeps the process alive. */
export class Presence {
  #open = false;
  #wanted = true;
  #holding = false;

  constructor(
    private readonly driver: Driver,
    private readonly endpoint: Endpoint,
  ) {}

  /** It is open from now on, if it was not. */
  enter(): void {
    this.#open = true;
    this.driver.endpoints.add(this.endpoint);
    this.#settle();
  }

  leave(): void {
    this.#open = false;
    this.driver.endpoints.delete(this.endpoint);
    this.#settle();
  }

  /** While it is open it keeps the process alive: the default. */
  ref(): void {
    this.#wanted = true;
    this.#settle();
  }

  unref(): void {
    this.#wanted = false;
    this.#settle();
  }

  #settle(): void {
    const holds = this.#open && this.#wanted;
    if (holds === this.#holding) return;
    this.#holding = holds;
    if (holds) this.driver.hold();
    else this.driver.release();
  }
}
