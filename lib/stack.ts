import type { Counters } from './core/stack/counters';
import { Errno } from './core/errno';
import { formatAddress } from './core/ip/address';
import { writtenLength } from './core/neighbor/own-addresses';
import type { ConnectionEntry } from './core/tcp/listing';
import type { CongestionController } from './core/tcp/congestion-controller';
import type { Settings } from './core/tcp/settings';
import type { Trace } from './core/tcp/tcp';
import type { ClockTimer } from './driver/clock';
import type { DriverOptions, Endpoint } from './driver/driver';
import { Driver } from './driver/driver';
import type { Dgram } from './dgram/dgram';
import { makeDgram } from './dgram/dgram';
import type { StackRoute } from './driver/paths';
import { invalidArgType, invalidArgValue, outOfRange } from './errors';
import type { Link, LinkCounters } from './link/link';
import { checkPortRange } from './link/validate';
import { checkSettings } from './net/check-settings';
import { readCongestionControl } from './net/congestion-control';
import type { CongestionControlName } from './net/types';
import type { Net } from './net/net';
import { makeNet } from './net/net';

/** Options of `Stack.open`. */
export interface StackOptions {
  /**
   * What the stack sends and receives on. Default: nothing but a loopback in the process, which
   * every stack has beside its link (a raw link has the host's instead).
   */
  link?: Link;
  /**
   * The stack's own addresses in CIDR notation, as '10.78.0.2/24' or 'fd78::2/64'. Not for a raw
   * link, which has the host's. 127.0.0.0/8 and ::1 are there in any case.
   */
  addresses?: readonly string[];
  /**
   * Ways to others, as [{ to: '0.0.0.0/0', via: '10.78.0.1' }], beside those to the networks that
   * the addresses are in, or instead, to give one another MTU. Default: everybody is on the link,
   * without a gateway; on a packet link nobody beside those networks. Not for a raw link, which has
   * the host's.
   */
  routes?: readonly StackRoute[];
  /**
   * Packets to every address of a host are for this stack, as at a tunnel's far end, and answers
   * leave from there; sockets can be bound to any. What the stack itself sends to an address that
   * isn't one of `addresses` goes out. Not for a raw link. Default: false.
   */
  anyAddress?: boolean;
  /** Changes to settings, TCP's and IP's: docs name each with its sysctl, default and range. */
  tcp?: Partial<Settings>;
  /**
   * What new sockets have: the name of a congestion controller, or one of one's own. Default:
   * 'cubic' (net.ipv4.tcp_congestion_control).
   */
  congestionControl?: CongestionControlName | CongestionController;
  /** First and last local port that is chosen when none is asked for. Default: 32768 to 60999. */
  localPortRange?: readonly [number, number];
  /**
   * How long a process that nothing else keeps alive waits until what was written, and the FIN, are
   * acknowledged; ms, 0 or more. Default: 60000.
   */
  exitTimeout?: number;
  /** Told of each TCP segment: its descriptor's words and first word, and the state. */
  trace?: Trace;
  /** @internal */
  clock?: DriverOptions['clock'];
  /** @internal */
  random?: DriverOptions['random'];
}

/** What was counted since the stack was opened: TCP's by the names of Linux's nstat. */
export interface StackCounters extends Counters {
  /** The link's own, packets. */
  link: LinkCounters;
}

export interface CloseOptions {
  /** ms, 0 or more; default 5000. */
  timeout?: number;
}

const OPTIONS: Readonly<Record<keyof StackOptions, true>> = {
  link: true,
  addresses: true,
  routes: true,
  anyAddress: true,
  tcp: true,
  congestionControl: true,
  localPortRange: true,
  exitTimeout: true,
  trace: true,
  clock: true,
  random: true,
};

/** How long `close` waits unless told otherwise, ms. */
const CLOSE_TIMEOUT = 5000;

/** The warning of a server that nobody outside can reach is given once in a process. */
let warned = false;

function checkTime(name: string, value: unknown): void {
  if (value === undefined) return;
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value);
  if (!(value >= 0 && value < Infinity)) {
    throw outOfRange(name, 'a non-negative finite number', value);
  }
}

function checkLink(link: unknown): void {
  if (link === undefined) return;
  if (typeof link !== 'object' || link === null || !('open' in link)) {
    throw invalidArgType('options.link', 'a link, as rawLink() makes it', link);
  }
}

function checkOptions(options: StackOptions): void {
  if (typeof options !== 'object' || options === null) {
    throw invalidArgType('options', 'of type object', options);
  }
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(OPTIONS, name));
  if (unknown !== undefined) {
    const names = Object.keys(OPTIONS).slice(0, -2).join(', ');
    throw invalidArgValue('options', options, `has no "${unknown}": there are ${names}`);
  }
  const { addresses, routes, anyAddress, trace } = options;
  checkLink(options.link);
  checkSettings(options.tcp);
  if (addresses !== undefined && !Array.isArray(addresses)) {
    throw invalidArgType('options.addresses', 'an instance of Array', addresses);
  }
  if (routes !== undefined && !Array.isArray(routes)) {
    throw invalidArgType('options.routes', 'an instance of Array', routes);
  }
  if (anyAddress !== undefined && typeof anyAddress !== 'boolean') {
    throw invalidArgType('options.anyAddress', 'of type boolean', anyAddress);
  }
  const { congestionControl } = options;
  if (congestionControl !== undefined) {
    readCongestionControl(congestionControl, 'options.congestionControl');
  }
  checkPortRange(options.localPortRange);
  checkTime('options.exitTimeout', options.exitTimeout);
  if (trace !== undefined && typeof trace !== 'function') {
    throw invalidArgType('options.trace', 'of type function', trace);
  }
}

/** What the program's function throws is an uncaught exception, but doesn't disturb the stack. */
function harmless(trace: Trace): Trace {
  return (words, base, state) => {
    try {
      trace(words, base, state);
    } catch (error) {
      process.nextTick(() => {
        throw error;
      });
    }
  };
}

/**
 * A transport layer of one's own: TCP and UDP in this process, over one link. `net` has what
 * node:net has, `dgram` what node:dgram has.
 *
 * While there are open sockets and servers that are not unref'd, the process stays alive; after
 * that, until what was written is acknowledged (`exitTimeout`). TIME-WAIT doesn't keep it.
 */
export class Stack {
  /** The API of node:net on this stack. Its functions are bound: they may be passed on alone. */
  readonly net: Net;
  /** The API of node:dgram on this stack, likewise. */
  readonly dgram: Dgram;
  /** Resolves when the stack is closed: with null, or with the error for which the link is gone. */
  readonly closed: Promise<Error | null>;
  readonly #driver: Driver;
  #resolveClosed: (error: Error | null) => void = () => undefined;
  #closing: Promise<void> | null = null;

  /**
   * Opens a link and starts a stack on it.
   *
   * @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE; RangeError ERR_OUT_OF_RANGE, for
   *   an unknown TCP setting, too; what the link fails with: EPERM with the remedy, ENODEV, …
   */
  static async open(options: StackOptions = {}): Promise<Stack> {
    checkOptions(options);
    const driver = await Driver.open(options);
    if (options.trace !== undefined) driver.core.onTrace = harmless(options.trace);
    return new Stack(driver, options.link === undefined || options.link.kind === 'memory');
  }

  private constructor(driver: Driver, inside: boolean) {
    this.#driver = driver;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    this.net = makeNet({ driver }, () => {
      if (inside) warnOfWildcard();
    });
    this.dgram = makeDgram({ driver });
    driver.onDown = (error) => this.#end(error);
  }

  /** A copy of all counters. */
  get counters(): StackCounters {
    return { ...this.#driver.core.counters, link: { ...this.#driver.port.counters } };
  }

  /** Listeners and connections, handshakes and TIME-WAIT among them, as `ss -tan` lists them. */
  connections(): ConnectionEntry[] {
    return this.#driver.core.list();
  }

  /**
   * Its addresses in CIDR notation: those of `options.addresses`, and those that it has made of
   * what routers announce (packetLink's `autoconf`). None on a raw link, which has the host's.
   */
  get addresses(): string[] {
    const { addresses } = this.#driver;
    return addresses.map((own) => `${formatAddress(own.address)}/${writtenLength(own)}`);
  }

  /** The name that the link has: a device's, or one of its own. */
  get linkName(): string {
    return this.#driver.port.name;
  }

  /**
   * Closes in order: servers accept no more, every socket is ended, and when all peers have
   * acknowledged and ended too, or after the timeout, what is left is reset and the link closed.
   * Sockets that lose data by that get ECONNABORTED. TIME-WAIT is not waited for.
   *
   * @throws TypeError ERR_INVALID_ARG_TYPE, RangeError ERR_OUT_OF_RANGE
   */
  async close(options: CloseOptions = {}): Promise<void> {
    checkTime('options.timeout', options.timeout);
    this.#closing ??= this.#finish(options.timeout ?? CLOSE_TIMEOUT);
    await this.#closing;
  }

  async #finish(timeout: number): Promise<void> {
    const driver = this.#driver;
    if (driver.closed) return;
    driver.closing = true;
    driver.hold();
    for (const endpoint of [...driver.endpoints]) endpoint.finish();
    await this.#finished(timeout);
    if (driver.closed) return;
    const lost = driver.core.unfinished > 0;
    for (const endpoint of [...driver.endpoints]) {
      if (endpoint.finished) endpoint.abandon(0);
      else endpoint.abandon(endpoint.losing ? Errno.ECONNABORTED : 0);
    }
    if (lost) driver.core.abortAll(Errno.ECONNABORTED);
    this.#shut(null);
  }

  /** Waits until every connection has been closed by both sides, or the time is over. */
  #finished(timeout: number): Promise<void> {
    const driver = this.#driver;
    const done = (endpoint: Endpoint) => endpoint.finished;
    const isOver = () => driver.core.unfinished === 0 && [...driver.endpoints].every(done);
    return new Promise((resolve) => {
      const timer: ClockTimer = driver.clock.timer(end);
      function end(): void {
        driver.onRound = null;
        timer.close();
        resolve();
      }
      driver.onRound = () => {
        if (driver.closed || isOver()) end();
      };
      timer.ref();
      timer.set(driver.clock.now() + timeout * 1000);
      driver.enter();
    });
  }

  /**
   * Closes at once: resets every connection.
   * @param error what the sockets and servers get as 'error'; without it they are closed silently
   */
  destroy(error?: Error): void {
    this.#end(null, error);
  }

  #end(linkError: Error | null, error?: Error): void {
    const driver = this.#driver;
    if (driver.closed) return;
    driver.closing = true;
    driver.enter();
    const errno = linkError === null ? 0 : Errno.ENETDOWN;
    for (const endpoint of [...driver.endpoints]) endpoint.abandon(errno, linkError ?? error);
    driver.core.abortAll(Errno.ECONNABORTED);
    this.#shut(linkError);
  }

  #shut(error: Error | null): void {
    const { onRound } = this.#driver;
    this.#driver.close();
    onRound?.();
    this.#resolveClosed(error);
  }

  /** As `close()`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function warnOfWildcard(): void {
  if (warned) return;
  warned = true;
  process.emitWarning(
    'A server listens on all addresses of a stack with a memory link: nobody outside this ' +
      'process can reach it. Give Stack.open a link (rawLink, tunLink) if somebody is to.',
    { type: 'NetlandWarning', code: 'NETLAND_MEMORY_ONLY' },
  );
}
