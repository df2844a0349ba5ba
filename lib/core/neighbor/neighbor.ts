import type { IpAddress } from '../ip/address';
import type { WaitingPackets } from './waiting-packets';

/** RFC 4861 §7.3.2, and FAILED as Linux has it: nobody has answered. */
export const enum NeighborState {
  /** Nothing is known, and nobody was asked. */
  None = 0,
  Incomplete = 1,
  Reachable = 2,
  Stale = 3,
  Delay = 4,
  Probe = 5,
  Failed = 6,
}

/** Whether there is a hardware address that may be used. */
export function isValidState(state: NeighborState): boolean {
  return state >= NeighborState.Reachable && state <= NeighborState.Probe;
}

/** A host on the link. Times are µs of the stack's clock. */
export class Neighbor {
  state = NeighborState.None;
  /** The hardware address, in the valid states. */
  high = 0;
  low = 0;
  isRouter = false;
  /** When it was last known to answer: by its own word, or by what TCP saw. */
  confirmed = -Infinity;
  /** When state or hardware address changed, and when a packet to it was last sent. */
  updated = 0;
  used = 0;
  /** Solicitations since it was last known, counted as Linux does. */
  probes = 0;
  /** Packets that wait for its hardware address. */
  waiting: WaitingPackets | null = null;

  constructor(
    readonly address: IpAddress,
    /** Its place in the table. */
    readonly row: number,
  ) {}

  get isValid(): boolean {
    return isValidState(this.state);
  }
}
