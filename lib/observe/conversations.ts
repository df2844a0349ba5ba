import { formatAddress, readAddress } from '../core/ip/address';
import { Flag, Word } from '../core/segment/layout';
import type { SegmentReference } from './tcpdump';

/** Conversations whose first numbers are kept. */
const MAX_CONVERSATIONS = 65_536;

/** First sequence numbers of a conversation, by the end whose text is the lesser. */
interface Conversation {
  low: number;
  high: number;
}

/** One end of a segment, as tcpdump writes it: `10.0.0.1.40000`. */
export function endpoint(words: Int32Array, address: number, port: number): string {
  return `${formatAddress(readAddress(words, address))}.${words[port]}`;
}

/** Follows the conversations of a capture, to say what the numbers of their segments count from. */
export class Conversations {
  private readonly known = new Map<string, Conversation>();

  /**
   * Takes the next segment, and says what its numbers are relative to. As in tcpdump the first
   * segment of a conversation that has ACK set is printed with absolute numbers, and so is all
   * before it.
   */
  reference(words: Int32Array, base: number): SegmentReference | undefined {
    const flags = words[base + Word.Flags];
    if ((flags & Flag.ACK) === 0) return undefined;
    const source = endpoint(words, base + Word.Source, base + Word.SourcePort);
    const destination = endpoint(words, base + Word.Destination, base + Word.DestinationPort);
    const reversed = source > destination;
    const key = reversed ? `${destination} ${source}` : `${source} ${destination}`;
    let conversation = this.known.get(key);
    const isNew = conversation === undefined || (flags & Flag.SYN) !== 0;
    if (conversation === undefined || isNew) {
      const own = words[base + Word.Sequence];
      const peer = (words[base + Word.Acknowledgment] - 1) | 0;
      conversation = reversed ? { low: peer, high: own } : { low: own, high: peer };
      this.remember(key, conversation);
    }
    const own = reversed ? conversation.high : conversation.low;
    const peer = reversed ? conversation.low : conversation.high;
    return isNew
      ? { sequence: 0, acknowledgment: 0, sack: peer }
      : { sequence: own, acknowledgment: peer, sack: peer };
  }

  private remember(key: string, conversation: Conversation): void {
    this.known.delete(key);
    this.known.set(key, conversation);
    if (this.known.size <= MAX_CONVERSATIONS) return;
    for (const oldest of this.known.keys()) {
      this.known.delete(oldest);
      return;
    }
  }
}
