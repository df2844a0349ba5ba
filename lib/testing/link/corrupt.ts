import type { Dice } from '../../link/impair/dice';
import type { Packet } from '../engine/packet';
import type { WireSettings } from './options';
import { NOWHERE, type Stage, type StageContext } from './stage';

/** Flips one bit of packets, each with the same probability. */
export class Corrupt implements Stage {
  next = NOWHERE;
  private readonly dice: Dice;
  private probability = 0;

  constructor(private readonly context: StageContext) {
    this.dice = context.dice('corrupt');
  }

  configure({ corrupt }: WireSettings): boolean {
    this.probability = corrupt;
    return corrupt > 0;
  }

  push(packet: Packet): void {
    if (this.dice.happens(this.probability)) {
      const bytes = packet.bytes();
      const bit = this.dice.between(0, 8 * bytes.length - 1);
      bytes[bit >> 3] ^= 0x80 >> (bit & 7);
      packet.spoil(bytes);
      this.context.counters.corrupted++;
    }
    this.next.push(packet);
  }
}
