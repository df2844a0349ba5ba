/** What neighbours are asked and how long they are believed, by Linux's names and defaults. */
export interface NeighborSettings {
  /** How long a neighbour is believed on the average, ms (base_reachable_time_ms). */
  readonly baseReachableTime: number;
  /** Between two solicitations, ms (retrans_time_ms). */
  readonly retransTime: number;
  /** How long others may confirm a neighbour before it is asked, ms (delay_first_probe_time). */
  readonly delayFirstProbeTime: number;
  /** Solicitations to a known hardware address (ucast_solicit), and to all (mcast_solicit). */
  readonly ucastSolicit: number;
  readonly mcastSolicit: number;
  /** What may wait for one neighbour, by Linux's measure of memory (unres_qlen_bytes). */
  readonly unresQlenBytes: number;
  /** What may wait for all of them together. Deviation: Linux has no such limit. */
  readonly unresQlenBytesTotal: number;
  /** Neighbours that are kept whatever they are, that are kept for a while, and at most. */
  readonly gcThresh1: number;
  readonly gcThresh2: number;
  readonly gcThresh3: number;
  /** How long a neighbour that nobody uses is kept, ms (gc_stale_time). */
  readonly gcStaleTime: number;
  /** How long a hardware address holds against another one, in ARP; ms (locktime). */
  readonly lockTime: number;
  /** Whether routers may say that there is a shorter way (accept_redirects). */
  readonly acceptRedirects: boolean;
  /** Solicitations for an address before it is ours (dad_transmits). */
  readonly dadTransmits: number;
  /** Between two router solicitations at first and in the end, ms (RFC 7559). */
  readonly routerSolicitationInterval: number;
  readonly routerSolicitationMaxInterval: number;
  /** The first wait for as long at most, by chance; ms (router_solicitation_delay). */
  readonly routerSolicitationDelay: number;
}

export const NEIGHBOR_DEFAULTS: NeighborSettings = {
  baseReachableTime: 30_000,
  retransTime: 1000,
  delayFirstProbeTime: 5000,
  ucastSolicit: 3,
  mcastSolicit: 3,
  unresQlenBytes: 212_992,
  unresQlenBytesTotal: 4 << 20,
  gcThresh1: 128,
  gcThresh2: 512,
  gcThresh3: 1024,
  gcStaleTime: 60_000,
  lockTime: 1000,
  acceptRedirects: true,
  dadTransmits: 1,
  routerSolicitationInterval: 4000,
  routerSolicitationMaxInterval: 3_600_000,
  routerSolicitationDelay: 1000,
};
