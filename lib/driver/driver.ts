import { parsePacket } from '../codec/parse';
import type { Environment, Random } from '../core/environment';
import { isLoopbackAt, type Prefix } from '../core/ip/address';
import type { AddressPaths } from '../core/ip/paths';
import { isNeighborly } from '../core/neighbor/ndp';
import { SlabTable } from '../core/memory/slabs';
import { SegmentBatch } from '../core/segment/batch';
import { Word } from '../core/segment/layout';
import type { DatagramSocket } from '../core/socket/datagram-socket';
import type { StreamSocket } from '../core/socket/stream-socket';
import { StackCore } from '../core/stack/stack-core';
import type { CongestionController } from '../core/tcp/congestion-controller';
import type { Settings } from '../core/tcp/settings';
import type { Link, LinkContext, LinkHost, LinkPort } from '../link/link';
import { Turn } from '../link/turn';
import type { Clock, ClockTimer } from './clock';
import { SystemClock } from './clock';
import { Lifetime } from './lifetime';
import { openPort, type OpenedPort } from './open-port';
import type { StackRoute } from './paths';
import { SystemRandom } from './random';

/** What the API keeps above the core: a socket or a server. */
export interface Endpoint {
  /** The readiness of its stream socket has changed. Called between batches. */
  ready(): void;
  /** The stack is closing: nothing new is to begin, what is under way is to be ended in order. */
  finish(): void;
  /** After `finish`: there is nothing more to wait for. */
  readonly finished: boolean;
  /** Giving it up now would lose data of the program's. */
  readonly losing: boolean;
  /**
   * The stack is going down: everything is to be given up at once.
   * @param errno of the 'error', Linux's number; 0: `cause` itself, or none
   */
  abandon(errno: number, cause?: Error): void;
  /** Its program is gone: what it had is closed as the system closes it, and nobody is told. */
  vanish(): void;
}

/** What a driver is made from; the public `StackOptions` say more of each. */
export interface DriverOptions {
  link?: Link;
  addresses?: readonly string[];
  routes?: readonly StackRoute[];
  anyAddress?: boolean;
  tcp?: Partial<Settings>;
  congestionControl?: string | CongestionController;
  localPortRange?: readonly [number, number];
  /** ms */
  exitTimeout?: number;
  clock?: Clock;
  random?: Random;
}

/** What there is before the driver: what a link is opened with. */
export class DriverBase {
  readonly clock: Clock;
  readonly random: Random;
  readonly context: Omit<LinkContext, 'addresses'>;
  /** Whom a link tells that has a loopback beside it. */
  readonly outside: LinkHost;
  /** Set when it has started. */
  driver: Driver | null = null;

  constructor(options: Pick<DriverOptions, 'clock' | 'random'>) {
    this.clock = options.clock ?? new SystemClock();
    this.random = options.random ?? new SystemRandom();
    const host: LinkHost = {
      receive: (batch) => this.driver?.receive(batch),
      writable: () => this.driver?.writable(),
      changed: () => this.driver?.changed(),
      down: (error) => this.driver?.down(error),
    };
    this.outside = { ...host, receive: (batch) => this.driver?.receive(batch, true) };
    const hashKey = Int32Array.of(this.random.next(), this.random.next());
    this.context = { host, slabs: new SlabTable(), hashKey, random: this.random };
  }
}

/** Descriptors in one call of the link. */
const BATCH = 64;

/** How long what was sent may keep a process that nothing else keeps, ms. */
const EXIT_TIMEOUT = 60_000;

// Taken when the module is loaded, so that a test's fake timers don't stop the stack.
const nextTick = process.nextTick.bind(process);
const settled = Promise.resolve();

/** What a controller does is part of the stack's work, which nothing may interrupt. */
const BY_CONTROLLER = 'A congestion controller must not call the stack, its sockets or servers';

/** An error of the program's own code becomes an uncaught exception when the stack is at rest. */
function report(error: unknown): void {
  nextTick(rethrow, error);
}

function rethrow(error: unknown): void {
  throw error;
}

/**
 * Binds a core to a link and a clock: brings it what arrives, the time and the program's calls, and
 * takes away what is to be sent. The API's objects hang on it as endpoints.
 */
export class Driver {
  readonly core: StackCore;
  readonly port: LinkPort;
  readonly clock: Clock;
  readonly environment: Environment;
  /** Sockets and servers that are open. */
  readonly endpoints = new Set<Endpoint>();
  /** Called after each round in which something may have changed. */
  onRound: (() => void) | null = null;
  /** Called once when the link is gone. */
  onDown: ((error: Error) => void) | null = null;
  readonly #outgoing = new SegmentBatch(BATCH);
  readonly #timer: ClockTimer;
  readonly #own: AddressPaths | null;
  readonly #lifetime: Lifetime;
  readonly #pump = () => this.#pumpSoon();
  /** A pump at the end of the turn has been asked for. */
  #scheduled = false;
  /** Events are being told: what the program does meanwhile is sent at the end of the batch. */
  #telling = false;
  /** Sockets whose program is being given datagrams, one after the other. */
  #deliveries = 0;
  /** A pump was asked for meanwhile. */
  #postponed = false;
  /** The core is being asked for segments, or the link given some. */
  #transmitting = false;
  /** Events that came of what was sent are told in a later turn. */
  #soon: Turn | null = null;
  /** The link asked for no more. */
  #blocked = false;
  #closed = false;
  /** The link was up when it was last looked at. */
  #isUp: boolean;
  /** The stack is being closed, or is closed: nothing new may begin. */
  closing = false;

  /** Opens the link and starts a stack on it. */
  static async open(options: DriverOptions): Promise<Driver> {
    const base = new DriverBase(options);
    return Driver.start(base, await openPort(options, base.context, BATCH, base.outside), options);
  }

  /** Starts a stack on a port that was opened with the context of `base`. */
  static start(base: DriverBase, opened: OpenedPort, options: DriverOptions): Driver {
    try {
      return new Driver(base, opened, options);
    } catch (error) {
      opened.port.close();
      throw error;
    }
  }

  private constructor(base: DriverBase, opened: OpenedPort, options: DriverOptions) {
    const { port, paths, ports } = opened;
    const { clock, context, random } = base;
    this.port = port;
    this.#outgoing.gsoMax = port.gsoMax;
    this.#own = opened.own ?? null;
    this.clock = clock;
    const { udpPorts, groups } = port;
    const shared = { paths, ports, udpPorts, groups };
    this.environment = { random, ...shared, parse: parsePacket, allocate: allocateSlab, report };
    const { slabs, hashKey } = context;
    const { neighborhood } = opened;
    this.core = new StackCore(this.environment, slabs, hashKey, { ...options, neighborhood });
    this.#isUp = port.isUp !== false;
    this.#timer = clock.timer(() => this.#alarm());
    this.#lifetime = new Lifetime((options.exitTimeout ?? EXIT_TIMEOUT) * 1000, [
      port,
      this.#timer,
    ]);
    port.unref();
    this.core.advance(clock.now());
    base.driver = this;
    // It has something to say from the beginning.
    if (neighborhood !== undefined) this.enter();
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** A congestion controller of the program's is being asked. */
  get isDeciding(): boolean {
    return this.core.tcp.controllers.busy;
  }

  /**
   * To be called before any call of the program reaches the core: moves the core's time, and sees
   * to it that what the call gives to send leaves at the end of the turn.
   */
  enter(): void {
    if (this.#closed) return;
    if (this.isDeciding) throw new Error(BY_CONTROLLER);
    if (this.#telling) return;
    this.clock.stir?.();
    this.core.advance(this.clock.now());
    if (this.#deliveries > 0) this.#postponed = true;
    else this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    void settled.then(this.#pump);
  }

  /** Until `endDelivery` what the program sends is collected. */
  beginDelivery(): void {
    this.#deliveries++;
  }

  endDelivery(): void {
    if (--this.#deliveries > 0 || !this.#postponed) return;
    this.#postponed = false;
    this.#schedule();
  }

  /** A new stream socket whose events go to `owner`. */
  socket(domain: 4 | 6, owner: Endpoint): StreamSocket {
    this.enter();
    const socket = this.core.socket(domain);
    socket.owner = owner;
    return socket;
  }

  /** A new datagram socket, likewise. */
  datagramSocket(domain: 4 | 6, owner: Endpoint): DatagramSocket {
    this.enter();
    const socket = this.core.datagramSocket(domain);
    socket.owner = owner;
    return socket;
  }

  /** One more endpoint keeps the process alive. */
  hold(): void {
    this.#lifetime.hold();
    this.enter();
  }

  release(): void {
    this.#lifetime.release();
    this.enter();
  }

  /** @param outside it comes from a link that has a loopback beside it */
  receive(batch: SegmentBatch, outside = false): void {
    if (this.#closed) return;
    const now = this.clock.now();
    const count = batch.count;
    for (let index = 0; index < count; index++) {
      if (!outside || this.#mayComeIn(batch, index)) this.core.onPacket(batch, index, now);
    }
    this.#round();
  }

  /** Nobody outside has our addresses, or those of the loopback. */
  #mayComeIn({ words }: SegmentBatch, index: number): boolean {
    const base = index * Word.Stride;
    if (this.#own === null) return true;
    if (!this.#own.isLocalAt(words, base + Word.Source)) {
      if (!isLoopbackAt(words, base + Word.Destination)) return true;
    } else if (this.core.neighborhood !== null && isNeighborly(words, base)) {
      // Somebody claims to have it, too.
      return true;
    }
    this.core.counters.NetlandMartianSources++;
    return false;
  }

  writable(): void {
    this.#blocked = false;
    if (!this.#closed) this.#round();
  }

  /** The ways to others may have changed. */
  changed(): void {
    if (this.#closed) return;
    if (this.#own !== null) this.#own.mtu = this.port.mtu;
    this.core.onControl({ kind: 'paths' }, this.core.now);
    const isUp = this.port.isUp !== false;
    if (isUp && !this.#isUp) {
      this.enter();
      this.core.neighborhood?.linkUp();
    }
    this.#isUp = isUp;
  }

  /** The stack's own addresses, those among them that routers have given; not the host's. */
  get addresses(): readonly Prefix[] {
    return this.#own?.addresses.all ?? [];
  }

  /** Gives the link what it takes now; nobody is told anything meanwhile. */
  transmit(): void {
    if (!this.#closed) this.#transmit(this.clock.now());
  }

  /** Does at once what the end of the turn would do. */
  flush(): void {
    if (!this.#closed) this.#round();
  }

  /** The program on it has ended: the system closes what it had, and goes on with the peers. */
  endProgram(): void {
    this.core.advance(this.clock.now());
    for (const endpoint of [...this.endpoints]) endpoint.vanish();
    this.flush();
  }

  down(error: Error): void {
    if (this.#closed) return;
    this.onDown?.(error);
  }

  /** Sends what is left to be sent and frees everything; nothing happens any more. */
  close(): void {
    if (this.#closed) return;
    this.core.advance(this.clock.now());
    this.#blocked = false;
    this.#transmit(this.clock.now());
    this.#closed = true;
    this.closing = true;
    this.#timer.close();
    this.#soon?.cancel();
    this.port.close();
    this.onRound = null;
  }

  #alarm(): void {
    if (this.#closed) return;
    this.core.onTimer(this.clock.now());
    this.#round();
  }

  #pumpSoon(): void {
    this.#scheduled = false;
    if (!this.#closed) this.#round(false);
  }

  /**
   * Tells the program what has happened, sends what is to be sent, sets the alarm.
   * @param fromLoop not in the turn of the event loop in which the program has called: what comes
   *   of that for datagram sockets is told in another, so that who answers each datagram to a group
   *   of his own with another stops nobody
   */
  #round(fromLoop = true): void {
    this.#tell(fromLoop);
    if (this.#closed) return;
    let now = this.clock.now();
    this.#transmit(now);
    if (this.core.nextDeadline() <= now) {
      this.core.onTimer(now);
      this.#tell(fromLoop);
      if (this.#closed) return;
      now = this.clock.now();
      this.#transmit(now);
    }
    if (this.core.hasDatagramEvent) this.#tellSoon();
    this.onRound?.();
    if (!this.#closed) this.#settleLife();
  }

  /** There is room for datagrams again, or one to a group has come back to sockets of our own. */
  #tellSoon(): void {
    this.clock.stir?.();
    this.#soon ??= new Turn(() => this.flush());
    this.#soon.request();
  }

  #tell(withDatagrams: boolean): void {
    this.core.advance(this.clock.now());
    this.#telling = true;
    for (;;) {
      const socket = this.core.pollEvent(withDatagrams);
      if (socket === null) break;
      const endpoint = socket.owner as Endpoint | null;
      if (endpoint !== null) this.#notify(endpoint);
      if (this.#closed) break;
    }
    this.#telling = false;
  }

  #notify(endpoint: Endpoint): void {
    this.clock.stir?.();
    try {
      endpoint.ready();
    } catch (error) {
      // The program's own error: it is an uncaught one, and no reason to stop here. The endpoint is
      // told once more, since it may not have come to the end of what there was.
      nextTick(rethrow, error);
      nextTick(() => {
        this.enter();
        this.#notify(endpoint);
      });
    }
  }

  #transmit(now: number): void {
    if (this.#transmitting) return;
    this.#transmitting = true;
    try {
      this.#transmitAll(now);
    } finally {
      this.#transmitting = false;
    }
  }

  #transmitAll(now: number): void {
    const batch = this.#outgoing;
    while (!this.#blocked) {
      batch.count = 0;
      this.core.transmit(batch, now);
      if (batch.count > 0 && !this.port.transmit(batch)) this.#blocked = true;
      if (batch.count < batch.capacity && !this.core.mustTransmit) return;
    }
  }

  /** Sets the alarm, and whether alarm and link keep the process. */
  #settleLife(): void {
    if (this.#closed) return;
    const now = this.clock.now();
    const end = this.#lifetime.settle(this.core.unfinished, now);
    this.#timer.set(Math.min(this.core.nextDeadline(), end));
  }
}

/** Payload memory: not cleared, since nothing is read before it was written. */
function allocateSlab(bytes: number): Uint8Array {
  return Buffer.allocUnsafeSlow(bytes);
}
