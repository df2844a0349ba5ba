import { types } from 'node:util';
import { formatAddress, isIpv4 } from '../core/ip/address';
import { Unreachable, type SynRequest } from '../core/tcp/syn-requests';
import { invalidArgType, invalidArgValue } from '../errors';
import type { ConnectionListener } from './types';

/**
 * What a peer is told that may not connect:
 *
 * - 'reset': RST, as from a port where nobody listens (ECONNREFUSED)
 * - 'unreachable': ICMP's host unreachable, ICMPv6's address unreachable (EHOSTUNREACH)
 * - an error, as a connection to somebody else has failed with, by its `code`: EHOSTUNREACH and
 *   EHOSTDOWN as above, ENETUNREACH and ENETDOWN network unreachable, or no route; EACCES and EPERM
 *   administratively prohibited; ETIMEDOUT nothing, as `drop`; whatever else RST
 */
export type SynRejection = 'reset' | 'unreachable' | (Error & { readonly code?: string });

const UNREACHABLE: Readonly<Record<string, Unreachable>> = {
  unreachable: Unreachable.Host,
  EHOSTUNREACH: Unreachable.Host,
  EHOSTDOWN: Unreachable.Host,
  ENETUNREACH: Unreachable.Network,
  ENETDOWN: Unreachable.Network,
  EACCES: Unreachable.Prohibited,
  EPERM: Unreachable.Prohibited,
};

/** Also of another realm, as a test's or a worker's. */
function isError(value: unknown): value is Error {
  return value instanceof Error || types.isNativeError(value);
}

/**
 * A peer that wants to connect to a server, and has got no answer yet: what the server's event
 * 'syn' is called with. It waits for `accept`, `reject` or `drop` like a handshake under way: among
 * no more of them than the server's backlog, and as long (`synackRetries`: 63 s). What the peer
 * sends again meanwhile asks nobody again. The first decision counts.
 */
export class Syn {
  /** Who asks. */
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** Whom the peer asks for: an IPv4 address is '192.0.2.1' on a server for both families, too. */
  readonly localAddress: string;
  readonly localPort: number;
  readonly family: 'IPv4' | 'IPv6';
  readonly #request: SynRequest;
  readonly #enter: () => void;
  #controller: AbortController | null = null;
  #isGone = false;
  #listener: ConnectionListener | null = null;

  /** @internal Made by a server. @param enter to be called before any call of the core */
  constructor(request: SynRequest, enter: () => void) {
    this.#request = request;
    this.#enter = enter;
    this.family = isIpv4(request.localAddress) ? 'IPv4' : 'IPv6';
    this.remoteAddress = formatAddress(request.remoteAddress);
    this.remotePort = request.remotePort;
    this.localAddress = formatAddress(request.localAddress);
    this.localPort = request.localPort;
  }

  /**
   * Aborts when there will be no connection, though the program has not refused it: the peer has
   * given up or does not answer, or the server was closed.
   */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#isGone) this.#controller.abort();
    return this.#controller.signal;
  }

  /**
   * Lets the peer connect: SYN and ACK are sent.
   * @param listener called with the connection's socket, before the server's 'connection'
   * @returns false: it is too late, the peer has given up or was answered
   * @throws TypeError ERR_INVALID_ARG_TYPE
   */
  accept(listener?: ConnectionListener): boolean {
    if (listener !== undefined && typeof listener !== 'function') {
      throw invalidArgType('listener', 'of type function', listener);
    }
    this.#enter();
    if (!this.#request.accept()) return false;
    this.#listener = listener ?? null;
    return true;
  }

  /**
   * Refuses. ICMP has limits of its rate (`icmpRatelimit`): beyond them the peer hears nothing, and
   * asks again.
   * @returns false: it is too late
   * @throws TypeError ERR_INVALID_ARG_VALUE
   */
  reject(how: SynRejection): boolean {
    if (how !== 'reset' && how !== 'unreachable' && !isError(how)) {
      throw invalidArgValue('how', how, "must be 'reset', 'unreachable', or an error");
    }
    const code = typeof how === 'string' ? how : (how.code ?? '');
    if (code === 'ETIMEDOUT') return this.drop();
    this.#enter();
    const isUnreachable = Object.hasOwn(UNREACHABLE, code);
    return isUnreachable ? this.#request.unreachable(UNREACHABLE[code]) : this.#request.reset();
  }

  /**
   * Doesn't answer: the peer asks again, until it gives up (ETIMEDOUT).
   * @returns false: it is too late
   */
  drop(): boolean {
    this.#enter();
    return this.#request.drop();
  }

  /** @internal There is the connection. */
  connected(): ConnectionListener | null {
    const listener = this.#listener;
    this.#listener = null;
    return listener;
  }

  /** @internal There will be none. */
  gone(): void {
    this.#isGone = true;
    this.#listener = null;
    this.#controller?.abort();
  }
}
