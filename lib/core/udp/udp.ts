import type { Environment } from '../environment';
import type { IcmpError } from '../icmp/icmp-error';
import { readAddress } from '../ip/address';
import { Destination, isBroadcast } from '../ip/addresses';
import type { Groups } from '../ip/groups';
import type { Identification } from '../ip/identification';
import type { PathMtus } from '../ip/path-mtus';
import { Arena } from '../memory/arena';
import { BlockPool } from '../memory/block-pool';
import type { SlabTable } from '../memory/slabs';
import type { SegmentBatch } from '../segment/batch';
import { Checksum, Word } from '../segment/layout';
import type { DatagramSocket } from '../socket/datagram-socket';
import type { Counters } from '../stack/counters';
import { FourTuples } from '../stack/four-tuples';
import { LocalPorts } from '../stack/ports';
import { emitDatagram } from './emit';
import { errorArrives } from './error-arrives';
import { OutFlag } from './send-queue';
import { SocketTable } from './socket-table';
import { countUdp } from './udp-counters';
import { Way } from './way';

/** What has become of a datagram that has arrived. */
export const enum Arrival {
  /** It was for a socket, or is dropped and counted. */
  Done = 0,
  /** No socket is on its port: its sender is to be told, by ICMP's port unreachable. */
  NoPort = 1,
}

/** What UDP has of the stack, beside its environment. */
export interface UdpParts {
  readonly environment: Environment;
  readonly slabs: SlabTable;
  /** Key of the four-tuple hash, two words. */
  readonly hashKey: Int32Array;
  readonly counters: Counters;
  readonly pathMtus: PathMtus;
  readonly settings: UdpSettings;
  readonly groups: Groups;
  readonly identification: Identification;
  /** ms of the stack's clock, modulo 2^32. */
  readonly nowMs: () => number;
}

/** The stack's settings that count for datagrams. */
export interface UdpSettings {
  readonly ttl: number;
  readonly minPathMtu: number;
  readonly noPathMtuDiscovery: number;
  /** ms */
  readonly pathMtuExpires: number;
}

/** UDP (RFC 768) of one stack. */
export class Udp {
  readonly environment: Environment;
  readonly counters: Counters;
  /** Memory of what waits to be sent. */
  readonly pool: BlockPool;
  readonly pathMtus: PathMtus;
  readonly settings: UdpSettings;
  readonly nowMs: () => number;
  readonly ports: LocalPorts;
  readonly table: SocketTable;
  readonly groups: Groups;
  readonly arena: Arena;
  readonly identification: Identification;
  /** Filled by `findWay`. */
  readonly way = new Way();
  /** Scratch: the four words of an address. */
  readonly address = new Int32Array(4);
  /** Scratch: a descriptor as it would be received. */
  readonly question = new Int32Array(Word.Stride);
  readonly hashKey: Int32Array;

  private readonly slabs: SlabTable;
  private firstReady: DatagramSocket | null = null;
  private lastReady: DatagramSocket | null = null;
  private firstEvent: DatagramSocket | null = null;
  private lastEvent: DatagramSocket | null = null;

  constructor(parts: UdpParts) {
    const { environment, hashKey } = parts;
    this.environment = environment;
    this.hashKey = hashKey;
    this.slabs = parts.slabs;
    this.counters = parts.counters;
    this.pool = new BlockPool(parts.slabs, environment.allocate);
    this.pathMtus = parts.pathMtus;
    this.settings = parts.settings;
    this.nowMs = parts.nowMs;
    const ports = environment.udpPorts ?? environment.ports;
    this.ports = new LocalPorts({ ...environment, ports }, new FourTuples(hashKey));
    this.table = new SocketTable(hashKey);
    this.arena = new Arena(environment.allocate);
    this.groups = parts.groups;
    this.identification = parts.identification;
  }

  /**
   * Takes a UDP datagram.
   * @param destination what its destination is to this stack, not `Foreign`; of a group that we are
   *   in
   */
  arrives(batch: SegmentBatch, index: number, destination: Destination): Arrival {
    const { words } = batch;
    const base = batch.base(index);
    const is4 = words[base + Word.Family] === 4;
    if (words[base + Word.Checksum] === Checksum.Bad) {
      countUdp(this.counters, is4, 'csumErrors');
      countUdp(this.counters, is4, 'inErrors');
      return Arrival.Done;
    }
    const bytes = this.slabs.slabs[words[base + Word.Slab]];
    const at = words[base + Word.PayloadOffset];
    const length = words[base + Word.PayloadLength];
    if (destination !== Destination.Own) {
      if (!this.deliverToMany(words, base, bytes, at, length)) {
        countUdp(this.counters, is4, 'ignoredMulti');
      }
      return Arrival.Done;
    }
    const socket = this.table.find(words, base);
    if (socket === null) {
      countUdp(this.counters, is4, 'noPorts');
      return Arrival.NoPort;
    }
    this.deliver(socket, words, base, bytes, at, length);
    return Arrival.Done;
  }

  private deliver(
    socket: DatagramSocket,
    words: Int32Array,
    base: number,
    bytes: Uint8Array,
    at: number,
    length: number,
  ): void {
    // One that stands for many (GSO): all but the last are that long.
    const each = words[base + Word.GsoSize] || length;
    const end = at + length;
    do {
      const size = Math.min(each, end - at);
      if (!socket.arrives(words, base, bytes, at, size)) this.countDrop(words, base);
      at += each;
    } while (at < end);
  }

  private countDrop(words: Int32Array, base: number): void {
    const is4 = words[base + Word.Family] === 4;
    countUdp(this.counters, is4, 'rcvbufErrors');
    countUdp(this.counters, is4, 'inErrors');
  }

  /** Every socket that wants it gets a copy; whether there was one. */
  deliverToMany(
    words: Int32Array,
    base: number,
    bytes: Uint8Array,
    at: number,
    length: number,
  ): boolean {
    let any = false;
    this.table.forMany(words, base, (socket) => {
      any = true;
      this.deliver(socket, words, base, bytes, at, length);
    });
    return any;
  }

  /** ICMP says something of a datagram that we are said to have sent. */
  onError(error: IcmpError): void {
    errorArrives(this, error);
  }

  /** There is no way to that address: counted, and -errno. */
  noRoute(is4: boolean, errno: number): number {
    if (is4) this.counters.IpOutNoRoutes++;
    else this.counters.Ip6OutNoRoutes++;
    return -errno;
  }

  /** Adds datagrams to `batch`, each socket's in its turn, until none is left or it is full. */
  transmit(batch: SegmentBatch): void {
    while (this.firstReady !== null && batch.count < batch.capacity) {
      const socket = this.firstReady;
      const wasWritable = socket.isWritable;
      while (socket.outgoing.count > 0 && batch.count < batch.capacity) {
        this.emit(socket, batch);
      }
      this.firstReady = socket.nextReady;
      if (this.firstReady === null) this.lastReady = null;
      socket.nextReady = null;
      socket.isReady = false;
      // The batch is full: next time the others come first.
      if (socket.outgoing.count > 0) this.markReady(socket);
      if (!wasWritable && socket.isWritable) this.notify(socket);
    }
  }

  private emit(socket: DatagramSocket, batch: SegmentBatch): void {
    const flags = emitDatagram(this, socket, batch);
    if ((flags & OutFlag.Loop) !== 0) this.loop(batch);
    if ((flags & OutFlag.Inside) !== 0) batch.count--;
    socket.outgoing.shift();
  }

  /** What was put into `batch` last comes back to our own sockets. */
  private loop(batch: SegmentBatch): void {
    const { words, slices } = batch;
    const base = batch.base(batch.count - 1);
    if (!this.groups.hasAt(words, base + Word.Destination) && !this.isToAll(words, base)) return;
    const length = words[base + Word.PayloadLength];
    const first = batch.sliceBase(base);
    const count = words[base + Word.SliceCount];
    if (count === 1) {
      const slab = this.slabs.slabs[slices[first]];
      this.deliverToMany(words, base, slab, slices[first + 1], length);
      return;
    }
    const bytes = new Uint8Array(length);
    let done = 0;
    for (let i = 0; i < count; i++) {
      const at = first + i * 3;
      const part = slices[at + 2];
      const start = slices[at + 1];
      bytes.set(this.slabs.slabs[slices[at]].subarray(start, start + part), done);
      done += part;
    }
    this.deliverToMany(words, base, bytes, 0, length);
  }

  private isToAll(words: Int32Array, base: number): boolean {
    return isBroadcast(this.environment.paths, readAddress(words, base + Word.Destination));
  }

  get hasOutput(): boolean {
    return this.firstReady !== null;
  }

  /** The socket has something to send. */
  markReady(socket: DatagramSocket): void {
    if (socket.isReady) return;
    socket.isReady = true;
    if (this.lastReady === null) this.firstReady = socket;
    else this.lastReady.nextReady = socket;
    this.lastReady = socket;
  }

  /** Readiness of `socket` may have changed. */
  notify(socket: DatagramSocket): void {
    if (socket.hasEvent) return;
    socket.hasEvent = true;
    if (this.lastEvent === null) this.firstEvent = socket;
    else this.lastEvent.nextEvent = socket;
    this.lastEvent = socket;
  }

  get hasEvent(): boolean {
    return this.firstEvent !== null;
  }

  /** The next socket whose readiness may have changed since it was last returned; null: none. */
  pollEvent(): DatagramSocket | null {
    const socket = this.firstEvent;
    if (socket === null) return null;
    this.firstEvent = socket.nextEvent;
    if (this.firstEvent === null) this.lastEvent = null;
    socket.nextEvent = null;
    socket.hasEvent = false;
    return socket;
  }
}
