import { Word } from '../../core/segment/layout';
import type { State } from '../../core/tcp/state';
import type { LossReason } from '../engine/node';
import { Packet } from '../engine/packet';

/** What a record is of. */
export const enum Kind {
  /** A packet left a host. */
  Sent = 0,
  /** A host's stack has taken a packet. */
  Received = 1,
  /** A packet did not get any further. */
  Lost = 2,
  /** A fault, or a change of the network. */
  Note = 3,
}

/** A record of a packet as it is read. */
export interface PacketRecord {
  readonly kind: Kind.Sent | Kind.Received | Kind.Lost;
  /** µs of the network's time. */
  readonly time: number;
  /** Name of the host; of a lost packet, where it was lost. */
  readonly place: string;
  /** Of the sender when it was sent, of the receiver after that; of a lost packet CLOSED. */
  readonly state: State;
  /** Why a lost packet was lost. */
  readonly reason: LossReason | null;
  /** A copy of the packet as it was then. */
  readonly packet: Packet;
}

export interface NoteRecord {
  readonly kind: Kind.Note;
  readonly time: number;
  readonly text: string;
}

/** Words of a record's head: kind and state, place, reason. */
const enum Head {
  KindAndState = 0,
  Place = 1,
  Reason = 2,
  Stride = 3,
}

/** Records of one chunk; a chunk is what is dropped at a time. */
const CHUNK = 128;

const WORD_BYTES = 4;
/** Head and descriptor, time and number, and a reference to the payload. */
const RECORD_BYTES = (Head.Stride + Word.Stride) * WORD_BYTES + 3 * 8;

/** A run of records. */
class Chunk {
  count = 0;
  /** Of payload and of notes. */
  bytes = 0;
  readonly times = new Float64Array(CHUNK);
  readonly ids = new Float64Array(CHUNK);
  readonly heads = new Int32Array(CHUNK * Head.Stride);
  readonly words = new Int32Array(CHUNK * Word.Stride);
  /** The text of a note, the payload of a packet. */
  readonly contents: (string | Uint8Array | null)[] = new Array(CHUNK).fill(null);
  /** The bytes of packets that were spoilt. */
  readonly spoilt: (Uint8Array | null)[] = new Array(CHUNK).fill(null);

  clear(): void {
    this.count = 0;
    this.bytes = 0;
    this.contents.fill(null);
    this.spoilt.fill(null);
  }
}

/** The memory of a trace: what has happened, the oldest forgotten when there is too much of it. */
export class Records {
  private chunks: Chunk[] = [];
  private last: Chunk | null = null;
  private bytes = 0;
  private readonly numbers = new Map<string, number>();
  private readonly names: string[] = [];

  /**
   * @param limit bytes that are kept, about
   * @param onDrop is told of what is about to be forgotten; `base` is where the descriptor of a
   *   packet is in `words`
   */
  constructor(
    private readonly limit: number,
    private readonly onDrop: (kind: Kind, words: Int32Array, base: number) => void,
  ) {}

  note(time: number, text: string): void {
    const chunk = this.room();
    const at = chunk.count++;
    chunk.times[at] = time;
    chunk.heads[at * Head.Stride] = Kind.Note;
    chunk.contents[at] = text;
    chunk.bytes += text.length;
    this.bytes += text.length;
  }

  /** @param place a host's name, or where a packet was lost; @param reason '' where it was not */
  add(
    kind: Kind,
    time: number,
    place: string,
    state: State,
    reason: LossReason | '',
    packet: Packet,
  ): void {
    const chunk = this.room();
    const at = chunk.count++;
    chunk.times[at] = time;
    chunk.ids[at] = packet.id;
    const head = at * Head.Stride;
    chunk.heads[head + Head.KindAndState] = kind | (state << 2);
    chunk.heads[head + Head.Place] = this.numberOf(place);
    chunk.heads[head + Head.Reason] = reason === '' ? -1 : this.numberOf(reason);
    chunk.words.set(packet.words, at * Word.Stride);
    const { payload, spoilt } = packet;
    chunk.contents[at] = payload;
    // A packet and its copies share the payload: it counts once.
    let bytes = kind === Kind.Sent ? payload.length : 0;
    if (spoilt !== null) {
      chunk.spoilt[at] = spoilt.slice();
      bytes += spoilt.length;
    }
    chunk.bytes += bytes;
    this.bytes += bytes;
  }

  /** All that is kept, the oldest first. */
  *all(): Generator<PacketRecord | NoteRecord, void, undefined> {
    for (const chunk of this.chunks) {
      for (let at = 0; at < chunk.count; at++) yield this.read(chunk, at);
    }
  }

  private read(chunk: Chunk, at: number): PacketRecord | NoteRecord {
    const head = at * Head.Stride;
    const time = chunk.times[at];
    const kind: Kind = chunk.heads[head + Head.KindAndState] & 3;
    const contents = chunk.contents[at];
    if (kind === Kind.Note) return { kind, time, text: contents as string };
    const packet = new Packet();
    packet.words.set(chunk.words.subarray(at * Word.Stride, (at + 1) * Word.Stride));
    packet.payload = contents as Uint8Array;
    packet.id = chunk.ids[at];
    packet.spoilt = chunk.spoilt[at];
    packet.length = packet.spoilt?.length ?? packet.words[Word.PacketLength];
    const reason = chunk.heads[head + Head.Reason];
    return {
      kind,
      time,
      place: this.names[chunk.heads[head + Head.Place]],
      state: chunk.heads[head + Head.KindAndState] >> 2,
      reason: reason < 0 ? null : (this.names[reason] as LossReason),
      packet,
    };
  }

  /** A chunk that has room for one more record. */
  private room(): Chunk {
    const { last } = this;
    if (last !== null && last.count < CHUNK && this.bytes <= this.limit) return last;
    return this.nextChunk();
  }

  private nextChunk(): Chunk {
    let spare: Chunk | null = null;
    const size = CHUNK * RECORD_BYTES;
    while (this.chunks.length > 0 && this.bytes + size > this.limit) {
      spare = this.chunks.shift() as Chunk;
      for (let at = 0; at < spare.count; at++) {
        const kind: Kind = spare.heads[at * Head.Stride] & 3;
        this.onDrop(kind, spare.words, at * Word.Stride);
      }
      this.bytes -= size + spare.bytes;
      spare.clear();
    }
    const chunk = spare ?? new Chunk();
    this.chunks.push(chunk);
    this.bytes += size;
    this.last = chunk;
    return chunk;
  }

  private numberOf(name: string): number {
    let number = this.numbers.get(name);
    if (number === undefined) {
      number = this.names.push(name) - 1;
      this.numbers.set(name, number);
    }
    return number;
  }
}
