import { Flag, Word } from '../segment/layout';
import type { Segment } from '../segment/segment';
import { seqLt } from '../sequence';
import type { Counters } from '../stack/counters';
import { Has, type Connection } from './connection';
import { enterQuickAckMode } from './delayed-ack';
import type { Settings } from './settings';
import type { Tcp } from './tcp';

// Explicit congestion notification (RFC 3168). Negotiation, codepoints and echo are here; how the
// window is reduced is `enterCwr`'s business. As on Linux no use is made of what RFC 8311 §4.3 lets
// an experiment do: retransmissions, pure acknowledgments and window probes are Not-ECT.

/** The ECN field of the IP header (RFC 3168 §5). */
const enum Ecn {
  NotEct = 0,
  Ect1 = 1,
  Ect0 = 2,
  Ce = 3,
}

/** Where it is in TOS and traffic class. */
export const ECN_MASK = 3;

/** Values of `Settings.ecn`, as of Linux's tcp_ecn. */
const enum Policy {
  Off = 0,
  /** Ask for it, and grant it. */
  Ask = 1,
  /** Grant it to who asks. */
  Grant = 2,
}

const ECN_SETUP = Flag.ECE | Flag.CWR;

/** Segments that are acknowledged at once when congestion is met. */
const QUICK_ACKS = 2;

function codepoint(seg: Segment): Ecn {
  return seg.words[seg.base + Word.TrafficClass] & ECN_MASK;
}

/** Counts a packet by its ECN field. */
export function countCodepoint(counters: Counters, seg: Segment): void {
  switch (codepoint(seg)) {
    case Ecn.NotEct:
      counters.IpExtInNoECTPkts++;
      return;
    case Ecn.Ect1:
      counters.IpExtInECT1Pkts++;
      return;
    case Ecn.Ect0:
      counters.IpExtInECT0Pkts++;
      return;
    case Ecn.Ce:
      counters.IpExtInCEPkts++;
  }
}

/** Whether our SYN asks for ECN. */
export function asksForEcn({ ecn }: Settings): boolean {
  return ecn === (Policy.Ask as number);
}

/**
 * Flags of our SYN, or of the SYN+ACK that answers a crossing one. A SYN that was lost is sent
 * again without ECN, which a middlebox may have dropped it for (RFC 3168 §6.1.1.1).
 */
export function ecnSynFlags(c: Connection, settings: Settings, ack: boolean): number {
  if (!c.has(Has.Ecn)) return 0;
  if (ack) return Flag.ECE;
  return c.retransmits > 0 && settings.ecnFallback === 1 ? 0 : ECN_SETUP;
}

/**
 * Whether a SYN that came to a listener asks for classic ECN, and gets it. As on Linux one that is
 * itself ECT, which RFC 3168 §6.1.1 forbids, is not believed, unless it asks for Accurate ECN: such
 * a peer falls back to the classic kind (RFC 9768 §3.1.2).
 */
export function grantsEcn({ ecn }: Settings, seg: Segment): boolean {
  if (ecn === (Policy.Off as number) || (seg.flags & ECN_SETUP) !== ECN_SETUP) return false;
  return codepoint(seg) === Ecn.NotEct || (seg.flags & Flag.AE) !== 0;
}

/**
 * The peer's SYN, or SYN+ACK, has answered ours. Both bits in a SYN+ACK were merely reflected
 * (RFC 3168 §6.1.1). Deviation: Linux 6.18 takes CWR in a SYN+ACK for Accurate ECN.
 */
export function agreeOnEcn(c: Connection, seg: Segment): void {
  const agreed = seg.isAck ? Flag.ECE : ECN_SETUP;
  if ((seg.flags & ECN_SETUP) !== agreed) c.unset(Has.Ecn);
}

/**
 * Marks a segment of an established connection: new data is ECT(0), the first of it after a
 * reduction has CWR (RFC 3168 §6.1.2), and all have ECE as long as the peer is to hear of
 * congestion (§6.1.3).
 * @param length bytes of payload
 * @returns flags to be added
 */
export function markSegment(
  c: Connection,
  words: Int32Array,
  base: number,
  seq: number,
  length: number,
): number {
  let flags = c.has(Has.DemandCwr) ? Flag.ECE : 0;
  if (length === 0 || seqLt(seq, c.sndNxt)) return flags;
  words[base + Word.TrafficClass] |= Ecn.Ect0;
  if (c.has(Has.QueueCwr)) {
    c.unset(Has.QueueCwr);
    flags |= Flag.CWR;
  }
  return flags;
}

/** Looks at the codepoint of a segment with payload that is new: in order, or beyond a hole. */
export function noteCodepoint(tcp: Tcp, c: Connection, seg: Segment): void {
  if (!c.has(Has.Ecn)) return;
  switch (codepoint(seg)) {
    case Ecn.Ce:
      // The peer's window may become as small as a segment: it must not wait for our timer.
      if (!c.has(Has.DemandCwr)) enterQuickAckMode(tcp, c, QUICK_ACKS);
      c.set(Has.DemandCwr | Has.EcnSeen);
      return;
    case Ecn.NotEct:
      // Of a peer that marks its new data this is a retransmission, probably.
      if (c.has(Has.EcnSeen)) enterQuickAckMode(tcp, c, QUICK_ACKS);
      return;
    default:
      c.set(Has.EcnSeen);
  }
}

/** CWR: the peer has heard of the congestion (RFC 3168 §6.1.3). */
export function takeCwr(tcp: Tcp, c: Connection, seg: Segment): void {
  if ((seg.flags & Flag.CWR) === 0 || !c.has(Has.Ecn)) return;
  c.unset(Has.DemandCwr);
  if (seg.len === 0) return;
  // Its window may be one segment, which waits for this.
  c.set(Has.AckNow);
  tcp.markReady(c);
}

/** Whether the peer says that packets of ours met congestion (RFC 3168 §6.1.2). */
export function isCongestionEcho(c: Connection, seg: Segment): boolean {
  return c.has(Has.Ecn) && (seg.flags & (Flag.ECE | Flag.SYN)) === Flag.ECE;
}

/** The reduction was needless, and is not told of. */
export function withdrawCwr(c: Connection): void {
  c.unset(Has.QueueCwr);
}

/** The window was reduced, for whatever reason: the next new data says so. */
export function queueCwr(c: Connection): void {
  if (c.has(Has.Ecn)) c.set(Has.QueueCwr);
}
