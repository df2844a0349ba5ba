import { Flag, Word } from '../core/segment/layout';
import type { SegmentReference } from '../observe/tcpdump';
import type { Packet } from './engine/packet';

/** Directions of connections whose first number is kept. */
const MOST = 65_536;

interface Start {
  /** The initial sequence number, int32. */
  sequence: number;
  /** Of the packet that it was learnt from. */
  id: number;
}

/** The initial sequence numbers of a network's connections, for those who count from them. */
export class Conversations {
  private readonly starts = new Map<string, Start>();

  /** Looks at a packet that is on its way; costs nothing unless it has SYN set. */
  learn(packet: Packet): void {
    const { words, id } = packet;
    if ((words[Word.Flags] & Flag.SYN) === 0 || packet.spoilt !== null) return;
    const key = keyOf(words, Word.Source, Word.Destination);
    const known = this.starts.get(key);
    // A copy of an old SYN, delayed on its way, begins nothing.
    if (known !== undefined && known.id > id) return;
    this.starts.delete(key);
    this.starts.set(key, { sequence: words[Word.Sequence], id });
    if (this.starts.size <= MOST) return;
    for (const oldest of this.starts.keys()) {
      this.starts.delete(oldest);
      return;
    }
  }

  /** What the numbers of a segment are counted from; 0 where the SYN has not been seen. */
  reference(words: Int32Array): SegmentReference {
    const own = this.starts.get(keyOf(words, Word.Source, Word.Destination));
    const other = this.starts.get(keyOf(words, Word.Destination, Word.Source));
    const acknowledgment = other?.sequence ?? 0;
    return { sequence: own?.sequence ?? 0, acknowledgment, sack: acknowledgment };
  }
}

/** One direction: the end whose address is at `from` sends to the one at `to`. */
function keyOf(words: Int32Array, from: number, to: number): string {
  const forward = from === Word.Source;
  const port = words[forward ? Word.SourcePort : Word.DestinationPort];
  const otherPort = words[forward ? Word.DestinationPort : Word.SourcePort];
  return `${addressKey(words, from)}.${port} ${addressKey(words, to)}.${otherPort}`;
}

function addressKey(words: Int32Array, at: number): string {
  if (words[Word.Family] === 4) return String(words[at + 3]);
  return `${words[at]} ${words[at + 1]} ${words[at + 2]} ${words[at + 3]}`;
}
