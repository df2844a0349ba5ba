import type { SegmentBatch } from '../segment/batch';
import { seqGeq, seqGt, seqMin } from '../sequence';
import { burstSegments } from './bursts';
import { CaState, type Connection } from './connection';
import { dataSent } from './delayed-ack';
import { rateSent } from './delivery-rate';
import { emitRetransmission, setPush } from './emit';
import { Pending, type Flight } from './flight';
import { departed, mayDepart } from './pacing';
import { countSent } from './prr';
import { armRetransmit } from './retransmission';
import { Mark } from './sent-queue';
import type { Tcp } from './tcp';
import { timestamp } from './timestamps';

/**
 * Sends again what counts as lost, as far as the congestion window and the peer's allow; the
 * segment at SND.UNA also where the latter has been closed (RFC 9293 §3.8.6).
 * @returns false: the batch is full and something is left
 */
export function retransmitLost(tcp: Tcp, c: Connection, f: Flight, batch: SegmentBatch): boolean {
  // RFC 5682 §2.1 step 2b: new data goes first.
  if (f.frtoNew) return true;
  let together = 0;
  let left = 0;
  while (f.lost.first >= 0 && f.inFlight < c.cwnd) {
    fitSegments(c, f, f.lost.first);
    let row = f.lost.first;
    if (left === 0) {
      if (!mayDepart(tcp, c) || isBeyondWindow(c, f, row)) break;
      row = cutToWindow(c, f, row);
      together = left = rowsTogether(tcp, c, f, row);
    }
    if (!retransmit(tcp, c, f, row, batch)) return false;
    // A burst, as on Linux: its end bears PSH.
    if (--left === 0 && together > 1) setPush(batch, true);
    if (c.caState === CaState.Loss) tcp.counters.TcpExtTCPSlowStartRetrans++;
    else tcp.counters.TcpExtTCPFastRetrans++;
  }
  return true;
}

/**
 * Rows from `row` on that leave as one burst: those that did so before and are lost, as far as the
 * windows and the length of a burst allow. What is left of it will be another (tcp_fragment).
 */
function rowsTogether(tcp: Tcp, c: Connection, f: Flight, row: number): number {
  const window = (c.sndUna + c.sndWnd - f.seq(row)) | 0;
  const most = Math.min(
    c.cwnd - f.inFlight,
    burstSegments(c, tcp.settings, c.sndMss),
    Math.floor(window / c.sndMss),
  );
  let count = 1;
  let at = row;
  for (; f.has(at, Mark.Joined); count++) {
    const next = f.next(at);
    if (count >= most || next === f.tail || !f.waits(next)) {
      f.unmark(at, Mark.Joined);
      break;
    }
    at = next;
  }
  return count;
}

/** F-RTO had no new data to send after all: the conventional recovery goes on. */
export function insteadOfNew(tcp: Tcp, c: Connection, f: Flight, batch: SegmentBatch): boolean {
  if (seqGt(c.sndNxt, f.highSeq)) return true;
  f.frto = f.frtoNew = false;
  return retransmitLost(tcp, c, f, batch);
}

/** A path that has become narrower no longer takes the segments that were sent (RFC 1191 §6.4). */
export function fitSegments(c: Connection, f: Flight, row: number): void {
  const length = (f.end(row) - f.seq(row)) | 0;
  // With a FIN a full one is longer by one.
  if (length > c.sndMss && (length > c.sndMss + 1 || !seqGt(f.end(row), c.sndEnd))) {
    f.resegment(c.sndMss, c.sndEnd);
  }
}

/** The peer's window has shrunk, so that a row lies beyond it; the oldest is sent in any case. */
export function isBeyondWindow(c: Connection, f: Flight, row: number): boolean {
  return row !== f.head && seqGeq(f.seq(row), (c.sndUna + c.sndWnd) | 0);
}

/**
 * What of a row the peer's window has no room for becomes a row of its own. Deviation: the rows of
 * a burst behind it keep their bounds, where Linux cuts them anew.
 * @returns the row, whose place is another now
 */
export function cutToWindow(c: Connection, f: Flight, row: number): number {
  const edge = (c.sndUna + c.sndWnd) | 0;
  const fits = seqGeq(edge, seqMin(f.end(row), c.sndEnd)) || seqGeq(f.seq(row), edge);
  return fits ? row : f.split(row, edge);
}

/**
 * Sends a row again, with small ones behind it that are lost, too.
 * @param probe as a probe of the tail: nothing counts as lost
 * @returns false: the batch is full
 */
export function retransmit(
  tcp: Tcp,
  c: Connection,
  f: Flight,
  row: number,
  batch: SegmentBatch,
  probe = false,
): boolean {
  const seq = f.seq(row);
  const wanted = tcp.settings.retransCollapse === 1 ? collapsible(c, f, row) : f.end(row);
  const end = emitRetransmission(tcp, c, batch, seq, wanted);
  if (end === seq) return false;
  const oldest = row === f.head;
  if (seqGt(f.end(row), end)) throw new Error('a segment that was not sent again as a whole');
  let rows = 0;
  let push = false;
  for (let at = row; at !== f.tail && !seqGt(f.end(at), end); at = f.next(at)) {
    push ||= f.has(at, Mark.Pushed);
    if (probe) f.probed(at, tcp.now);
    else f.retransmitted(at, tcp.now);
    rateSent(c, f, at, tcp.now);
    rows++;
  }
  // As it was sent first, also where more has been written since.
  setPush(batch, push);
  tcp.counters.TcpRetransSegs++;
  const bytes = (seqMin(end, c.sndEnd) - seq) | 0;
  tcp.totals.resent(c.row, bytes);
  if (bytes > 0) dataSent(tcp, c);
  f.retransmissions = (f.retransmissions + rows) | 0;
  if (probe) return true;
  if (!f.retransmitting) {
    f.retransmitting = true;
    f.retransStamp = timestamp(tcp.now, c.tsOffset);
  }
  f.undoRetrans = Math.max(f.undoRetrans, 0) + rows;
  countSent(c, f, rows);
  departed(tcp, c, (end - seq) | 0);
  if (oldest && f.pending !== Pending.Reorder) armRetransmit(tcp, c, true);
  return true;
}

/**
 * Where a segment ends that holds `row` and those behind it that are lost and fit into it.
 * Deviation: they stay segments of their own in the counts, where Linux makes one of them.
 */
function collapsible(c: Connection, f: Flight, row: number): number {
  const seq = f.seq(row);
  const edge = (c.sndUna + c.sndWnd) | 0;
  let end = f.end(row);
  if (!f.has(row, Mark.Lost) || f.has(row, Mark.Joined)) return end;
  if (row !== f.head && f.has(f.before(row), Mark.Joined)) return end;
  for (let at = f.next(row); at !== f.tail; at = f.next(at)) {
    if (f.has(f.before(at), Mark.EndsRecord)) break;
    if (!f.waits(at) || ((f.end(at) - seq) | 0) > c.sndMss || seqGt(f.end(at), edge)) break;
    end = f.end(at);
  }
  return end;
}
