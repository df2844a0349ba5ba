import timers from 'node:timers';
import { loadNative } from '../../link/native';

// Taken at import, so that fake timers that are installed later don't stop the turns.
const { setImmediate, setTimeout } = timers;

/** The event loop of this thread, as far as the turns look at it. */
export interface EventLoop {
  /** Calls back after everything that is ready now. */
  soon(callback: () => void): void;
  /** The same, after a rest of at least 1 ms. */
  later(callback: () => void): void;
  /** Immediates that wait; the one that is running doesn't count. */
  immediates(): number;
  /** Requests that are under way. */
  requests(): number;
  /** What holds the loop open, by Node's names. */
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

/** What Node tells, and the addon where there is one: thread pool work is seen by that alone. */
export class NodeEventLoop implements EventLoop {
  readonly #native = loadNative().addon?.activeRequests;

  soon(callback: () => void): void {
    setImmediate(callback);
  }

  later(callback: () => void): void {
    setTimeout(setImmediate, 1, callback);
  }

  immediates(): number {
    let count = 0;
    for (const name of this.resources()) if (name === 'Immediate') count++;
    return count;
  }

  requests(): number {
    if (this.#native !== undefined) return this.#native();
    return this.resources().filter(isRequest).length;
  }

  resources(): string[] {
    return process.getActiveResourcesInfo();
  }
}
