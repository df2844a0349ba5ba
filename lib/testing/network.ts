import { types } from 'node:util';
import { State as States, type State } from '../core/tcp/state';
import { codeError, invalidArgType, invalidArgValue, outOfRange } from '../errors';
import { checkNames } from '../link/validate';
import { Checks } from './check/checks';
import type { HostWitness, LossReason, NetworkNode, Witness } from './engine/node';
import type { Packet } from './engine/packet';
import { Simulation } from './engine/simulation';
import { hostPrefixes } from './host/addresses';
import { Host } from './host/host';
import { checkHostOptions, type HostOptions } from './host/options';
import { Cable } from './link/cable';
import type { LinkOptions } from './link/options';
import { Router, type RouterOptions } from './router';
import { Routes, topologyError } from './routes';
import { SegmentViews } from './segment-view';
import { Switch } from './switch';
import { DEFAULT_EPOCH, ProgramClock } from './time/program-clock';
import { Turns, type Outcome } from './time/turns';
import { Trace, type TraceOptions } from './trace/trace';
import { describeWaiting } from './trace/waiting';

export interface NetworkOptions {
  /** All that is left to chance follows from it: 0 to 2^32 - 1. Default: 1. */
  seed?: number;
  /** What the program's `Date` shows at the start: ms since 1970, or a date. Default: 2030. */
  epoch?: number | Date;
  /**
   * Whether every event is followed by a check of what must hold in TCP whatever happens. A
   * violation is a bug of Netland's; `run` and `advance` reject with it. Default: true.
   */
  checks?: boolean;
  /** Whether all packets are kept in `trace`, and how much of them. Default: true. */
  trace?: boolean | TraceOptions;
}

export interface RunOptions {
  /** Virtual time within which the program must have settled, ms. Default: 24 hours. */
  limit?: number;
}

/** What a cable can be linked to. */
export type Linkable = Host | Router | Switch;

const DAY = 24 * 3600_000;
const MAX_SEED = 2 ** 32 - 1;
/** Time is counted in µs, exactly. ms. */
const MAX_TIME = 2 ** 43;
/** A `Date` can show this and all of the network's time after it. ms. */
const MAX_EPOCH = 8.64e15 - MAX_TIME;
const OPTIONS = ['seed', 'epoch', 'checks', 'trace'];

/** Tells whoever wants to know: the trace, and the checks. */
class Witnesses implements Witness, HostWitness {
  constructor(
    private readonly simulation: Simulation,
    private readonly trace: Trace | null,
    private readonly checks: Checks | null,
  ) {}

  get wantsSegments(): boolean {
    return this.trace !== null || this.checks !== null;
  }

  sent(host: Host, packet: Packet, state: State): void {
    this.trace?.sent(host, packet, state);
    try {
      this.checks?.sent(host, packet);
    } catch (error) {
      this.simulation.fail(error);
    }
  }

  received(host: Host, packet: Packet, state: State): void {
    this.trace?.received(host, packet, state);
    this.checks?.received(host, packet);
  }

  settled(host: Host): void {
    try {
      this.checks?.settled(host);
    } catch (error) {
      this.simulation.fail(error);
    }
  }

  told(router: { readonly name: string }, packet: Packet): void {
    this.trace?.sent(router, packet, States.CLOSED);
  }

  lost(packet: Packet, where: string, reason: LossReason): void {
    this.trace?.lost(packet, where, reason);
  }

  noted(text: string): void {
    this.trace?.noted(text);
  }
}

/**
 * A network in this process, in virtual time: hosts, each with a TCP of its own, routers, and
 * cables that do to packets what real ones do. The same seed and program give the same run.
 */
export class Network {
  readonly seed: number;
  /** What has happened. */
  readonly trace: Trace;
  /** @internal */
  readonly simulation: Simulation;
  readonly #routes = new Routes();
  readonly #views = new SegmentViews(this.#routes);
  readonly #hosts: Host[] = [];
  readonly #cables: Cable[] = [];
  readonly #names = new Set<string>();
  readonly #witness: Witnesses;
  readonly #program: ProgramClock;
  readonly #turns: Turns;
  #packets = 0;
  #routers = 0;
  /** What time is being moved by: 'run' or 'advance'. */
  #busy: string | null = null;
  #closed = false;

  /** @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE; RangeError ERR_OUT_OF_RANGE */
  constructor(options: NetworkOptions = {}) {
    checkOptions(options);
    const { seed = 1, epoch = DEFAULT_EPOCH, checks = true, trace = true } = options;
    this.seed = seed;
    this.simulation = new Simulation(seed);
    const start = Number(epoch);
    this.trace = new Trace(
      this.simulation,
      start,
      this.#routes,
      typeof trace === 'object' ? trace : {},
    );
    this.#witness = new Witnesses(
      this.simulation,
      trace === false ? null : this.trace,
      checks ? new Checks(this.simulation) : null,
    );
    this.#program = new ProgramClock(start);
    this.#turns = new Turns(this.simulation, this.#program);
  }

  /** Virtual time since the network was made, ms. */
  get now(): number {
    return this.simulation.now / 1000;
  }

  /** The hosts, in the order in which they were made. */
  get hosts(): readonly Host[] {
    return this.#hosts;
  }

  // --- what it is made of --------------------------------------------------------------------

  /**
   * Adds a host. It is alone until a cable links it to another host or a router.
   * @param name one word, of its own in the network; appears in traces
   * @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE; RangeError ERR_OUT_OF_RANGE;
   *   Error ERR_NETLAND_CLOSED
   */
  host(name: string, options: HostOptions = {}): Host {
    this.#checkName(name);
    checkHostOptions(options);
    const prefixes = hostPrefixes(this.#hosts, options);
    const context = {
      simulation: this.simulation,
      witness: this.#witness,
      isWatched: this.#witness.wantsSegments,
      nextPacket: () => this.#packets++,
      settled: (settled: Host) => this.#witness.settled(settled),
    };
    const host = new Host(name, prefixes, context, options);
    this.#names.add(name);
    this.#hosts.push(host);
    this.#routes.add(host);
    return host;
  }

  /** Adds a router: it forwards between any number of cables. @throws as `host` */
  router(name: string, options: RouterOptions = {}): Router {
    this.#checkName(name);
    const context = {
      routes: this.#routes,
      witness: this.#witness,
      clock: this.simulation,
      nextPacket: () => this.#packets++,
    };
    const router = new Router(name, ++this.#routers, context, options);
    this.#names.add(name);
    this.#routes.add(router, router.addresses);
    return router;
  }

  /**
   * Adds a switch: it makes one network of the cables that are linked to it.
   * @throws as `host`
   */
  switch(name: string): Switch {
    this.#checkName(name);
    const added = new Switch(name, { routes: this.#routes, witness: this.#witness });
    this.#names.add(name);
    this.#routes.add(added);
    return added;
  }

  /**
   * Links two hosts, routers or switches by a cable. A host has one cable at most.
   * @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE; RangeError ERR_OUT_OF_RANGE;
   *   Error ERR_NETLAND_TOPOLOGY for a second cable of a host, one more between the same two, or
   *   switches in a ring, in which a packet to all would go round for ever
   */
  link(a: Linkable, b: Linkable, options: LinkOptions = {}): Cable {
    this.#checkOpen();
    this.#checkNode('a', a);
    this.#checkNode('b', b);
    if (a instanceof Switch && b instanceof Switch && a.reaches(b)) {
      throw topologyError(`${a.name} and ${b.name} would be switches in a ring`);
    }
    const parts = { simulation: this.simulation, witness: this.#witness, views: this.#views };
    const cable = new Cable(parts, a, b, options);
    this.#routes.connect(cable);
    this.#cables.push(cable);
    return cable;
  }

  #checkName(name: unknown): void {
    this.#checkOpen();
    if (typeof name !== 'string') throw invalidArgType('name', 'of type string', name);
    if (!/^[\w.-]+$/.test(name)) throw invalidArgValue('name', name, 'must be one word');
    if (this.#names.has(name)) throw invalidArgValue('name', name, 'is taken already');
  }

  #checkNode(name: string, node: NetworkNode): void {
    if (!this.#routes.has(node)) {
      throw invalidArgType(name, 'a host or router of this network', node);
    }
  }

  // --- time ----------------------------------------------------------------------------------

  /**
   * Runs a program in virtual time, which moves on whenever the program has nothing left to do at
   * the present instant. The program's timers and `Date` are on that time meanwhile.
   *
   * Resolves with what `program` gives, as soon as that is settled and the network has come to
   * rest: no packet is on its way, no connection has a handshake, data or a FIN unacknowledged, no
   * timeout of the program is pending. Servers, idle connections, intervals and TIME-WAIT are not
   * waited for.
   *
   * @throws what `program` throws; Error ERR_NETLAND_DEADLOCK when it waits and nothing will ever
   *   happen, ERR_NETLAND_TIME_LIMIT, both of which say who waits for what; ERR_NETLAND_CLOSED;
   *   what a filter throws; a broken invariant
   */
  async run<T>(program: () => T | Promise<T>, options: RunOptions = {}): Promise<T> {
    if (typeof program !== 'function') throw invalidArgType('program', 'a function', program);
    checkNames('options', options, ['limit']);
    const { limit = DAY } = options;
    checkTime('options.limit', limit);
    // Empty until the program has settled.
    const result: T[] = [];
    let over = false;
    const begin = () => {
      new Promise<T>((resolve) => resolve(program())).then(
        (value) => result.push(value),
        (error: unknown) => {
          if (!over) this.simulation.fail(error);
        },
      );
    };
    const isDone = () => result.length > 0 && this.#isQuiet();
    const end = micros(this.now + limit);
    const outcome = await this.#move('run', () => {
      // What remains in the end may pass without the program being called.
      this.simulation.onEvent = () => {
        if (isDone()) this.simulation.activity++;
      };
      const running = this.#turns.run(isDone, end);
      begin();
      return running;
    }).finally(() => (over = true));
    if (result.length === 0 && this.#closed) throw closedError();
    if (result.length === 0 || outcome === 'limit') throw this.#stuck(outcome, limit);
    return result[0];
  }

  /**
   * Lets time pass, for the network and for timers that the program has left behind.
   * @param duration ms, 0 or more, finite
   * @throws RangeError ERR_OUT_OF_RANGE; what a filter throws; a broken invariant
   */
  async advance(duration: number): Promise<void> {
    checkTime('duration', duration);
    if (duration === Infinity) throw outOfRange('duration', 'finite', duration);
    await this.#move('advance', () => this.#turns.advance(micros(this.now + duration)));
  }

  /**
   * Keeps time still until the promise has settled: for work that the network can't see, as that of
   * another process (docs/virtual-time.md).
   * @param name of what it is, for the message of a run that does not end
   * @returns the promise
   * @throws TypeError ERR_INVALID_ARG_TYPE
   */
  hold<T>(promise: Promise<T>, name?: string): Promise<T> {
    return this.#turns.hold(promise, name);
  }

  async #move<T>(by: 'run' | 'advance', action: () => Promise<T>): Promise<T> {
    this.#checkOpen();
    if (this.#busy !== null) {
      const message =
        `${by} inside ${this.#busy}, where time moves by itself: wait for it by a timer, ` +
        'as new Promise((resolve) => setTimeout(resolve, ms))';
      throw codeError(Error, 'ERR_NETLAND_BUSY', message);
    }
    this.#program.enter();
    this.#busy = by;
    try {
      return await action();
    } finally {
      this.#program.leave();
      this.simulation.onEvent = null;
      this.#busy = null;
    }
  }

  #checkOpen(): void {
    if (this.#closed) throw closedError();
  }

  #isQuiet(): boolean {
    return (
      this.#hosts.every((host) => host.state !== 'up' || host.core.unfinished === 0) &&
      this.#cables.every((cable) => cable.inFlight === 0) &&
      this.#program.pendingTimeouts === 0
    );
  }

  #stuck(outcome: Outcome, limit: number): Error {
    const lines = [...describeWaiting(this.#hosts), ...this.#turns.describe()];
    const deadlock = outcome === 'deadlock';
    const what = deadlock
      ? `the program waits, and nothing will happen any more, at ${this.now} ms`
      : `the program has not settled within ${limit} ms of virtual time`;
    const code = deadlock ? 'ERR_NETLAND_DEADLOCK' : 'ERR_NETLAND_TIME_LIMIT';
    const text = [`${what} (seed ${this.seed}):`, ...lines.map((line) => `  ${line}`)];
    return codeError(Error, code, text.join('\n'));
  }

  /** Ends all: sockets are closed silently, timers of the program are dropped. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const host of this.#hosts) host.close();
    this.#program.close();
  }

  /** As `close()`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function closedError(): Error {
  return codeError(Error, 'ERR_NETLAND_CLOSED', 'the network is closed');
}

function micros(ms: number): number {
  return Math.round(Math.min(ms, MAX_TIME) * 1000);
}

function checkTime(name: string, value: unknown): void {
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value);
  if (!(value >= 0)) throw outOfRange(name, '>= 0', value);
}

function checkOptions(options: NetworkOptions): void {
  checkNames('options', options, OPTIONS);
  const { seed, epoch, checks, trace } = options;
  if (seed !== undefined && !(Number.isInteger(seed) && seed >= 0 && seed <= MAX_SEED)) {
    if (typeof seed !== 'number') throw invalidArgType('options.seed', 'of type number', seed);
    throw outOfRange('options.seed', `an integer >= 0 and <= ${MAX_SEED}`, seed);
  }
  if (epoch !== undefined) {
    if (typeof epoch !== 'number' && !types.isDate(epoch)) {
      throw invalidArgType('options.epoch', 'a date, or a number of ms', epoch);
    }
    if (!(Math.abs(Number(epoch)) <= MAX_EPOCH)) {
      throw outOfRange('options.epoch', `>= -${MAX_EPOCH} and <= ${MAX_EPOCH}`, epoch);
    }
  }
  if (checks !== undefined && typeof checks !== 'boolean') {
    throw invalidArgType('options.checks', 'of type boolean', checks);
  }
  if (trace === undefined || typeof trace === 'boolean') return;
  if (typeof trace !== 'object' || trace === null) {
    throw invalidArgType('options.trace', 'of type boolean or object', trace);
  }
  checkNames('options.trace', trace, ['limit']);
}
