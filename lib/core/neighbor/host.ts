import type { Random } from '../environment';
import type { IpAddress } from '../ip/address';
import type { AddressPaths } from '../ip/paths';
import type { SlabTable } from '../memory/slabs';
import type { Counters } from '../stack/counters';
import type { Sender } from './messages';
import type { NeighborTable } from './neighbor-table';
import type { NeighborSettings } from './settings';

/** What the parts of the neighbourhood have of each other and of the stack. */
export interface Host extends Sender {
  /** What comes into being or goes away there changes the ways of the stack. */
  readonly paths: AddressPaths;
  readonly random: Random;
  readonly settings: NeighborSettings;
  readonly counters: Counters;
  readonly slabs: SlabTable;
  /** Groups that the host is in. */
  readonly groups: { join(group: IpAddress): void; leave(group: IpAddress): void };
  readonly arp: NeighborTable;
  readonly ndp: NeighborTable;
  /** Addresses or routes are others than before. */
  changed(): void;
}

/** 0 to 1, uniformly, without 1. */
export function chance(random: Random): number {
  return (random.next() >>> 0) / 2 ** 32;
}
