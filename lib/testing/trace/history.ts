import { Flag, Word } from '../../core/segment/layout';
import { seqLt, seqMax } from '../../core/sequence';
import { Conversations, directionOf } from '../../observe/conversations';
import type { SegmentReference } from '../../observe/tcpdump';
import type { Packet } from '../engine/packet';

/** Directions of connections that are kept in mind. */
const MAX_DIRECTIONS = 131_072;

/** What one end of a connection has sent so far. */
interface Sent {
  /** Number of its SYN; null: not seen. */
  syn: number | null;
  /** The number behind all that it has sent. */
  next: number;
}

/** What is to be known of all the packets before in order to understand the next one. */
export class History {
  private readonly conversations: Conversations;
  private readonly directions: Map<string, Sent>;

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
    const flags = words[Word.Flags];
    const seq = words[Word.Sequence];
    const isSyn = (flags & Flag.SYN) !== 0;
    const end = (seq + words[Word.PayloadLength] + Number(isSyn) + (flags & Flag.FIN)) | 0;
    if (end === seq) return false;
    const key = directionOf(words, 0);
    const sent = this.directions.get(key);
    if (sent === undefined || (isSyn && sent.syn !== seq)) {
      this.directions.delete(key);
      this.directions.set(key, { syn: isSyn ? seq : null, next: end });
      if (this.directions.size > MAX_DIRECTIONS) this.forgetOldest();
      return false;
    }
    const repeated = seqLt(seq, sent.next);
    sent.next = seqMax(sent.next, end);
    return repeated;
  }

  private forgetOldest(): void {
    for (const oldest of this.directions.keys()) {
      this.directions.delete(oldest);
      return;
    }
  }
}
