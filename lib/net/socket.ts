import { addAbortSignal } from 'node:stream';
import { Errno } from '../core/errno';
import { Poll } from '../core/socket/socket-status';
import { Shutdown, type StreamSocket } from '../core/socket/stream-socket';
import { systemError } from '../errors';
import type { Afterlife } from './afterlife';
import { normalizeArguments, pickStreamOptions, readDestination } from './arguments';
import { Dial, type AttemptEvent, type DialEvents } from './dial';
import {
  closedBeforeConnection,
  destroyedWrite,
  endedByPeer,
  socketClosed,
  stackClosed,
} from './errors';
import type { Accepted, SocketHost } from './host';
import { Outbox } from './outbox';
import { Presence } from './presence';
import type { Server } from './server';
import { TimedSocket } from './timed-socket';
import type { ConnectOptions, Listener, SocketOptions } from './types';

type Callback = (error?: Error | null) => void;

/** Largest piece in one 'data', bytes: as libuv's. */
const PIECE = 65_536;

// Taken when the module is loaded, so that a test's fake timers don't stop the stack.
const nextTick = process.nextTick.bind(process);

/**
 * A TCP connection as a Duplex stream, with the methods, properties, events and errors of
 * `net.Socket`. `stack.net.connect` and `stack.net.createServer` make them.
 */
export class Socket extends TimedSocket {
  /** A lookup or handshake is under way. */
  connecting = false;
  /** The ends that were tried one after the other, as `address:port`. */
  autoSelectFamilyAttemptedAddresses: string[] | undefined = undefined;
  /** The server that accepted it, or null. */
  readonly server: Server | null;

  readonly #host: SocketHost;
  readonly #presence: Presence;
  readonly #outbox = new Outbox();
  readonly #gone: (() => void) | null;
  #stream: StreamSocket | null = null;
  #dial: Dial | null = null;
  /** The stream wants data. */
  #reading = false;
  #silent = false;
  #receiving = false;
  #resetting = false;
  /** Nothing happens any more: what is written stays unanswered. */
  #vanished = false;
  #bytesRead = 0;
  #bytesSent = 0;
  #final: Callback | null = null;
  /** Has the connection after the socket; null: nobody has. */
  #afterlife: Afterlife | null = null;

  /** @internal Made by `stack.net`. */
  constructor(host: SocketHost, options: SocketOptions = {}, accepted: Accepted | null = null) {
    const { signal, ...streamOptions } = options;
    super(host.driver.clock, {
      ...pickStreamOptions(streamOptions),
      allowHalfOpen: Boolean(options.allowHalfOpen),
      // 'close' is emitted by _destroy, since it tells whether there was an error.
      emitClose: false,
      autoDestroy: true,
    });
    this.#host = host;
    this.#presence = new Presence(host.driver, this);
    this.server = accepted?.server ?? null;
    this.#gone = accepted?.gone ?? null;
    this.takeOptions(options);
    if (signal !== undefined && signal !== null) addAbortSignal(signal, this);
    if (accepted === null) return;
    this.#adopt(accepted.stream);
    if (accepted.pauseOnConnect) this.pause();
    else this.read(0);
  }

  // --- opening -------------------------------------------------------------------------------

  /**
   * Connects: `(options, listener?)` or `(port, host?, listener?)`.
   *
   * @throws RangeError ERR_SOCKET_BAD_PORT; TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE,
   *   ERR_MISSING_ARGS, ERR_INVALID_IP_ADDRESS. What fails later is told by 'error'.
   */
  connect(options: ConnectOptions, listener?: Listener): this;
  connect(port: number | string, host: string, listener?: Listener): this;
  connect(port: number | string, listener?: Listener): this;
  connect(...args: unknown[]): this {
    const [options, listener] = normalizeArguments<ConnectOptions>(args);
    const destination = readDestination(options, this.#host.defaults);
    this.takeOptions(options);
    if (this.destroyed) this.#revive();
    if (listener !== null) this.once('connect', listener);
    const busy = this.#dial !== null ? Errno.EALREADY : Errno.EISCONN;
    if (this.#dial !== null || this.#stream !== null) {
      this.destroy(systemError(busy, 'connect', destination.host, destination.port));
      return this;
    }
    this.connecting = true;
    this.noteActivity();
    if (this.#host.driver.closing) {
      nextTick(() => this.destroy(stackClosed()));
      return this;
    }
    this.#presence.enter();
    this.#dial = new Dial(this.#host.driver, this, destination, this.#dialEvents());
    try {
      this.#dial.start();
    } catch (error) {
      // A lookup that throws: the call has not taken place.
      this.#dial = null;
      this.connecting = false;
      this.#presence.leave();
      throw error;
    }
    return this;
  }

  #dialEvents(): DialEvents {
    return {
      prepare: (stream) => this.applyOptions(stream),
      lookedUp: (error, found, host) =>
        this.emit('lookup', error, found?.address, found?.family, host),
      attempted: (event, args) => this.#attempted(event, args),
      connected: (stream) => this.#connected(stream),
      failed: (error) => this.destroy(error),
    };
  }

  #attempted(event: AttemptEvent, args: unknown[]): void {
    const [address, port] = args;
    if (event === 'connectionAttempt') {
      (this.autoSelectFamilyAttemptedAddresses ??= []).push(`${String(address)}:${String(port)}`);
    }
    this.emit(event, ...args);
  }

  /** A destroyed socket may connect again. */
  #revive(): void {
    this.forgetConnection();
    this.autoSelectFamilyAttemptedAddresses = undefined;
    this.#resetting = false;
    this.#afterlife = null;
    this.#bytesRead = 0;
    this.#bytesSent = 0;
    (this as unknown as { _undestroy(): void })._undestroy();
  }

  /** @internal */
  protected override get streamSocket(): StreamSocket | null {
    return this.#stream;
  }

  /** @internal */
  protected override enterStack(): void {
    this.#host.driver.enter();
  }

  #adopt(stream: StreamSocket): void {
    this.#stream = stream;
    stream.owner = this;
    this.#presence.enter();
  }

  #connected(stream: StreamSocket): void {
    this.#dial = null;
    this.connecting = false;
    this.#adopt(stream);
    this.noteActivity();
    try {
      this.emit('connect');
      this.emit('ready');
    } finally {
      this.#start();
    }
  }

  /** Sends what was written meanwhile, and reads. */
  #start(): void {
    if (this.#stream === null) return;
    this.#flush();
    if (this.#final !== null) this.#shutdown();
    if (!this.isPaused()) this.read(0);
  }

  // --- reading -------------------------------------------------------------------------------

  /** @internal */
  override _read(): void {
    this.#reading = true;
    if (this.#stream === null || this.#receiving) return;
    this.enterStack();
    this.#receive();
  }

  #receive(): void {
    this.#receiving = true;
    try {
      while (this.#reading && this.#stream !== null) {
        this.tellUrgent(this.#stream);
        if (this.streamSocket !== null) this.tellSoftError(this.streamSocket);
        // A listener may have ended it.
        if (this.streamSocket === null) break;
        const piece = this.#stream.take(PIECE);
        if (typeof piece === 'number') {
          if (piece !== -Errno.EAGAIN) this.#ended(piece);
          break;
        }
        this.#bytesRead += piece.length;
        this.noteMark(this.#stream);
        this.noteActivity();
        const data = Buffer.from(piece.buffer, piece.byteOffset, piece.length);
        if (!this.push(data)) this.#reading = false;
      }
    } finally {
      this.#receiving = false;
    }
  }

  /** @param result 0: the peer has ended; else -errno */
  #ended(result: number): void {
    this.#reading = false;
    if (result < 0) {
      this.destroy(systemError(-result, 'read'));
      return;
    }
    this.push(null);
    this.read(0);
  }

  // --- writing -------------------------------------------------------------------------------

  /** @internal */
  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: Callback): void {
    this.#send([chunk], callback);
  }

  /** @internal */
  override _writev(chunks: { chunk: Buffer }[], callback: Callback): void {
    this.#send(
      chunks.map(({ chunk }) => chunk),
      callback,
    );
  }

  #send(pieces: readonly Buffer[], callback: Callback): void {
    if (this.#vanished) return;
    if (this.#stream === null && !this.connecting) {
      callback(socketClosed());
      return;
    }
    this.#outbox.put(pieces, callback);
    this.noteActivity();
    if (this.#stream === null) return;
    this.enterStack();
    this.#flush();
  }

  #flush(): void {
    if (this.#stream !== null) this.tellSoftError(this.#stream);
    if (!this.#outbox.busy || this.#stream === null) return;
    const before = this.#outbox.taken;
    const result = this.#outbox.flush(this.#stream, (piece) => this.isUrgent(piece));
    if (this.#outbox.taken > before) this.noteActivity();
    if (result === -Errno.EAGAIN) return;
    this.#bytesSent += this.#outbox.taken;
    const callback = this.#outbox.finish();
    if (result === 0) callback?.();
    else callback?.(systemError(-result, 'write'));
  }

  /** @internal */
  override _final(callback: Callback): void {
    this.#final = callback;
    if (!this.connecting) this.#shutdown();
  }

  /** Our side has ended: the FIN follows what was written. */
  #shutdown(): void {
    const callback = this.#final;
    this.#final = null;
    if (this.#stream !== null) {
      this.enterStack();
      this.#stream.shutdown(Shutdown.WR);
    }
    callback?.();
  }

  /**
   * As of any Writable; after the peer and we have ended, the error is EPIPE.
   */
  override write(chunk: unknown, callback?: (error: Error | null | undefined) => void): boolean;
  override write(
    chunk: unknown,
    encoding: BufferEncoding,
    callback?: (error: Error | null | undefined) => void,
  ): boolean;
  override write(...args: unknown[]): boolean {
    if (!this.allowHalfOpen && this.readableEnded && this.writableEnded) {
      const callback = args[args.length - 1];
      const error = endedByPeer();
      if (typeof callback === 'function') nextTick(() => Reflect.apply(callback, null, [error]));
      this.destroy(error);
      return false;
    }
    return Reflect.apply(super.write, this, args) as boolean;
  }

  // --- events of the stack -------------------------------------------------------------------

  /** @internal */
  ready(): void {
    this.run(this.#proceed);
  }

  #proceed(): void {
    if (this.#dial !== null) {
      this.#dial.ready();
      return;
    }
    this.#listenForSilence();
    if (this.#stream !== null && !this.#receiving) this.tellUrgent(this.#stream);
    if (this.#reading && !this.#receiving) this.#receive();
    this.#flush();
    this.settleAcks();
  }

  /**
   * 'silence': what was sent has been sent again three times (`retries1`), and nobody answers. It
   * is sent again all the same, until ETIMEDOUT (RFC 9293 §3.8.3).
   */
  #listenForSilence(): void {
    const silent = this.#stream?.isSilent ?? false;
    if (silent === this.#silent) return;
    this.#silent = silent;
    if (silent) this.emit('silence');
  }

  /** @internal */
  finish(): void {
    if (this.connecting) this.abandon(Errno.ECONNABORTED);
    else this.end();
  }

  /** @internal */
  get finished(): boolean {
    if (this.#stream === null) return true;
    return this.writableFinished && (this.#stream.poll() & (Poll.RDHUP | Poll.HUP)) !== 0;
  }

  /** @internal */
  get losing(): boolean {
    return this.writableLength > 0 || (this.#stream !== null && this.#stream.outQueue > 0);
  }

  /** @internal */
  abandon(errno: number, cause?: Error): void {
    this.#resetting = true;
    const call = this.connecting ? 'connect' : 'read';
    const error = errno === 0 ? cause : systemError(errno, call);
    if (error !== undefined && error !== cause) error.cause = cause;
    this.run(() => this.destroy(error));
  }

  /** @internal */
  vanish(): void {
    this.#vanished = true;
    this.endTimeout();
    this.#dial?.cancel();
    this.#dial = null;
    this.#letGo();
    this.#presence.leave();
  }

  // --- closing -------------------------------------------------------------------------------

  /** Ends, and destroys as soon as everything written was accepted. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }

  /** Closes with a RST; data not yet sent is lost. */
  resetAndDestroy(): this {
    if (this.#stream !== null) this.#reset();
    else if (this.connecting) this.once('connect', () => this.#reset());
    else this.destroy(socketClosed());
    return this;
  }

  #reset(): void {
    this.#resetting = true;
    this.destroy();
  }

  /** @internal */
  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    if (this.#host.driver.isDeciding) {
      // By a congestion controller, in the middle of the stack's work.
      nextTick(() => this._destroy(error, callback));
      return;
    }
    const connecting = this.connecting;
    this.connecting = false;
    this.#reading = false;
    this.endTimeout();
    this.#dial?.cancel();
    this.#dial = null;
    const goesOn = this.#resetting ? -1 : this.#acceptedBytes;
    const cause = error ?? (connecting ? closedBeforeConnection() : null);
    this.endAcks(cause, goesOn, this.#bytesSent + this.writableLength);
    const lingers = this.#letGo((by) => {
      if (this.#afterlife !== by) return;
      // An error was told at once.
      if (error === null) callback(null);
      this.#close(error);
    });
    if (!lingers) this.#presence.leave();
    const final = this.#final;
    this.#final = null;
    const { taken } = this.#outbox;
    const write = this.#outbox.finish();
    if (write !== null) this.#bytesSent += taken;
    if (!lingers || error !== null) callback(error);
    nextTick(() => {
      if (!lingers) this.run(() => this.emit('close', error !== null));
      const reason = connecting ? closedBeforeConnection : destroyedWrite;
      write?.(reason());
      final?.(reason());
    });
    if (!lingers) this.#gone?.();
  }

  /** All is over that 'close' has waited for. */
  #close(error: Error | null): void {
    this.#presence.leave();
    this.#gone?.();
    this.run(() => this.emit('close', error !== null));
  }

  /**
   * @param lingered called when 'close' need not wait any more
   * @returns whether it waits
   */
  #letGo(lingered: (by: Afterlife) => void = () => undefined): boolean {
    const stream = this.#stream;
    if (stream === null) return false;
    this.rememberConnection();
    this.#stream = null;
    this.enterStack();
    stream.owner = null;
    if (this.#resetting) stream.abort();
    else if (this.#vanished) stream.close();
    else this.#afterlife = this.closeLater(this.#host.driver, stream, lingered);
    return this.#afterlife?.lingers === true;
  }

  // --- process life --------------------------------------------------------------------------

  /** The open socket keeps the process alive: the default. */
  ref(): this {
    this.#presence.ref();
    return this;
  }

  unref(): this {
    this.#presence.unref();
    return this;
  }

  // --- state ---------------------------------------------------------------------------------

  /** Not connected yet, or no longer. */
  get pending(): boolean {
    return this.#stream === null;
  }

  get readyState(): 'opening' | 'open' | 'readOnly' | 'writeOnly' | 'closed' {
    if (this.connecting) return 'opening';
    if (this.readable) return this.writable ? 'open' : 'readOnly';
    return this.writable ? 'writeOnly' : 'closed';
  }

  /** Bytes received and handed to the stream. */
  get bytesRead(): number {
    return this.#bytesRead;
  }

  /** Bytes that the stack has taken. */
  get #acceptedBytes(): number {
    return this.#bytesSent + (this.#outbox.busy ? this.#outbox.taken : 0);
  }

  /** Bytes written, those still buffered included. */
  override get bytesWritten(): number {
    return this.destroyed ? this.#bytesSent : this.#bytesSent + this.writableLength;
  }

  /** @deprecated Use `writableLength`. */
  get bufferSize(): number | undefined {
    return this.#stream !== null || this.connecting ? this.writableLength : undefined;
  }
}
