import { localEnd, remoteEnd } from './ends';
import { TunableSocket } from './tunable-socket';
import type { AddressInfo } from './types';

/** What a socket tells of its connection. */
export abstract class DescribedSocket extends TunableSocket {
  /** The peer, also when the connection is over. */
  #remote: AddressInfo | null = null;

  /** @internal The connection is about to go: what can still be asked afterwards is kept. */
  protected rememberConnection(): void {
    this.#remoteEnd();
  }

  /** @internal Another connection is to come. */
  protected forgetConnection(): void {
    this.#remote = null;
  }

  #localEnd(): AddressInfo | null {
    return this.streamSocket === null ? null : localEnd(this.streamSocket);
  }

  #remoteEnd(): AddressInfo | null {
    if (this.streamSocket !== null) this.#remote ??= remoteEnd(this.streamSocket);
    return this.#remote;
  }

  /** Our end, or `{}` while there is none. */
  address(): AddressInfo | Record<string, never> {
    return this.#localEnd() ?? {};
  }

  get localAddress(): string | undefined {
    return this.#localEnd()?.address;
  }

  get localPort(): number | undefined {
    return this.#localEnd()?.port;
  }

  get localFamily(): string | undefined {
    return this.#localEnd()?.family;
  }

  get remoteAddress(): string | undefined {
    return this.#remoteEnd()?.address;
  }

  get remotePort(): number | undefined {
    return this.#remoteEnd()?.port;
  }

  get remoteFamily(): string | undefined {
    return this.#remoteEnd()?.family;
  }
}
