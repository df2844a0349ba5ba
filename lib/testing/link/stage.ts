import type { Dice } from '../../link/impair/dice';
import type { LossReason } from '../engine/node';
import type { Packet } from '../engine/packet';
import type { Simulation } from '../engine/simulation';
import type { WireCounters } from './counters';
import type { WireSettings } from './options';

/** Takes packets on their way. */
export interface Sink {
  /** The packet is the sink's from then on. */
  push(packet: Packet): void;
}

/** A step on the way of the packets of one direction. */
export interface Stage extends Sink {
  /** Where packets go that have passed. */
  next: Sink;
  /** Takes other settings. @returns whether packets have to take this step */
  configure(settings: WireSettings): boolean;
}

/** A stage that keeps packets for a time. */
export interface KeepingStage extends Stage {
  /** Gives up all that it keeps, in the order in which it would have passed. */
  clear(lose: (packet: Packet) => void): void;
}

/** What the stages of one direction have in common. */
export interface StageContext {
  readonly simulation: Simulation;
  readonly counters: WireCounters;
  readonly isCut: boolean;
  /** There is a packet more than before. */
  duplicated(): void;
  /** A packet that doesn't get any further. */
  lose(packet: Packet, reason: LossReason): void;
  /** Dice of its own for a stage, so that none disturbs another. */
  dice(stage: string): Dice;
}

/** Where packets of a stage go that is not connected yet. */
export const NOWHERE: Sink = {
  push(): void {
    throw new Error('a stage without a next one');
  },
};
