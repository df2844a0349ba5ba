import type { LossReason } from '../engine/node';

/** What has happened to the packets of one direction: in packets, where nothing else is said. */
export interface WireCounters {
  /** Put on the wire. */
  sent: number;
  /** Bytes of IP packets put on the wire. */
  sentBytes: number;
  /** Arrived at the other end. */
  delivered: number;
  /** Bytes of IP packets that arrived. */
  deliveredBytes: number;
  /** Lost, by reason: those that there have been. */
  lost: { [reason in LossReason]?: number };
  /** Arrived, or lost, twice. */
  duplicated: number;
  /** Held back for later ones to pass. */
  reordered: number;
  /** With a flipped bit. */
  corrupted: number;
  /** Marked CE. */
  marked: number;
  /** Most that ever waited in the queue, bytes. */
  queueMax: number;
}

export function makeCounters(): WireCounters {
  return {
    sent: 0,
    sentBytes: 0,
    delivered: 0,
    deliveredBytes: 0,
    lost: {},
    duplicated: 0,
    reordered: 0,
    corrupted: 0,
    marked: 0,
    queueMax: 0,
  };
}
