import { outOfRange } from '../../errors';
import type { Packet } from '../engine/packet';
import type { SegmentViews } from '../segment-view';
import { Hold } from './hold';
import type { SegmentFilter, WireSettings } from './options';
import { type KeepingStage, NOWHERE, type StageContext } from './stage';

/** Asks the program's filter. */
export class Filter implements KeepingStage {
  next = NOWHERE;
  private filter: SegmentFilter | null = null;
  private readonly hold: Hold;

  /** @param from name of the end that sends */
  constructor(
    private readonly context: StageContext,
    private readonly views: SegmentViews,
    private readonly from: string,
  ) {
    this.hold = new Hold(context.simulation, (packet) => this.next.push(packet));
  }

  configure({ filter }: WireSettings): boolean {
    this.filter = filter;
    return filter !== null;
  }

  push(packet: Packet): void {
    const { context } = this;
    // The program is called: it may have something to do about what it sees.
    context.simulation.activity++;
    const verdict = this.judge(packet);
    if (verdict === Infinity) context.lose(packet, 'filter');
    else if (context.isCut) context.lose(packet, 'cut');
    else if (verdict === 0) this.next.push(packet);
    else this.hold.keep(packet, context.simulation.now + Math.round(1000 * verdict));
  }

  clear(lose: (packet: Packet) => void): void {
    this.hold.clear(lose);
  }

  /** By how many ms the program delays the packet; Infinity: it is lost. */
  private judge(packet: Packet): number {
    try {
      const verdict: unknown = this.filter?.(this.views.of(packet), this.from);
      if (verdict === false) return Infinity;
      if (typeof verdict !== 'number') return 0;
      if (verdict >= 0 && verdict < Infinity) return verdict;
      throw outOfRange('options.filter()', 'a boolean, or ms >= 0', verdict);
    } catch (error) {
      // Not through the stack that sends.
      this.context.simulation.fail(error);
      return Infinity;
    }
  }
}
