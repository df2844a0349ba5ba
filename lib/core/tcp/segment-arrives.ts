import type { Paths } from '../environment';
import { isUnicast, readAddress, type IpAddress } from '../ip/address';
import { isOurs } from '../ip/addresses';
import { Checksum, Word } from '../segment/layout';
import type { Segment } from '../segment/segment';
import { Shape } from '../stack/four-tuples';
import { refuse } from './arrives-closed';
import { arrivesListen } from './arrives-listen';
import { arrivesOtherwise } from './arrives-otherwise';
import { arrivesSynSent } from './arrives-syn-sent';
import { CaState, type Connection } from './connection';
import { State } from './state';
import type { Tcp } from './tcp';

/** SEGMENT ARRIVES (RFC 9293 §3.10.7): to the state that the segment's four-tuple is in. */
export function segmentArrives(tcp: Tcp, seg: Segment): void {
  if (seg.words[seg.base + Word.Checksum] === Checksum.Bad) {
    tcp.counters.TcpInCsumErrors++;
    tcp.counters.TcpInErrs++;
    return;
  }
  const tuple = tcp.tuples.find(seg.words, seg.base);
  const shape = tuple < 0 ? Shape.None : tcp.tuples.shape(tuple);
  switch (shape) {
    case Shape.Connection:
      arrivesAtConnection(tcp, tcp.tuples.index(tuple), seg);
      return;
    case Shape.Syn:
      tcp.synReceived.arrives(tcp.tuples.index(tuple), seg);
      return;
    case Shape.TimeWait:
      tcp.timeWait.arrives(tcp.tuples.index(tuple), seg);
      return;
    case Shape.None:
      arrivesAtPort(tcp, seg);
      return;
  }
}

/** The segment belongs to a connection that has a control block. */
function arrivesAtConnection(tcp: Tcp, row: number, seg: Segment): void {
  const c = tcp.connection(row);
  tcp.totals.arrived(row, segmentsOf(seg), seg.length > 0);
  const acknowledged = c.sndUna - c.iss;
  const received = c.rcvNxt - c.irs;
  const timedOut = isTimedOut(c);
  if (c.state === State.SYN_SENT) arrivesSynSent(tcp, c, seg);
  else arrivesOtherwise(tcp, c, seg);
  if (c.row < 0) return;
  tcp.totals.sent(row, acknowledged, c.sndUna - c.iss);
  tcp.totals.received(row, received, c.rcvNxt - c.irs);
  if (timedOut && !isTimedOut(c)) tcp.totals.recovered(row, tcp.nowMs);
  tcp.settle(c);
}

/** What the timer has sent again is not yet acknowledged (Linux: TCP_CA_Loss). */
function isTimedOut(c: Connection): boolean {
  return c.state < State.ESTABLISHED ? c.retransmits > 0 : c.caState === CaState.Loss;
}

/** How many segments the link has put together into this one. */
function segmentsOf(seg: Segment): number {
  const size = seg.words[seg.base + Word.GsoSize];
  return size > 0 && seg.length > size ? Math.ceil(seg.length / size) : 1;
}

/** No connection has these endpoints: LISTEN, or CLOSED. What isn't for us gets no answer. */
function arrivesAtPort(tcp: Tcp, seg: Segment): void {
  const destination = readAddress(seg.words, seg.base + Word.Destination);
  const { paths } = tcp.environment;
  if (!isOurs(paths, destination)) return;
  if (isMartian(paths, readAddress(seg.words, seg.base + Word.Source))) {
    tcp.counters.NetlandMartianSources++;
    return;
  }
  const listener = tcp.listeners.find(seg.words, seg.base);
  if (listener === null) refuse(tcp, seg);
  else arrivesListen(tcp, listener, seg);
}

/** No host can have the address, and none may answer it (RFC 1122 §3.2.1.3, §4.2.3.10). */
function isMartian(paths: Paths, source: IpAddress): boolean {
  return !isUnicast(source) || (paths.isBroadcast?.(source) ?? false);
}
