import type { Environment } from '../environment';
import type { IcmpError } from '../icmp/icmp-error';
import { OwnPackets } from '../ip/own-packets';
import type { SlabTable } from '../memory/slabs';
import { neighborTakes } from '../neighbor/arrives';
import { Neighborhood, type NeighborhoodOptions } from '../neighbor/neighborhood';
import type { SegmentBatch } from '../segment/batch';
import { IpProtocol } from '../segment/layout';
import { DatagramSocket } from '../socket/datagram-socket';
import { StreamSocket } from '../socket/stream-socket';
import type { CongestionController } from '../tcp/congestion-controller';
import { icmpArrives } from '../tcp/icmp-arrives';
import { listConnections, type ConnectionEntry } from '../tcp/listing';
import { pathsChanged } from '../tcp/path-mtu';
import { makeSettings, type Settings } from '../tcp/settings';
import { Tcp, type Trace } from '../tcp/tcp';
import { State } from '../tcp/state';
import { Udp } from '../udp/udp';
import type { Counters } from './counters';
import { IpLayer } from './ip-layer';
import { packetArrives } from './packet-arrives';

/**
 * What `Paths` says may have changed: a link went up or down, an address or a route came or went,
 * an MTU is another. As on Linux no connection ends by it: each looks again before it sends.
 */
export interface PathsChanged {
  readonly kind: 'paths';
}

/** What there is to be told of beside segments. */
export type ControlEvent = IcmpError | PathsChanged;

/** Options of a stack's core. */
export interface StackOptions {
  /** Changes to settings, of TCP and of IP below it; the rest keeps its default. */
  tcp?: Partial<Settings>;
  /** Name of the stack's own controller, or one of the program's. Default: 'cubic'. */
  congestionControl?: string | CongestionController;
  /** Given where the link has hardware addresses. */
  neighborhood?: NeighborhoodOptions;
}

/**
 * A whole stack without an operating system: packets, calls and time come in as arguments, segments
 * and events are asked for. Times are µs since the stack was made.
 */
export class StackCore {
  readonly tcp: Tcp;
  /** What it sends by itself: ICMP, and what else belongs to no socket. */
  readonly ownPackets: OwnPackets;
  /** What lies below TCP and UDP. */
  readonly ip: IpLayer;
  /** Where the link has hardware addresses; null: there is nobody to be asked. */
  readonly neighborhood: Neighborhood | null;
  /** What the last `transmit` has left is to be asked for at once, whatever it has given. */
  mustTransmit = false;
  /** Made when it is first needed. */
  private datagrams: Udp | null = null;
  /** Whose turn it is to send first, where a batch has no room for both. */
  private udpFirst = false;

  /**
   * @param hashKey 64-bit key of the four-tuple hash, two words, which the link has too
   * @throws RangeError for a setting, or a congestion control, that doesn't exist, or a value that
   *   is out of range
   */
  constructor(
    environment: Environment,
    private readonly slabs: SlabTable,
    private readonly hashKey: Int32Array,
    options: StackOptions = {},
  ) {
    const { tcp, congestionControl, neighborhood } = options;
    this.tcp = new Tcp(environment, slabs, hashKey, makeSettings(tcp), congestionControl);
    this.ownPackets = new OwnPackets(slabs, environment.allocate, this.tcp.counters);
    const { counters, pathMtus, settings } = this.tcp;
    const nowMs = () => this.tcp.nowMs;
    const shared = { environment, slabs, hashKey, counters, pathMtus, settings, nowMs };
    this.ip = new IpLayer({ ...shared, own: this.ownPackets, now: () => this.tcp.now });
    this.tcp.complain = (packet, kind) => this.ip.icmp.complainOf(packet, kind);
    this.neighborhood = neighborhood === undefined ? null : this.settle(neighborhood);
    this.tcp.neighborhood = this.neighborhood;
  }

  private settle(options: NeighborhoodOptions): Neighborhood {
    const { environment, counters } = this.tcp;
    return new Neighborhood(
      {
        own: this.ownPackets,
        slabs: this.slabs,
        random: environment.random,
        counters,
        groups: this.ip.groups,
        allocate: (bytes) => environment.allocate(bytes),
        now: () => this.tcp.now,
        unreachable: (error) => this.onError(error),
        changed: () => {
          pathsChanged(this.tcp);
          this.ip.pathsChanged();
        },
      },
      options,
    );
  }

  get udp(): Udp {
    const { tcp } = this;
    this.datagrams ??= new Udp({
      environment: tcp.environment,
      slabs: this.slabs,
      hashKey: this.hashKey,
      counters: tcp.counters,
      pathMtus: tcp.pathMtus,
      settings: tcp.settings,
      identification: this.ip.identification,
      groups: this.ip.groups,
      nowMs: () => tcp.nowMs,
    });
    return this.datagrams;
  }

  /** UDP sockets that have a port. */
  get datagramSockets(): Iterable<DatagramSocket> {
    return this.datagrams?.table.all() ?? [];
  }

  /** Memory of datagrams that wait to be sent, bytes. */
  get datagramMemory(): number {
    return this.datagrams?.pool.used ?? 0;
  }

  /** Told of each TCP segment with the state of its connection; null for nobody. */
  set onTrace(trace: Trace | null) {
    this.tcp.trace = trace;
  }

  get now(): number {
    return this.tcp.now;
  }

  get counters(): Counters {
    return this.tcp.counters;
  }

  /**
   * Connections with a handshake, data or a FIN that the peer has not acknowledged; one more while
   * datagrams wait for the link.
   */
  get unfinished(): number {
    return this.tcp.unfinished + (this.datagrams?.hasOutput ? 1 : 0);
  }

  /** Moves the clock before calls of the user; time never goes back. */
  advance(now: number): void {
    this.tcp.setNow(now);
  }

  /**
   * Takes the packet of descriptor `index` of `batch`, whatever it is; the memory of both is used
   * only during the call.
   */
  onPacket(batch: SegmentBatch, index: number, now: number): void {
    this.tcp.setNow(now);
    const { neighborhood } = this;
    if (neighborhood !== null && neighborTakes(neighborhood, batch.words, batch.base(index)))
      return;
    packetArrives(this, batch, index);
  }

  /** The same for what is known to be a TCP segment. */
  onSegment(batch: SegmentBatch, index: number, now: number): void {
    this.tcp.setNow(now);
    this.tcp.onSegment(batch, index);
  }

  /** Takes what the network says about segments that we have sent, and the link about itself. */
  onControl(event: ControlEvent, now: number): void {
    this.tcp.setNow(now);
    if (event.kind === 'icmp') this.onError(event);
    else this.pathsChanged();
  }

  private onError(error: IcmpError): void {
    if (error.protocol === IpProtocol.Udp) this.udp.onError(error);
    else if (error.protocol === IpProtocol.Tcp) icmpArrives(this.tcp, error);
  }

  private pathsChanged(): void {
    pathsChanged(this.tcp);
    this.ip.pathsChanged();
    this.neighborhood?.forget();
  }

  /** Fires every timer that is due. */
  onTimer(now: number): void {
    this.tcp.setNow(now);
    this.tcp.onTimer();
    this.ip.onTimer(this.tcp.now);
    this.neighborhood?.onTimer();
  }

  /** When `onTimer` wants to be called, or before; Infinity: not at all. */
  nextDeadline(): number {
    const deadline = Math.min(this.tcp.nextDeadline(), this.ip.nextDeadline());
    const { neighborhood } = this;
    return neighborhood === null ? deadline : Math.min(deadline, neighborhood.nextDeadline());
  }

  /**
   * Adds to `batch` what may be sent now, until nothing is left or it is full. Where the link has
   * hardware addresses some of it may have to wait, and `mustTransmit` say that this is to be
   * called again as soon as the batch has been taken.
   */
  transmit(batch: SegmentBatch, now: number): void {
    this.tcp.setNow(now);
    const { neighborhood } = this;
    if (neighborhood === null) {
      this.fill(batch);
      return;
    }
    neighborhood.begin(batch);
    const from = batch.count;
    this.fill(batch);
    const left = neighborhood.resolve(batch, from);
    this.mustTransmit = neighborhood.mustTransmit || (left > 0 && this.hasOutput);
  }

  private fill(batch: SegmentBatch): void {
    const { datagrams, ownPackets } = this;
    if (ownPackets.count > 0) ownPackets.transmit(batch);
    if (datagrams === null || !datagrams.hasOutput) {
      this.tcp.transmit(batch);
      return;
    }
    if (this.udpFirst) datagrams.transmit(batch);
    this.tcp.transmit(batch);
    if (!this.udpFirst) datagrams.transmit(batch);
    this.udpFirst = !this.udpFirst;
  }

  /** Whether `transmit` may have something. */
  get hasOutput(): boolean {
    if (this.tcp.hasOutput || this.ownPackets.count > 0) return true;
    if (this.neighborhood?.mustTransmit === true) return true;
    return this.datagrams !== null && this.datagrams.hasOutput;
  }

  /**
   * The next socket whose readiness may have changed since it was last returned; null: none.
   * @param withDatagrams whether datagram sockets are asked for, too
   */
  pollEvent(withDatagrams = true): StreamSocket | DatagramSocket | null {
    const socket = this.tcp.pollEvent();
    if (socket !== null || !withDatagrams || this.datagrams === null) return socket;
    return this.datagrams.pollEvent();
  }

  /** Whether `pollEvent` has a datagram socket. */
  get hasDatagramEvent(): boolean {
    return this.datagrams !== null && this.datagrams.hasEvent;
  }

  /** socket(2): a TCP socket for IPv4 (4), or for IPv6 and IPv4 (6). */
  socket(domain: 4 | 6): StreamSocket {
    return new StreamSocket(this.tcp, domain);
  }

  /** socket(2): a UDP socket for IPv4 (4), or for IPv6 and IPv4 (6). */
  datagramSocket(domain: 4 | 6): DatagramSocket {
    return new DatagramSocket(this.udp, domain);
  }

  /** What `ss -tan` would list: listeners first, then connections in no order. */
  list(): ConnectionEntry[] {
    return listConnections(this.tcp);
  }

  /** RST to every peer; sockets get ECONNABORTED. */
  abortAll(error: number): void {
    this.tcp.forEachConnection((c) => {
      if (c.state !== State.CLOSED) this.tcp.abort(c, error);
    });
  }
}
