import type { Arena, Piece } from './arena';

/**
 * A small payload that can't join the one before it gets so much room that those after it can: many
 * small payloads that nobody reads then don't cost a piece each. Bytes.
 */
const SMALL_ROOM = 1024;

/** Bytes in order, as a list of pieces of an arena. */
export class PieceQueue {
  head: Piece | null = null;
  tail: Piece | null = null;
  /** Pieces in the list. */
  count = 0;

  /** Copies `length` bytes (more than 0) at `offset` of `from` to the end. */
  append(arena: Arena, from: Uint8Array, offset: number, length: number): void {
    if (this.tail === null) {
      this.head = this.tail = arena.store(from, offset, length, length);
    } else {
      if (arena.extend(this.tail, from, offset, length)) return;
      const piece = arena.store(from, offset, length, SMALL_ROOM);
      this.tail.next = piece;
      this.tail = piece;
    }
    this.count++;
  }

  /** Moves all pieces of `other` to the end. */
  concat(other: PieceQueue): void {
    if (this.tail === null) this.head = other.head;
    else this.tail.next = other.head;
    if (other.tail !== null) this.tail = other.tail;
    this.count += other.count;
    other.head = other.tail = null;
    other.count = 0;
  }

  /** Copies pieces of less than `least` bytes that lie side by side together: they become few. */
  gather(arena: Arena, least: number): void {
    let piece = this.head;
    this.head = this.tail = null;
    this.count = 0;
    while (piece !== null) {
      const { next } = piece;
      const length = piece.end - piece.start;
      if (length < least) {
        this.append(arena, piece.bytes, piece.start, length);
        arena.release(piece);
      } else {
        piece.next = null;
        if (this.tail === null) this.head = piece;
        else this.tail.next = piece;
        this.tail = piece;
        this.count++;
      }
      piece = next;
    }
  }

  /** Drops the first piece, which must be there. */
  shift(arena: Arena): void {
    const piece = this.head as Piece;
    this.head = piece.next;
    if (this.head === null) this.tail = null;
    this.count--;
    arena.release(piece);
  }

  clear(arena: Arena): void {
    while (this.head !== null) this.shift(arena);
  }
}
