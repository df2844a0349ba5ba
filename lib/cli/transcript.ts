import { Direction, Flag, Word } from '../core/segment/layout';
import { stateName } from '../core/tcp/state';
import type { State } from '../core/tcp/state';
import { formatSegment } from '../observe/tcpdump';
import type { SegmentReference } from '../observe/tcpdump';

/** Lines of one part (handshake, close) at most; losses could repeat segments without end. */
const PART_LIMIT = 10;

/** Width of the column of states, characters. */
const STATE_WIDTH = 12;

/** Which first sequence number is the sender's and which its peer's, by direction. */
const OUT = [0, 1] as const;
const IN = [1, 0] as const;

/**
 * What `npm start` prints of one connection: the handshake and the close segment by segment as
 * tcpdump would, each behind the connection's state, and one line for all that lies between.
 */
export class Transcript {
  /** Initial sequence numbers: ours, the peer's. */
  readonly #first: [number, number] = [0, 0];
  #segments = 0;
  #closing = false;
  #closeLines = 0;
  #handshakeLines = 0;
  /** Between the handshake's SYNs and the first FIN. */
  readonly #sent = { segments: 0, bytes: 0 };
  readonly #received = { segments: 0, bytes: 0 };

  /**
   * @param all print every segment
   * @param print takes one line
   */
  constructor(
    private readonly all: boolean,
    private readonly print: (line: string) => void,
  ) {}

  /** To be given to `Stack.open` as `trace`. */
  readonly segment = (words: Int32Array, base: number, state: State): void => {
    const flags = words[base + Word.Flags];
    const opening = (flags & Flag.SYN) !== 0 || this.#segments < 3;
    this.#segments++;
    if ((flags & (Flag.FIN | Flag.RST)) !== 0 && !this.#closing) {
      this.#closing = true;
      this.#sumUp();
    }
    if (!this.#closing) this.#count(words, base);
    if (this.all) this.#line(words, base, state);
    else if (this.#closing && this.#closeLines++ < PART_LIMIT) this.#line(words, base, state);
    else if (opening && this.#handshakeLines++ < PART_LIMIT) this.#line(words, base, state);
  };

  #line(words: Int32Array, base: number, state: State): void {
    const relativeTo = this.#reference(words, base);
    const segment = formatSegment(words, base, { relativeTo });
    this.print(`${stateName(state).padEnd(STATE_WIDTH)} ${timeOfDay()} ${segment}`);
  }

  /** As tcpdump counts: from the SYNs' numbers, which themselves are printed as they are. */
  #reference(words: Int32Array, base: number): SegmentReference | undefined {
    const [own, peer] = words[base + Word.Direction] === Direction.Out ? OUT : IN;
    if ((words[base + Word.Flags] & Flag.SYN) !== 0) {
      this.#first[own] = words[base + Word.Sequence];
      return undefined;
    }
    const first = this.#first;
    return { sequence: first[own], acknowledgment: first[peer], sack: first[peer] };
  }

  #count(words: Int32Array, base: number): void {
    if ((words[base + Word.Flags] & Flag.SYN) !== 0) return;
    const sum = words[base + Word.Direction] === Direction.Out ? this.#sent : this.#received;
    sum.segments++;
    sum.bytes += words[base + Word.PayloadLength];
  }

  #sumUp(): void {
    const [sent, received] = [this.#sent, this.#received].map(
      ({ segments, bytes }) => `${bytes} bytes in ${segments} segments`,
    );
    this.print(`${'ESTABLISHED'.padEnd(STATE_WIDTH)} ${received} received, ${sent} sent`);
  }
}

/** As tcpdump prints it: local time with microseconds. */
function timeOfDay(): string {
  const now = performance.timeOrigin + performance.now();
  const date = new Date(now);
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()];
  const micros = Math.floor((now % 1000) * 1000);
  const text = clock.map((part) => String(part).padStart(2, '0')).join(':');
  return `${text}.${String(micros).padStart(6, '0')}`;
}
