import { Duplex } from 'node:stream';
import { SocketOption } from '../core/socket/options';
import type { StreamSocket } from '../core/socket/stream-socket';
import type { CongestionController } from '../core/tcp/congestion-controller';
import { invalidArgType } from '../errors';
import { NO_LINGER, PATH_MTU_DISCOVERY, Tuning, type TunableName } from './tuning';
import type {
  CongestionControlName,
  ConnectionOptions,
  KeepAliveOptions,
  PathMtuDiscovery,
} from './types';

/**
 * The options of a socket. Each may be set before there is a connection, and then holds from its
 * first segment on, or at any time later.
 */
export abstract class TunableSocket extends Duplex {
  readonly #tuning = new Tuning();

  /** @internal The connection; null before there is one and after it. */
  protected abstract get streamSocket(): StreamSocket | null;

  /** @internal A call of the program that the stack is to look at. */
  protected abstract enterStack(): void;

  /** @internal Takes options that hold for the next connection. */
  protected takeOptions(options: ConnectionOptions): void {
    this.#tuning.take(options);
  }

  /** @internal Sets them on a socket that is about to connect. */
  protected applyOptions(stream: StreamSocket): void {
    this.#tuning.apply(stream);
  }

  #set(name: TunableName, value: unknown, argument: string): this {
    if (!this.#tuning.note(name, value, argument) || this.streamSocket === null) return this;
    this.enterStack();
    this.#tuning.applyOne(this.streamSocket, name);
    return this;
  }

  #get(name: TunableName, option: SocketOption, otherwise: number | undefined): number | undefined {
    if (this.streamSocket !== null) return this.streamSocket.getOption(option);
    return (this.#tuning.chosen(name) as number | undefined) ?? otherwise;
  }

  /** Small writes leave at once (TCP_NODELAY); without argument, true. */
  setNoDelay(noDelay = true): this {
    return this.#set('noDelay', noDelay, 'noDelay');
  }

  /**
   * Probes the connection when it is idle; off by default. Deviation: what is not given stays as
   * the stack's settings have it (75 s and 10 times), where Node sets 1 s and 10 times.
   *
   * @param initialDelay ms of idleness before the first probe, whole seconds; 0 leaves it as it is
   * @param interval ms between probes, whole seconds; 0 leaves it as it is
   * @param count probes without an answer before ETIMEDOUT, 1 to 127; 0 leaves it as it is
   * @throws TypeError ERR_INVALID_ARG_TYPE, RangeError ERR_OUT_OF_RANGE
   */
  setKeepAlive(enable?: boolean, initialDelay?: number, interval?: number, count?: number): this;
  setKeepAlive(options: KeepAliveOptions): this;
  setKeepAlive(
    first: boolean | KeepAliveOptions = false,
    initialDelay?: number,
    interval?: number,
    count?: number,
  ): this {
    const asObject = typeof first === 'object' && first !== null;
    const given = asObject ? first : { enable: first, initialDelay, interval, count };
    // All are checked before one is set.
    const checked = new Tuning();
    checked.note('keepAliveInitialDelay', given.initialDelay ?? 0, 'initialDelay');
    checked.note('keepAliveInterval', given.interval ?? 0, 'interval');
    checked.note('keepAliveCount', given.count ?? 0, 'count');
    this.#set('keepAliveInitialDelay', given.initialDelay ?? 0, 'initialDelay');
    this.#set('keepAliveInterval', given.interval ?? 0, 'interval');
    this.#set('keepAliveCount', given.count ?? 0, 'count');
    return this.#set('keepAlive', given.enable ?? false, 'enable');
  }

  /**
   * Only full segments leave until it is cleared (TCP_CORK); without argument, true. `cork()` is
   * the stream's own, which gathers writes before the stack has them.
   * @throws TypeError ERR_INVALID_ARG_TYPE
   */
  setCork(cork = true): this {
    return this.#set('cork', cork, 'cork');
  }

  /**
   * An urgent byte stays in the stream, where `atMark` finds it (SO_OOBINLINE); without argument,
   * true.
   * @throws TypeError ERR_INVALID_ARG_TYPE
   */
  setOobInline(oobInline = true): this {
    return this.#set('oobInline', oobInline, 'oobInline');
  }

  /**
   * Gives the connection up, with ETIMEDOUT, when something has been unacknowledged for `msecs` ms,
   * 0 to 2^31 - 1; 0: when the stack's retransmissions are used up (TCP_USER_TIMEOUT).
   * @throws TypeError ERR_INVALID_ARG_TYPE, RangeError ERR_OUT_OF_RANGE
   */
  setUserTimeout(msecs: number): this {
    return this.#set('userTimeout', msecs, 'msecs');
  }

  /** ms; 0: none. */
  getUserTimeout(): number {
    return this.#get('userTimeout', SocketOption.UserTimeout, 0) ?? 0;
  }

  /**
   * How the connection is closed (SO_LINGER), by `destroy` or after both sides have ended.
   *
   * - `enable` false, the default: 'close' comes at once, and the stack goes on with what it has.
   * - `msecs` 0: by RST; what was not sent, and what the peer has not acknowledged, is dropped.
   * - else 'close' comes when the peer's TCP has acknowledged all, our FIN too, when the connection
   *   has ended otherwise, or after `msecs` ms. The stack goes on in any case.
   *
   * @param msecs 0 to 2^31 - 1
   * @throws TypeError ERR_INVALID_ARG_TYPE, RangeError ERR_OUT_OF_RANGE
   */
  setLinger(enable: boolean, msecs = 0): this {
    // `setLinger(5000)` is no call for a RST.
    if (typeof enable !== 'boolean') throw invalidArgType('enable', 'of type boolean', enable);
    return this.#set('linger', enable ? msecs : false, 'msecs');
  }

  /** ms; false: none. */
  getLinger(): number | false {
    const msecs = this.#get('linger', SocketOption.Linger, NO_LINGER) ?? NO_LINGER;
    return msecs === NO_LINGER ? false : msecs;
  }

  /**
   * What becomes of packets that are too large for a link on their way (IP_MTU_DISCOVER).
   * @throws TypeError ERR_INVALID_ARG_VALUE
   */
  setPathMtuDiscovery(mode: PathMtuDiscovery): this {
    return this.#set('pathMtuDiscovery', mode, 'mode');
  }

  /** Undefined before the connection, if none was set. */
  getPathMtuDiscovery(): PathMtuDiscovery | undefined {
    const value = this.#get('pathMtuDiscovery', SocketOption.MtuDiscover, undefined);
    const names = Object.keys(PATH_MTU_DISCOVERY) as PathMtuDiscovery[];
    return names.find((name) => PATH_MTU_DISCOVERY[name] === value);
  }

  /**
   * Emits 'softError' (error) for each ICMP error about the connection: EHOSTUNREACH, ECONNREFUSED
   * and so on, with the peer's `address` and `port` (IP_RECVERR). It ends nothing. Without it, the
   * default, such an error is only told as the reason why the connection was given up at last.
   * Without argument, true.
   * @throws TypeError ERR_INVALID_ARG_TYPE
   */
  setReceiveErrors(receiveErrors = true): this {
    return this.#set('receiveErrors', receiveErrors, 'receiveErrors');
  }

  /**
   * Changes to another congestion controller: by name, or one of the program's own. It begins with
   * the window that there is (TCP_CONGESTION).
   * @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE
   */
  setCongestionControl(control: CongestionControlName | CongestionController): this {
    return this.#set('congestionControl', control, 'control');
  }

  /** The name of the controller; undefined before the connection, if none was set. */
  getCongestionControl(): string | undefined {
    if (this.streamSocket !== null) return this.streamSocket.congestion;
    const chosen = this.#tuning.chosen('congestionControl') as string | CongestionController;
    return typeof chosen === 'object' ? chosen.name : chosen;
  }

  /**
   * Spreads what is sent, and bounds it: bytes of payload per second; 0: no bound, and at once
   * (SO_MAX_PACING_RATE).
   * @throws TypeError ERR_INVALID_ARG_TYPE, RangeError ERR_OUT_OF_RANGE
   */
  setMaxPacingRate(rate: number): this {
    return this.#set('maxPacingRate', rate, 'rate');
  }

  /**
   * Sets the traffic class of each packet, 0 to 255 (IP_TOS, IPV6_TCLASS); the two ECN bits are
   * TCP's own.
   * @throws TypeError ERR_INVALID_ARG_TYPE, RangeError ERR_OUT_OF_RANGE
   */
  setTypeOfService(tos: number): this {
    return this.#set('typeOfService', tos, 'tos');
  }

  getTypeOfService(): number {
    return this.#get('typeOfService', SocketOption.TrafficClass, 0) ?? 0;
  }

  /**
   * Sets how many hops a packet may make, 1 to 255 (IP_TTL, IPV6_UNICAST_HOPS).
   * @throws TypeError ERR_INVALID_ARG_TYPE, RangeError ERR_OUT_OF_RANGE
   */
  setTTL(ttl: number): this {
    return this.#set('ttl', ttl, 'ttl');
  }

  /**
   * Sets how much payload the stack holds for the peer: unsent, and sent but not acknowledged;
   * bytes, 2048 to 2^30 (SO_SNDBUF, without Linux's doubling).
   * @throws TypeError ERR_INVALID_ARG_TYPE, RangeError ERR_OUT_OF_RANGE
   */
  setSendBufferSize(size: number): this {
    return this.#set('sendBufferSize', size, 'size');
  }

  /** Bytes; undefined before the connection, if none was set. */
  getSendBufferSize(): number | undefined {
    return this.#get('sendBufferSize', SocketOption.SendBuffer, undefined);
  }

  /**
   * Sets how much payload the stack holds for the reader, which no longer grows by itself then;
   * bytes, 1024 to 2^30 (SO_RCVBUF, without Linux's doubling). The window's scale is chosen when
   * the connection opens: set before, it may be larger than 64 KiB to effect.
   * @throws TypeError ERR_INVALID_ARG_TYPE, RangeError ERR_OUT_OF_RANGE
   */
  setRecvBufferSize(size: number): this {
    return this.#set('recvBufferSize', size, 'size');
  }

  /** Bytes; undefined before the connection, if none was set. */
  getRecvBufferSize(): number | undefined {
    return this.#get('recvBufferSize', SocketOption.ReceiveBuffer, undefined);
  }
}
