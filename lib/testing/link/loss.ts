import type { Dice } from '../../link/impair/dice';
import type { Packet } from '../engine/packet';
import type { WireSettings } from './options';
import { NOWHERE, type Stage, type StageContext } from './stage';

/** Loses packets, each with the same probability or in bursts (`GilbertElliott`). */
export class Loss implements Stage {
  next = NOWHERE;
  private readonly dice: Dice;
  private readonly stateDice: Dice;
  private loss: WireSettings['loss'] = 0;
  private bad = false;

  constructor(private readonly context: StageContext) {
    this.dice = context.dice('loss');
    this.stateDice = context.dice('loss state');
  }

  configure({ loss }: WireSettings): boolean {
    this.loss = loss;
    if (typeof loss === 'number') this.bad = false;
    return loss !== 0;
  }

  push(packet: Packet): void {
    if (this.dice.happens(this.probability())) this.context.lose(packet, 'lost');
    else this.next.push(packet);
  }

  /** Of the next packet. */
  private probability(): number {
    const { loss, bad } = this;
    if (typeof loss === 'number') return loss;
    if (this.stateDice.happens(bad ? loss.r : loss.p)) this.bad = !bad;
    return bad ? loss['1-h'] : loss['1-k'];
  }
}
