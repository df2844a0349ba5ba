import { isTcp } from '../../core/segment/kind';
import { Flag, Word } from '../../core/segment/layout';
import { seqLt, seqMax } from '../../core/sequence';
import { Conversations, directionOf } from '../../observe/conversations';
import type { SegmentReference } from '../../observe/tcpdump';
import type { Packet } from '../engine/packet';

/** Directions of connections that are kept in mind. */
const MAX_DIRECTIONS = 131_072;

/** What one end of a connection has sent so far. */
interface Sent {
  /** Both addresses and both ports, as they stand in a descriptor. */
  words: Int32Array;
  /** Number of its SYN; null: not seen. */
  syn: number | null;
  /** The number behind all that it has sent; null: nothing. */
  next: number | null;
}

/** What is to be known of all the packets before in order to understand the next one. */
export class History {
  private readonly conversations: Conversations;
  private readonly directions: Map<string, Sent>;
  /** That of the packet before: mostly the next one's too. */
  private latest: Sent | null = null;

  /** @param before what it begins as a copy of */
  constructor(before?: History) {
    this.conversations = new Conversations(before?.conversations);
    this.directions = new Map();
    for (const [key, sent] of before?.directions ?? []) this.directions.set(key, { ...sent });
  }

  /** What the numbers of a packet count from: the SYNs, which have 0. */
  reference({ words }: Packet): SegmentReference {
    return this.conversations.initial(words, 0);
  }

  /** Takes the next packet that a host sends: whether something in it has been sent before. */
  isRepeated({ words }: Packet): boolean {
    return this.noteSent(words, 0);
  }

  /** Takes the next packet that a host has sent, without a question. */
  take(words: Int32Array, base: number): void {
    if (!isTcp(words, base)) return;
    if ((words[base + Word.Flags] & Flag.SYN) !== 0) this.conversations.initial(words, base);
    this.noteSent(words, base);
  }

  private noteSent(words: Int32Array, base: number): boolean {
    const flags = words[base + Word.Flags];
    const seq = words[base + Word.Sequence];
    const isSyn = (flags & Flag.SYN) !== 0;
    const end = (seq + words[base + Word.PayloadLength] + Number(isSyn) + (flags & Flag.FIN)) | 0;
    if (end === seq) return false;
    const sent = this.direction(words, base);
    if (sent.next === null || (isSyn && sent.syn !== seq)) {
      sent.syn = isSyn ? seq : null;
      sent.next = end;
      return false;
    }
    const repeated = seqLt(seq, sent.next);
    sent.next = seqMax(sent.next, end);
    return repeated;
  }

  private direction(words: Int32Array, base: number): Sent {
    const { latest } = this;
    if (latest !== null && isSameDirection(latest.words, words, base)) return latest;
    const key = directionOf(words, base);
    let sent = this.directions.get(key);
    if (sent === undefined) {
      const end = base + Word.DestinationPort + 1;
      sent = { words: words.slice(base + Word.Source, end), syn: null, next: null };
      this.directions.set(key, sent);
      if (this.directions.size > MAX_DIRECTIONS) this.forgetOldest();
    }
    this.latest = sent;
    return sent;
  }

  private forgetOldest(): void {
    for (const oldest of this.directions.keys()) {
      this.directions.delete(oldest);
      return;
    }
  }
}

function isSameDirection(ends: Int32Array, words: Int32Array, base: number): boolean {
  for (let i = ends.length - 1; i >= 0; i--) {
    if (ends[i] !== words[base + Word.Source + i]) return false;
  }
  return true;
}
