import type { Random } from '../environment';
import type { IcmpError } from '../icmp/icmp-error';
import { isIpv4, isMulticast, readAddress, type IpAddress, type Prefix } from '../ip/address';
import { isBroadcast } from '../ip/addresses';
import type { OwnPackets } from '../ip/own-packets';
import type { AddressPaths } from '../ip/paths';
import type { SlabTable } from '../memory/slabs';
import type { SegmentBatch } from '../segment/batch';
import { BuildWord, IpProtocol, MAX_SLICES, SLICE_WORDS, Word } from '../segment/layout';
import type { Counters } from '../stack/counters';
import { arpArrives } from './arp';
import { DestinationCache, type Destination } from './destination-cache';
import {
  BROADCAST_HARDWARE,
  groupHardware,
  isLinkLocal6,
  readHardware,
  type HardwareAddress,
} from './hardware-address';
import type { Host } from './host';
import { ArpOperation, sendArp, sendSolicitation } from './messages';
import { NeighborDiscovery } from './ndp';
import { NeighborState, type Neighbor } from './neighbor';
import { NeighborTable, type NeighborProtocol } from './neighbor-table';
import { OwnHostAddresses } from './own-addresses';
import { Redirects } from './redirects';
import { RouterDiscovery } from './router-discovery';
import { NEIGHBOR_DEFAULTS, type NeighborSettings } from './settings';
import { hostUnreachable } from './unreachable';
import { WaitingMemory, WaitingPackets } from './waiting-packets';

/** What a link with hardware addresses asks for, and what its host may choose. */
export interface NeighborhoodOptions {
  /** Our own, six bytes. */
  readonly hardwareAddress: Uint8Array;
  /** Ways and addresses, which change by what routers say. */
  readonly paths: AddressPaths;
  /** The program's addresses, which are among those. */
  readonly addresses: readonly Prefix[];
  /** Whether addresses and routes of IPv6 are taken from routers (Linux: autoconf, accept_ra). */
  readonly autoconf: boolean;
  readonly settings?: Partial<NeighborSettings>;
  /** Told of an address of ours that another host has, too. */
  readonly onDuplicate?: (address: IpAddress) => void;
}

/** What the neighbourhood has of the stack. */
export interface NeighborhoodParts {
  readonly own: OwnPackets;
  readonly slabs: SlabTable;
  readonly random: Random;
  readonly counters: Counters;
  readonly groups: Host['groups'];
  allocate(bytes: number): Uint8Array;
  now(): number;
  /** What was sent doesn't reach its next hop. */
  unreachable(error: IcmpError): void;
  /** Addresses or routes are others than before. */
  changed(): void;
}

/**
 * The hosts on a link with hardware addresses: ARP, neighbour discovery, what routers announce, and
 * the last step of each packet on its way out, whom its frame is for.
 *
 * While a batch is filled nothing is added to what the stack itself sends: what is to be asked is
 * asked with the next one, for which `mustTransmit` says that there has to be one.
 */
export class Neighborhood implements Host, NeighborProtocol {
  readonly own: OwnPackets;
  readonly hardware: HardwareAddress;
  readonly paths: AddressPaths;
  readonly random: Random;
  readonly counters: Counters;
  readonly slabs: SlabTable;
  readonly groups: Host['groups'];
  readonly settings: NeighborSettings;
  readonly arp: NeighborTable;
  readonly ndp: NeighborTable;
  readonly addresses: OwnHostAddresses;
  readonly discovery: RouterDiscovery;
  readonly redirects = new Redirects();
  private readonly messages: NeighborDiscovery;
  private readonly cache = new DestinationCache();
  private readonly memory: WaitingMemory;
  /** Neighbours that are to be asked, and those for which packets may leave. */
  private asked: Neighbor[] = [];
  private ready: Neighbor[] = [];
  /** Of addresses and router discovery. */
  private deadline = 0;

  constructor(
    private readonly parts: NeighborhoodParts,
    options: NeighborhoodOptions,
  ) {
    const { own, slabs, random, counters, groups } = parts;
    this.own = own;
    this.slabs = slabs;
    this.random = random;
    this.counters = counters;
    this.groups = groups;
    this.paths = options.paths;
    this.hardware = readHardware(options.hardwareAddress, 0);
    this.settings = { ...NEIGHBOR_DEFAULTS, ...options.settings };
    this.memory = new WaitingMemory(slabs, parts.allocate, this.settings.unresQlenBytesTotal);
    this.arp = new NeighborTable(this.settings, random, this);
    this.ndp = new NeighborTable(this.settings, random, this);
    this.addresses = new OwnHostAddresses(this);
    this.discovery = new RouterDiscovery(this, this.addresses);
    const { addresses, discovery, redirects } = this;
    this.messages = new NeighborDiscovery(this, addresses, discovery, redirects, (to) =>
      this.nextHop(to),
    );
    addresses.onDuplicate = options.onDuplicate ?? null;
    if (options.autoconf) addresses.onLinkLocal = () => discovery.start(parts.now());
    this.autoconf = options.autoconf;
    addresses.start(options.addresses, options.autoconf, parts.now());
  }

  private readonly autoconf: boolean;

  /** An ARP packet. */
  arpArrives(words: Int32Array, base: number): void {
    arpArrives(this, this.addresses, words, base, this.parts.now());
    this.deadline = 0;
  }

  /** A message of neighbour discovery (`isNdp`). */
  ndpArrives(words: Int32Array, base: number): void {
    this.messages.arrives(words, base, this.parts.now());
    this.deadline = 0;
  }

  /** What TCP sent to the address in four words from `at` has arrived (RFC 4861 §7.3.1). */
  confirm(words: Int32Array, at: number): void {
    const neighbor = this.cache.find(words, at)?.neighbor;
    if (neighbor !== null && neighbor !== undefined) neighbor.confirmed = this.parts.now();
  }

  /** A router of IPv4 knows a better first hop to a destination (RFC 1122 §3.2.2.2). */
  redirected4(router: IpAddress, destination: IpAddress, via: IpAddress): void {
    if (!this.settings.acceptRedirects || this.paths.isLocal(via) || isMulticast(via)) return;
    const hop = this.nextHop(destination);
    const isFromThere = hop !== null && hop.w3 === router.w3 && isIpv4(router);
    const isNear = this.paths.addresses.containing(via) !== null;
    if (!isFromThere || !isNear || isBroadcast(this.paths, via)) return;
    this.redirects.learn(destination, via);
    this.changed();
  }

  /** The link is up again. */
  linkUp(): void {
    const now = this.parts.now();
    this.addresses.announceAll(now);
    if (this.autoconf && this.addresses.linkLocal !== null) this.discovery.start(now);
    this.deadline = 0;
  }

  changed(): void {
    this.cache.clear();
    this.parts.changed();
  }

  /** Ways may be others: each destination is looked up anew. */
  forget(): void {
    this.cache.clear();
  }

  onTimer(): void {
    const now = this.parts.now();
    this.arp.onTimer(now);
    this.ndp.onTimer(now);
    if (this.deadline > now) return;
    this.addresses.onTimer(now);
    this.discovery.onTimer(now);
    this.deadline = Math.min(this.addresses.nextDeadline(), this.discovery.nextDeadline());
  }

  nextDeadline(): number {
    if (this.deadline === 0) {
      this.deadline = Math.min(this.addresses.nextDeadline(), this.discovery.nextDeadline());
    }
    return Math.min(this.deadline, this.arp.nextDeadline(), this.ndp.nextDeadline());
  }

  /** Whether something of ours waits to be sent. */
  get mustTransmit(): boolean {
    return this.asked.length > 0 || this.ready.length > 0 || this.own.count > 0;
  }

  /** Before a batch is filled: the one before has been taken. */
  begin(batch: SegmentBatch): void {
    this.memory.reclaim();
    for (const neighbor of this.asked) this.ask(neighbor);
    this.asked.length = 0;
    while (this.ready.length > 0 && batch.count < batch.capacity) {
      const [neighbor] = this.ready;
      const { waiting } = neighbor;
      waiting?.transmit(batch, neighbor);
      if (waiting !== null && waiting.count > 0) return;
      neighbor.waiting = null;
      this.ready.shift();
    }
  }

  /**
   * Writes into each descriptor of `batch` from `from` on whom its frame is for. Those for which
   * that isn't known leave it: they wait, or are dropped.
   * @returns how many have left
   */
  resolve(batch: SegmentBatch, from: number): number {
    const now = this.parts.now();
    const { count } = batch;
    let kept = from;
    for (let index = from; index < count; index++) {
      if (!this.address(batch, index, now)) continue;
      if (kept !== index) move(batch, index, kept);
      kept++;
    }
    batch.count = kept;
    return count - kept;
  }

  /** Whether the packet may leave. */
  private address(batch: SegmentBatch, index: number, now: number): boolean {
    const { words } = batch;
    const base = batch.base(index);
    if (words[base + Word.Protocol] === IpProtocol.Arp) return true;
    const at = base + Word.Destination;
    const destination = this.cache.find(words, at) ?? this.determine(words, base, now);
    if (destination === null) return false;
    const { neighbor } = destination;
    if (neighbor === null) {
      words[base + BuildWord.MacHigh] = destination.high;
      words[base + BuildWord.MacLow] = destination.low;
      return true;
    }
    const table = words[base + Word.Family] === 4 ? this.arp : this.ndp;
    if (!table.use(neighbor, now)) {
      this.keep(neighbor, batch, index);
      return false;
    }
    words[base + BuildWord.MacHigh] = neighbor.high;
    words[base + BuildWord.MacLow] = neighbor.low;
    return true;
  }

  private keep(neighbor: Neighbor, batch: SegmentBatch, index: number): void {
    neighbor.waiting ??= new WaitingPackets(this.memory, this.settings.unresQlenBytes);
    this.counters.NetlandNeighborDrops += neighbor.waiting.add(batch, index);
  }

  /** Where packets to the destination of the descriptor go; null: nowhere, it is counted. */
  private determine(words: Int32Array, base: number, now: number): Destination | null {
    const at = base + Word.Destination;
    const is4 = words[base + Word.Family] === 4;
    const address = readAddress(words, at);
    if (isMulticast(address)) {
      const { high, low } = groupHardware(words, at);
      return this.cache.add(words, at, null, high, low);
    }
    // It won't leave the stack.
    if (this.paths.isLocal(address)) return this.cache.add(words, at, null, 0, 0);
    if (is4 && isBroadcast(this.paths, address)) {
      return this.cache.add(words, at, null, BROADCAST_HARDWARE.high, BROADCAST_HARDWARE.low);
    }
    const hop = this.nextHop(address);
    if (hop === null) {
      if (is4) this.counters.IpOutNoRoutes++;
      else this.counters.Ip6OutNoRoutes++;
      return null;
    }
    const neighbor = (is4 ? this.arp : this.ndp).make(hop, now);
    if (neighbor !== null) return this.cache.add(words, at, neighbor, 0, 0);
    this.counters.NetlandNeighborDrops++;
    return null;
  }

  /** RFC 4861 §5.2. */
  private nextHop(address: IpAddress): IpAddress | null {
    if (!isIpv4(address) && isLinkLocal6(address)) return address;
    const redirected = this.redirects.find(address);
    if (redirected !== null) return redirected;
    const route = this.paths.routes.find(address);
    return route === null ? null : (route.via ?? address);
  }

  /** One of the tables wants to know: with the next batch. */
  solicit(neighbor: Neighbor): void {
    this.asked.push(neighbor);
  }

  private ask(neighbor: Neighbor): void {
    const { address, state } = neighbor;
    const isProbe = state === NeighborState.Probe;
    if (!isProbe && state !== NeighborState.Incomplete) return;
    const source = this.sourceFor(neighbor);
    if (source === null) return;
    if (isIpv4(address)) {
      const to = isProbe ? neighbor : BROADCAST_HARDWARE;
      sendArp(this, ArpOperation.Request, source, address, to);
    } else {
      sendSolicitation(this, address, source, isProbe);
    }
  }

  /** As Linux has it, that of what waits; else the one that would be chosen. */
  private sourceFor({ address, waiting }: Neighbor): IpAddress | null {
    if (waiting !== null && waiting.count > 0) {
      const source = readAddress(waiting.words, waiting.first + Word.Source);
      if (this.paths.isLocal(source)) return source;
    }
    if (!isIpv4(address) && isLinkLocal6(address)) return this.addresses.linkLocal;
    const path = this.paths.route(address, null);
    return typeof path === 'number' ? null : path.source;
  }

  resolved(neighbor: Neighbor): void {
    if (neighbor.waiting !== null) this.ready.push(neighbor);
    // A router that is known to answer may be the better one now.
    if (neighbor.isRouter) this.discovery.routers.select();
  }

  /** RFC 4861 §7.3.3: another router may be there; what waits is lost, and its senders are told. */
  failed(neighbor: Neighbor): void {
    const { waiting } = neighbor;
    neighbor.waiting = null;
    this.redirects.forget(neighbor.address);
    this.discovery.routers.select();
    this.cache.clear();
    if (waiting === null) return;
    while (waiting.count > 0) {
      const { words, first } = waiting;
      this.counters.NetlandNeighborDrops++;
      this.parts.unreachable(hostUnreachable(words, first));
      waiting.drop();
    }
  }

  removed(): void {
    this.cache.clear();
  }
}

/** Moves a descriptor of a batch with its slices. */
function move({ words, slices }: SegmentBatch, from: number, to: number): void {
  words.copyWithin(to * Word.Stride, from * Word.Stride, (from + 1) * Word.Stride);
  const size = MAX_SLICES * SLICE_WORDS;
  slices.copyWithin(to * size, from * size, (from + 1) * size);
}
