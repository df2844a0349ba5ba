import type { Dice } from '../../link/impair/dice';
import type { Packet } from '../engine/packet';
import type { WireSettings } from './options';
import { NOWHERE, type Stage, type StageContext } from './stage';

/** Lets packets pass twice, each with the same probability. */
export class Duplicate implements Stage {
  next = NOWHERE;
  private readonly dice: Dice;
  private probability = 0;

  constructor(private readonly context: StageContext) {
    this.dice = context.dice('duplicate');
  }

  configure({ duplicate }: WireSettings): boolean {
    this.probability = duplicate;
    return duplicate > 0;
  }

  push(packet: Packet): void {
    // The packet is another's, and perhaps another one, once it has passed.
    const twin = this.dice.happens(this.probability) ? packet.copy() : null;
    this.next.push(packet);
    if (twin === null) return;
    this.context.duplicated();
    this.next.push(twin);
  }
}
