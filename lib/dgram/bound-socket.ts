import { AsyncResource } from 'node:async_hooks';
import { EventEmitter } from 'node:events';
import { Errno } from '../core/errno';
import type { IpAddress } from '../core/ip/address';
import { ANY4, ANY6, formatAddressAs, readAddress } from '../core/ip/address';
import { DatagramOption } from '../core/socket/datagram-options';
import type { DatagramSocket } from '../core/socket/datagram-socket';
import { DatagramInfo } from '../core/udp/datagram-info';
import type { Driver } from '../driver/driver';
import { systemError } from '../errors';
import { stackClosed } from '../net/errors';
import { Presence } from '../net/presence';
import type { AddressInfo } from '../net/types';
import type { BindArguments, Callback } from './arguments';
import { readBind } from './arguments';
import { Delivery } from './delivery';
import { alreadyBound } from './errors';
import { addressFor, findAddress } from './find-address';
import { readOptions } from './options';
import { Outbox } from './outbox';
import { TunableSocket } from './tunable-socket';
import type { BindOptions, RemoteInfo, SocketOptions, SocketType } from './types';

/** What a socket needs of the stack that it belongs to. */
export interface DatagramHost {
  readonly driver: Driver;
}

// Taken when the module is loaded, so that a test's fake timers don't stop the stack.
const nextTick = process.nextTick.bind(process);

/** Scratch: it is read before anybody else is called. */
const info = new DatagramInfo();

/** What has been asked for before the socket was bound. */
interface Queued {
  readonly run: () => void;
  readonly isClose: boolean;
}

/**
 * The part of node:dgram's `Socket` that every socket goes through: it is bound, receives, and is
 * closed.
 */
export abstract class BoundSocket extends TunableSocket {
  readonly type: SocketType;
  /** @internal */
  protected readonly driver: Driver;
  /** @internal */
  protected readonly options: SocketOptions;
  /** @internal */
  protected stream: DatagramSocket | null = null;
  /** @internal What is sent goes through it; null before it is bound. */
  protected outbox: Outbox | null = null;
  /** @internal */
  protected isClosed = false;
  readonly #resource = new AsyncResource('NETLANDUDP');
  readonly #presence: Presence;
  #delivery: Delivery | null = null;
  #bindState: 'unbound' | 'binding' | 'bound' = 'unbound';
  #queue: Queued[] | null = null;
  /** The stack is closing; then so does this when nothing waits to be sent. */
  #finishing = false;

  /** @internal */
  constructor(host: DatagramHost, type: unknown) {
    super();
    this.driver = host.driver;
    this.options = readOptions(type);
    this.type = this.options.type;
    this.#presence = new Presence(this.driver, this);
  }

  /** @internal */
  protected get domain(): 4 | 6 {
    return this.type === 'udp4' ? 4 : 6;
  }

  // --- binding -------------------------------------------------------------------------------

  /**
   * Binds: `(port?, address?, callback?)` or `(options, callback?)`. What fails is told by 'error'.
   * @param callback called on 'listening'
   * @throws Error ERR_SOCKET_ALREADY_BOUND, ERR_SOCKET_DGRAM_NOT_RUNNING; RangeError
   *   ERR_SOCKET_BAD_PORT; TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE
   */
  bind(port?: number | string, address?: string, callback?: () => void): this;
  bind(port: number | string, callback?: () => void): this;
  bind(callback?: () => void): this;
  bind(options: BindOptions, callback?: () => void): this;
  bind(...args: unknown[]): this {
    this.expectRunning();
    if (this.#bindState !== 'unbound') throw alreadyBound();
    const where = readBind(args, this.domain === 4 ? '0.0.0.0' : '::');
    this.#bindState = 'binding';
    if (where.callback !== undefined) this.#onceBound(where.callback);
    const { lookup } = this.options;
    findAddress(where.address, this.domain, lookup, (error, found) => {
      // As node:dgram: nobody hears of it before `bind` returns, unless `lookup` is in a hurry.
      if (lookup === undefined && error === null) {
        nextTick(() => this.#bindTo(found, where));
      } else if (error) this.#bindFailed(error);
      else this.#bindTo(found, where);
    });
    return this;
  }

  #onceBound(callback: Callback): void {
    const stop = () => {
      this.removeListener('error', stop);
      this.removeListener('listening', bound);
    };
    const bound = () => {
      stop();
      Reflect.apply(callback, this, []);
    };
    this.on('error', stop);
    this.on('listening', bound);
  }

  #bindFailed(error: Error): void {
    if (this.isClosed) return;
    this.#bindState = 'unbound';
    this.emit('error', error);
  }

  #bindTo(text: string, { port, anyPort }: BindArguments): void {
    if (this.isClosed) return;
    if (this.driver.closing) {
      this.#bindFailed(stackClosed());
      return;
    }
    const address = addressFor(this.domain, text);
    this.driver.enter();
    const where = anyPort ? null : port;
    const result = address === null ? -Errno.EINVAL : this.#open(address, where);
    if (result < 0) {
      this.#bindFailed(systemError(-result, 'bind', text, port));
      return;
    }
    this.#listen();
  }

  /** Binds the stack's socket, which it makes. @param port null: to any */
  #open(address: IpAddress, port: number | null, reuseAddress = this.options.reuseAddr): number {
    if (this.stream !== null) return bindStream(this.stream, address, port);
    const stream = this.driver.datagramSocket(this.domain, this);
    const { ipv6Only, reusePort } = this.options;
    if (reuseAddress) stream.setOption(DatagramOption.ReuseAddress, 1);
    if (reusePort) stream.setOption(DatagramOption.ReusePort, 1);
    if (ipv6Only) stream.setOption(DatagramOption.Ipv6Only, 1);
    const result = bindStream(stream, address, port);
    if (result < 0) {
      stream.owner = null;
      stream.close();
      return result;
    }
    this.stream = stream;
    return 0;
  }

  /** @internal As libuv does. */
  protected bindForGroup(): DatagramSocket | number {
    if (this.stream === null) {
      const result = this.#open(this.domain === 4 ? ANY4 : ANY6, 0, true);
      if (result < 0) return result;
    }
    return this.stream ?? -Errno.EBADF;
  }

  #listen(): void {
    const stream = this.stream as DatagramSocket;
    const { recvBufferSize, sendBufferSize } = this.options;
    this.#bindState = 'bound';
    this.outbox = new Outbox(this.driver, stream);
    if (recvBufferSize) this.setRecvBufferSize(recvBufferSize);
    if (sendBufferSize) this.setSendBufferSize(sendBufferSize);
    this.#presence.enter();
    // What has come before anybody could have been told.
    if (stream.waiting > 0) nextTick(() => this.ready());
    this.emit('listening');
  }

  // --- what waits until it is bound ----------------------------------------------------------

  #enqueue(run: () => void, isClose = false): void {
    if (this.#queue === null) {
      this.#queue = [];
      this.once(EventEmitter.errorMonitor as unknown as 'error', this.#dropQueue);
      this.once('listening', this.#runQueue);
    }
    this.#queue.push({ run, isClose });
  }

  readonly #runQueue = (): void => {
    this.removeListener(EventEmitter.errorMonitor as unknown as 'error', this.#dropQueue);
    const queue = this.#queue ?? [];
    this.#queue = null;
    for (const { run } of queue) run();
  };

  /**
   * It couldn't be bound: as in node:dgram nobody hears of what was to be sent. Deviation:
   * node:dgram forgets a `close`, too.
   */
  readonly #dropQueue = (): void => {
    this.removeListener('listening', this.#runQueue);
    const queue = this.#queue ?? [];
    this.#queue = null;
    if (queue.some(({ isClose }) => isClose)) nextTick(() => this.isClosed || this.close());
  };

  /** @internal Does that as soon as the socket is bound, which it will be. */
  protected whenBound(run: () => void): void {
    if (this.#bindState === 'unbound') this.bind({ port: 0, exclusive: true });
    if (this.#bindState === 'bound') run();
    else this.#enqueue(run);
  }

  // --- receiving -----------------------------------------------------------------------------

  /** @internal */
  ready(): void {
    const stream = this.stream;
    const outbox = this.outbox;
    if (stream === null || outbox === null) return;
    if (outbox.count > 0 && stream.isWritable) {
      outbox.flush();
      if (this.#finishing && outbox.count === 0) this.close();
    }
    this.#delivery ??= this.#makeDelivery(stream);
    this.#delivery.start();
  }

  #makeDelivery(stream: DatagramSocket): Delivery {
    return new Delivery(this.driver, {
      get waiting() {
        return stream.waiting;
      },
      deliver: () => this.#resource.runInAsyncScope(this.#deliver, this),
    });
  }

  #deliver(): void {
    const stream = this.stream;
    if (stream === null) return;
    const taken = stream.take(info);
    if (typeof taken === 'number') {
      if (taken !== -Errno.EAGAIN) this.emit('error', systemError(-taken, 'recvmsg'));
      return;
    }
    const message = Buffer.from(taken.buffer, taken.byteOffset, taken.length);
    const sender: RemoteInfo = {
      address: formatAddressAs(readAddress(info.source, 0), stream.domain),
      family: stream.domain === 4 ? 'IPv4' : 'IPv6',
      port: info.sourcePort,
      size: taken.length,
    };
    if (stream.localPort === 0) {
      sender.localAddress = formatAddressAs(readAddress(info.destination, 0), stream.domain);
      sender.localPort = info.destinationPort;
    }
    this.emit('message', message, sender);
  }

  // --- where it is ---------------------------------------------------------------------------

  /** @throws Error EBADF when it isn't bound, ERR_SOCKET_DGRAM_NOT_RUNNING */
  address(): AddressInfo {
    this.expectRunning();
    const { stream } = this;
    if (stream === null) throw systemError(Errno.EBADF, 'getsockname');
    return this.endOf(stream, stream.localAddress, stream.localPort);
  }

  /** @internal */
  protected endOf({ domain }: DatagramSocket, address: IpAddress, port: number): AddressInfo {
    const family = domain === 4 ? 'IPv4' : 'IPv6';
    return { address: formatAddressAs(address, domain), family, port };
  }

  // --- closing -------------------------------------------------------------------------------

  /**
   * Closes: what the stack has taken still leaves, and what waits for room gets ECANCELED.
   * Deviation: that is all that was sent to an address; node:dgram, which looks up addresses as it
   * does names, loses what is sent in the same turn. On a
   * socket that is about to be bound, it waits until what was asked for before has been done.
   * @param callback called on 'close'
   * @throws Error ERR_SOCKET_DGRAM_NOT_RUNNING
   */
  close(callback?: () => void): this {
    if (typeof callback === 'function') this.on('close', callback);
    if (this.#queue !== null) {
      this.#enqueue(() => this.isClosed || this.close(), true);
      return this;
    }
    this.expectRunning();
    this.#stop();
    nextTick(() => this.emit('close'));
    return this;
  }

  /** @internal */
  protected closeOn(signal: AbortSignal): void {
    const close = () => {
      if (!this.isClosed) this.close();
    };
    if (signal.aborted) {
      close();
      return;
    }
    signal.addEventListener('abort', close, { once: true });
    this.once('close', () => signal.removeEventListener('abort', close));
  }

  #stop(): void {
    const { stream } = this;
    this.isClosed = true;
    this.#queue = null;
    this.#delivery?.stop();
    if (stream === null) return;
    this.driver.enter();
    this.stream = null;
    this.outbox?.clear();
    stream.owner = null;
    stream.close();
    this.#presence.leave();
  }

  /** @internal */
  get finished(): boolean {
    return this.isClosed;
  }

  /** @internal What is lost is told by the callbacks of `send`. */
  readonly losing = false;

  /** @internal */
  finish(): void {
    this.#finishing = true;
    if (!this.isClosed && (this.outbox === null || this.outbox.count === 0)) this.close();
  }

  /** @internal */
  vanish(): void {
    this.#stop();
  }

  /** @internal */
  abandon(errno: number, cause?: Error): void {
    if (this.isClosed) return;
    const error = errno === 0 ? cause : systemError(errno, 'recvmsg');
    if (error !== undefined && error !== cause) error.cause = cause;
    this.#stop();
    if (error !== undefined) nextTick(() => this.emit('error', error));
    nextTick(() => this.emit('close'));
  }

  /** Closes, unless it is closed, and waits for it. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.isClosed) return;
    await new Promise<void>((done) => this.close(done));
  }

  /** While it is bound it keeps the process alive: the default. */
  ref(): this {
    this.#presence.ref();
    return this;
  }

  unref(): this {
    this.#presence.unref();
    return this;
  }
}

function bindStream(stream: DatagramSocket, address: IpAddress, port: number | null): number {
  return port === null ? stream.bindAnyPort(address) : stream.bind(address, port);
}
