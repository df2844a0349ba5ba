import { seqGeq, seqGt } from '../sequence';
import { News } from './ack-news';
import { Has, type Connection } from './connection';
import { addDuplicate, resetDuplicates } from './dup-threshold';
import type { Flight } from './flight';
import { undoRecovery, undoTimeout } from './undo';
import type { Tcp } from './tcp';

/**
 * An acknowledgment after a retransmission timeout: F-RTO (RFC 5682 §3.1, with SACK) finds out
 * whether the timeout was needless, by what new data that is sent instead of retransmissions tells.
 */
export function processLoss(tcp: Tcp, c: Connection, f: Flight, duplicate: boolean): void {
  const { news } = tcp;
  const recovered = seqGeq(c.sndUna, f.highSeq);
  const advanced = news.has(News.Advanced);
  f.frtoNew = false;
  if (advanced && undoTimeout(tcp, c, f, false)) return;
  if (f.frto) {
    // Step 3b: something that was sent once, before the timeout, has arrived.
    if (news.has(News.OriginalDelivered) && undoTimeout(tcp, c, f, true)) return;
    if (seqGt(c.sndNxt, f.highSeq)) {
      // Step 3a: the new data is acknowledged by duplicates, so that the loss was one.
      if (news.has(News.Sacked) || duplicate) f.frto = false;
    } else if (advanced && !recovered) {
      f.highSeq = c.sndNxt;
      // Step 2b: new data leaves, if there is some that the window takes.
      if (c.unsent > 0 && c.usableWindow > 0) {
        f.frtoNew = true;
        return;
      }
      f.frto = false;
    }
  }
  if (recovered) {
    undoRecovery(tcp, c, f);
    return;
  }
  if (c.has(Has.Sack)) return;
  if (seqGt(c.sndNxt, f.highSeq) && duplicate) addDuplicate(tcp, c, f);
  else if (advanced) resetDuplicates(f);
}
