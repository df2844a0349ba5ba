import { Dice } from '../../link/impair/dice';
import type { LossReason, NetworkNode, Wire, Witness } from '../engine/node';
import type { Packet } from '../engine/packet';
import type { Simulation } from '../engine/simulation';
import type { SegmentViews } from '../segment-view';
import { Congestion } from './congestion';
import { Corrupt } from './corrupt';
import { type WireCounters, makeCounters } from './counters';
import { Delay } from './delay';
import { Duplicate } from './duplicate';
import { Filter } from './filter';
import { Loss } from './loss';
import { type WireOptions, completeOptions } from './options';
import { Reorder } from './reorder';
import { type KeepingStage, type Sink, type Stage, type StageContext } from './stage';
import { Transmitter } from './transmitter';

/** What a cable is given by its network. */
export interface CableContext {
  readonly simulation: Simulation;
  readonly witness: Witness;
  readonly views: SegmentViews;
}

/**
 * One direction of a cable: packets meet its MTU, the filter, congestion, the queue of the sender,
 * loss, duplication, corruption, reordering and delay, in this order, those of them that are asked
 * for.
 */
export class Line implements Wire, StageContext {
  readonly simulation: Simulation;
  readonly counters: WireCounters = makeCounters();
  mtu = 0;
  isCut = false;
  /** Packets that are on the wire, in its queue, or held back. */
  inFlight = 0;
  private readonly stages: readonly Stage[];
  private readonly keeping: readonly KeepingStage[];
  private first: Sink;

  /**
   * @param where names it in traces
   * @param options checked
   */
  constructor(
    private readonly context: CableContext,
    readonly where: string,
    readonly from: NetworkNode,
    readonly to: NetworkNode,
    private options: WireOptions,
  ) {
    this.simulation = context.simulation;
    const filter = new Filter(this, context.views, from.name);
    const transmitter = new Transmitter(this);
    const reorder = new Reorder(this);
    const delay = new Delay(this);
    const [loss, duplicate, corrupt] = [new Loss(this), new Duplicate(this), new Corrupt(this)];
    this.stages = [
      ...[filter, new Congestion(this), transmitter],
      ...[loss, duplicate, corrupt, reorder, delay],
    ];
    this.keeping = [delay, reorder, transmitter, filter];
    this.first = delay;
    this.configure(options);
  }

  /** Changes some options, which are checked; undefined stands for the default. */
  set(changes: WireOptions): void {
    this.configure({ ...this.options, ...changes });
  }

  send(packet: Packet): void {
    const { counters } = this;
    counters.sent++;
    counters.sentBytes += packet.length;
    this.inFlight++;
    this.context.views.learn(packet);
    if (this.isCut) this.lose(packet, 'cut');
    else if (packet.length > this.mtu) this.lose(packet, 'mtu');
    else this.first.push(packet);
  }

  /** Loses what is under way, and all that is sent until it is whole again. */
  cut(): void {
    this.isCut = true;
    for (const stage of this.keeping) stage.clear((packet) => this.lose(packet, 'cut'));
  }

  heal(): void {
    this.isCut = false;
  }

  duplicated(): void {
    this.counters.duplicated++;
    this.inFlight++;
  }

  lose(packet: Packet, reason: LossReason): void {
    const { lost } = this.counters;
    lost[reason] = (lost[reason] ?? 0) + 1;
    this.inFlight--;
    this.context.witness.lost(packet, this.where, reason);
  }

  dice(stage: string): Dice {
    return new Dice(this.simulation.random(`${this.where} ${stage}`));
  }

  private configure(options: WireOptions): void {
    const settings = completeOptions(options);
    this.options = options;
    this.mtu = settings.mtu;
    // From the last to the first; one that is not needed still lets go what it keeps.
    let next: Sink = { push: (packet) => this.deliver(packet) };
    for (let i = this.stages.length - 1; i >= 0; i--) {
      const stage = this.stages[i];
      stage.next = next;
      if (stage.configure(settings)) next = stage;
    }
    this.first = next;
  }

  private deliver(packet: Packet): void {
    this.inFlight--;
    this.counters.delivered++;
    this.counters.deliveredBytes += packet.length;
    this.to.arrive(packet, this.from);
  }
}
