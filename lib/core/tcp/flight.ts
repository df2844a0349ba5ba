import { SentQueue } from './sent-queue';

/** What the timer `Timer.Retransmit` stands for (Linux: icsk_pending). */
export const enum Pending {
  /** RFC 6298. */
  Timeout = 0,
  /** RFC 8985 §7: a probe of the tail. */
  Probe = 1,
  /** RFC 8985 §6.2 step 5: the reordering window ends. */
  Reorder = 2,
}

/**
 * The segments in flight with what loss recovery knows meanwhile. A connection has one while it has
 * something in flight, and as long after that as a late duplicate could still tell it something.
 */
export class Flight extends SentQueue {
  pending: Pending = Pending.Timeout;
  /** SND.NXT when the present state of recovery began (RFC 6582: recover). */
  highSeq = 0;
  /** The end of the highest segment that was SACKed. */
  fack = 0;
  /** RFC 6675: holes before it were marked lost, where RACK is off. */
  markedTo = 0;

  // RACK (RFC 8985 §5.2): of all that was delivered, the segment that was sent last.
  rackSentAt = 0;
  /** Its `Sent.Order`. */
  rackOrder = 0;
  /** µs. */
  rackRtt = 0;
  rackAdvanced = false;
  /** `delivered` when the reordering window last grew. */
  rackDelivered = 0;
  dsackSeen = false;

  /** RFC 8985 §7.3: SND.NXT when a probe was sent, while `tlpOut`. */
  tlpHighSeq = 0;
  tlpOut = false;
  /** It is to be sent. */
  tlpDue = false;
  /** The probe was a retransmission. */
  tlpRetransmitted = false;

  // PRR (RFC 9937 §5).
  prrDelivered = 0;
  prrOut = 0;

  /** F-RTO (RFC 5682) watches whether the timeout was needless. */
  frto = false;
  /** F-RTO step 2b: new data is to leave instead of retransmissions. */
  frtoNew = false;

  // Undo (RFC 4015; Linux: tcp_init_undo).
  undoable = false;
  /** SND.UNA when the reduction began. */
  undoMarker = 0;
  /** Retransmissions since that have not been reported as duplicates; -1: none was sent. */
  undoRetrans = 0;
  /** 0: nothing to go back to. */
  priorSsthresh = 0;
  /** While `retransmitting`: our timestamp when the first retransmission left. */
  retransStamp = 0;
  retransmitting = false;
  /** The peer has dropped what it had SACKed. */
  reneged = false;

  // Delivery rate: the interval that is being measured, µs.
  firstSentAt = 0;
  deliveredAt = 0;
  /** `delivered` from which on the program no longer is the limit; 0: it isn't. */
  appLimited = 0;

  /** End of the last segment shorter than the MSS, for Nagle as Minshall amended it. */
  small = 0;
  /** The most segments in flight since SND.UNA was last at `mostEnd` (Linux: max_packets_out). */
  most = 0;
  /** SND.NXT when `most` was noted. */
  mostEnd = 0;

  /** Segments found lost, sent again, and reported as duplicates (mod 2^32). */
  losses = 0;
  retransmissions = 0;
  duplicates = 0;

  /** The end of what was SACKed; where nothing is, `una` (Linux: tcp_highest_sack_seq). */
  sackedTo(una: number): number {
    return this.sackedOut > 0 ? this.fack : una;
  }

  /** As good as new, for another connection that is at SND.UNA = `una`. */
  reset(una: number): void {
    this.clear();
    this.pending = Pending.Timeout;
    this.highSeq = this.fack = this.markedTo = this.tlpHighSeq = this.undoMarker = una;
    this.small = this.mostEnd = una;
    this.most = 0;
    this.rackSentAt = this.rackOrder = this.rackRtt = this.rackDelivered = 0;
    this.rackAdvanced = this.dsackSeen = this.tlpOut = this.tlpDue = false;
    this.tlpRetransmitted = false;
    this.frto = this.frtoNew = this.undoable = this.retransmitting = this.reneged = false;
    this.prrDelivered = this.prrOut = 0;
    this.undoRetrans = this.priorSsthresh = this.retransStamp = 0;
    this.firstSentAt = this.deliveredAt = this.appLimited = 0;
    this.losses = this.retransmissions = this.duplicates = 0;
  }
}
