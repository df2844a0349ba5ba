import type { Dice } from '../../link/impair/dice';
import type { Packet } from '../engine/packet';
import { markCongestion } from '../ip-header';
import type { WireSettings } from './options';
import { NOWHERE, type Stage, type StageContext } from './stage';

/**
 * Congestion happens to a packet (RFC 3168 §5): it is marked where it can be, else it is lost.
 * @returns whether the packet goes on
 */
export function congest(packet: Packet, context: StageContext): boolean {
  if (!markCongestion(packet)) {
    context.lose(packet, 'queue');
    return false;
  }
  context.counters.marked++;
  return true;
}

/** Congestion that happens at random. */
export class Congestion implements Stage {
  next = NOWHERE;
  private readonly dice: Dice;
  private probability = 0;

  constructor(private readonly context: StageContext) {
    this.dice = context.dice('ecn');
  }

  configure({ ecn }: WireSettings): boolean {
    this.probability = ecn.probability;
    return ecn.probability > 0;
  }

  push(packet: Packet): void {
    if (this.dice.happens(this.probability) && !congest(packet, this.context)) return;
    this.next.push(packet);
  }
}
