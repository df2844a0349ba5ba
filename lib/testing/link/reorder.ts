import type { Dice } from '../../link/impair/dice';
import { SimEvent } from '../engine/event-queue';
import type { Packet } from '../engine/packet';
import type { WireSettings } from './options';
import { type KeepingStage, NOWHERE, type StageContext } from './stage';

/** What a packet waits at most for later ones, µs. */
const PATIENCE = 5000;

interface Entry {
  packet: Packet;
  /** Packets that still have to pass before it. */
  behind: number;
  due: number;
}

/** Keeps packets back, each with the same probability: until later ones have passed, or 5 ms. */
export class Reorder extends SimEvent implements KeepingStage {
  next = NOWHERE;
  private readonly dice: Dice;
  /** In the order of arrival, which is that of `due` too. */
  private entries: Entry[] = [];
  private probability = 0;
  private least = 1;
  private most = 1;

  constructor(private readonly context: StageContext) {
    super();
    this.dice = context.dice('reorder');
  }

  configure({ reorder }: WireSettings): boolean {
    this.probability = reorder.probability;
    this.least = reorder.least;
    this.most = reorder.most;
    return reorder.probability > 0;
  }

  push(packet: Packet): void {
    const { counters, simulation } = this.context;
    if (this.dice.happens(this.probability)) {
      counters.reordered++;
      const behind = this.dice.between(this.least, this.most);
      this.entries.push({ packet, behind, due: simulation.now + PATIENCE });
      if (this.entries.length === 1) this.settle();
      return;
    }
    this.next.push(packet);
    if (this.entries.length === 0) return;
    this.passed(this.entries.length);
    this.settle();
  }

  /** The first one has waited long enough. */
  run(): void {
    this.release(0);
    this.settle();
  }

  clear(lose: (packet: Packet) => void): void {
    const { entries } = this;
    this.entries = [];
    this.settle();
    for (const { packet } of entries) lose(packet);
  }

  /** A packet has passed the first `count` entries; those let go so pass the ones before them. */
  private passed(count: number): void {
    for (let i = 0; i < count; i++) this.entries[i].behind--;
    const ready = this.entries.findIndex((entry) => entry.behind <= 0);
    if (ready < 0) return;
    this.release(ready);
    this.passed(ready);
  }

  private release(index: number): void {
    const [{ packet }] = this.entries.splice(index, 1);
    this.next.push(packet);
  }

  private settle(): void {
    this.context.simulation.at(this, this.entries.length > 0 ? this.entries[0].due : Infinity);
  }
}
