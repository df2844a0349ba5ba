import type { Dice } from '../../link/impair/dice';
import { SimEvent } from '../engine/event-queue';
import type { Packet } from '../engine/packet';
import type { Simulation } from '../engine/simulation';
import { Hold } from './hold';
import type { WireSettings } from './options';
import { PacketFifo } from './packet-fifo';
import { type KeepingStage, NOWHERE, type StageContext } from './stage';

/**
 * The way to the other end. Packets that can't overtake each other share one event; others have one
 * each.
 */
export class Delay extends SimEvent implements KeepingStage {
  next = NOWHERE;
  private readonly simulation: Simulation;
  private readonly dice: Dice;
  private readonly line = new PacketFifo();
  private readonly hold: Hold;
  /** When the last packet in the line arrives. */
  private last = 0;
  private delay = 0;
  private jitter = 0;
  private overtake = true;

  constructor(context: StageContext) {
    super();
    this.simulation = context.simulation;
    this.dice = context.dice('jitter');
    this.hold = new Hold(context.simulation, (packet) => this.next.push(packet));
  }

  configure({ delay, jitter, overtake }: WireSettings): boolean {
    this.delay = delay;
    this.jitter = jitter;
    this.overtake = overtake;
    // Without any delay too: nothing may arrive while its sender still works.
    return true;
  }

  push(packet: Packet): void {
    const { now } = this.simulation;
    let due = now + this.delay;
    if (this.jitter > 0) {
      due = Math.max(now, due + Math.round(this.jitter * (2 * this.dice.fraction() - 1)));
      if (this.overtake) {
        this.hold.keep(packet, due);
        return;
      }
    }
    this.last = Math.max(this.last, due);
    this.line.push(packet, this.last);
    if (this.line.size === 1) this.simulation.at(this, this.last);
  }

  run(): void {
    const packet = this.line.shift();
    if (this.line.size > 0) this.simulation.at(this, this.line.time);
    this.next.push(packet);
  }

  clear(lose: (packet: Packet) => void): void {
    while (this.line.size > 0) lose(this.line.shift());
    this.simulation.at(this, Infinity);
    this.last = 0;
    this.hold.clear(lose);
  }
}
