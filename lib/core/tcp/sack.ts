import { Word } from '../segment/layout';
import type { Segment } from '../segment/segment';
import { seqGeq, seqGt, seqLeq, seqLt } from '../sequence';
import { News, type AckNews } from './ack-news';
import { CaState, type Connection } from './connection';
import { rateDelivered } from './delivery-rate';
import type { Flight } from './flight';
import { rackAdvance } from './rack';
import { Mark } from './sent-queue';
import type { Tcp } from './tcp';

/**
 * The SACK option of an acknowledgment (RFC 2018 §5, RFC 6675 §4, Update()): marks what the peer
 * has. To be called before the acknowledgment itself takes segments off the queue.
 */
export function processSack(tcp: Tcp, c: Connection, f: Flight, seg: Segment): void {
  const { words, base } = seg;
  const count = words[base + Word.SackCount];
  for (let i = 0; i < count; i++) {
    const left = words[base + Word.Sack + 2 * i];
    const right = words[base + Word.Sack + 2 * i + 1];
    const repeats = i === 0 ? duplicates(tcp, c, f, seg, left, right) : 0;
    const isDsack = repeats > 0;
    if (!isValid(c, f, isDsack, left, right)) {
      countInvalid(tcp, c, f, isDsack, seg.ack, right);
      continue;
    }
    // What lies before the acknowledgment was known.
    if (seqLeq(right, tcp.news.priorUna)) continue;
    if (isDsack) duplicateInFlight(f, left, right, tcp.news, repeats);
    markSacked(tcp, c, f, left, right);
  }
  overtaken(tcp, c, f);
}

/** Something SACKed now was overtaken; after a timeout that may have been its retransmission. */
function overtaken(tcp: Tcp, c: Connection, f: Flight): void {
  const { news } = tcp;
  if (!news.reordered) return;
  news.reordered = false;
  if (c.caState !== CaState.Loss || f.undoable) noteReordering(tcp, c, news.reorder, f.fack);
}

/**
 * RFC 2883 §4: the first block reports a duplicate where it lies before the acknowledgment, or
 * within the second.
 * @returns how many segments of ours it was; 0: it reports none, or nothing that can be true
 */
function duplicates(
  tcp: Tcp,
  c: Connection,
  f: Flight,
  seg: Segment,
  left: number,
  right: number,
): number {
  const { words, base } = seg;
  const second = base + Word.Sack + 2;
  if (seqLt(left, seg.ack)) tcp.counters.TcpExtTCPDSACKRecv++;
  else if (words[base + Word.SackCount] < 2) return 0;
  else if (seqLt(left, words[second]) || seqGt(right, words[second + 1])) return 0;
  else tcp.counters.TcpExtTCPDSACKOfoRecv++;
  const segments = dsackReceived(tcp, c, f, left, right);
  if (segments === 0) tcp.counters.TcpExtTCPDSACKIgnoredDubious++;
  else tcp.counters.TcpExtTCPDSACKRecvSegs += segments;
  return segments;
}

/** A duplicate that the peer reports; how many segments of ours it was. */
function dsackReceived(tcp: Tcp, c: Connection, f: Flight, left: number, right: number): number {
  const { news } = tcp;
  const bytes = (right - left) | 0;
  if (bytes <= 0 || bytes > c.maxSndWnd) return 0;
  const before = seqLeq(right, news.priorUna);
  let segments = 1;
  if (bytes > c.sndMss) segments = Math.ceil(bytes / c.sndMss);
  else if (f.tlpOut && f.tlpHighSeq === right) news.add(News.DsackOfProbe);
  f.duplicates = (f.duplicates + segments) | 0;
  tcp.totals.noteRare(c.row).dsackDups += segments;
  // The network, not we, has made the copies.
  if (f.duplicates > f.retransmissions) return 0;
  // Without reordering the reordering window can't have been too short.
  if (c.reorderingSeen && !news.has(News.DsackOfProbe)) f.dsackSeen = true;
  news.add(News.Dsack);
  // As on Linux: a needless retransmission was delivered, too.
  c.delivered = (c.delivered + segments) | 0;
  const isOurs = f.undoable && f.undoRetrans > 0 && seqGt(right, f.undoMarker);
  if (isOurs && before) f.undoRetrans = Math.max(f.undoRetrans - segments, 0);
  return segments;
}

/** RFC 2018 §3, RFC 2883 §4: a block of what we have sent, and of late. */
function isValid(c: Connection, f: Flight, isDsack: boolean, left: number, right: number): boolean {
  if (seqGt(right, c.sndNxt) || !seqLt(left, right) || !seqLt(left, c.sndNxt)) return false;
  if (seqGeq(left, c.sndUna)) return true;
  if (!isDsack || !f.undoable || seqGt(right, c.sndUna)) return false;
  if (seqGeq(left, f.undoMarker)) return true;
  return seqGt(right, f.undoMarker) && ((right - left) | 0) <= c.maxSndWnd;
}

function countInvalid(
  tcp: Tcp,
  c: Connection,
  f: Flight,
  isDsack: boolean,
  ack: number,
  right: number,
): void {
  const { counters } = tcp;
  if (!isDsack) {
    // An old acknowledgment that was overtaken has blocks that are true, but known.
    if (ack === c.sndUna || seqGt(right, c.sndUna)) counters.TcpExtTCPSACKDiscard++;
  } else if (f.undoable) counters.TcpExtTCPDSACKIgnoredOld++;
  else counters.TcpExtTCPDSACKIgnoredNoUndo++;
}

/** A duplicate of what is still in the queue: its retransmission has arrived, and was needless. */
function duplicateInFlight(
  f: Flight,
  left: number,
  right: number,
  news: AckNews,
  repeats: number,
): void {
  let row = f.locate(left);
  for (let i = 0; i < repeats && row !== f.tail; i++, row = f.next(row)) {
    if (!f.isWithin(row, left, right)) return;
    if (!f.has(row, Mark.EverRetransmitted)) continue;
    if (f.undoable && f.undoRetrans > 0 && seqGt(f.end(row), f.undoMarker)) f.undoRetrans--;
    if (!f.has(row, Mark.Sacked)) continue;
    news.noteReordering(f.seq(row));
    if (f.has(row, Mark.Retransmitted)) {
      f.retransOut--;
      f.unmark(row, Mark.Retransmitted);
    }
  }
}

/** Marks the segments that lie within a block. */
function markSacked(tcp: Tcp, c: Connection, f: Flight, left: number, right: number): void {
  const tail = f.tail;
  let row = f.unsacked(f.locate(left));
  while (row !== tail && seqLeq(f.end(row), right)) {
    segmentSacked(tcp, c, f, row);
    row = f.unsacked(f.next(row));
  }
}

function segmentSacked(tcp: Tcp, c: Connection, f: Flight, row: number): void {
  const { news } = tcp;
  const marks = f.marks(row);
  rackAdvance(c, f, row, tcp.now);
  if ((marks & Mark.EverRetransmitted) === 0) {
    const seq = f.seq(row);
    if (seqLt(seq, news.priorFack)) news.noteReordering(seq);
    if (seqLeq(f.end(row), f.highSeq)) news.add(News.OriginalDelivered);
    const at = f.sentAt(row);
    if (news.firstSackedAt < 0) news.firstSackedAt = at;
    news.lastSackedAt = at;
  }
  f.sack(row);
  if ((marks & Mark.Lost) !== 0) {
    // A retransmission of it was the one that arrived, or is a copy that will.
    f.lostOut--;
    f.unmark(row, Mark.Lost);
    if ((marks & Mark.Retransmitted) !== 0) {
      f.retransOut--;
      f.unmark(row, Mark.Retransmitted);
    }
  }
  const end = f.end(row);
  if (f.sackedOut === 1 || seqGt(end, f.fack)) f.fack = end;
  news.add(News.Sacked);
  c.delivered = (c.delivered + 1) | 0;
  rateDelivered(f, row, news);
}

/**
 * Segments have overtaken others by so much (Linux: tcp_check_sack_reordering): more later ones may
 * arrive before one counts as lost.
 * @param low the lowest that was overtaken
 * @param fack the end of the highest that was SACKed
 * @param byTimestamp a timestamp has told, not SACK
 */
export function noteReordering(
  tcp: Tcp,
  c: Connection,
  low: number,
  fack: number,
  byTimestamp = false,
): void {
  if (!seqLt(low, fack)) return;
  const segments = Math.ceil(((fack - low) | 0) / c.sndMss);
  if (segments > c.reordering) c.reordering = Math.min(segments, tcp.settings.maxReordering);
  c.noteReordering();
  tcp.totals.noteRare(c.row).reordSeen++;
  if (byTimestamp) tcp.counters.TcpExtTCPTSReorder++;
  else tcp.counters.TcpExtTCPSACKReorder++;
}
