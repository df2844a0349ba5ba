import { AsyncResource } from 'node:async_hooks';
import { EventEmitter } from 'node:events';
import { isIP } from 'node:net';
import { Errno } from '../core/errno';
import type { IpAddress } from '../core/ip/address';
import { ANY4, ANY6, LOOPBACK6, isWildcard, parseAddress } from '../core/ip/address';
import { SocketOption } from '../core/socket/options';
import type { StreamSocket } from '../core/socket/stream-socket';
import type { SynRequest, SynRequests } from '../core/tcp/syn-requests';
import { explainedSystemError, invalidArgType, invalidArgValue } from '../errors';
import type { ListenAddress } from './arguments';
import { normalizeArguments, readListenAddress, rejectMissing } from './arguments';
import { localEnd, remoteEnd } from './ends';
import { alreadyListening, notListening, stackClosed } from './errors';
import { Presence } from './presence';
import { resolve } from './resolve';
import type { Accepted, SocketHost } from './host';
import type { Socket } from './socket';
import { Syn } from './syn';
import { Tuning } from './tuning';
import type {
  AddressInfo,
  ConnectionListener,
  DropInfo,
  Listener,
  ListenOptions,
  ServerArguments,
  ServerOptions,
  SocketOptions,
} from './types';

/** What a server needs of the stack that it belongs to. */
export interface ServerHost extends SocketHost {
  /** Makes the socket of a connection. */
  accept(options: SocketOptions, accepted: Accepted): Socket;
  /** Told of a server that listens on all addresses. */
  listensEverywhere(): void;
}

// Taken when the module is loaded, so that a test's fake timers don't stop the stack.
const nextTick = process.nextTick.bind(process);

function readServerOptions(options: unknown): ServerOptions {
  if (typeof options !== 'object' || options === null) {
    throw invalidArgType('options', 'of type object', options);
  }
  const { highWaterMark } = options as ServerOptions;
  rejectMissing(options, ['blockList']);
  if (highWaterMark !== undefined && typeof highWaterMark !== 'number') {
    throw invalidArgType('options.highWaterMark', 'of type number', highWaterMark);
  }
  if (highWaterMark !== undefined && !(highWaterMark >= 0)) {
    throw invalidArgValue('options.highWaterMark', highWaterMark);
  }
  return options as ServerOptions;
}

/**
 * Accepts TCP connections, with the methods, properties, events and errors of `net.Server`.
 * `stack.net.createServer` makes it.
 *
 * Beside node:net's there is the event 'syn' (`Syn`): where somebody listens for it, a peer's SYN
 * isn't answered before it is decided. If the listener throws, the SYN is dropped.
 */
export class Server extends EventEmitter {
  /** Connections held at once; more are closed as they come, which 'drop' tells. */
  maxConnections: number | undefined = undefined;
  readonly #host: ServerHost;
  readonly #options: ServerOptions;
  /** Of the listening socket: its connections inherit all. */
  readonly #tuning = new Tuning();
  readonly #presence: Presence;
  #resource: AsyncResource | null = null;
  #stream: StreamSocket | null = null;
  /** The `listen` whose name is being looked up, if there is one. */
  #pending: object | null = null;
  #connections = 0;
  /** SYNs that the program is asked about, while it listens. */
  #requests: SynRequests | null = null;

  /** @internal Made by `stack.net`. */
  constructor(host: ServerHost, ...args: ServerArguments) {
    super();
    const [first, second] = args;
    const listener = typeof first === 'function' ? first : second;
    const options = typeof first === 'function' || first === undefined ? {} : (first ?? {});
    this.#host = host;
    this.#presence = new Presence(host.driver, this);
    this.#options = { ...readServerOptions(options) };
    this.#tuning.take(this.#options);
    if (typeof listener === 'function') this.on('connection', listener as ConnectionListener);
  }

  // --- listening -----------------------------------------------------------------------------

  /**
   * Listens: `(port?, host?, backlog?, callback?)` or `(options, callback?)`. Without a host, on
   * every address of the stack. What fails is told by 'error'.
   *
   * @throws Error ERR_SERVER_ALREADY_LISTEN; RangeError ERR_SOCKET_BAD_PORT; TypeError
   *   ERR_INVALID_ARG_VALUE, ERR_INVALID_ARG_TYPE
   */
  listen(options: ListenOptions, callback?: Listener): this;
  listen(port: number | string, host: string, backlog: number, callback?: Listener): this;
  listen(port: number | string, host: string, callback?: Listener): this;
  listen(port: number | string, backlog: number, callback?: Listener): this;
  listen(port?: number | string | null, callback?: Listener): this;
  listen(callback: Listener): this;
  listen(...args: unknown[]): this {
    const [options, callback] = normalizeArguments<ListenOptions>(args);
    if (this.#stream !== null || this.#pending !== null) throw alreadyListening();
    const address = readListenAddress(args, options);
    if (options.signal !== undefined) this.#closeOn(options.signal);
    if (callback !== null) this.once('listening', callback);
    this.#resource = new AsyncResource('NETLANDSERVER');
    const { host, port } = address;
    if (host === undefined) this.#bindEverywhere(address);
    else if (isIP(host)) this.#bind(host, isIP(host) === 4 ? 4 : 6, address);
    else {
      const token = {};
      this.#pending = token;
      const query = { host, port, family: 0, hints: 0, lookup: undefined } as const;
      resolve(query, false, (error, [found]) => {
        if (this.#pending !== token) return;
        this.#pending = null;
        if (error !== null) this.emit('error', error);
        else this.#bind(found.address, found.family, address);
      });
    }
    return this;
  }

  #closeOn(signal: AbortSignal): void {
    if (!(signal instanceof AbortSignal)) {
      throw invalidArgType('options.signal', 'an instance of AbortSignal', signal);
    }
    const close = () => void this.close();
    if (signal.aborted) {
      nextTick(close);
      return;
    }
    signal.addEventListener('abort', close, { once: true });
    this.once('close', () => signal.removeEventListener('abort', close));
  }

  /** On all addresses of both families if the stack has IPv6, else on IPv4's. */
  #bindEverywhere(address: ListenAddress): void {
    const ipv6 = this.#host.driver.environment.paths.isLocal(LOOPBACK6);
    if (ipv6) this.#bind('::', 6, address);
    else this.#bind('0.0.0.0', 4, address);
  }

  #bind(host: string, family: 4 | 6, listen: ListenAddress): void {
    const { port, backlog } = listen;
    const { driver } = this.#host;
    const address = parseAddress(host);
    if (driver.closing || address === null) {
      const invalid = () => explainedSystemError(Errno.EINVAL, 'listen', host, port);
      nextTick(() => this.emit('error', driver.closing ? stackClosed() : invalid()));
      return;
    }
    const stream = driver.socket(family, this);
    stream.setOption(SocketOption.ReuseAddress, 1);
    if (listen.ipv6Only) stream.setOption(SocketOption.Ipv6Only, 1);
    if (listen.reusePort) stream.setOption(SocketOption.ReusePort, 1);
    this.#tuning.apply(stream);
    const local = everywhere(address, family);
    let result = listen.anyPort ? stream.bindAnyPort(local) : stream.bind(local, port);
    if (result >= 0) result = stream.listen(backlog);
    if (result < 0) {
      stream.owner = null;
      stream.close();
      const error = explainedSystemError(-result, 'listen', host, port);
      nextTick(() => this.emit('error', error));
      return;
    }
    this.#stream = stream;
    this.#requests = stream.decideSyns(() => this.listenerCount('syn') > 0);
    this.#presence.enter();
    if (isWildcard(address)) this.#host.listensEverywhere();
    nextTick(() => {
      if (this.#stream === stream) this.emit('listening');
    });
  }

  get listening(): boolean {
    return this.#stream !== null;
  }

  /** Where it listens; null when it doesn't. */
  address(): AddressInfo | null {
    return this.#stream === null ? null : localEnd(this.#stream);
  }

  // --- connections ---------------------------------------------------------------------------

  /** @internal */
  ready(): void {
    this.#resource?.runInAsyncScope(this.#tell, this);
  }

  #tell(): void {
    for (let request = this.#nextRequest(); request !== null; request = this.#nextRequest()) {
      if (request.isLost) (request.owner as Syn | null)?.gone();
      else this.#ask(request);
    }
    this.#accept();
  }

  #nextRequest(): SynRequest | null {
    return this.#requests === null ? null : this.#requests.next();
  }

  /** What the listener throws is an uncaught exception, and the peer gets no answer. */
  #ask(request: SynRequest): void {
    const syn = new Syn(request, () => this.#host.driver.enter());
    request.owner = syn;
    try {
      // Who wanted to be asked when it came may not want to any more.
      if (!this.emit('syn', syn)) syn.accept();
    } catch (error) {
      syn.drop();
      throw error;
    }
  }

  #accept(): void {
    while (this.#stream !== null) {
      const accepted = this.#stream.accept();
      if (typeof accepted === 'number') return;
      const limit = this.maxConnections;
      if (limit !== undefined && this.#connections >= limit) this.#drop(accepted);
      else this.#welcome(accepted);
    }
  }

  #drop(stream: StreamSocket): void {
    (this.#stream?.requestOf(stream)?.owner as Syn | undefined)?.gone();
    const local = localEnd(stream);
    const remote = remoteEnd(stream);
    const info: DropInfo = {
      localAddress: local.address,
      localPort: local.port,
      localFamily: local.family,
      remoteAddress: remote.address,
      remotePort: remote.port,
      remoteFamily: remote.family,
    };
    stream.close();
    this.emit('drop', info);
  }

  #welcome(stream: StreamSocket): void {
    const { allowHalfOpen, highWaterMark, pauseOnConnect } = this.#options;
    this.#connections++;
    const accepted = {
      stream,
      server: this,
      pauseOnConnect: Boolean(pauseOnConnect),
      gone: () => this.#lost(),
    };
    const syn = this.#stream?.requestOf(stream)?.owner as Syn | undefined;
    const socket = this.#host.accept({ allowHalfOpen, highWaterMark }, accepted);
    syn?.connected()?.(socket);
    this.emit('connection', socket);
  }

  #lost(): void {
    this.#connections--;
    this.#closeIfDrained();
  }

  /** How many connections are open; the callback gets an error (always null) and the number. */
  getConnections(callback: (error: Error | null, count: number) => void): this {
    if (typeof callback !== 'function') {
      throw invalidArgType('callback', 'of type function', callback);
    }
    nextTick(callback, null, this.#connections);
    return this;
  }

  // --- closing -------------------------------------------------------------------------------

  /**
   * Accepts no more. The connections stay; when the last has ended, 'close' is emitted.
   * @param callback called then, with ERR_SERVER_NOT_RUNNING if it did not listen
   */
  close(callback?: (error?: Error) => void): this {
    if (typeof callback === 'function') {
      const running = this.#stream !== null || this.#pending !== null;
      this.once('close', running ? () => callback() : () => callback(notListening()));
    }
    this.#stop();
    this.#closeIfDrained();
    return this;
  }

  #stop(): void {
    const open = this.#requests?.open ?? [];
    this.#silence();
    for (const { owner } of open) nextTick(() => (owner as Syn | null)?.gone());
  }

  /** The same without a word to the program. */
  #silence(): void {
    const stream = this.#stream;
    this.#pending = null;
    this.#requests = null;
    if (stream === null) return;
    this.#stream = null;
    this.#host.driver.enter();
    stream.owner = null;
    stream.close();
    this.#presence.leave();
  }

  #closeIfDrained(): void {
    if (this.#stream !== null || this.#connections > 0) return;
    nextTick(() => this.emit('close'));
  }

  /** @internal */
  finish(): void {
    this.close();
  }

  /** @internal */
  readonly finished = true;

  /** @internal */
  readonly losing = false;

  /** @internal */
  abandon(errno: number, cause?: Error): void {
    const error = errno === 0 ? cause : explainedSystemError(errno, 'accept');
    if (error !== undefined && error !== cause) error.cause = cause;
    this.#stop();
    if (error !== undefined) nextTick(() => this.emit('error', error));
    this.#closeIfDrained();
  }

  /** @internal */
  vanish(): void {
    this.#silence();
  }

  /** Closes, and waits until the last connection has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#stream === null) return;
    await new Promise<void>((done) => this.close(() => done()));
  }

  /** While it listens it keeps the process alive: the default. */
  ref(): this {
    this.#presence.ref();
    return this;
  }

  unref(): this {
    this.#presence.unref();
    return this;
  }
}

/** '0.0.0.0' and '::' as the socket of that family takes them. */
function everywhere(address: IpAddress, family: 4 | 6): IpAddress {
  if (!isWildcard(address)) return address;
  return family === 4 ? ANY4 : ANY6;
}
