import { Word } from '../../core/segment/layout';
import type { StackCore } from '../../core/stack/stack-core';
import type { Connection } from '../../core/tcp/connection';

/** The words of a descriptor that say who sends to whom: two addresses and two ports. */
const ENDS = Word.DestinationPort - Word.Source + 1;

/**
 * One direction of a connection: what its sender has shown on the wire. Sequence numbers are as
 * they stand there.
 */
export class Flow {
  /** What the other end says; null until it has answered. */
  back: Flow | null = null;
  readonly iss: number;
  /** Of the numbers sent none is before; follows the rest, so that they can be compared. */
  low: number;
  /** After the highest number sent, SYN and FIN included. */
  end: number;
  /** Number of the FIN, once sent. */
  fin: number | null = null;
  /** The highest number acknowledged, and the right edge of the windows announced: the other's. */
  acknowledged: number | null = null;
  edge: number | null = null;
  /** The right edge of what the other end has allowed, as far as the sender has been told. */
  allowed: number | null = null;
  /** `Option` bits of the SYN, and what they say. */
  readonly options: number;
  /** The largest that was announced: a SYN that is sent again may find another path. */
  mss: number;
  readonly scale: number;
  /** The sender's stack, and its end of the connection when last looked for. */
  core: StackCore | null = null;
  connection: Connection | null = null;
  /** Source, destination and ports. */
  readonly ends: Int32Array;

  /** @param words of the SYN */
  constructor(words: Int32Array) {
    this.ends = words.slice(Word.Source, Word.Source + ENDS);
    this.iss = this.low = words[Word.Sequence];
    this.end = (this.iss + 1) | 0;
    this.options = words[Word.Options];
    this.mss = words[Word.Mss];
    this.scale = words[Word.WindowScale];
  }

  /** Whether both ends have put the option on their SYN. */
  agreed(option: number): boolean {
    return this.back !== null && (this.options & this.back.options & option) !== 0;
  }

  /** Whether a descriptor is of this direction. */
  has(words: Int32Array): boolean {
    const { ends } = this;
    return (
      ends[8] === words[Word.SourcePort] &&
      ends[9] === words[Word.DestinationPort] &&
      ends[3] === words[Word.Source + 3] &&
      ends[7] === words[Word.Destination + 3] &&
      ends[0] === words[Word.Source] &&
      ends[1] === words[Word.Source + 1] &&
      ends[2] === words[Word.Source + 2] &&
      ends[4] === words[Word.Destination] &&
      ends[5] === words[Word.Destination + 1] &&
      ends[6] === words[Word.Destination + 2]
    );
  }
}

/** Directions that are remembered; beyond, the oldest are forgotten and not looked at any more. */
const LIMIT = 100_000;
const CACHED_BITS = 12;

/** The directions that are looked at, by their ends. */
export class Flows {
  private readonly flows = new Map<string, Flow>();
  /** Those last looked for, by a cheap hash: a key of text for each segment would cost too much. */
  private readonly cache = new Array<Flow | null>(2 ** CACHED_BITS).fill(null);

  find(words: Int32Array): Flow | null {
    const place = placeOf(words);
    const cached = this.cache[place];
    if (cached?.has(words) === true) return cached;
    const found = this.flows.get(keyOf(words)) ?? null;
    if (found !== null) this.cache[place] = found;
    return found;
  }

  /** What goes the other way. */
  findBack(words: Int32Array): Flow | null {
    return this.flows.get(keyOf(words, true)) ?? null;
  }

  /** A new direction, in the place of what was there. */
  set(words: Int32Array): Flow {
    this.delete(this.find(words));
    const flow = new Flow(words);
    flow.back = this.findBack(words);
    if (flow.back !== null) flow.back.back = flow;
    this.flows.set(keyOf(words), flow);
    if (this.flows.size > LIMIT) {
      for (const oldest of this.flows.values()) {
        this.delete(oldest);
        break;
      }
    }
    return flow;
  }

  /** Forgets a direction. */
  delete(flow: Flow | null): void {
    if (flow === null) return;
    if (flow.back !== null) flow.back.back = null;
    const words = new Int32Array(Word.Stride);
    words.set(flow.ends, Word.Source);
    this.flows.delete(keyOf(words));
    const place = placeOf(words);
    if (this.cache[place] === flow) this.cache[place] = null;
  }
}

function keyOf(words: Int32Array, back = false): string {
  const source = words.subarray(Word.Source, Word.Source + 4).join('.');
  const destination = words.subarray(Word.Destination, Word.Destination + 4).join('.');
  const ports = [words[Word.SourcePort], words[Word.DestinationPort]];
  return back
    ? `${destination} ${ports[1]} ${source} ${ports[0]}`
    : `${source} ${ports[0]} ${destination} ${ports[1]}`;
}

function placeOf(words: Int32Array): number {
  const ports = (words[Word.SourcePort] << 16) ^ words[Word.DestinationPort];
  const addresses = words[Word.Source + 3] + Math.imul(words[Word.Destination + 3], 31);
  return Math.imul(ports ^ addresses, 0x9e3779b1) >>> (32 - CACHED_BITS);
}
