import type { TcpInfo } from '../core/tcp/tcp-info';
import { localEnd, remoteEnd } from './ends';
import { TunableSocket } from './tunable-socket';
import type { AddressInfo } from './types';

/** What a socket tells of its connection. */
export abstract class DescribedSocket extends TunableSocket {
  /** The peer, also when the connection is over. */
  #remote: AddressInfo | null = null;
  #info: TcpInfo | null = null;

  /** @internal The connection is about to go: what can still be asked afterwards is kept. */
  protected rememberConnection(): void {
    this.#remoteEnd();
    this.#info = this.tcpInfo();
  }

  /** @internal Another connection is to come. */
  protected forgetConnection(): void {
    this.#remote = null;
    this.#info = null;
  }

  #localEnd(): AddressInfo | null {
    return this.streamSocket === null ? null : localEnd(this.streamSocket);
  }

  #remoteEnd(): AddressInfo | null {
    if (this.streamSocket !== null) this.#remote ??= remoteEnd(this.streamSocket);
    return this.#remote;
  }

  /**
   * What the stack knows of the connection: the members of Linux's `struct tcp_info`, true at this
   * moment. Null before there is a connection; once the socket is destroyed, what they were then,
   * so that they can be asked for in 'close'.
   */
  tcpInfo(): TcpInfo | null {
    return this.streamSocket === null ? this.#info : this.streamSocket.tcpInfo();
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
