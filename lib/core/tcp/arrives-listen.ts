import type { Path } from '../environment';
import type { Segment } from '../segment/segment';
import { readAddress } from '../ip/address';
import { Word } from '../segment/layout';
import type { Listening } from '../socket/listening';
import type { StreamSocket } from '../socket/stream-socket';
import { refuse } from './arrives-closed';
import type { Tcp } from './tcp';

/**
 * SEGMENT ARRIVES, LISTEN (RFC 9293 §3.10.7.2), in the order of its steps.
 * @param afterIss where the segment reopens a connection in TIME-WAIT: our ISS must be beyond it
 */
export function arrivesListen(
  tcp: Tcp,
  listener: StreamSocket,
  seg: Segment,
  afterIss: number | null = null,
): void {
  // First: a RST can't be for anything here.
  if (seg.isRst) return;
  // Second: nothing was sent, so nothing can be acknowledged; but for cookies.
  if (seg.isAck) {
    if (!tcp.synReceived.takeCookie(listener, seg)) refuse(tcp, seg);
    return;
  }
  // Third: a SYN. Deviation: as on Linux its data, if any, is not kept, and the peer sends it
  // again; with FIN it is dropped. Fourth: drop.
  if (!seg.isSyn || seg.isFin) return;
  thirdTakeSyn(tcp, listener, seg, afterIss);
}

function thirdTakeSyn(
  tcp: Tcp,
  listener: StreamSocket,
  seg: Segment,
  afterIss: number | null,
): void {
  const listening = listener.listening as Listening;
  // A cookie would be an answer already.
  const { asks } = listening;
  // Who comes back from TIME-WAIT is certainly there, and has given a place free.
  const cookie = afterIss === null && isCrowded(tcp, listening, asks);
  const dropped = cookie && (asks || tcp.settings.syncookies === 0);
  if (dropped) tcp.counters.TcpExtTCPReqQFullDrop++;
  else if (cookie) tcp.counters.TcpExtTCPReqQFullDoCookies++;
  if (!dropped && listening.isFull) tcp.counters.TcpExtListenOverflows++;
  const path = dropped || listening.isFull ? null : pathOf(tcp, seg);
  if (path === null || (afterIss === null && isNearlyCrowded(tcp, listening))) {
    tcp.counters.TcpExtListenDrops++;
    return;
  }
  if (cookie) tcp.synReceived.answerWithCookie(listener, seg, path.mtu);
  else tcp.synReceived.open(listener, seg, path.mtu, afterIss, asks);
}

/** As on Linux, no more handshakes are remembered than may wait to be accepted. */
function isCrowded({ settings }: Tcp, listening: Listening, asks: boolean): boolean {
  return (settings.syncookies === 2 && !asks) || listening.handshakes >= listening.backlog;
}

/** Without cookies Linux keeps the last quarter of its table for peers that it knows. */
function isNearlyCrowded({ settings }: Tcp, { handshakes }: Listening): boolean {
  const { syncookies, maxSynBacklog } = settings;
  return syncookies === 0 && maxSynBacklog - handshakes < maxSynBacklog >> 2;
}

/** The way back to where a segment came from; null: there is none. */
export function pathOf(tcp: Tcp, { words, base }: Segment): Path | null {
  const local = readAddress(words, base + Word.Destination);
  const path = tcp.environment.paths.route(readAddress(words, base + Word.Source), local);
  return typeof path === 'number' ? null : path;
}
