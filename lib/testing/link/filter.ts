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
    // The program is called: it may have something to do about what it sees.
    this.context.simulation.activity++;
    const verdict: unknown = this.filter?.(this.views.of(packet), this.from);
    if (verdict === false) this.context.lose(packet, 'filter');
    else if (typeof verdict === 'number') this.delay(packet, verdict);
    else this.next.push(packet);
  }

  clear(lose: (packet: Packet) => void): void {
    this.hold.clear(lose);
  }

  private delay(packet: Packet, milliseconds: number): void {
    if (!(milliseconds >= 0 && milliseconds < Infinity)) {
      throw outOfRange('options.filter()', 'a boolean, or ms >= 0', milliseconds);
    }
    if (milliseconds === 0) this.next.push(packet);
    else this.hold.keep(packet, this.context.simulation.now + Math.round(1000 * milliseconds));
  }
}
