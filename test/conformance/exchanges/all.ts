import type { Exchange } from '../support/exchange';
import { CALLS } from './calls';
import { CLOSINGS } from './closing';
import { DATAGRAMS } from './datagrams';
import { ECN } from './ecn';
import { FLOWS } from './flow';
import { HANDSHAKES } from './handshake';
import { ERROR_QUEUES } from './error-queue';
import { ICMPS } from './icmp';
import { INFOS } from './info';
import { WINDOW_INFOS } from './info-windows';
import { IPV6 } from './ipv6';
import { LINGERINGS } from './lingering';
import { LOSSES } from './loss';
import { POLLS } from './polling';
import { RESETS } from './resets';
import { RETRANSMISSIONS } from './retransmission';
import { SACKS } from './sack';
import { SEGMENTS } from './segments';
import { SENDING } from './sending';
import { SERVERS } from './servers';
import { PORTS_CHOSEN } from './ports';
import { URGENT } from './urgent';
import { SHARING } from './sharing';
import { WINDOWS } from './windows';
import { CLOSED, LIMITS, QUICK } from './windows-closed';

/** Every exchange that is held against the kernel. */
export const EXCHANGES: readonly Exchange[] = [
  ...HANDSHAKES,
  ...CLOSINGS,
  ...RESETS,
  ...RETRANSMISSIONS,
  ...LOSSES,
  ...SEGMENTS,
  ...SENDING,
  ...SACKS,
  ...LINGERINGS,
  ...SERVERS,
  ...SHARING,
  ...PORTS_CHOSEN,
  ...WINDOWS,
  ...LIMITS,
  ...QUICK,
  ...CLOSED,
  ...FLOWS,
  ...CALLS,
  ...POLLS,
  ...IPV6,
  ...ECN,
  ...INFOS,
  ...WINDOW_INFOS,
  ...URGENT,
  ...ICMPS,
  ...ERROR_QUEUES,
  ...DATAGRAMS,
];
