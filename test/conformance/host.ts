import { buildPacket, MAX_PACKET_LENGTH, packetLength } from '../../lib/codec/build';
import { Fragments, needsFragments } from '../../lib/codec/fragment';
import { parsePacket } from '../../lib/codec/parse';
import { ParseResult } from '../../lib/codec/result';
import type { Paths } from '../../lib/core/environment';
import {
  ANY4,
  ANY6,
  isIpv4,
  isLoopback,
  isMulticast,
  readAddress,
  type Prefix,
} from '../../lib/core/ip/address';
import { MAPPED_BITS } from '../../lib/core/ip/addresses';
import { AddressPaths } from '../../lib/core/ip/paths';
import { SlabTable } from '../../lib/core/memory/slabs';
import { SegmentBatch } from '../../lib/core/segment/batch';
import { Checksum, Word } from '../../lib/core/segment/layout';
import { FreePorts } from '../../lib/core/stack/free-ports';
import { StackCore } from '../../lib/core/stack/stack-core';
import type { Settings } from '../../lib/core/tcp/settings';
import { SystemRandom } from '../../lib/driver/random';

/** Where a stack is. */
export interface HostOptions {
  /** Its addresses, at most one of each family, each in its network. */
  local: readonly Prefix[];
  /** What it can reach; empty: everything. */
  remote: readonly Prefix[];
  mtu: number;
}

const LOOPBACK_MTU = 65_536;
const BATCH = 64;
const ALL4: Prefix = { address: ANY4, length: MAPPED_BITS };
const ALL6: Prefix = { address: ANY6, length: 0 };

/** Where Netland's defaults are not Linux's. Buffers hold payload: half of what Linux counts. */
const LINUX_SETTINGS: Partial<Settings> = {
  rfc1337: 0,
  hystart: 2,
  twReuse: 2,
  keepAliveProbes: 9,
  receiveBuffer: 131_072 / 2,
};

/** One stack with its packets as bytes; what it sends to itself stays inside. */
export class Host {
  readonly core: StackCore;
  private readonly slabs = new SlabTable();
  private readonly hashKey: Int32Array;
  private readonly arriving = new SegmentBatch(1);
  private readonly leaving = new SegmentBatch(BATCH);
  private readonly incoming = new Uint8Array(MAX_PACKET_LENGTH);
  private readonly slab: number;
  private readonly fragments = new Fragments();

  private readonly paths: Paths;

  constructor({ local, remote, mtu }: HostOptions) {
    const everything = [4, 6].filter(
      (family) => !remote.some(({ address }) => isIpv4(address) === (family === 4)),
    );
    const all = everything.map((family) => (family === 4 ? ALL4 : ALL6));
    const routes = [...remote, ...all].map((to) => ({ to }));
    this.paths = new AddressPaths(local, mtu, LOOPBACK_MTU, routes);
    const random = new SystemRandom();
    this.hashKey = Int32Array.of(random.next(), random.next());
    this.slab = this.slabs.add(this.incoming);
    const environment = {
      random,
      paths: this.paths,
      ports: new FreePorts(),
      parse: parsePacket,
      allocate: (bytes: number) => new Uint8Array(bytes),
    };
    this.core = new StackCore(environment, this.slabs, this.hashKey, { tcp: LINUX_SETTINGS });
  }

  /** A packet arrives from outside. */
  arrive(packet: Uint8Array, now: number): void {
    this.take(packet, now, true);
  }

  private take(packet: Uint8Array, now: number, outside: boolean): void {
    if (packet.length > this.incoming.length) return;
    this.incoming.set(packet);
    const { arriving, hashKey, slab } = this;
    const { words } = arriving;
    const result = parsePacket(this.incoming, slab, 0, packet.length, words, 0, hashKey);
    if (result !== ParseResult.Ok || (outside && this.isMartian(words))) return;
    arriving.count = 1;
    if (words[Word.Checksum] === Checksum.Partial) words[Word.Checksum] = Checksum.Bad;
    this.core.onPacket(arriving, 0, now);
  }

  /**
   * Hands each packet that the stack wants to send now to `emit`.
   * @returns whether there was one
   */
  flush(now: number, emit: (packet: Uint8Array) => void): boolean {
    const { core, leaving } = this;
    let any = false;
    while (core.hasOutput) {
      leaving.count = 0;
      core.transmit(leaving, now);
      if (leaving.count === 0) break;
      any = true;
      const inside: Uint8Array[] = [];
      for (let i = 0; i < leaving.count; i++) {
        const destination = readAddress(leaving.words, leaving.base(i) + Word.Destination);
        const isInside = this.paths.isLocal(destination);
        for (const packet of this.build(i))
          if (isInside) inside.push(packet);
          else emit(packet);
      }
      for (const packet of inside) this.take(packet, now, false);
    }
    return any;
  }

  /** Addresses that no packet from outside may have (RFC 1812 §5.3.7). */
  private isMartian(words: Int32Array): boolean {
    const source = readAddress(words, Word.Source);
    const destination = readAddress(words, Word.Destination);
    return this.paths.isLocal(source) || isMulticast(source) || isLoopback(destination);
  }

  /** The packet of a descriptor, or its fragments. */
  private *build(index: number): Generator<Uint8Array> {
    const { words, slices } = this.leaving;
    const base = this.leaving.base(index);
    const at = this.leaving.sliceBase(base);
    const { slabs } = this.slabs;
    if (needsFragments(words, base)) {
      this.fragments.begin(words, base, slices, at, slabs);
      for (let length; (length = this.fragments.nextLength) > 0;) {
        const fragment = new Uint8Array(length);
        this.fragments.next(fragment, 0);
        yield fragment;
      }
      return;
    }
    const packet = new Uint8Array(packetLength(words, base));
    if (buildPacket(words, base, slices, at, slabs, packet, 0) === 0) {
      throw new Error('the codec refuses a packet of the core');
    }
    yield packet;
  }
}
