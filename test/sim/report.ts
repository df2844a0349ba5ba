import type { FaultKind } from './faults';
import { SECOND } from './task';
import type { World } from './world';

/** What happened in one life, or in several. */
export interface Report {
  lives: number;
  /** Connections asked for, accepted, and without a free local port. */
  connections: number;
  accepted: number;
  refused: number;
  /** Datagrams that were sent, and that were read; and ICMP echo requests. */
  datagrams: number;
  received: number;
  pings: number;
  /** Sent by hosts. */
  segments: number;
  retransmissions: number;
  events: number;
  virtualSeconds: number;
  faults: Partial<Record<FaultKind, number>>;
}

/** The report of one life. */
export function makeReport(
  world: World,
  faults: Report['faults'],
  counts: Pick<Report, 'connections' | 'accepted' | 'refused' | 'datagrams' | 'received' | 'pings'>,
): Report {
  const { events, now } = world.network.simulation;
  return { lives: 1, ...counts, ...world.tally, events, virtualSeconds: now / SECOND, faults };
}

export function emptyReport(): Report {
  return {
    lives: 0,
    connections: 0,
    accepted: 0,
    refused: 0,
    datagrams: 0,
    received: 0,
    pings: 0,
    segments: 0,
    retransmissions: 0,
    events: 0,
    virtualSeconds: 0,
    faults: {},
  };
}

/** Adds `more` to `sum`. */
export function addReport(sum: Report, more: Report): void {
  const { faults, ...numbers } = more;
  for (const name of Object.keys(numbers) as (keyof typeof numbers)[]) sum[name] += numbers[name];
  for (const kind of Object.keys(faults) as FaultKind[]) {
    sum.faults[kind] = (sum.faults[kind] ?? 0) + (faults[kind] ?? 0);
  }
}
