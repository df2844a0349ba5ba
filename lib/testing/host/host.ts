import type { Counters } from '../../core/stack/counters';
import type { StackCore } from '../../core/stack/stack-core';
import { formatAddress, isIpv4, type Prefix } from '../../core/ip/address';
import { Destination, destinationAt } from '../../core/ip/addresses';
import { Word } from '../../core/segment/layout';
import type { DatagramSocket } from '../../core/socket/datagram-socket';
import type { StreamSocket } from '../../core/socket/stream-socket';
import type { ConnectionEntry } from '../../core/tcp/listing';
import type { CongestionController } from '../../core/tcp/congestion-controller';
import type { Settings } from '../../core/tcp/settings';
import { State } from '../../core/tcp/state';
import type { Driver, Endpoint } from '../../driver/driver';
import type { Dgram } from '../../dgram/dgram';
import { makeDgram } from '../../dgram/dgram';
import type { Net } from '../../net/net';
import { makeNet } from '../../net/net';
import { SimEvent } from '../engine/event-queue';
import type { HostWitness, Wire, Witness } from '../engine/node';
import type { Packet } from '../engine/packet';
import type { Simulation } from '../engine/simulation';
import { Firewall, resetFor, unreachableFor, type BlockAction } from './firewall';
import { Life } from './life';
import { checkRate, type HostOptions } from './options';
import { HostPaths } from './paths';

/** `off`: after `shutdown`. */
export type HostState = 'up' | 'paused' | 'crashed' | 'off';

/** What a host is given by its network. */
export interface HostContext {
  readonly simulation: Simulation;
  readonly witness: Witness & HostWitness;
  /** Whether the witness wants to know of segments. */
  readonly isWatched: boolean;
  nextPacket(): number;
  /** Something has happened to the host, and it has come to rest again. */
  settled(host: Host): void;
}

/** Packets that a host that stands still can keep, as Linux's net.core.netdev_max_backlog. */
const BACKLOG = 1000;
/** What a packet takes to come back to its own host, µs. */
const LOOPBACK_DELAY = 1;
/** How long a host that is shut down waits for its peers, ms. */
const SHUTDOWN_TIMEOUT = 60_000;

/** A packet that a host sends to itself. */
class Loop extends SimEvent {
  constructor(
    private readonly host: Host,
    private readonly packet: Packet,
  ) {
    super();
  }

  run(): void {
    this.host.arrive(this.packet);
  }
}

/** The end of a shutdown's patience. */
class PowerOff extends SimEvent {
  constructor(private readonly off: () => void) {
    super();
  }

  run(): void {
    this.off();
  }
}

/**
 * A simulated host: a stack of its own, and what can happen to a host. `net` has what node:net has;
 * it stays the same over reboots.
 */
export class Host {
  /** The API of node:net on this host. Its functions are bound: they may be passed on alone. */
  readonly net: Net;
  /** The API of node:dgram on this host, likewise. */
  readonly dgram: Dgram;
  /** The IPv4 address. */
  readonly address: string;
  /** The IPv6 address. */
  readonly address6: string;
  /** @internal */
  readonly simulation: Simulation;
  /** @internal */
  readonly paths: HostPaths;
  /** @internal */
  readonly tcp: Partial<Settings> | undefined;
  /** @internal */
  readonly congestionControl: string | CongestionController | undefined;
  /** @internal */
  readonly localPortRange: readonly [number, number] | undefined;
  private life: Life;
  private boots = 0;
  private condition: HostState = 'up';
  private rate: number;
  private wire: Wire | null = null;
  private readonly firewall = new Firewall();
  /** Packets that have come, and those that were to leave, while it stood still. */
  private waiting: Packet[] = [];
  private leaving: Packet[] = [];
  private readonly powerOff = new PowerOff(() => this.turnOff());

  /** @internal Made by `network.host`. @param options checked */
  constructor(
    readonly name: string,
    readonly prefixes: readonly Prefix[],
    private readonly context: HostContext,
    options: HostOptions,
  ) {
    this.simulation = context.simulation;
    this.paths = new HostPaths(prefixes);
    this.tcp = options.tcp;
    this.congestionControl = options.congestionControl;
    this.localPortRange = options.localPortRange;
    this.rate = options.clockRate ?? 1;
    const text = (four: boolean) => prefixes.find((prefix) => isIpv4(prefix.address) === four);
    this.address = formatPrefix(text(true));
    this.address6 = formatPrefix(text(false));
    this.life = this.boot();
    const current = () => this.life.driver;
    const stack = {
      get driver(): Driver {
        return current();
      },
    };
    this.net = makeNet(stack, () => undefined);
    this.dgram = makeDgram(stack);
  }

  /** What it is able to do now. */
  get state(): HostState {
    return this.condition;
  }

  /** A copy of the counters of its stack since it booted, by the names of Linux's nstat. */
  get counters(): Counters {
    return { ...this.core.counters };
  }

  /** Listeners and connections, as `ss -tan` lists them on this host. */
  connections(): ConnectionEntry[] {
    return this.core.list();
  }

  /**
   * Seconds that its clock counts in a true one.
   * @throws TypeError ERR_INVALID_ARG_TYPE, RangeError ERR_OUT_OF_RANGE
   */
  get clockRate(): number {
    return this.rate;
  }

  set clockRate(rate: number) {
    checkRate('clockRate', rate);
    this.rate = rate;
    this.life.clock.rate = rate;
    this.context.witness.noted(`clock of ${this.name} at ${rate}`);
  }

  // --- faults --------------------------------------------------------------------------------

  /**
   * Loses its power: from now on it is silent, and what was in its memory is lost. Its program
   * hears nothing of that any more.
   */
  crash(): void {
    if (this.condition === 'crashed' || this.condition === 'off') return;
    this.stop('crashed');
    this.context.witness.noted(`crash ${this.name}`);
  }

  /**
   * Starts anew, after a crash if it is running: nobody listens, and segments of connections of
   * before are answered by RST.
   */
  reboot(): void {
    if (this.condition === 'up' || this.condition === 'paused') this.stop('crashed');
    this.condition = 'up';
    this.life = this.boot();
    this.context.witness.noted(`reboot ${this.name}`);
  }

  /**
   * Its program ends, be it by a signal: the system closes its sockets, with FIN, or with RST where
   * received data was not read. The host stays up. The program hears nothing of that any more.
   */
  kill(): void {
    this.context.witness.noted(`kill ${this.name}`);
    this.life.driver.endProgram();
  }

  /**
   * Ends in order: `kill`, and off when its peers have acknowledged all, or after 60 s. One that
   * stands still says so when it goes on.
   */
  shutdown(): void {
    if (this.condition === 'crashed' || this.condition === 'off') return;
    this.context.witness.noted(`shutdown ${this.name}`);
    this.life.driver.onRound = () => this.offIfFinished();
    this.simulation.at(this.powerOff, this.simulation.now + SHUTDOWN_TIMEOUT * 1000);
    this.life.driver.endProgram();
  }

  /** Stands still, as a virtual machine can: up to 1000 packets wait, timers go off later. */
  pause(): void {
    if (this.condition !== 'up') return;
    this.condition = 'paused';
    this.life.clock.pause();
    this.context.witness.noted(`pause ${this.name}`);
  }

  resume(): void {
    if (this.condition !== 'paused') return;
    this.condition = 'up';
    this.context.witness.noted(`resume ${this.name}`);
    this.life.clock.resume();
    const { waiting, leaving } = this;
    this.waiting = [];
    this.leaving = [];
    for (const packet of leaving) this.wire?.send(packet);
    for (const packet of waiting) this.arrive(packet);
  }

  /**
   * Its firewall drops all that comes to a local port of TCP and of UDP, or answers it with RST, or
   * with ICMP's port unreachable, as datagrams in both cases; connections that there are included.
   * Of a datagram in fragments it sees nothing. It stays so over reboots.
   * @throws RangeError ERR_SOCKET_BAD_PORT, TypeError ERR_INVALID_ARG_VALUE
   */
  block(port: number, action: BlockAction): void {
    this.firewall.block(port, action);
    this.context.witness.noted(`${this.name} ${action}s port ${port}`);
  }

  /** Lets all pass again. @throws RangeError ERR_SOCKET_BAD_PORT */
  unblock(port: number): void {
    if (this.firewall.unblock(port)) {
      this.context.witness.noted(`${this.name} unblocks port ${port}`);
    }
  }

  private stop(state: 'crashed' | 'off'): void {
    this.condition = state;
    this.waiting = [];
    this.leaving = [];
    this.simulation.at(this.powerOff, Infinity);
    this.life.end();
  }

  private boot(): Life {
    const random = this.simulation.random(`${this.name} boot ${this.boots++}`);
    return new Life(
      {
        name: this.name,
        simulation: this.simulation,
        paths: this.paths,
        tcp: this.tcp,
        congestionControl: this.congestionControl,
        localPortRange: this.localPortRange,
        isWatched: this.context.isWatched,
        nextPacket: this.context.nextPacket,
        leave: (packet, state) => this.leave(packet, state),
        received: (packet, state) => this.context.witness.received(this, packet, state),
        settled: () => this.context.settled(this),
      },
      random,
      this.rate,
    );
  }

  private offIfFinished(): void {
    if (this.core.unfinished === 0) this.simulation.at(this.powerOff, this.simulation.now);
  }

  private turnOff(): void {
    this.stop('off');
    this.context.witness.noted(`off ${this.name}`);
  }

  // --- packets -------------------------------------------------------------------------------

  /** @internal */
  attach(out: Wire): void {
    this.wire = out;
    this.paths.connect(out);
  }

  /** @internal */
  wireChanged(): void {
    this.core.onControl({ kind: 'paths' }, this.core.now);
  }

  /** @internal */
  arrive(packet: Packet): void {
    const { witness } = this.context;
    if (this.condition === 'paused' && this.waiting.length < BACKLOG) {
      this.waiting.push(packet);
      return;
    }
    if (this.condition !== 'up') {
      witness.lost(packet, this.name, this.condition === 'paused' ? 'paused' : 'down');
      return;
    }
    if (!this.isFor(packet)) {
      witness.lost(packet, this.name, 'unroutable');
      return;
    }
    if (this.isBlocked(packet)) return;
    if (!this.life.receive(packet)) witness.lost(packet, this.name, 'invalid');
    this.context.settled(this);
  }

  /** Whether it is for this host, or for many: the stack knows in which groups it is. */
  private isFor({ words, isSegment }: Packet): boolean {
    if (this.paths.isLocalAt(words, Word.Destination)) return true;
    return !isSegment && destinationAt(this.paths, words, Word.Destination) !== Destination.Foreign;
  }

  private isBlocked(packet: Packet): boolean {
    const verdict = this.firewall.judge(packet);
    if (verdict === 'accept') return false;
    this.context.witness.lost(packet, this.name, 'firewall');
    if (verdict === 'drop') return true;
    const isReset = verdict === 'reject' && packet.isSegment;
    const answer = isReset ? resetFor(packet) : unreachableFor(packet);
    if (answer === null) return true;
    answer.id = this.context.nextPacket();
    this.leave(answer, State.CLOSED);
    return true;
  }

  private leave(packet: Packet, state: State): void {
    this.context.witness.sent(this, packet, state);
    if (this.paths.isLocalAt(packet.words, Word.Destination)) {
      this.simulation.at(new Loop(this, packet), this.simulation.now + LOOPBACK_DELAY);
    } else if (this.condition === 'paused') this.leaving.push(packet);
    else if (this.wire === null) this.context.witness.lost(packet, this.name, 'unroutable');
    else this.wire.send(packet);
  }

  // --- the stack below the API ---------------------------------------------------------------

  /** @internal The stack that it has since it booted. */
  get core(): StackCore {
    return this.life.core;
  }

  /** @internal */
  get driver(): Driver {
    return this.life.driver;
  }

  /** @internal A socket below the API; `enter` comes before calls on it, `flush` after them. */
  socket(domain: 4 | 6, owner: Pick<Endpoint, 'ready'>): StreamSocket {
    return this.life.driver.socket(domain, owner as Endpoint);
  }

  /** @internal A UDP socket, likewise. */
  datagrams(domain: 4 | 6, owner: Pick<Endpoint, 'ready'>): DatagramSocket {
    this.enter();
    const socket = this.core.datagramSocket(domain);
    socket.owner = owner;
    return socket;
  }

  /** @internal */
  enter(): void {
    this.life.driver.enter();
  }

  /** @internal Tells and sends at once what would be told and sent at the end of the turn. */
  flush(): void {
    this.life.driver.flush();
    this.context.settled(this);
  }

  /** @internal The network is closed: sockets are closed silently. */
  close(): void {
    for (const endpoint of [...this.driver.endpoints]) endpoint.abandon(0);
    this.stop('off');
  }
}

function formatPrefix(prefix: Prefix | undefined): string {
  return prefix === undefined ? '' : formatAddress(prefix.address);
}
