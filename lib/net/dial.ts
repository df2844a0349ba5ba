import { isIP } from 'node:net';
import { Errno } from '../core/errno';
import { ANY4, ANY6, formatAddressAs, parseAddress } from '../core/ip/address';
import type { StreamSocket } from '../core/socket/stream-socket';
import { SocketOption } from '../core/socket/options';
import { Poll } from '../core/socket/socket-status';
import type { ClockTimer } from '../driver/clock';
import type { Driver, Endpoint } from '../driver/driver';
import { systemError } from '../errors';
import type { Destination } from './arguments';
import { connectionTimeout, everyAttemptFailed } from './errors';
import type { Resolved } from './resolve';
import { resolve } from './resolve';

export type AttemptEvent =
  'connectionAttempt' | 'connectionAttemptFailed' | 'connectionAttemptTimeout';

/** What whoever dials is told. */
export interface DialEvents {
  /** Sets the options of a socket that is about to connect. */
  prepare(socket: StreamSocket): void;
  lookedUp(error: Error | null, found: Resolved | null, host: string): void;
  attempted(event: AttemptEvent, args: unknown[]): void;
  connected(socket: StreamSocket): void;
  failed(error: Error): void;
}

// Taken when the module is loaded, so that a test's fake timers don't stop the stack.
const nextTick = process.nextTick.bind(process);

/**
 * One connection under way: from a name through its addresses, one after the other, to a stream
 * socket that is connected, or to an error.
 */
export class Dial {
  #targets: Resolved[] = [];
  /** Place of the address after the one that is being tried. */
  #next = 0;
  /** The one that is being tried. */
  #socket: StreamSocket | null = null;
  #timer: ClockTimer | null = null;
  #cancelled = false;
  readonly #errors: Error[] = [];

  constructor(
    private readonly driver: Driver,
    /** Gets the readiness of the sockets that are tried, and hands it to `ready`. */
    private readonly owner: Endpoint,
    private readonly destination: Destination,
    private readonly events: DialEvents,
  ) {}

  start(): void {
    const { host, localAddress, autoSelectFamily } = this.destination;
    const family = isIP(host);
    if (family === 4 || family === 6) {
      nextTick(() => this.#begin([{ address: host, family }]));
      return;
    }
    const all = autoSelectFamily && localAddress === undefined;
    resolve(this.destination, all, (error, found) => this.#resolved(error, found, all));
  }

  #resolved(error: Error | null, found: Resolved[], all: boolean): void {
    if (this.#cancelled) return;
    const { host } = this.destination;
    if (error !== null) {
      this.events.lookedUp(error, null, host);
      if (!this.#cancelled) this.events.failed(error);
      return;
    }
    for (const target of found) this.events.lookedUp(null, target, host);
    this.#begin(all ? this.#reachable(found) : found.slice(0, 1));
  }

  /** Those that there is a way to; all of them if there is none to any. */
  #reachable(found: Resolved[]): Resolved[] {
    const { paths } = this.driver.environment;
    const reachable = found.filter(({ address }) => {
      const remote = parseAddress(address);
      return remote !== null && typeof paths.route(remote, null) !== 'number';
    });
    return reachable.length > 0 ? reachable : found;
  }

  #begin(targets: Resolved[]): void {
    if (this.#cancelled) return;
    this.#targets = targets;
    this.#tryNext();
  }

  #tryNext(): void {
    if (this.#next === this.#targets.length) {
      this.events.failed(this.#outcome());
      return;
    }
    const target = this.#targets[this.#next++];
    const socket = this.driver.socket(target.family, this.owner);
    this.#socket = socket;
    this.events.prepare(socket);
    this.#report('connectionAttempt', target);
    if (this.#socket !== socket) return;
    const error = this.#bind(socket) ?? this.#connect(socket, target);
    if (error !== null) this.#giveUp(target, error);
    else if (this.#next < this.#targets.length) this.#limitTime();
  }

  #outcome(): Error {
    if (this.#errors.length === 0) return connectionTimeout();
    return this.#targets.length === 1 ? this.#errors[0] : everyAttemptFailed(this.#errors);
  }

  #bind(socket: StreamSocket): Error | null {
    const { localAddress, localPort } = this.destination;
    if (localAddress === undefined && localPort === 0) return null;
    const any = socket.domain === 4 ? ANY4 : ANY6;
    const address = localAddress === undefined ? any : parseAddress(localAddress);
    const fits = address !== null && (socket.domain === 6) === (isIP(localAddress ?? '::') === 6);
    // As libuv does: one port may be the near end of several connections.
    socket.setOption(SocketOption.ReuseAddress, 1);
    const bound =
      address === null || (localAddress !== undefined && !fits)
        ? -Errno.EINVAL
        : socket.bind(address, localPort);
    if (bound >= 0) return null;
    const text = localAddress ?? formatAddressAs(any, socket.domain);
    return systemError(-bound, 'bind', text, localPort);
  }

  #connect(socket: StreamSocket, target: Resolved): Error | null {
    const address = parseAddress(target.address);
    const { port } = this.destination;
    const started = address === null ? -Errno.EINVAL : socket.connect(address, port);
    if (started >= 0 || started === -Errno.EINPROGRESS) return null;
    const local = formatAddressAs(socket.localAddress, socket.domain);
    const end = `${local}:${socket.localPort}`;
    return systemError(-started, 'connect', target.address, port, end);
  }

  /** Goes on to the next address if this one doesn't answer in time. */
  #limitTime(): void {
    this.#timer ??= this.driver.clock.timer(() => this.#timedOut());
    this.#timer.set(this.driver.clock.now() + this.destination.attemptTimeout * 1000);
  }

  #timedOut(): void {
    if (this.#cancelled || this.#socket === null) return;
    const target = this.#targets[this.#next - 1];
    this.driver.enter();
    this.#drop();
    this.#report('connectionAttemptTimeout', target);
    if (!this.#cancelled) this.#tryNext();
  }

  /** The readiness of the socket that is being tried has changed. */
  ready(): void {
    const socket = this.#socket;
    if (socket === null) return;
    const errno = socket.takeError();
    if (errno > 0) {
      this.#giveUp(this.#targets[this.#next - 1], this.#refusal(errno));
      return;
    }
    if ((socket.poll() & Poll.OUT) === 0) return;
    this.#socket = null;
    this.#timer?.close();
    this.events.connected(socket);
  }

  #refusal(errno: number): Error {
    const { localAddress, localPort, port } = this.destination;
    const { address } = this.#targets[this.#next - 1];
    if (localAddress === undefined || localPort === 0) {
      return systemError(errno, 'connect', address, port);
    }
    const error = systemError(errno, 'connect', address, port, `${localAddress}:${localPort}`);
    return Object.assign(error, { localAddress, localPort });
  }

  #report(event: AttemptEvent, { address, family }: Resolved, error?: Error): void {
    const args = [address, this.destination.port, family];
    this.events.attempted(event, error === undefined ? args : [...args, error]);
  }

  #giveUp(target: Resolved, error: Error): void {
    this.#drop();
    this.#errors.push(error);
    this.#report('connectionAttemptFailed', target, error);
    if (!this.#cancelled) this.#tryNext();
  }

  #drop(): void {
    this.#timer?.set(Infinity);
    if (this.#socket === null) return;
    this.#socket.owner = null;
    this.#socket.close();
    this.#socket = null;
  }

  /** Gives up; the dialer hears no more. */
  cancel(): void {
    this.#cancelled = true;
    this.driver.enter();
    this.#drop();
    this.#timer?.close();
  }
}
