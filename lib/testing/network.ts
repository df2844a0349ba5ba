import type { State } from '../core/tcp/state';
import { codeError, invalidArgType, invalidArgValue, outOfRange } from '../errors';
import { Checks } from './check/checks';
import type { HostWitness, LossReason, NetworkNode, Witness } from './engine/node';
import type { Packet } from './engine/packet';
import { Simulation } from './engine/simulation';
import { hostPrefixes } from './host/addresses';
import { Host, type HostOptions } from './host/host';
import { Cable } from './link/cable';
import type { LinkOptions } from './link/options';
import { Router } from './router';
import { Routes } from './routes';
import { SegmentViews } from './segment-view';
import { ProgramClock } from './time/program-clock';
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

const DAY = 24 * 3600_000;
/** 2030-01-01T00:00:00Z, ms. */
const EPOCH = Date.UTC(2030, 0, 1);
const MAX_SEED = 2 ** 32 - 1;
/** Time is counted in µs, exactly. ms. */
const MAX_TIME = 2 ** 43;
const OPTIONS = ['seed', 'epoch', 'checks', 'trace'];

/** Tells whoever wants to know: the trace, and the checks. */
class Witnesses implements Witness, HostWitness {
  constructor(
    private readonly trace: Trace | null,
    private readonly checks: Checks | null,
  ) {}

  sent(host: Host, packet: Packet, state: State): void {
    this.trace?.sent(host, packet, state);
    this.checks?.sent(host, packet);
  }

  received(host: Host, packet: Packet, state: State): void {
    this.trace?.received(host, packet, state);
    this.checks?.received(host, packet);
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
  readonly #checks: Checks | null;
  readonly #witness: Witnesses;
  readonly #program: ProgramClock;
  readonly #turns: Turns;
  #packets = 0;
  /** What time is being moved by: 'run' or 'advance'. */
  #busy: string | null = null;
  #closed = false;

  /** @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE; RangeError ERR_OUT_OF_RANGE */
  constructor(options: NetworkOptions = {}) {
    checkOptions(options);
    const { seed = 1, epoch = EPOCH, checks = true, trace = true } = options;
    this.seed = seed;
    this.simulation = new Simulation(seed);
    const start = Number(epoch);
    this.trace = new Trace(
      this.simulation,
      start,
      this.#routes,
      typeof trace === 'object' ? trace : {},
    );
    this.#checks = checks ? new Checks(this.simulation) : null;
    this.#witness = new Witnesses(trace === false ? null : this.trace, this.#checks);
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
   * @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE; RangeError ERR_OUT_OF_RANGE
   */
  host(name: string, options: HostOptions = {}): Host {
    this.#takeName(name);
    const prefixes = hostPrefixes(this.#hosts, options);
    const context = {
      simulation: this.simulation,
      witness: this.#witness,
      nextPacket: () => this.#packets++,
      settled: (settled: Host) => this.#checks?.settled(settled),
    };
    const host = new Host(name, prefixes, context, options);
    this.#hosts.push(host);
    this.#routes.add(host);
    return host;
  }

  /** Adds a router: it forwards between any number of cables. @throws as `host` */
  router(name: string): Router {
    this.#takeName(name);
    const router = new Router(name, this.#routes, this.#witness);
    this.#routes.add(router);
    return router;
  }

  /**
   * Links two hosts or routers by a cable. A host has one cable at most.
   * @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE; RangeError ERR_OUT_OF_RANGE;
   *   Error ERR_NETLAND_TOPOLOGY for a second cable of a host, or between the same two
   */
  link(a: Host | Router, b: Host | Router, options: LinkOptions = {}): Cable {
    this.#checkNode('a', a);
    this.#checkNode('b', b);
    const parts = { simulation: this.simulation, witness: this.#witness, views: this.#views };
    const cable = new Cable(parts, a, b, options);
    this.#routes.connect(cable);
    this.#cables.push(cable);
    return cable;
  }

  #takeName(name: unknown): void {
    if (typeof name !== 'string') throw invalidArgType('name', 'of type string', name);
    if (!/^[\w.-]+$/.test(name)) throw invalidArgValue('name', name, 'must be one word');
    if (this.#names.has(name)) throw invalidArgValue('name', name, 'is taken already');
    this.#names.add(name);
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
   *   happen, ERR_NETLAND_TIME_LIMIT, both of which say who waits for what; a broken invariant
   */
  async run<T>(program: () => T | Promise<T>, { limit = DAY }: RunOptions = {}): Promise<T> {
    if (typeof program !== 'function') throw invalidArgType('program', 'a function', program);
    checkTime('limit', limit);
    let settled = false;
    let failed = false;
    let result: Promise<T> | null = null;
    const begin = () => {
      result = new Promise<T>((resolve) => resolve(program()));
      result.then(
        () => (settled = true),
        () => (failed = true),
      );
    };
    const isDone = () => failed || (settled && this.#isQuiet());
    const end = micros(this.now + limit);
    const outcome = await this.#move('run', () => {
      // What remains in the end may pass without the program being called.
      this.simulation.onEvent = () => {
        if (isDone()) this.simulation.activity++;
      };
      const running = this.#turns.run(isDone, end);
      begin();
      return running;
    });
    if (!settled && !failed) throw this.#stuck(outcome, limit);
    if (settled && outcome === 'limit') throw this.#stuck(outcome, limit);
    return result as unknown as Promise<T>;
  }

  /**
   * Lets time pass, for the network and for timers that the program has left behind.
   * @param duration ms, 0 or more
   * @throws RangeError ERR_OUT_OF_RANGE; a broken invariant
   */
  async advance(duration: number): Promise<void> {
    checkTime('duration', duration);
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
    if (this.#closed) throw codeError(Error, 'ERR_NETLAND_CLOSED', 'the network is closed');
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

function micros(ms: number): number {
  return Math.round(Math.min(ms, MAX_TIME) * 1000);
}

function checkTime(name: string, value: unknown): void {
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value);
  if (!(value >= 0)) throw outOfRange(name, '>= 0', value);
}

function checkOptions(options: NetworkOptions): void {
  if (typeof options !== 'object' || options === null) {
    throw invalidArgType('options', 'of type object', options);
  }
  const unknown = Object.keys(options).find((name) => !OPTIONS.includes(name));
  if (unknown !== undefined) {
    throw invalidArgValue(
      'options',
      options,
      `has no "${unknown}": there are ${OPTIONS.join(', ')}`,
    );
  }
  const { seed, epoch, checks, trace } = options;
  if (seed !== undefined && !(Number.isInteger(seed) && seed >= 0 && seed <= MAX_SEED)) {
    if (typeof seed !== 'number') throw invalidArgType('options.seed', 'of type number', seed);
    throw outOfRange('options.seed', `an integer >= 0 and <= ${MAX_SEED}`, seed);
  }
  if (epoch !== undefined && !Number.isFinite(Number(epoch))) {
    throw invalidArgType('options.epoch', 'a date, or a number of ms', epoch);
  }
  if (checks !== undefined && typeof checks !== 'boolean') {
    throw invalidArgType('options.checks', 'of type boolean', checks);
  }
  if (trace !== undefined && typeof trace !== 'boolean' && typeof trace !== 'object') {
    throw invalidArgType('options.trace', 'of type boolean or object', trace);
  }
}
