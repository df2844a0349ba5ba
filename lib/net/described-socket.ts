import type { TcpInfo } from '../core/tcp/tcp-info';
import { SocketOption } from '../core/socket/options';
import type { StreamSocket } from '../core/socket/stream-socket';
import type { Driver } from '../driver/driver';
import { systemError } from '../errors';
import { Acks, hasAcknowledged } from './acks';
import { Afterlife } from './afterlife';
import { destroyedWrite, socketClosed } from './errors';
import { localEnd, remoteEnd } from './ends';
import { TunableSocket } from './tunable-socket';
import type { AddressInfo } from './types';

/** What a socket tells of its connection. */
export abstract class DescribedSocket extends TunableSocket {
  /** The peer, also when the connection is over. */
  #remote: AddressInfo | null = null;
  #info: TcpInfo | null = null;
  #last: StreamSocket | null = null;
  #acks: Acks | null = null;
  /** Bytes, of a socket that was destroyed. */
  #written = 0;

  abstract get bytesWritten(): number;

  /** @internal The connection is about to go: what can still be asked afterwards is kept. */
  protected rememberConnection(): void {
    this.#remoteEnd();
    this.#info = this.tcpInfo();
    this.#last = this.streamSocket;
  }

  /** @internal Another connection is to come. */
  protected forgetConnection(): void {
    this.#remote = null;
    this.#info = null;
    this.#last = null;
  }

  /** @internal Something may have been acknowledged. */
  protected settleAcks(): void {
    const stream = this.streamSocket;
    if (this.#acks?.waiting === true && stream !== null) this.#acks.settle(stream);
  }

  /**
   * @internal The socket is being destroyed.
   * @param accepted bytes that the stack sends all the same, where there is no error; -1: none
   * @param written by the program
   */
  protected endAcks(error: Error | null, accepted: number, written: number): void {
    this.#written = written;
    if (this.streamSocket !== null) this.#acks?.advance(this.streamSocket);
    if (error === null) this.#acks?.fail(destroyedWrite(), accepted);
    else this.#acks?.fail(error);
  }

  /**
   * @internal Closes the connection when nobody waits any more for what is under way.
   * @param lingered called when a lingering close would return
   * @returns null where it is closed at once
   */
  protected closeLater(
    driver: Driver,
    stream: StreamSocket,
    lingered: (by: Afterlife) => void,
  ): Afterlife | null {
    const waiting = this.#acks?.waiting === true ? this.#acks : null;
    const lingers = stream.getOption(SocketOption.Linger) > 0;
    // With something unread the connection is reset.
    const reset = stream.inQueue > 0 || stream.getOption(SocketOption.Linger) === 0;
    if (!reset && (waiting !== null || lingers)) {
      return new Afterlife(driver, stream, waiting, lingers ? lingered : null);
    }
    waiting?.fail(socketClosed());
    stream.close();
    return null;
  }

  /** @internal Tells what ICMP has said of a connection that goes on. */
  protected tellSoftError(stream: StreamSocket): void {
    if (stream.pendingError === 0 || (stream.status?.row ?? -1) < 0) return;
    const { address, port } = remoteEnd(stream);
    this.emit('softError', systemError(stream.takeError(), 'read', address, port));
  }

  /**
   * Resolves when the peer's TCP has acknowledged all that was written up to now, the FIN of `end`
   * apart: its program may not have read it. What is still buffered counts, and it goes on after
   * `end` and `destroy`, for what the stack had taken by then.
   *
   * Rejects with the error for which the connection ends before: ECONNRESET, ETIMEDOUT, …;
   * ERR_SOCKET_CLOSED where it is closed already, or with data unread; ERR_STREAM_DESTROYED where
   * it was destroyed before the stack had all.
   */
  acked(): Promise<void> {
    const target = this.destroyed ? this.#written : this.bytesWritten;
    if (target === 0) return Promise.resolve();
    if (this.destroyed) {
      const arrived = this.#last !== null && hasAcknowledged(this.#last, target);
      if (arrived) return Promise.resolve();
      return this.#acks?.waiting === true
        ? this.#acks.wait(target)
        : Promise.reject(socketClosed());
    }
    this.#acks ??= new Acks();
    const done = this.#acks.wait(target);
    this.settleAcks();
    return done;
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
