import type { Segment } from '../segment/segment';
import { readAddress } from '../ip/address';
import { Word } from '../segment/layout';
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
  // Second: nothing was sent, so nothing can be acknowledged.
  if (seg.isAck) {
    refuse(tcp, seg);
    return;
  }
  // Third: a SYN; its data, if any, is not taken, and the peer sends it again. Fourth: drop.
  if (!seg.isSyn || seg.isFin) return;
  thirdTakeSyn(tcp, listener, seg, afterIss);
}

function thirdTakeSyn(
  tcp: Tcp,
  listener: StreamSocket,
  seg: Segment,
  afterIss: number | null,
): void {
  if (listener.acceptQueueFull) {
    tcp.counters.TcpExtListenOverflows++;
    tcp.counters.TcpExtListenDrops++;
    return;
  }
  if (listener.synCount >= Math.min(tcp.settings.maxSynBacklog, Math.max(listener.backlog, 8))) {
    tcp.counters.TcpExtListenDrops++;
    return;
  }
  const local = readAddress(seg.words, seg.base + Word.Destination);
  const path = tcp.environment.paths.route(readAddress(seg.words, seg.base + Word.Source), local);
  if (typeof path === 'number') {
    tcp.counters.TcpExtListenDrops++;
    return;
  }
  tcp.synReceived.open(listener, seg, path.mtu, afterIss);
}
