import { Direction, Flag, Word } from '../core/segment/layout';
import { stateName } from '../core/tcp/state';
import type { State } from '../core/tcp/state';
import { Conversations } from '../observe/conversations';
import { formatSegment } from '../observe/tcpdump';

/** Lines of one part (handshake, close) at most; losses could repeat segments without end. */
const PART_LIMIT = 10;

/** Width of the column of states, characters. */
const STATE_WIDTH = 12;

/**
 * What `npm start` prints of one connection: the handshake and the close segment by segment as
 * tcpdump would, each behind the connection's state, and one line for all that lies between.
 */
export class Transcript {
  readonly #conversations = new Conversations();
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
    const relativeTo = this.#conversations.capture(words, base);
    if (!this.#isPrinted(opening)) return;
    const text = formatSegment(words, base, { relativeTo });
    this.print(`${stateName(state).padEnd(STATE_WIDTH)} ${timeOfDay()} ${text}`);
  };

  #isPrinted(opening: boolean): boolean {
    if (this.all) return true;
    if (this.#closing) return this.#closeLines++ < PART_LIMIT;
    return opening && this.#handshakeLines++ < PART_LIMIT;
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
