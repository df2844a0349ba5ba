import { SimEvent } from '../engine/event-queue';
import type { Packet } from '../engine/packet';
import type { Simulation } from '../engine/simulation';

class Kept extends SimEvent {
  packet: Packet | null = null;

  constructor(private readonly hold: Hold) {
    super();
  }

  run(): void {
    this.hold.release(this);
  }
}

/** Packets that wait, each for a time of its own. */
export class Hold {
  private readonly kept = new Set<Kept>();
  private readonly spare: Kept[] = [];

  /** @param pass takes the packets whose time has come */
  constructor(
    private readonly simulation: Simulation,
    private readonly pass: (packet: Packet) => void,
  ) {}

  keep(packet: Packet, until: number): void {
    const kept = this.spare.pop() ?? new Kept(this);
    kept.packet = packet;
    this.kept.add(kept);
    this.simulation.at(kept, until);
  }

  /** @internal */
  release(kept: Kept): void {
    this.pass(this.take(kept));
  }

  clear(lose: (packet: Packet) => void): void {
    const inOrder = [...this.kept].sort((a, b) => a.at - b.at || a.order - b.order);
    for (const kept of inOrder) {
      this.simulation.at(kept, Infinity);
      lose(this.take(kept));
    }
  }

  private take(kept: Kept): Packet {
    const packet = kept.packet as Packet;
    kept.packet = null;
    this.kept.delete(kept);
    this.spare.push(kept);
    return packet;
  }
}
