import { optionsLength } from '../../codec/options';
import { Flag, Option, Word } from '../../core/segment/layout';
import { seqGeq, seqGt, seqLeq, seqLt, seqMax } from '../../core/sequence';
import type { FourTuples } from '../../core/stack/four-tuples';
import type { Connection } from '../../core/tcp/connection';
import { type Flow, Flows } from './flow';
import { check } from './violation';

/** What a sender believes of an MSS (Linux: tcp_min_snd_mss), and without the option. */
const LEAST_MSS = 48;
const DEFAULT_MSS_V4 = 536;
const DEFAULT_MSS_V6 = 1220;
/** SYN+ACKs that are remembered because they are not looked at. */
const STRAYS = 10_000;

/**
 * What the hosts say to each other, seen where they send: no segment may go beyond the window that
 * its sender was told of, leave a hole, acknowledge what was not sent, or take a window back.
 */
export class Wire {
  readonly flows = new Flows();
  /** Answers to old SYNs, which lead nowhere. */
  private readonly strays = new Set<string>();
  private readonly ends = new Int32Array(Word.Stride);

  /**
   * A segment leaves a host.
   * @returns the direction that it belongs to, if that is looked at
   */
  sent(words: Int32Array): Flow | null {
    const flags = words[Word.Flags];
    checkFlags(words);
    if ((flags & Flag.SYN) !== 0) this.syn(words);
    const flow = this.flows.find(words);
    if ((flags & Flag.RST) !== 0 || flow === null || flow.back === null) return flow;
    checkSequence(flow, words);
    if (words[Word.PayloadLength] > 0) checkPayload(flow, flow.back, words);
    checkOptions(flow, flow.back, words);
    if ((flags & Flag.ACK) !== 0) checkAcknowledgment(flow, flow.back, words);
    return flow;
  }

  /** A segment has arrived at the host that it was sent to, which now knows what it says. */
  received(words: Int32Array): Flow | null {
    const flow = this.flows.find(words);
    const back = flow?.back ?? null;
    const flags = words[Word.Flags];
    if (flow === null || back === null) return flow;
    if ((flags & (Flag.ACK | Flag.RST)) !== Flag.ACK) return flow;
    const edge = edgeOf(flow, words);
    // A segment of an earlier connection may say anything.
    if (seqGt(words[Word.Acknowledgment], back.end)) return flow;
    if (flow.edge === null || seqGt(edge, flow.edge)) return flow;
    if (back.allowed === null || seqGt(edge, back.allowed)) back.allowed = edge;
    return flow;
  }

  /**
   * A passive open is over. One by an old SYN cookie, whose ACK has come again, is not looked at:
   * nobody remembers that there was such a connection already.
   */
  opened(tuples: FourTuples, c: Connection): void {
    tuples.fill(c.tuple, this.ends, 0);
    const flow = this.flows.find(this.ends);
    const acknowledged = flow?.acknowledged ?? null;
    if (acknowledged !== null && seqGt(acknowledged, c.rcvNxt)) this.flows.delete(flow);
  }

  private syn(words: Int32Array): void {
    const before = this.flows.find(words);
    if (before !== null && before.iss === words[Word.Sequence]) {
      before.mss = Math.max(before.mss, words[Word.Mss]);
      // A SYN cookie has the same number when an old SYN comes again to where nobody remembers it.
      if (isOlder(before, words)) this.flows.delete(before);
      // Nor does anybody remember the window that the first one has offered.
      else if (before.end === ((before.iss + 1) | 0)) before.edge = null;
      return;
    }
    const other = this.flows.findBack(words);
    if ((words[Word.Flags] & Flag.ACK) === 0) {
      // A new connection: what the other end may still say of an old one is not looked at. One
      // that has sent nothing but a SYN itself may be the other side of a simultaneous open.
      if (other !== null && other.acknowledged !== null) this.flows.delete(other);
      this.flows.set(words);
      return;
    }
    const name = words.subarray(Word.Source, Word.Sequence + 1).join();
    if (this.strays.has(name)) return;
    // Who has sent more than its SYN has had its answer: this one is a ghost's, by a cookie.
    const first =
      other === null ||
      (isFirst(other, words[Word.Acknowledgment]) && other.end === ((other.iss + 1) | 0));
    if (before === null && first) {
      this.flows.set(words);
      return;
    }
    if (this.strays.size >= STRAYS) this.strays.clear();
    this.strays.add(name);
    this.flows.delete(before);
  }
}

/** Whether a SYN+ACK acknowledges less than what its sender has said already. */
function isOlder({ acknowledged }: Flow, words: Int32Array): boolean {
  if ((words[Word.Flags] & Flag.ACK) === 0 || acknowledged === null) return false;
  return seqLt(words[Word.Acknowledgment], acknowledged);
}

/** Whether `ack` is the first acknowledgment of what `flow` has sent. */
function isFirst(flow: Flow, ack: number): boolean {
  if (ack !== ((flow.iss + 1) | 0)) return false;
  const acknowledged = flow.back?.acknowledged ?? null;
  return acknowledged === null || acknowledged === ack;
}

/** Mission S1: reserved bits are zero, and after the first SYN only a RST goes without ACK. */
function checkFlags(words: Int32Array): void {
  const flags = words[Word.Flags];
  const control = flags & (Flag.SYN | Flag.FIN | Flag.RST);
  check((flags & ~0x1ff) === 0, 'a reserved bit is set');
  check((control & (control - 1)) === 0, 'flags that exclude each other');
  check((flags & Flag.ACK) !== 0 || (control & ~Flag.FIN) !== 0, 'neither ACK, SYN nor RST');
  check((flags & Flag.SYN) === 0 || words[Word.PayloadLength] === 0, 'a SYN with data');
}

function checkSequence(flow: Flow, words: Int32Array): void {
  const flags = words[Word.Flags];
  const seq = words[Word.Sequence];
  const length = words[Word.PayloadLength];
  const end = (seq + length) | 0;
  check(seqLeq(seq, flow.end), 'a number that leaves a hole');
  check(seqGeq(seq, flow.low), 'a number before the first');
  check((flags & Flag.SYN) === 0 || seq === flow.iss, 'a second SYN');
  const { fin } = flow;
  check(fin === null || length === 0 || seqLeq(end, fin), 'data beyond the FIN');
  if ((flags & Flag.FIN) !== 0) {
    check(fin === null || fin === end, 'a second FIN');
    check(seqGeq(end, flow.end) || fin !== null, 'a FIN among the data');
    flow.fin = end;
  }
  const control = (flags & (Flag.SYN | Flag.FIN)) !== 0 ? 1 : 0;
  flow.end = seqMax(flow.end, (end + control) | 0);
  // Beyond any window; further apart the two could not be compared any more.
  if (((flow.end - flow.low) | 0) > 2 ** 30 + 2 ** 29) flow.low = (flow.end - 2 ** 30) | 0;
}

function checkPayload(flow: Flow, back: Flow, words: Int32Array): void {
  const end = (words[Word.Sequence] + words[Word.PayloadLength]) | 0;
  // A SYN, a FIN and a probe take no room.
  check(flow.allowed !== null && seqLeq(end, flow.allowed), "beyond the peer's window");
  const unnamed = words[Word.Family] === 4 ? DEFAULT_MSS_V4 : DEFAULT_MSS_V6;
  const mss = (back.options & Option.Mss) !== 0 ? back.mss : unnamed;
  const size = words[Word.PayloadLength] + optionsLength(words, 0);
  check(size <= Math.max(mss, LEAST_MSS), "more than the peer's MSS");
}

/** RFC 7323 §3.2: timestamps always or never; RFC 2018 §3: SACK only where both have offered it. */
function checkOptions(flow: Flow, back: Flow, words: Int32Array): void {
  const options = words[Word.Options];
  if ((words[Word.Flags] & Flag.SYN) === 0) {
    const stamped = (options & Option.Timestamps) !== 0;
    check(
      stamped === flow.agreed(Option.Timestamps),
      'timestamps that were not agreed on, or none',
    );
  }
  if ((options & Option.Sack) === 0) return;
  check(flow.agreed(Option.SackPermitted), 'SACK that was not agreed on');
  const count = words[Word.SackCount];
  for (let at = Word.Sack; at < Word.Sack + 2 * count; at += 2) {
    check(seqLt(words[at], words[at + 1]), 'an empty SACK block');
    // The first may tell of a duplicate (RFC 2883 §4), which a forger has numbered.
    const old = at === Word.Sack && seqLeq(words[at + 1], words[Word.Acknowledgment]);
    check(old || seqLeq(words[at + 1], back.end), 'a SACK block of what was not sent');
  }
}

function edgeOf(flow: Flow, words: Int32Array): number {
  // The window of a segment with SYN is never scaled (RFC 7323 §2.2).
  const scaled = (words[Word.Flags] & Flag.SYN) === 0 && flow.agreed(Option.WindowScale);
  return (words[Word.Acknowledgment] + (words[Word.Window] << (scaled ? flow.scale : 0))) | 0;
}

function checkAcknowledgment(flow: Flow, back: Flow, words: Int32Array): void {
  const ack = words[Word.Acknowledgment];
  check(seqLeq(ack, back.end), 'acknowledges what was not sent');
  const before = flow.acknowledged;
  check(before === null || seqGeq(ack, before), 'acknowledges less than before');
  flow.acknowledged = ack;
  const edge = edgeOf(flow, words);
  // RFC 9293 §3.8.6. Less than a unit may be lost in rounding: the receiver takes it all the same.
  const unit = flow.agreed(Option.WindowScale) ? 1 << flow.scale : 1;
  // A SYN cookie that is said again, of other path MTUs, can't know what was said before.
  const forgets = (words[Word.Flags] & Flag.SYN) !== 0;
  const least = flow.edge === null || forgets ? null : (flow.edge - unit) | 0;
  check(least === null || seqGt(edge, least), 'the right edge moves left');
  if (forgets || flow.edge === null || seqGt(edge, flow.edge)) flow.edge = edge;
}
