import { seqGt, seqLeq, seqLt } from '../sequence';
import { News } from './ack-news';
import { Has, type Connection } from './connection';
import { rateDelivered } from './delivery-rate';
import { removeDuplicates } from './dup-threshold';
import type { Flight } from './flight';
import { rackAdvance } from './rack';
import { measuredRtt, noteMinRtt, rttByTimestamp } from './rtt';
import { noteReordering } from './sack';
import { Mark } from './sent-queue';
import type { Tcp } from './tcp';

/** Takes off the queue what `ack` acknowledges, and measures (Linux: tcp_clean_rtx_queue). */
export function takeAcknowledged(tcp: Tcp, c: Connection, f: Flight, ack: number): void {
  const { news } = tcp;
  while (f.count > 0 && seqLeq(f.end(f.head), ack)) segmentAcknowledged(tcp, c, f);
  if (f.count > 0) f.trimHead(ack);
  takeRtt(tcp, c);
  if (news.acked > 0) {
    news.add(News.SetTimer);
    if (!c.has(Has.Sack)) {
      removeDuplicates(tcp, c, f, news.acked);
      // Without SACK nobody knows which copy has arrived.
      if (news.has(News.RetransmissionAcked)) news.flags &= ~News.OriginalDelivered;
    } else if (news.reordered && seqLt(news.reorder, news.priorFack)) {
      noteReordering(tcp, c, news.reorder, f.sackedTo(c.sndUna));
    }
  } else if (news.firstSackedAt >= 0 && f.sentAt(f.head) > news.firstSackedAt) {
    // The oldest left after what was SACKed: the timer, set for it, would go off too soon.
    news.add(News.SetTimer);
  }
}

function segmentAcknowledged(tcp: Tcp, c: Connection, f: Flight): void {
  const { news } = tcp;
  const row = f.head;
  const marks = f.marks(row);
  if ((marks & Mark.EverRetransmitted) !== 0) news.add(News.RetransmissionAcked);
  else if ((marks & Mark.Sacked) === 0) {
    const at = f.sentAt(row);
    if (news.firstAckedAt < 0) news.firstAckedAt = at;
    news.lastAckedAt = at;
    news.noteReordering(f.seq(row));
    if (!seqGt(f.end(row), f.highSeq)) news.add(News.OriginalDelivered);
  }
  if ((marks & Mark.Sacked) === 0) {
    if (c.has(Has.Sack)) {
      c.delivered = (c.delivered + 1) | 0;
      rackAdvance(c, f, row, tcp.now);
    }
    rateDelivered(f, row, news);
  }
  news.acked++;
  f.shift();
}

/**
 * RFC 6298 §3, Karn's rule: by what was sent once; else by the echoed timestamp (RFC 7323 §4.1).
 */
function takeRtt(tcp: Tcp, c: Connection): void {
  const { news, now } = tcp;
  let sample = -1;
  if (news.firstAckedAt >= 0 && !news.has(News.RetransmissionAcked)) {
    sample = now - news.firstAckedAt;
    news.rtt = now - news.lastAckedAt;
  }
  if (news.firstSackedAt >= 0) {
    if (sample < 0) sample = now - news.firstSackedAt;
    news.rtt = now - news.lastSackedAt;
  }
  if (sample < 0 && news.acked > 0 && c.has(Has.Timestamps) && tcp.echo !== 0) {
    sample = news.rtt = rttByTimestamp(tcp, c);
  }
  if (sample < 0) return;
  noteMinRtt(tcp, c, news.rtt);
  measuredRtt(c, sample, tcp.settings);
}
