import type { Arena } from '../memory/arena';
import { PieceQueue } from '../memory/piece-queue';
import { seqLeq } from '../sequence';
import { BYTES_PER_PIECE, FREE_PIECES, PIECE_COST, Reassembly } from './reassembly';

/**
 * What has arrived and not been read yet: bytes in order, and behind them what came beyond a hole.
 * Both lie in the arena; a byte is copied there once, when it arrives.
 */
export class ReceiveBuffer {
  /** Bytes in order that wait for the program. */
  readable = 0;
  /** Whether the last `insert` refused the segment: too many small pieces wait beyond a hole. */
  refused = false;

  /** What the last `insert` found beyond a hole already; edges that are the same: nothing. */
  duplicateLeft = 0;
  duplicateRight = 0;

  /** What is known of an urgent byte ahead of the reader: `Urgent`, and the byte itself. */
  urgent = 0;
  /** Bytes in order before it, which may not be here yet. */
  mark = 0;

  private readonly queue = new PieceQueue();
  private reassembly: Reassembly | null = null;
  /** With so many pieces in order the small ones are copied together. */
  private gatherAt = FREE_PIECES;

  /** @param memory where the bytes held are counted */
  constructor(
    private readonly arena: Arena,
    private readonly memory: { received: number } = { received: 0 },
  ) {}

  /** Bytes that are held beyond a hole, each counted once. */
  get outOfOrder(): number {
    return this.reassembly === null ? 0 : this.reassembly.bytes;
  }

  /** Bytes that are held, in order or not. */
  get held(): number {
    return this.readable + this.outOfOrder;
  }

  /** What counts against the stack's memory: bytes, and beyond a hole what their pieces take. */
  get cost(): number {
    const { reassembly } = this;
    return this.held + (reassembly === null ? 0 : reassembly.pieces * PIECE_COST);
  }

  /** Pieces of memory that are held: what keeping them costs beside their bytes. */
  get pieces(): number {
    return this.queue.count + (this.reassembly === null ? 0 : this.reassembly.pieces);
  }

  /**
   * Stores what is new of a segment's payload (RFC 9293 §3.10.7.4, seventh). The caller has trimmed
   * it to the window.
   * @param seq sequence number of its first byte
   * @param rcvNxt RCV.NXT
   * @param from holds the payload: `length` bytes at `offset`
   * @returns by how many bytes RCV.NXT advances, holes included that are filled by it; 0 when the
   *   payload is old or beyond a hole
   */
  insert(seq: number, rcvNxt: number, from: Uint8Array, offset: number, length: number): number {
    this.refused = false;
    this.duplicateLeft = this.duplicateRight = 0;
    const old = (rcvNxt - seq) | 0;
    if (old >= length || length === 0) return 0;
    const before = this.cost;
    const advance = this.place(seq, rcvNxt, from, offset, length);
    this.memory.received += this.cost - before;
    return advance;
  }

  private place(
    seq: number,
    rcvNxt: number,
    from: Uint8Array,
    offset: number,
    length: number,
  ): number {
    const old = (rcvNxt - seq) | 0;
    if (old < 0) {
      this.reassembly ??= new Reassembly(this.arena);
      this.refused = !this.reassembly.insert(seq, from, offset, length);
      this.takeDuplicate(this.reassembly);
      return 0;
    }
    const fresh = length - old;
    const advance =
      this.reassembly === null
        ? this.append(from, offset + old, fresh)
        : this.join(this.reassembly, rcvNxt, from, offset + old, fresh);
    this.readable += advance;
    return advance;
  }

  /**
   * Copies up to `length` bytes to `offset` of `into` and drops them here; not beyond the mark.
   * @returns bytes copied; 0 when none is readable
   */
  read(into: Uint8Array, offset: number, length: number): number {
    const wanted = Math.min(this.untilMark(length), this.readable);
    let done = 0;
    while (done < wanted && this.queue.head !== null) {
      const piece = this.queue.head;
      const count = Math.min(wanted - done, piece.end - piece.start);
      into.set(piece.bytes.subarray(piece.start, piece.start + count), offset + done);
      piece.start += count;
      done += count;
      if (piece.start === piece.end) this.queue.shift(this.arena);
    }
    this.consumed(done);
    return done;
  }

  /**
   * Copies as `read` does, but drops nothing.
   * @param skip bytes in front that are passed over
   * @returns bytes copied
   */
  peek(into: Uint8Array, offset: number, length: number, skip = 0): number {
    const wanted = Math.min(this.untilMark(length), this.readable - skip);
    let done = 0;
    let left = skip;
    for (let piece = this.queue.head; piece !== null && done < wanted; piece = piece.next) {
      const start = piece.start + left;
      left = Math.max(start - piece.end, 0);
      const count = Math.min(wanted - done, piece.end - start);
      if (count <= 0) continue;
      into.set(piece.bytes.subarray(start, start + count), offset + done);
      done += count;
    }
    return done;
  }

  /** Drops the first byte, which must be there. */
  skip(): void {
    const piece = this.queue.head;
    if (piece === null) return;
    piece.start++;
    if (piece.start === piece.end) this.queue.shift(this.arena);
    this.consumed(1);
  }

  /** `length`, or what there is before the mark: a reading call stops there, or begins there. */
  private untilMark(length: number): number {
    return this.urgent !== 0 && this.mark > 0 ? Math.min(length, this.mark) : length;
  }

  private consumed(bytes: number): void {
    this.readable -= bytes;
    this.memory.received -= bytes;
    if (this.urgent === 0) return;
    this.mark -= bytes;
    if (this.mark < 0) this.urgent = 0;
  }

  /**
   * Hands over the next bytes that lie together, up to `max` (1 or more), not beyond the mark: they
   * are never written again here. Null when none is readable.
   */
  take(max: number): Uint8Array | null {
    const piece = this.queue.head;
    if (piece === null) return null;
    const start = piece.start;
    const end = Math.min(piece.end, start + this.untilMark(max));
    const bytes = piece.bytes.subarray(start, end);
    piece.start = piece.base = end;
    this.consumed(end - start);
    if (end === piece.end) this.queue.shift(this.arena);
    return bytes;
  }

  /**
   * The blocks of a SACK option (RFC 2018 §4): left and right edge of each at `words[at]`, first
   * the one that the most recently received segment belongs to.
   * @returns how many, `max` at most
   */
  sackBlocks(max: number, words: Int32Array, at: number): number {
    return this.reassembly === null ? 0 : this.reassembly.blocks(max, words, at);
  }

  /** Whether something is held beyond a hole, and the last of it ends before `seq`. */
  endsAt(seq: number): boolean {
    return this.reassembly !== null && this.reassembly.right === seq;
  }

  /**
   * Gives up what lies furthest beyond `seq`, up to the next hole.
   * @returns whether there was anything
   */
  prune(seq: number): boolean {
    const before = this.cost;
    const pruned = this.reassembly !== null && this.reassembly.prune(seq);
    this.memory.received += this.cost - before;
    if (this.reassembly?.isEmpty) this.reassembly = null;
    return pruned;
  }

  /** Drops everything. */
  clear(): void {
    this.memory.received -= this.cost;
    this.queue.clear(this.arena);
    this.reassembly?.clear();
    this.reassembly = null;
    this.readable = 0;
    this.urgent = 0;
    this.gatherAt = FREE_PIECES;
  }

  /** Holes that are filled leave a piece for each, which nobody may read for long. */
  private gather(): void {
    this.queue.gather(this.arena, BYTES_PER_PIECE);
    // What was gathered once is not copied again.
    this.gatherAt = Math.max(FREE_PIECES, 2 * this.queue.count);
  }

  private append(from: Uint8Array, offset: number, length: number): number {
    this.queue.append(this.arena, from, offset, length);
    return length;
  }

  private takeDuplicate(reassembly: Reassembly): void {
    this.duplicateLeft = reassembly.duplicateLeft;
    this.duplicateRight = reassembly.duplicateRight;
  }

  /** Appends a payload that begins at RCV.NXT, and the runs beyond it that are now in order. */
  private join(
    reassembly: Reassembly,
    rcvNxt: number,
    from: Uint8Array,
    offset: number,
    length: number,
  ): number {
    const end = (rcvNxt + length) | 0;
    let at = rcvNxt;
    reassembly.overlap(0, rcvNxt, end);
    this.takeDuplicate(reassembly);
    while (!reassembly.isEmpty && seqLeq(reassembly.left, end)) {
      const hole = (reassembly.left - at) | 0;
      if (hole > 0) this.append(from, offset + ((at - rcvNxt) | 0), hole);
      at = reassembly.shift(this.queue);
    }
    const rest = (end - at) | 0;
    if (rest > 0) this.append(from, offset + length - rest, rest);
    if (reassembly.isEmpty) this.reassembly = null;
    if (this.queue.count > this.gatherAt) this.gather();
    return ((at - rcvNxt) | 0) + Math.max(rest, 0);
  }
}
