import { Word } from '../segment/layout';
import type { Segment } from '../segment/segment';
import { seqGeq, seqMax } from '../sequence';
import { cutPayload } from './acceptability';
import { Has, type Connection } from './connection';
import { acknowledgeSoonOrLater, dataReceived } from './delayed-ack';
import { dropDuplicate, extendDuplicate } from './dsack';
import { noteCodepoint } from './ecn';
import { sendAckNow } from './emit';
import { tuneOnArrival } from './receive-tuning';
import type { ReceiveBuffer } from './receive-buffer';
import { growWindow, receiveSpace } from './receive-window';
import { canReceive, State } from './state';
import type { Tcp } from './tcp';

/** RFC 9293 §3.10.7.4, seventh: the segment's text, and what of its FIN comes in order. */
export function processText(tcp: Tcp, c: Connection, seg: Segment): void {
  if (!canReceive(c.state)) return;
  // Nothing follows a FIN; of several, the first in the stream holds.
  if (c.has(Has.RcvFin)) cutPayload(seg, c.rcvFin);
  if (seg.isFin) {
    c.set(Has.RcvFin);
    c.rcvFin = (seg.seq + seg.length) | 0;
  }
  if (seg.length > 0) storeText(tcp, c, seg);
  // RFC 5681 §4.2: a FIN beyond a hole is out of order like any other segment.
  else if (seg.isFin && c.rcvFin !== c.rcvNxt) sendAckNow(tcp, c);
}

/** Full, as what reaches beyond the window may have made it, or the memory's limit (tcp_mem). */
function hasNoRoom(tcp: Tcp, c: Connection, buffer: ReceiveBuffer): boolean {
  return buffer.held > 0 && (buffer.held >= c.rcvBuf || tcp.memory.isExhausted);
}

/**
 * Where there is no room, what lies further beyond holes makes some (Linux: tcp_prune_ofo_queue),
 * so that what comes first is there first. If that isn't enough, a connection that has something to
 * read gets no more. The window is not taken back: the peer sends again.
 */
function refusesForMemory(tcp: Tcp, c: Connection, seg: Segment, inOrder: boolean): boolean {
  const { receiveBuffer: buffer } = c;
  if (buffer === null || !hasNoRoom(tcp, c, buffer)) return false;
  if (inOrder && buffer.readable === 0) return false;
  const { counters } = tcp;
  counters.TcpExtPruneCalled++;
  while (buffer.prune(seg.seq)) {
    counters.TcpExtOfoPruned++;
    if (!hasNoRoom(tcp, c, buffer)) return false;
  }
  if (inOrder) counters.TcpExtTCPRcvQDrop++;
  else counters.TcpExtTCPOFODrop++;
  return true;
}

function storeText(tcp: Tcp, c: Connection, seg: Segment): void {
  const inOrder = !((seg.seq - c.rcvNxt) | 0);
  if (refusesForMemory(tcp, c, seg, inOrder)) {
    sendAckNow(tcp, c);
    return;
  }
  const buffer = (c.receiveBuffer ??= tcp.receiveBuffers.take());
  const advance = buffer.insert(seg.seq, c.rcvNxt, seg.slab, seg.offset, seg.length);
  if (buffer.duplicateLeft !== buffer.duplicateRight) {
    extendDuplicate(tcp, c, buffer.duplicateLeft, buffer.duplicateRight);
  }
  if (advance === 0) {
    noteCodepoint(tcp, c, seg);
    if (buffer.refused) tcp.counters.TcpExtTCPOFODrop++;
    // RFC 5681 §4.2: out of order, so the peer learns of the hole at once. Deviation: each time,
    // where Linux lets the fourth and later ones wait for up to 1 ms (tcp_comp_sack_nr).
    tcp.counters.TcpExtTCPOFOQueue++;
    tcp.totals.noteRare(c.row).rcvOoopack++;
    // Without SACK the window must stay as it is, or the peer sees no duplicates (RFC 5681 §2).
    if (c.has(Has.Sack)) growWindow(tcp, c, seg.length);
    sendAckNow(tcp, c);
    return;
  }
  c.rcvNxt = (c.rcvNxt + advance) | 0;
  tuneOnArrival(tcp, c, seg);
  dataReceived(tcp, c, seg.words[seg.base + Word.GsoSize] || seg.length);
  noteCodepoint(tcp, c, seg);
  growWindow(tcp, c, seg.length);
  if (c.socket !== null) tcp.notify(c.socket);
  // RFC 5681 §4.2: what fills a hole is acknowledged at once.
  if (!inOrder || buffer.outOfOrder > 0 || advance > seg.length) {
    c.set(Has.AckNow);
    tcp.markReady(c);
    return;
  }
  // With the FIN behind it `processFin` decides.
  if (!c.has(Has.RcvFin) || c.rcvFin !== c.rcvNxt) acknowledgeSoonOrLater(tcp, c);
}

/** RFC 9293 §3.10.7.4, eighth: the FIN bit, once everything before it has arrived. */
export function processFin(tcp: Tcp, c: Connection, seg: Segment): void {
  if (!c.has(Has.RcvFin) || !canReceive(c.state) || !seqGeq(c.rcvNxt, c.rcvFin)) return;
  c.rcvNxt = seqMax(c.rcvNxt, (c.rcvFin + 1) | 0);
  c.set(Has.EndOfStream);
  // As on Linux: with the FIN's acknowledgment no duplicate is told of.
  dropDuplicate(tcp, c);
  if (c.socket !== null) tcp.notify(c.socket);
  switch (c.state) {
    case State.ESTABLISHED:
      tcp.setState(c, State.CLOSE_WAIT);
      acknowledgeFin(tcp, c, seg);
      return;
    case State.FIN_WAIT_1:
      // Our FIN is not acknowledged yet, or the ACK field would have led to FIN-WAIT-2.
      sendAckNow(tcp, c);
      tcp.setState(c, State.CLOSING);
      return;
    case State.FIN_WAIT_2:
      sendAckNow(tcp, c);
      tcp.enterTimeWait(c);
      return;
    default:
      return;
  }
}

/**
 * The program may be about to end, too: our FIN then brings the acknowledgment with it, and three
 * segments close, as on Linux. A FIN that was known waits no longer (RFC 5681 §4.2).
 */
function acknowledgeFin(tcp: Tcp, c: Connection, seg: Segment): void {
  if (!seg.isFin || receiveSpace(c) === 0) {
    sendAckNow(tcp, c);
    return;
  }
  c.set(Has.AckScheduled | Has.PingPong);
  acknowledgeSoonOrLater(tcp, c);
}
