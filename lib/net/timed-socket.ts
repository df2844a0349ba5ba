import { AsyncResource } from 'node:async_hooks';
import type { DuplexOptions } from 'node:stream';
import type { Clock } from '../driver/clock';
import { invalidArgType } from '../errors';
import { readTimeout } from './arguments';
import { Inactivity } from './inactivity';
import { UrgentSocket } from './urgent-socket';

/** 'timeout' of a socket, and the asynchronous context that what it calls runs in. */
export abstract class TimedSocket extends UrgentSocket {
  /** ms, as set by `setTimeout`. */
  timeout: number | undefined = undefined;

  readonly #resource = new AsyncResource('NETLANDSOCKET');
  readonly #inactivity: Inactivity;

  constructor(clock: Clock, options: DuplexOptions) {
    super(options);
    this.#inactivity = new Inactivity(clock, () => this.run(() => this.emit('timeout')));
  }

  /** @internal Runs `action` in the asynchronous context in which the socket was made. */
  protected run(action: (this: this) => void): void {
    this.#resource.runInAsyncScope(action, this);
  }

  /** @internal Something was sent or received: the time of 'timeout' starts anew. */
  protected noteActivity(): void {
    this.#inactivity.touch();
  }

  /** @internal There is no 'timeout' any more. */
  protected endTimeout(): void {
    this.#inactivity.close();
  }

  /**
   * Emits 'timeout' after `msecs` ms without traffic; 0 switches it off.
   * @throws RangeError ERR_OUT_OF_RANGE, TypeError ERR_INVALID_ARG_TYPE
   */
  setTimeout(msecs: number, callback?: () => void): this {
    if (this.destroyed) return this;
    const checked = readTimeout(msecs);
    if (callback !== undefined && typeof callback !== 'function') {
      throw invalidArgType('callback', 'of type function', callback);
    }
    this.timeout = checked;
    this.#inactivity.set(checked);
    if (callback === undefined) return this;
    if (checked === 0) this.removeListener('timeout', callback);
    else this.once('timeout', callback);
    return this;
  }
}
