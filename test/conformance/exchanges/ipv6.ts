import { CLOSINGS } from './closing';
import { FLOWS } from './flow';
import { HANDSHAKES } from './handshake';
import { RESETS } from './resets';
import type { Exchange } from '../support/exchange';

const CHOSEN = [
  'passive open with every option, data and close',
  'passive open without options',
  'active open with every option',
  'refused',
  'no listener',
  'half-close, data afterwards',
  'data after close',
  'RST in ESTABLISHED',
  'Nagle, TCP_NODELAY and TCP_CORK',
];

/** Some of the exchanges again, over IPv6. */
export const IPV6: readonly Exchange[] = [...HANDSHAKES, ...CLOSINGS, ...RESETS, ...FLOWS]
  .filter(({ name }) => CHOSEN.includes(name))
  .map((exchange) => ({ ...exchange, name: `IPv6: ${exchange.name}`, family: 6 as const }));
