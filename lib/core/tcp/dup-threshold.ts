import { seqLt, seqMax } from '../sequence';
import { News } from './ack-news';
import { CaState, type Connection } from './connection';
import type { Flight } from './flight';
import { countLoss } from './rack';
import { Mark } from './sent-queue';
import type { Tcp } from './tcp';

/**
 * RFC 6675 §4, IsLost(): where RACK is off, a segment is lost when so many later ones were SACKed.
 * Each is marked once; the loss of a retransmission is left to the timeout.
 */
export function markByThreshold(tcp: Tcp, c: Connection, f: Flight): void {
  if (f.sackedOut < c.reordering) return;
  // The highest that were SACKed, as many as it takes: all holes before them are lost.
  let limit = f.locate(f.fack);
  for (let later = 0; later < c.reordering && limit !== f.head;) {
    limit = f.before(limit);
    if (f.has(limit, Mark.Sacked)) later++;
  }
  const end = f.seq(limit);
  let row = f.unsacked(f.locate(seqMax(f.markedTo, c.sndUna)));
  while (row !== f.tail && seqLt(f.seq(row), end)) {
    if (!f.has(row, Mark.Lost)) countLoss(tcp, f, row);
    row = f.unsacked(f.next(row));
  }
  f.markedTo = seqMax(f.markedTo, end);
}

/**
 * RFC 6582 §3.2: without SACK the segment at SND.UNA is lost at the third duplicate, and in
 * recovery wherever SND.UNA stops.
 */
export function markHead(tcp: Tcp, c: Connection, f: Flight): void {
  const advanced = tcp.news.has(News.Advanced);
  const isLost =
    c.caState < CaState.Recovery
      ? f.sackedOut >= c.reordering
      : c.caState === CaState.Recovery && advanced;
  if (isLost && f.count > 0 && !f.has(f.head, Mark.Lost)) countLoss(tcp, f, f.head);
}

/** A duplicate acknowledgment stands for a segment that has arrived, which one is not known. */
export function addDuplicate(tcp: Tcp, c: Connection, f: Flight): void {
  f.sackedOut++;
  if (limitDuplicates(tcp, c, f)) return;
  c.delivered = (c.delivered + 1) | 0;
}

/** `acked` segments were acknowledged: what had been guessed of them is no longer needed. */
export function removeDuplicates(tcp: Tcp, c: Connection, f: Flight, acked: number): void {
  c.delivered = (c.delivered + Math.max(acked - f.sackedOut, 1)) | 0;
  // One of them was the hole.
  f.sackedOut = Math.max(f.sackedOut - (acked - 1), 0);
  limitDuplicates(tcp, c, f);
}

/**
 * More can't have arrived than there are beside the hole: segments have overtaken others, or the
 * network has made copies (Linux: tcp_check_reno_reordering).
 */
function limitDuplicates(tcp: Tcp, c: Connection, f: Flight): boolean {
  const most = Math.max(f.count - Math.max(f.lostOut, 1), 0);
  if (f.sackedOut <= most) return false;
  f.sackedOut = most;
  c.reordering = Math.min(Math.max(c.reordering, f.count + 1), tcp.settings.maxReordering);
  tcp.totals.noteRare(c.row).reordSeen++;
  c.noteReordering();
  tcp.counters.TcpExtTCPRenoReorder++;
  return true;
}

/** What duplicates have told no longer holds: SND.UNA has moved. */
export function resetDuplicates(f: Flight): void {
  f.sackedOut = 0;
}
