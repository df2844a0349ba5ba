import { Errno } from '../errno';
import type { Segment } from '../segment/segment';
import { seqGt, seqLeq } from '../sequence';
import { openSendWindow, takeSynRtt } from './acknowledgment';
import { refuse } from './arrives-closed';
import { Has, Timer, type Connection } from './connection';
import { agreeOnEcn } from './ecn';
import { sendAckNow } from './emit';
import { agreeOnOptions, established } from './establish';
import { processFin, processText } from './segment-text';
import { State } from './state';
import { timestamp } from './timestamps';
import { startQuickAcks } from './delayed-ack';
import type { Tcp } from './tcp';

/** As Linux (TCP_TIMEOUT_MIN) with a tick of 1 ms, µs. */
const SHORTEST_TIMEOUT = 2000;

/** SEGMENT ARRIVES, SYN-SENT (RFC 9293 §3.10.7.3), in the order of its steps. */
export function arrivesSynSent(tcp: Tcp, c: Connection, seg: Segment): void {
  if (!firstCheckAck(tcp, c, seg)) return;
  if (seg.isRst) {
    // Second: only a RST that acknowledges our SYN counts; a blind one does not.
    if (seg.isAck) tcp.finish(c, Errno.ECONNREFUSED);
    return;
  }
  // Third, security: not used (RFC 9293 Appendix A.1).
  if (!seg.isSyn) return;
  fourthTakeSyn(tcp, c, seg);
}

/** SND.UNA < SEG.ACK =< SND.NXT, and an echoed timestamp must be ours (RFC 7323 §5.4). */
function firstCheckAck(tcp: Tcp, c: Connection, seg: Segment): boolean {
  if (!seg.isAck) return true;
  if (seqLeq(seg.ack, c.iss) || seqGt(seg.ack, c.sndNxt)) {
    refuse(tcp, seg);
    // What the peer had of an old connection is gone now, so that it can answer our SYN.
    if (c.retransmits === 0) {
      tcp.timers.set(c.row, Timer.Retransmit, tcp.now + SHORTEST_TIMEOUT);
    }
    return false;
  }
  if (c.has(Has.Timestamps) && seg.hasTimestamps && seg.tsEcr !== 0) {
    if (seqGt(seg.tsEcr, timestamp(tcp.now, c.tsOffset))) {
      tcp.counters.TcpExtTSEcrRejected++;
      refuse(tcp, seg);
      return false;
    }
  }
  return true;
}

function fourthTakeSyn(tcp: Tcp, c: Connection, seg: Segment): void {
  c.irs = seg.seq;
  c.rcvNxt = (seg.seq + 1) | 0;
  c.rcvWup = c.rcvNxt;
  agreeOnOptions(c, seg);
  agreeOnEcn(c, seg);
  if (c.has(Has.Timestamps)) {
    c.tsRecent = seg.tsVal;
    c.tsRecentMs = tcp.nowMs;
  }
  openSendWindow(c, seg);
  if (!seg.isAck) {
    crossingSyn(tcp, c);
    return;
  }
  takeSynRtt(tcp, c, seg);
  c.sndUna = seg.ack;
  established(tcp, c);
  startQuickAcks(c);
  // Deviation: also where a program waits in a blocking write, whose data Linux sends with it.
  sendAckNow(tcp, c);
  // Deviation: data on a SYN+ACK is not taken (Fast Open apart); the peer sends it again. A FIN is,
  // as the RFC has it; Linux leaves it to be sent again.
  seg.trimFront(1);
  if (seg.length === 0) {
    processText(tcp, c, seg);
    processFin(tcp, c, seg);
  }
}

/** Both ends opened at once: SYN-RECEIVED, and our SYN again, now with ACK. */
function crossingSyn(tcp: Tcp, c: Connection): void {
  tcp.setState(c, State.SYN_RECEIVED);
  c.retransmits = 0;
  c.set(Has.SynPending | Has.Passive);
  tcp.markReady(c);
}
