import { Errno } from '../core/errno';
import type { StreamSocket } from '../core/socket/stream-socket';
import { systemError } from '../errors';

interface Waiter {
  /** Bytes of payload since the connection began. */
  readonly target: number;
  resolve(): void;
  reject(error: Error): void;
}

/** Whether the peer has acknowledged the first `target` bytes; right also when all is over. */
export function hasAcknowledged(stream: StreamSocket, target: number): boolean {
  const c = stream.status;
  return c !== null && ((c.sndUna - c.iss - 1 - target) | 0) >= 0;
}

/** Those who wait until the peer's TCP has what was written. */
export class Acks {
  /** In the order of their targets, which only grow. */
  #waiters: Waiter[] = [];
  #first = 0;

  get waiting(): boolean {
    return this.#first < this.#waiters.length;
  }

  wait(target: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ target, resolve, reject });
    });
  }

  /** Resolves those whose bytes have arrived. */
  advance(stream: StreamSocket): void {
    while (this.waiting && hasAcknowledged(stream, this.#waiters[this.#first].target)) {
      this.#waiters[this.#first++].resolve();
    }
    if (!this.waiting) this.#forget();
  }

  /** The connection may have come further, or to its end. */
  settle(stream: StreamSocket): void {
    this.advance(stream);
    if (this.waiting && (stream.status?.row ?? 0) < 0) {
      this.fail(systemError(stream.pendingError || Errno.ECONNRESET, 'write'));
    }
  }

  /** @param beyond those who wait for no more than that many bytes still do */
  fail(error: Error, beyond = -1): void {
    const failed = this.#waiters.slice(this.#first).filter(({ target }) => target > beyond);
    this.#waiters.length -= failed.length;
    if (!this.waiting) this.#forget();
    for (const { reject } of failed) reject(error);
  }

  #forget(): void {
    this.#waiters = [];
    this.#first = 0;
  }
}
