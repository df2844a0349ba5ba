import { Errno } from '../core/errno';
import { SocketOption } from '../core/socket/options';
import { Shutdown, type StreamSocket } from '../core/socket/stream-socket';
import { isClosing } from '../core/tcp/state';
import type { ClockTimer } from '../driver/clock';
import type { Driver, Endpoint } from '../driver/driver';
import { systemError } from '../errors';
import type { Acks } from './acks';

/**
 * Has the connection of a socket that was destroyed, for as long as somebody waits for what comes
 * of it: for bytes that the peer acknowledges, or as close(2) does with SO_LINGER. The stack sends
 * on what it had accepted in any case.
 */
export class Afterlife implements Endpoint {
  readonly finished = false;
  #lingering: ((by: Afterlife) => void) | null;
  #timer: ClockTimer | null = null;

  /**
   * @param acks those who wait for bytes; null: nobody does
   * @param lingering called, once, when the peer has all and our FIN, the connection is over, or
   *   the time of SO_LINGER is; null: nobody waits for that
   */
  constructor(
    private readonly driver: Driver,
    private readonly stream: StreamSocket,
    private readonly acks: Acks | null,
    lingering: ((by: Afterlife) => void) | null,
  ) {
    this.#lingering = lingering;
    stream.owner = this;
    driver.endpoints.add(this);
    stream.shutdown(Shutdown.RDWR);
    if (lingering === null) return;
    this.#timer = driver.clock.timer(() => this.#timeOut());
    this.#timer.set(driver.clock.now() + stream.getOption(SocketOption.Linger) * 1000);
  }

  /** Whether somebody waits for the end, or the time of SO_LINGER. */
  get lingers(): boolean {
    return this.#lingering !== null;
  }

  get losing(): boolean {
    return this.acks?.waiting === true || this.stream.outQueue > 0;
  }

  ready(): void {
    this.acks?.settle(this.stream);
    this.#settle(!isClosing(this.stream.state));
  }

  finish(): void {
    // Its FIN is under way.
  }

  abandon(errno: number, cause?: Error): void {
    const error = systemError(errno === 0 ? Errno.ECONNABORTED : errno, 'write');
    this.stream.abort();
    this.vanish();
    this.acks?.fail(Object.assign(error, cause === undefined ? {} : { cause }));
    this.#settle(true);
  }

  vanish(): void {
    this.#timer?.close();
    this.driver.endpoints.delete(this);
    this.stream.owner = null;
    this.stream.close();
  }

  #timeOut(): void {
    this.driver.enter();
    this.#settle(true);
  }

  /** @param over there is no lingering any more */
  #settle(over: boolean): void {
    const told = over ? this.#lingering : null;
    if (over) this.#lingering = null;
    if (this.acks?.waiting !== true && this.#lingering === null) this.vanish();
    told?.(this);
  }
}
