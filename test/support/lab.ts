import { buildPacket, MAX_PACKET_LENGTH, packetLength } from '../../lib/codec/build';
import { parsePacket } from '../../lib/codec/parse';
import { ParseResult } from '../../lib/codec/result';
import type { Environment, PortAuthority } from '../../lib/core/environment';
import { Errno } from '../../lib/core/errno';
import {
  formatAddress,
  isIpv4,
  parseAddress,
  sameAddress,
  type IpAddress,
} from '../../lib/core/ip/address';
import { SlabTable } from '../../lib/core/memory/slabs';
import { Xoshiro } from '../../lib/core/random/xoshiro';
import { SegmentBatch } from '../../lib/core/segment/batch';
import { Checksum, Word } from '../../lib/core/segment/layout';
import type { StreamSocket } from '../../lib/core/socket/stream-socket';
import { FreePorts } from '../../lib/core/stack/free-ports';
import { StackCore } from '../../lib/core/stack/stack-core';
import type { Settings } from '../../lib/core/tcp/settings';
import { stateName, type State } from '../../lib/core/tcp/state';
import { formatSegment } from '../../lib/observe/tcpdump';
import { leftovers as leftoversOf, type Leftovers } from '../../lib/testing/check/leftovers';

/** What a wire does: undefined passes a packet on, false loses it, a number delays it by µs. */
export type Filter = (
  packet: Uint8Array,
  from: LabHost,
  count: number,
) => undefined | false | number;

export interface LabOptions {
  seed?: number;
  /** One-way delay, µs. */
  delay?: number;
  mtu?: number;
  family?: 4 | 6;
  tcp?: Partial<Settings>;
  /** Of the second host, where it has others. */
  tcpOfB?: Partial<Settings>;
  filter?: Filter;
  /** µs that the stacks have lived when the lab begins. */
  start?: number;
  /** First and last ephemeral port. */
  ports?: readonly [number, number];
  /** Whether the hosts keep a log; they do without being told. */
  log?: boolean;
}

export function address(text: string): IpAddress {
  const parsed = parseAddress(text);
  if (parsed === null) throw new Error(`bad address ${text}`);
  return parsed;
}

/** Ports that are free for all, and which of them are taken. */
class CountedPorts implements PortAuthority {
  readonly held = new Set<string>();
  readonly allowsAnyPort = true;
  private readonly free: FreePorts;

  constructor(range: readonly [number, number] | undefined) {
    this.free = new FreePorts(...(range ?? []));
  }

  reserve(local: IpAddress, port: number): number {
    const key = `${formatAddress(local)} ${port}`;
    if (this.held.has(key)) throw new Error(`${key} is reserved twice`);
    this.held.add(key);
    return 0;
  }

  release(local: IpAddress, port: number): void {
    const key = `${formatAddress(local)} ${port}`;
    if (!this.held.delete(key)) throw new Error(`${key} was not reserved`);
  }

  ephemeralCount(): number {
    return this.free.ephemeralCount();
  }

  ephemeralPort(family: number, index: number): number {
    return this.free.ephemeralPort(family, index);
  }

  growEphemeral(): boolean {
    return this.free.growEphemeral();
  }
}

/** One stack of a lab, with its address. */
export class LabHost {
  readonly core: StackCore;
  readonly ports: CountedPorts;
  readonly slabs = new SlabTable();
  readonly hashKey: Int32Array;
  readonly received = new SegmentBatch(1);
  readonly toSend = new SegmentBatch(32);
  /** Each segment received or sent: time, direction, tcpdump's line, state. */
  readonly log: string[] = [];
  private readonly incoming = new Uint8Array(MAX_PACKET_LENGTH);
  private readonly incomingIndex: number;

  constructor(
    readonly name: string,
    readonly address: IpAddress,
    random: Xoshiro,
    readonly mtu: number,
    tcp: Partial<Settings>,
    /** First and last ephemeral port. */
    ports?: readonly [number, number],
  ) {
    this.ports = new CountedPorts(ports);
    const environment: Environment = {
      random,
      ports: this.ports,
      paths: {
        isLocal: (other) => sameAddress(other, address),
        route: (remote) =>
          isIpv4(remote) === isIpv4(address) ? { source: address, mtu } : Errno.ENETUNREACH,
      },
      parse: parsePacket,
      allocate: (bytes) => new Uint8Array(bytes),
    };
    this.hashKey = Int32Array.of(random.next(), random.next());
    this.incomingIndex = this.slabs.add(this.incoming);
    // Room for what most tests write at once, whatever the congestion window is.
    const settings = { sendBuffer: 1_048_576, ...tcp };
    this.core = new StackCore(environment, this.slabs, this.hashKey, { tcp: settings });
    this.core.onTrace = (words, base, state) => this.trace(words, base, state);
  }

  private trace(words: Int32Array, base: number, state: State): void {
    const arrow = words[base + Word.Direction] === 1 ? '>' : '<';
    const line = formatSegment(words, base);
    this.log.push(`${this.core.now} ${arrow} ${line} [${stateName(state)}]`);
  }

  /** Hands each packet that the stack wants to send now to `take`. */
  collect(now: number, take: (packet: Uint8Array) => void): void {
    const { core, toSend, slabs } = this;
    const { words, slices } = toSend;
    core.advance(now);
    do {
      toSend.count = 0;
      core.transmit(toSend, now);
      for (let i = 0; i < toSend.count; i++) {
        const base = toSend.base(i);
        const packet = new Uint8Array(packetLength(words, base));
        const at = toSend.sliceBase(base);
        if (buildPacket(words, base, slices, at, slabs.slabs, packet, 0) === 0) {
          throw new Error('the codec refuses a segment of the core');
        }
        if (packet.length > this.mtu) throw new Error(`${packet.length} bytes exceed the MTU`);
        take(packet);
      }
    } while (toSend.count > 0);
  }

  deliver(packet: Uint8Array, now: number): ParseResult {
    this.incoming.set(packet);
    const batch = this.received;
    const { words } = batch;
    const { incoming, incomingIndex, hashKey } = this;
    const result = parsePacket(incoming, incomingIndex, 0, packet.length, words, 0, hashKey);
    batch.count = 1;
    // Nobody leaves a checksum to a device here: one that looks like it is a wrong one.
    if (words[Word.Checksum] === Checksum.Partial) words[Word.Checksum] = Checksum.Bad;
    if (result !== ParseResult.Ok) return result;
    this.core.onPacket(batch, 0, now);
    return result;
  }
}

/** What a stack still holds; all zero when everything is over. */
export function leftovers(host: LabHost): Leftovers & { ports: number } {
  return { ...leftoversOf(host.core), ports: host.ports.held.size };
}

/** `leftovers` when nothing is left. */
export const NOTHING = {
  connections: 0,
  handshakes: 0,
  timeWaits: 0,
  fourTuples: 0,
  unfinished: 0,
  established: 0,
  sendMemory: 0,
  ports: 0,
  replies: 0,
  datagramSockets: 0,
  datagrams: 0,
  ownPackets: 0,
  fragments: 0,
};

interface Flight {
  at: number;
  to: LabHost;
  packet: Uint8Array;
}

/** Two stacks on a wire, under virtual time: the same seed gives the same run. */
export class Lab {
  now = 0;
  readonly a: LabHost;
  readonly b: LabHost;
  filter: Filter | null;
  sent = 0;
  private readonly delay: number;
  private readonly flights: Flight[] = [];

  constructor(options: LabOptions = {}) {
    const random = new Xoshiro(options.seed ?? 1);
    const v6 = options.family === 6;
    const mtu = options.mtu ?? 1500;
    const tcp = options.tcp ?? {};
    this.now = options.start ?? 0;
    this.delay = options.delay ?? 10_000;
    this.filter = options.filter ?? null;
    this.a = new LabHost(
      'a',
      address(v6 ? 'fd00::1' : '10.0.0.1'),
      random,
      mtu,
      tcp,
      options.ports,
    );
    this.b = new LabHost(
      'b',
      address(v6 ? 'fd00::2' : '10.0.0.2'),
      random,
      mtu,
      options.tcpOfB ?? tcp,
      options.ports,
    );
    if (options.log === false) this.a.core.onTrace = this.b.core.onTrace = null;
    this.a.core.advance(this.now);
    this.b.core.advance(this.now);
  }

  private collect(host: LabHost): void {
    host.collect(this.now, (packet) => this.carry(packet, host));
  }

  /** Puts a packet on the wire, as if `from` had sent it. */
  carry(packet: Uint8Array, from: LabHost): void {
    const verdict = this.filter?.(packet, from, this.sent++);
    if (verdict === false) return;
    const other = from === this.a ? this.b : this.a;
    const to = isToSelf(packet) ? from : other;
    const at = this.now + this.delay + (verdict ?? 0);
    // Behind all that arrive at that time or before.
    let place = this.flights.length;
    while (place > 0 && this.flights[place - 1].at > at) place--;
    this.flights.splice(place, 0, { at, to, packet });
  }

  /** Sends what the stacks want to send now. */
  flush(): void {
    this.collect(this.a);
    this.collect(this.b);
  }

  nextEvent(): number {
    const { a, b } = this;
    return Math.min(this.flights[0]?.at ?? Infinity, a.core.nextDeadline(), b.core.nextDeadline());
  }

  /** Moves time to the next arrival or deadline; false when there is none before `until`. */
  step(until = Infinity): boolean {
    this.flush();
    const next = this.nextEvent();
    if (next === Infinity || next > until) return false;
    this.now = Math.max(this.now, next);
    while (this.flights.length > 0 && this.flights[0].at <= this.now) {
      const flight = this.flights.shift() as Flight;
      flight.to.deliver(flight.packet, this.now);
      this.collect(flight.to);
    }
    this.a.core.onTimer(this.now);
    this.b.core.onTimer(this.now);
    this.flush();
    return true;
  }

  /** Runs until `done`, nothing is left to happen, or `within` µs have passed. */
  run(done: () => boolean = () => false, within = 3_600_000_000): boolean {
    const until = this.now + within;
    for (;;) {
      this.flush();
      if (done()) return true;
      if (!this.step(until)) {
        if (until !== Infinity && this.nextEvent() > until) this.now = until;
        return done();
      }
    }
  }

  /** Lets `µs` pass. */
  pass(us: number): void {
    const until = this.now + us;
    while (this.step(until));
    this.now = until;
    this.a.core.onTimer(until);
    this.b.core.onTimer(until);
    this.flush();
  }

  /** A listener on `host`. */
  listen(host: LabHost, port: number, backlog = 16): StreamSocket {
    const socket = host.core.socket(isIpv4(host.address) ? 4 : 6);
    socket.setOption(8, 1);
    expectOk(socket.bind(host.address, port));
    expectOk(socket.listen(backlog));
    return socket;
  }

  /** A socket on `from` that connects to `to`. */
  connect(from: LabHost, to: LabHost, port: number): StreamSocket {
    const socket = from.core.socket(isIpv4(from.address) ? 4 : 6);
    from.core.advance(this.now);
    const result = socket.connect(to.address, port);
    if (result !== -Errno.EINPROGRESS) throw new Error(`connect: ${result}`);
    return socket;
  }

  /** A connection from a to b, established at both ends. */
  pair(port = 80): { client: StreamSocket; server: StreamSocket; listener: StreamSocket } {
    const listener = this.listen(this.b, port);
    const client = this.connect(this.a, this.b, port);
    let server: StreamSocket | number = -1;
    this.run(() => typeof (server = listener.accept()) !== 'number', 60_000_000);
    if (typeof server === 'number') throw new Error('no connection arrived');
    this.flush();
    return { client, server, listener };
  }
}

/** Whether source and destination of an IP packet are the same address. */
function isToSelf(packet: Uint8Array): boolean {
  const [at, length] = packet[0] >> 4 === 4 ? [12, 4] : [8, 16];
  for (let i = at; i < at + length; i++) if (packet[i] !== packet[i + length]) return false;
  return true;
}

export function expectOk(result: number): void {
  if (result < 0) throw new Error(`call failed: errno ${-result}`);
}

/** Everything that `socket` has for its reader now. */
export function readAll(socket: StreamSocket): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (;;) {
    const piece = socket.take(65_536);
    if (typeof piece === 'number') break;
    pieces.push(piece.slice());
  }
  return concat(pieces);
}

export function concat(pieces: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

/** Bytes that differ from place to place. */
export function pattern(length: number, seed = 1): Uint8Array {
  const random = new Xoshiro(seed);
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = random.next();
  return bytes;
}

/** Sends all of `data` from one socket and reads it at the other, a full duplex at most. */
export function transfer(
  lab: Lab,
  from: StreamSocket,
  to: StreamSocket,
  data: Uint8Array,
  within = 3_600_000_000,
): Uint8Array {
  const pieces: Uint8Array[] = [];
  let sent = 0;
  let got = 0;
  lab.run(() => {
    while (sent < data.length) {
      const taken = from.send(data, sent, data.length - sent);
      if (taken <= 0) break;
      sent += taken;
    }
    const piece = readAll(to);
    if (piece.length > 0) pieces.push(piece);
    got += piece.length;
    if (sent < data.length || got < data.length) lab.flush();
    return got >= data.length;
  }, within);
  return concat(pieces);
}
