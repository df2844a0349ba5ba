import { Word } from '../core/segment/layout';
import type { NetworkNode, Wire, Witness } from './engine/node';
import type { Packet } from './engine/packet';
import type { Routes } from './routes';

/** What a switch is given by its network. */
export interface SwitchContext {
  readonly routes: Pick<Routes, 'next' | 'isToMany'>;
  readonly witness: Witness;
}

/** What has happened to the packets that came to a switch. */
export interface SwitchCounters {
  /** Each copy counts. */
  forwarded: number;
  /** Of packets to one host: nobody has that address. */
  unroutable: number;
}

interface Cabled {
  readonly other: NetworkNode;
  readonly out: Wire;
}

/**
 * Makes one network of its cables, as an Ethernet switch does: packets pass as they are, those for
 * one host on the way to it, those for a group or for all hosts to everybody.
 */
export class Switch {
  private readonly cables: Cabled[] = [];
  private readonly counts: SwitchCounters = { forwarded: 0, unroutable: 0 };

  /** @internal Made by `network.switch`. */
  constructor(
    readonly name: string,
    private readonly context: SwitchContext,
  ) {}

  /** A copy of what was counted. */
  get counters(): SwitchCounters {
    return { ...this.counts };
  }

  /** @internal */
  attach(out: Wire, other: NetworkNode): void {
    this.cables.push({ out, other });
  }

  /** @internal Whether it has a way to another switch, over switches alone. */
  reaches(target: Switch): boolean {
    const known = new Set<NetworkNode>([this]);
    for (const node of known) {
      if (!(node instanceof Switch)) continue;
      for (const { other } of node.cables) known.add(other);
    }
    return known.has(target);
  }

  /** @internal */
  arrive(packet: Packet, from?: NetworkNode): void {
    const { words } = packet;
    const { routes, witness } = this.context;
    if (routes.isToMany(words, Word.Destination)) {
      for (const { out, other } of this.cables) if (other !== from) this.pass(packet.copy(), out);
      return;
    }
    const out = routes.next(this, words, Word.Destination);
    if (out !== null) {
      this.pass(packet, out);
      return;
    }
    this.counts.unroutable++;
    witness.lost(packet, this.name, 'unroutable');
  }

  private pass(packet: Packet, out: Wire): void {
    this.counts.forwarded++;
    out.send(packet);
  }
}
