import { parsePrefix, type Prefix } from '../../../lib/core/ip/address';
import { SlabTable } from '../../../lib/core/memory/slabs';
import { SegmentBatch } from '../../../lib/core/segment/batch';
import { Word } from '../../../lib/core/segment/layout';
import type { NetworkNode, Wire, Witness } from '../../../lib/testing/engine/node';
import { Packet } from '../../../lib/testing/engine/packet';
import { Simulation } from '../../../lib/testing/engine/simulation';
import { Cable } from '../../../lib/testing/link/cable';
import type { LinkOptions } from '../../../lib/testing/link/options';
import { Router, type RouterOptions } from '../../../lib/testing/router';
import { formatSegment } from '../../../lib/observe/tcpdump';
import { Routes } from '../../../lib/testing/routes';
import { SegmentViews } from '../../../lib/testing/segment-view';
import { type Fields, pattern, pushSegment } from '../../support/segments';

/** A segment to be sent; `size` is the length of its IP packet. */
export type Shape = Omit<Fields, 'from' | 'to' | 'payload'> & { size?: number; family?: 4 | 6 };

export interface Arrival {
  /** µs */
  at: number;
  sequence: number;
  packet: Packet;
}

/** What stands in a host's place: sends what it is told to, and keeps what comes. */
export class Station implements NetworkNode {
  readonly arrivals: Arrival[] = [];
  readonly prefixes: readonly Prefix[];
  /** Called with what comes. */
  onPacket: ((packet: Packet) => void) | null = null;
  wire: Wire | null = null;

  constructor(
    private readonly lab: Lab,
    readonly name: string,
    readonly number: number,
  ) {
    this.prefixes = [this.address(4), this.address(6)].map((text) => parsePrefix(text) as Prefix);
  }

  address(family: 4 | 6): string {
    return family === 4 ? `10.0.0.${this.number}` : `fd00::${this.number}`;
  }

  attach(out: Wire): void {
    this.wire = out;
  }

  arrive(packet: Packet): void {
    const sequence = packet.words[Word.Sequence];
    this.arrivals.push({ at: this.lab.simulation.now, sequence, packet });
    this.onPacket?.(packet);
  }

  send(to: Station, shape: Shape = {}): Packet {
    const packet = this.lab.packet(this, to, shape);
    this.wire?.send(packet);
    return packet;
  }

  /** Sends numbered packets, one every `gap` µs. */
  sendAll(to: Station, count: number, gap = 100, shape: Shape = {}): void {
    const { simulation } = this.lab;
    const model = this.lab.packet(this, to, shape);
    for (let i = 0; i < count; i++) {
      const at = simulation.now + gap;
      const packet = this.lab.another(model);
      packet.words[Word.Sequence] = i;
      this.wire?.send(packet);
      while (simulation.next() <= at) simulation.step();
      simulation.moveTo(at);
    }
  }

  get sequences(): number[] {
    return this.arrivals.map(({ sequence }) => sequence);
  }

  /** When packets came, ms. */
  get times(): number[] {
    return this.arrivals.map(({ at }) => at / 1000);
  }
}

/** The parts of a network without its hosts. */
export class Lab implements Witness {
  readonly simulation: Simulation;
  readonly routes = new Routes();
  readonly views = new SegmentViews(this.routes);
  /** `12.5 lost 7 client-server from client: queue`, or what was noted. */
  readonly log: string[] = [];
  readonly witness = this;
  private stations = 0;
  private packets = 0;
  private routers = 0;

  constructor(seed = 1) {
    this.simulation = new Simulation(seed);
  }

  station(name: string): Station {
    const station = new Station(this, name, ++this.stations);
    this.routes.add(station);
    return station;
  }

  /** A router that says nothing, unless it is told otherwise. */
  router(name: string, options: RouterOptions = { icmp: false }): Router {
    const context = {
      routes: this.routes,
      witness: this,
      clock: this.simulation,
      nextPacket: () => this.packets++,
    };
    const router = new Router(name, ++this.routers, context, options);
    this.routes.add(router, router.addresses);
    return router;
  }

  link(a: NetworkNode, b: NetworkNode, options: LinkOptions = {}): Cable {
    const cable = new Cable(this, a, b, options);
    this.routes.connect(cable);
    return cable;
  }

  packet(from: Station, to: Station, { size = 40, family = 4, ...shape }: Shape): Packet {
    const batch = new SegmentBatch(1);
    const slabs = new SlabTable();
    const payload = size - (family === 4 ? 40 : 60);
    const base = pushSegment(batch, slabs, {
      ...shape,
      from: from.address(family),
      to: to.address(family),
      payload: payload > 0 ? [pattern(payload)] : [],
    });
    return Packet.take(batch, base, slabs.slabs, this.packets++);
  }

  /** Another packet of the same kind. */
  another(model: Packet): Packet {
    const packet = model.copy();
    packet.id = this.packets++;
    return packet;
  }

  /** Lets everything happen that will. */
  finish(): void {
    while (this.simulation.next() < Infinity) this.simulation.step();
  }

  told(router: { readonly name: string }, packet: Packet): void {
    this.log.push(`${this.simulation.now / 1000} ${router.name} ${formatSegment(packet.words, 0)}`);
  }

  lost(packet: Packet, where: string, reason: string): void {
    const number = packet.words[Word.Sequence];
    this.log.push(`${this.simulation.now / 1000} lost ${number} ${where}: ${reason}`);
  }

  noted(text: string): void {
    this.log.push(`${this.simulation.now / 1000} ${text}`);
  }
}

/** A cable between a client and a server. */
export function wire(options: LinkOptions = {}, seed = 1) {
  const lab = new Lab(seed);
  const client = lab.station('client');
  const server = lab.station('server');
  const cable = lab.link(client, server, options);
  return { lab, client, server, cable };
}

export const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
