import type { Host } from '../../lib/testing';
import type { Chance } from './chance';
import { SECOND } from './task';

/** Where every host's server listens. */
export const PORT = 80;

/** What runs on a host. */
export interface Runner {
  /** Starts the server, unless it runs or nothing can run. */
  start(): void;
  /**
   * The programs end: the system closes their sockets.
   * @param forGood none is started until the host has booted again
   */
  kill(forGood?: boolean): void;
  /** The host has lost its memory. */
  vanish(): void;
}

/** The programs of a network, as faults see them. */
export interface Workload {
  site(host: Host): Runner;
  /** Starts the host's server again after so many µs. */
  restart(host: Host, after: number): void;
}

/** Time in which a program starts again, µs. */
export function restartTime(chance: Chance): number {
  return chance.below(5 * SECOND);
}
