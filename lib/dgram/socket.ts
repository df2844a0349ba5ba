import { channel } from 'node:diagnostics_channel';
import { Errno } from '../core/errno';
import type { IpAddress } from '../core/ip/address';
import { systemError } from '../errors';
import { readPort } from '../net/arguments';
import type { AddressInfo } from '../net/types';
import type { Callback, SendArguments } from './arguments';
import { expectNumber, expectString, readSend } from './arguments';
import { BoundSocket, type DatagramHost } from './bound-socket';
import { isConnected, notConnected } from './errors';
import { LOCALHOST, addressFor, findAddress } from './find-address';
import type { Outbox } from './outbox';
import type { Message, RemoteInfo, SendCallback, SocketOptions, SocketType } from './types';

export type SocketArguments = [
  type?: SocketType | SocketOptions,
  listener?: (message: Buffer, sender: RemoteInfo) => void,
];

/** Node's channel, of which tools learn of each socket. */
const created = channel('udp.socket');

// Taken when the module is loaded, so that a test's fake timers don't stop the stack.
const nextTick = process.nextTick.bind(process);

/**
 * Sends and receives datagrams by UDP, with the methods, events and errors of `dgram.Socket`.
 * `stack.dgram.createSocket` makes it.
 */
export class Socket extends BoundSocket {
  #connectState: 'disconnected' | 'connecting' | 'connected' = 'disconnected';
  /** The address that was last sent to, and its text. */
  #target: IpAddress | null = null;
  #targetText = '';

  /** @internal Made by `stack.dgram`. */
  constructor(host: DatagramHost, ...[type, listener]: SocketArguments) {
    super(host, type);
    if (typeof listener === 'function') this.on('message', listener);
    const { signal } = this.options;
    if (signal !== undefined) this.closeOn(signal);
    if (created.hasSubscribers) created.publish({ socket: this });
  }

  // --- peer ----------------------------------------------------------------------------------

  /**
   * Takes a peer: `send` goes to it, and only from it do datagrams come. Binds a socket that isn't.
   * @param address name or address; default: this host
   * @param callback called on 'connect', or with what has failed; without it that is an 'error'
   * @throws RangeError ERR_SOCKET_BAD_PORT; TypeError ERR_INVALID_ARG_TYPE; Error
   *   ERR_SOCKET_DGRAM_IS_CONNECTED, ERR_SOCKET_DGRAM_NOT_RUNNING
   */
  connect(port: number | string, address?: string, callback?: (error?: Error) => void): void;
  connect(port: number | string, callback: (error?: Error) => void): void;
  connect(port: number | string, address?: unknown, callback?: unknown): void {
    const to = readPort(port, 'Port', { protocol: 'udp', least: 1 });
    const then = (typeof address === 'function' ? address : callback) as Callback | undefined;
    const text = typeof address === 'function' || address === undefined ? '' : address;
    expectString('address', text);
    if (this.#connectState !== 'disconnected') throw isConnected();
    this.expectRunning();
    this.#connectState = 'connecting';
    this.whenBound(() => this.#connect(to, text, then));
  }

  #connect(port: number, text: string, callback: Callback | undefined): void {
    if (callback !== undefined) this.once('connect', callback as () => void);
    const domain = this.domain;
    findAddress(text || LOCALHOST[domain], domain, this.options.lookup, (failure, found) => {
      if (this.stream === null) return;
      const error = failure ?? this.#connectTo(port, text, found);
      if (error === null) {
        this.#connectState = 'connected';
        nextTick(() => this.emit('connect'));
        return;
      }
      this.#connectState = 'disconnected';
      nextTick(() => {
        if (callback === undefined) {
          this.emit('error', error);
          return;
        }
        this.removeListener('connect', callback as () => void);
        Reflect.apply(callback, undefined, [error as never]);
      });
    });
  }

  #connectTo(port: number, text: string, found: string): Error | null {
    const address = addressFor(this.domain, found);
    this.driver.enter();
    const result =
      address === null ? -Errno.EINVAL : (this.stream?.connect(address, port) ?? -Errno.EBADF);
    return result < 0 ? systemError(-result, 'connect', text || undefined, port) : null;
  }

  /** Has no peer any more. @throws Error ERR_SOCKET_DGRAM_NOT_CONNECTED */
  disconnect(): void {
    if (this.#connectState !== 'connected') throw notConnected();
    this.expectRunning();
    this.driver.enter();
    const result = this.stream?.disconnect() ?? -Errno.EBADF;
    if (result < 0) throw systemError(-result, 'connect');
    this.#connectState = 'disconnected';
  }

  // --- sending -------------------------------------------------------------------------------

  /**
   * Sends one datagram: `(message, offset?, length?, port?, address?, callback?)`; without port and
   * address to the peer. Several buffers in an array are one datagram. It is copied before `send`
   * returns, unless a name is to be looked up or the socket is not bound yet; a socket that isn't
   * bound is.
   *
   * @param address name or address; default: this host
   * @param callback called when the stack has taken it, or with what has failed: EMSGSIZE, ENOBUFS
   *   where the link is slower than the program, ECONNREFUSED as ICMP has told. Without it nobody
   *   hears of a failure, but one of the lookup, which is an 'error'.
   * @throws TypeError ERR_INVALID_ARG_TYPE; RangeError ERR_SOCKET_BAD_PORT,
   *   ERR_BUFFER_OUT_OF_BOUNDS; Error ERR_SOCKET_DGRAM_IS_CONNECTED, ERR_SOCKET_DGRAM_NOT_RUNNING
   */
  send(
    message: Message | readonly Message[],
    port?: number | string,
    address?: string,
    callback?: SendCallback,
  ): void;
  send(
    message: Message | readonly Message[],
    port?: number | string,
    callback?: SendCallback,
  ): void;
  send(message: Message | readonly Message[], callback?: SendCallback): void;
  send(
    message: Message,
    offset: number,
    length: number,
    port?: number | string,
    address?: string,
    callback?: SendCallback,
  ): void;
  send(
    message: Message,
    offset: number,
    length: number,
    port?: number | string,
    callback?: SendCallback,
  ): void;
  send(message: Message, offset: number, length: number, callback?: SendCallback): void;
  send(...args: unknown[]): void {
    const given = readSend(args, this.#connectState === 'connected');
    if (given === null) throw isConnected();
    this.expectRunning();
    if (this.outbox !== null) this.#send(given);
    else this.whenBound(() => this.#send(given));
  }

  /**
   * Answers the sender of a datagram from the address and port that it was sent to, on a socket
   * that is bound to any port.
   * @param sender as 'message' has told it
   * @param callback as of `send`; EINVAL where the socket has one port, or `sender` is wrong
   * @throws TypeError ERR_INVALID_ARG_TYPE; RangeError ERR_SOCKET_BAD_PORT; Error
   *   ERR_SOCKET_DGRAM_NOT_RUNNING
   */
  reply(
    message: Message | readonly Message[],
    sender: Readonly<RemoteInfo>,
    callback?: SendCallback,
  ): void {
    const { address, port, localAddress = '', localPort = 0 } = sender;
    const given = readSend([message, port, address, callback], false) as SendArguments;
    this.expectRunning();
    const to = addressFor(this.domain, address);
    const from = addressFor(this.domain, localAddress);
    if (to === null || from === null || this.outbox === null) {
      const error = systemError(Errno.EINVAL, 'send', address, port);
      if (callback !== undefined) nextTick(callback as (error: Error) => void, error);
      return;
    }
    this.outbox.send({ ...given, to, from: { address: from, port: localPort } });
  }

  /** Node.js has it as the older way to call `send`. */
  sendto(
    message: Message,
    offset: number,
    length: number,
    port: number,
    address: string,
    callback?: SendCallback,
  ): void {
    expectNumber('offset', offset);
    expectNumber('length', length);
    expectNumber('port', port);
    expectString('address', address);
    this.send(message, offset, length, port, address, callback);
  }

  #send(given: SendArguments): void {
    const { parts, port, address, callback } = given;
    const outbox = this.outbox as Outbox;
    if (port === 0) {
      outbox.send({ parts, to: null, port: 0, address: undefined, callback });
      return;
    }
    const text = address ?? LOCALHOST[this.domain];
    if (this.#target !== null && text === this.#targetText) {
      outbox.send({ parts, to: this.#target, port, address, callback });
      return;
    }
    findAddress(text, this.domain, this.options.lookup, (error, found) => {
      if (error !== null) this.#lookupFailed(error, callback);
      else if (this.stream !== null) this.#sendTo(found, given);
    });
  }

  #lookupFailed(error: Error, callback: Callback | undefined): void {
    if (callback !== undefined) nextTick(callback as (error: Error) => void, error);
    else nextTick(() => this.emit('error', error));
  }

  #sendTo(found: string, { parts, port, address, callback }: SendArguments): void {
    const to = addressFor(this.domain, found);
    if (to === null) {
      const error = systemError(Errno.EINVAL, 'send', address, port);
      if (callback !== undefined) nextTick(callback as (error: Error) => void, error);
      return;
    }
    if (this.options.lookup === undefined && (address === undefined || found === address)) {
      this.#target = to;
      this.#targetText = found;
    }
    this.outbox?.send({ parts, to, port, address, callback });
  }

  /** Bytes that wait because the link is slower than the program. */
  getSendQueueSize(): number {
    return this.outbox?.size ?? 0;
  }

  /** How many datagrams that are. */
  getSendQueueCount(): number {
    return this.outbox?.count ?? 0;
  }

  /** The peer. @throws Error ERR_SOCKET_DGRAM_NOT_CONNECTED, ERR_SOCKET_DGRAM_NOT_RUNNING */
  remoteAddress(): AddressInfo {
    this.expectRunning();
    const { stream } = this;
    if (this.#connectState !== 'connected' || stream === null) throw notConnected();
    return this.endOf(stream, stream.remoteAddress, stream.remotePort);
  }
}
