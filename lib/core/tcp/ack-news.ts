import type { RateSample } from './congestion';

/** The bits of `AckNews.flags`. */
export const enum News {
  /** SND.UNA has advanced. */
  Advanced = 1,
  /** The segment has payload or FIN. */
  Data = 2,
  WindowUpdate = 4,
  /** Segments were SACKed that were not before. */
  Sacked = 8,
  /** A segment that was sent once, before recovery began, was acknowledged or SACKed. */
  OriginalDelivered = 0x10,
  /** A segment that was sent again was acknowledged. */
  RetransmissionAcked = 0x20,
  /** A duplicate was reported (RFC 2883). */
  Dsack = 0x40,
  /** And it was a tail loss probe's. */
  DsackOfProbe = 0x80,
  /** A retransmission was found lost. */
  LostRetransmission = 0x100,
  /** The retransmission timer is to be set anew. */
  SetTimer = 0x200,
  /** ECN's echo (RFC 3168). */
  Ece = 0x400,
}

/** What one acknowledgment tells, gathered while it is processed. One object serves a stack. */
export class AckNews implements RateSample {
  flags = 0;
  /** SND.UNA before. */
  priorUna = 0;
  /** `Connection.delivered`, and segments in flight, before. */
  priorDelivered = 0;
  priorInFlight = 0;
  /** Segments cumulatively acknowledged. */
  acked = 0;
  ackedSacked = 0;
  losses = 0;
  /** When the first and the last of the segments left that were sent once and are now acknowledged,
   * or SACKed, µs; -1: there is none. */
  firstAckedAt = -1;
  lastAckedAt = -1;
  firstSackedAt = -1;
  lastSackedAt = -1;
  /** The end of what was SACKed before: what is SACKed now tells nothing of its own order. */
  priorFack = 0;
  /** Lowest segment that, sent once, was delivered after a later one (RFC 8985 §6.2). */
  reorder = 0;
  reordered = false;
  /** Of the newest segment delivered, µs; -1. */
  rtt = -1;

  // The rate sample (draft-ietf-ccwg-bbr, delivery rate).
  delivered = -1;
  interval = -1;
  isAppLimited = false;
  /** State of the newest segment when it left; `sampleAt` 0: there is none. */
  sampleDelivered = 0;
  sampleAt = 0;
  sampleSentAt = 0;
  sampleEnd = 0;

  start(una: number, delivered: number, inFlight: number): void {
    this.flags = 0;
    this.priorUna = una;
    this.priorDelivered = delivered;
    this.priorInFlight = inFlight;
    this.acked = this.ackedSacked = this.losses = 0;
    this.firstAckedAt = this.lastAckedAt = this.firstSackedAt = this.lastSackedAt = -1;
    this.reordered = false;
    this.rtt = this.delivered = this.interval = -1;
    this.isAppLimited = false;
    this.sampleAt = 0;
  }

  has(bits: number): boolean {
    return (this.flags & bits) !== 0;
  }

  add(bits: number): void {
    this.flags |= bits;
  }

  /** A segment from `seq` on was delivered behind later ones. */
  noteReordering(seq: number): void {
    if (this.reordered && ((seq - this.reorder) | 0) >= 0) return;
    this.reordered = true;
    this.reorder = seq;
  }
}
