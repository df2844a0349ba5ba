import timers from 'node:timers';
import { loadNative } from '../../link/native';
import { ThreadPool } from './thread-pool';

// Taken at import, so that fake timers that are installed later don't stop the turns.
const { setImmediate, setTimeout } = timers;

/** The event loop of this thread, as far as the turns look at it. */
export interface EventLoop {
  /** A run begins: the loop is looked at from now on. */
  begin(): void;
  end(): void;
  /** Calls back after everything that is ready now. */
  soon(callback: () => void): void;
  /** The same, after a rest of at least 1 ms. */
  later(callback: () => void): void;
  /** Requests that are under way. */
  requests(): number;
  /** What holds the loop open, by Node's names; an immediate or timer that is running doesn't. */
  resources(): string[];
}

/**
 * Requests that Node itself lists. Writes and shutdowns are left out: those of a TLS socket are
 * listed as well, and that one may wait for the simulated network.
 */
const REQUEST = /^(FSReq|CloseReq|GetAddrInfo|GetNameInfo|TCPConnect|PipeConnect)/;

export function isRequest(resource: string): boolean {
  return REQUEST.test(resource);
}

/** What the addon tells; where there is none, what can be seen from JavaScript. */
export class NodeEventLoop implements EventLoop {
  readonly #native = loadNative().addon?.activeRequests;
  readonly #threadPool = this.#native === undefined ? new ThreadPool() : null;

  begin(): void {
    this.#threadPool?.enable();
  }

  end(): void {
    this.#threadPool?.disable();
  }

  soon(callback: () => void): void {
    setImmediate(callback);
  }

  later(callback: () => void): void {
    setTimeout(setImmediate, 1, callback);
  }

  requests(): number {
    if (this.#native !== undefined) return this.#native();
    return this.resources().filter(isRequest).length + (this.#threadPool?.size ?? 0);
  }

  resources(): string[] {
    return process.getActiveResourcesInfo();
  }
}
