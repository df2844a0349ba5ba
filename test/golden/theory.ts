import type { Cell } from './cells';

/** Payload of a full packet of 1500 bytes, and the packet: IPv4, TCP, timestamps. */
const PAYLOAD = 1448;
const PACKET = 1500;

/** RFC 9438 §4.1, §4.6. */
const CUBIC_C = 0.4;
const CUBIC_BETA = 0.7;

/** What theory allows, and what by. */
export interface Bound {
  /** kbit/s of payload. */
  kbps: number;
  limit: 'link' | 'window' | 'loss';
}

/** Losses that a window is reduced for: a burst is one. Per packet. */
function lossEvents(loss: Cell['loss']): number {
  if (loss === undefined) return 0;
  if (typeof loss === 'number') return loss;
  const { p, r = 1 - p } = loss;
  return (p * r) / (p + r);
}

/** M. Mathis et al. 1997, as in RFC 9438 §5.1 (RTT independent, every packet acknowledged). */
function renoWindow(p: number): number {
  return Math.sqrt(3 / (2 * p));
}

/** RFC 9438 §5.1, equation 6; where Reno would be faster CUBIC is as fast (§4.3). */
function cubicWindow(p: number, rtt: number): number {
  const factor = (CUBIC_C * (3 + CUBIC_BETA)) / (4 * (1 - CUBIC_BETA));
  return Math.max(renoWindow(p), factor ** 0.25 * (rtt / 1000 / p) ** 0.75);
}

/** Average windows, packets, of a controller by its response function. */
const RESPONSE: Readonly<Record<string, (p: number, rtt: number) => number>> = {
  reno: renoWindow,
  cubic: cubicWindow,
};

/** The most that a flow can get through a cell. */
export function bound(cell: Cell, controller: string): Bound {
  const { rate, rtt, buffer } = cell;
  let best: Bound = { kbps: (rate * 1000 * PAYLOAD) / PACKET, limit: 'link' };
  const lower = (kbps: number, limit: Bound['limit']): void => {
    if (kbps < best.kbps) best = { kbps, limit };
  };
  if (buffer !== undefined) lower((buffer * 8) / rtt, 'window');
  const p = lossEvents(cell.loss);
  const response = RESPONSE[controller] as (typeof RESPONSE)[string] | undefined;
  if (p > 0 && response !== undefined) lower((response(p, rtt) * PAYLOAD * 8) / rtt, 'loss');
  return { ...best, kbps: Math.round(best.kbps) };
}
