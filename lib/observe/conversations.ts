import { isTcp } from '../core/segment/kind';
import { Flag, Word } from '../core/segment/layout';
import type { SegmentReference } from './tcpdump';

/** Conversations that are kept in mind. */
const MAX_CONVERSATIONS = 65_536;

/** What is known of a conversation's two ends, the one with the lesser text first. */
interface Conversation {
  /** From its first segment with ACK set, or from its last SYN+ACK: what tcpdump counts from. */
  first: [number, number] | null;
  /** Numbers of the SYNs. */
  initial: [number | null, number | null];
}

/** The words that name an end: its address and its port. */
function endText(words: Int32Array, address: number, port: number): string {
  return String.fromCharCode(
    ...halves(words[address]),
    ...halves(words[address + 1]),
    ...halves(words[address + 2]),
    ...halves(words[address + 3]),
    words[port],
  );
}

function halves(word: number): [number, number] {
  return [word >>> 16, word & 0xffff];
}

/** The two ends of a segment, told apart from all others: of both directions each has its own. */
export function directionOf(words: Int32Array, base: number): string {
  return (
    endText(words, base + Word.Source, base + Word.SourcePort) +
    endText(words, base + Word.Destination, base + Word.DestinationPort)
  );
}

/** Follows the segments of all conversations, to say what their numbers are to be counted from. */
export class Conversations {
  private readonly known: Map<string, Conversation>;

  /** @param before what was known to another one, which it is a copy of */
  constructor(before?: Conversations) {
    this.known = new Map();
    for (const [key, { first, initial }] of before?.known ?? []) {
      const copy: Conversation = { first: first && [...first], initial: [...initial] };
      this.known.set(key, copy);
    }
  }

  /**
   * Takes the next segment, and says what tcpdump counts its numbers from: those of the first
   * segment with ACK set, and of each SYN+ACK, which themselves are printed with absolute numbers
   * (undefined), as is all that has no ACK.
   */
  capture(words: Int32Array, base: number): SegmentReference | undefined {
    if (!isTcp(words, base) || (words[base + Word.Flags] & Flag.ACK) === 0) return undefined;
    const [conversation, own] = this.conversation(words, base);
    const isNew = noteFirst(conversation, own, words, base);
    const [mine, other] = ends(conversation.first, own);
    return isNew
      ? { sequence: 0, acknowledgment: 0, sack: other }
      : { sequence: mine, acknowledgment: other, sack: other };
  }

  /**
   * Takes the next segment, and says what the initial sequence numbers of its ends are, so that a
   * SYN has number 0. An end whose SYN was not seen counts from 0 while the other's was, else as
   * tcpdump does.
   */
  initial(words: Int32Array, base: number): SegmentReference {
    const flags = words[base + Word.Flags];
    const [conversation, own] = this.conversation(words, base);
    const { initial } = conversation;
    const sequence = words[base + Word.Sequence];
    if ((flags & Flag.SYN) !== 0) {
      const before = initial[own];
      // Another connection begins on the same ports.
      if ((flags & Flag.ACK) === 0 && before !== null && before !== sequence) {
        initial[1 - own] = null;
      }
      initial[own] = sequence;
    }
    if ((flags & Flag.ACK) !== 0) noteFirst(conversation, own, words, base);
    const seen = initial[0] !== null || initial[1] !== null;
    const [mine, other] = ends(seen ? initial : conversation.first, own);
    return { sequence: mine, acknowledgment: other, sack: other };
  }

  /** The segment's conversation, and which of its ends has sent it. */
  private conversation(words: Int32Array, base: number): [Conversation, 0 | 1] {
    const source = endText(words, base + Word.Source, base + Word.SourcePort);
    const destination = endText(words, base + Word.Destination, base + Word.DestinationPort);
    const own = source > destination ? 1 : 0;
    const key = own === 1 ? destination + source : source + destination;
    let conversation = this.known.get(key);
    if (conversation === undefined) {
      conversation = { first: null, initial: [null, null] };
      this.known.set(key, conversation);
      if (this.known.size > MAX_CONVERSATIONS) this.forgetOldest();
    }
    return [conversation, own];
  }

  private forgetOldest(): void {
    for (const oldest of this.known.keys()) {
      this.known.delete(oldest);
      return;
    }
  }
}

/** Whether tcpdump begins to count anew with this segment, which has ACK set. */
function noteFirst(
  conversation: Conversation,
  own: 0 | 1,
  words: Int32Array,
  base: number,
): boolean {
  if (conversation.first !== null && (words[base + Word.Flags] & Flag.SYN) === 0) return false;
  const mine = words[base + Word.Sequence];
  const other = (words[base + Word.Acknowledgment] - 1) | 0;
  conversation.first = own === 0 ? [mine, other] : [other, mine];
  return true;
}

/** The numbers of the segment's sender and of its receiver. */
function ends(
  numbers: readonly [number | null, number | null] | null,
  own: 0 | 1,
): [number, number] {
  return [numbers?.[own] ?? 0, numbers?.[1 - own] ?? 0];
}
