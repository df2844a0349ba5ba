const KIB = 1024;

/** A payload of up to `payload` bytes goes into a slab of `slab` bytes. */
const CLASSES: readonly { payload: number; slab: number }[] = [
  { payload: KIB, slab: 8 * KIB },
  { payload: 8 * KIB, slab: 64 * KIB },
  { payload: Infinity, slab: 256 * KIB },
];

/** Longer copies are left to the engine, whose call needs a view (60 to 100 ns). */
const COPY_BY_LOOP = 64;

class ArenaSlab {
  /** Bytes given out, from the front. */
  used = 0;
  constructor(readonly bytes: Uint8Array) {}
}

/** A run of bytes in a slab of the arena: `bytes[start]` to `bytes[end - 1]`. */
export class Piece {
  next: Piece | null = null;
  /** Up to here the slab's bytes are the piece's own: room to grow. */
  limit = 0;
  /** From here on the slab's bytes have not been handed over. */
  base = 0;
  start = 0;
  end = 0;

  constructor(public slab: ArenaSlab) {}

  get bytes(): Uint8Array {
    return this.slab.bytes;
  }
}

const NO_SLAB = new ArenaSlab(new Uint8Array(0));

/**
 * Where received payload is copied to until the program reads it. Slabs are filled from the front
 * and then left to garbage collection, which frees them when nothing of them is held any more, by
 * the stack or by the program. Small payloads have small slabs, so that one that stays unread
 * doesn't keep much.
 */
export class Arena {
  private readonly current: ArenaSlab[] = CLASSES.map(() => NO_SLAB);
  /** Pieces to be used again. */
  private spare: Piece | null = null;

  /** @param allocate memory, uninitialised where that is cheaper */
  constructor(private readonly allocate: (bytes: number) => Uint8Array) {}

  /**
   * Copies `length` bytes at `offset` of `from` into a piece of its own.
   * @param room bytes that the piece shall be able to grow to in place, if more than `length`
   */
  store(from: Uint8Array, offset: number, length: number, room: number): Piece {
    const size = Math.max(length, room);
    const index = classOf(length);
    let slab = this.current[index];
    if (slab.bytes.length - slab.used < size) {
      slab = new ArenaSlab(this.allocate(Math.max(size, CLASSES[index].slab)));
      this.current[index] = slab;
    }
    const piece = this.piece(slab);
    piece.start = piece.base = slab.used;
    piece.end = piece.start + length;
    piece.limit = slab.used = piece.start + size;
    copy(from, offset, length, slab.bytes, piece.start);
    return piece;
  }

  /** Copies the bytes to the end of `piece` if all of them can follow there in place. */
  extend(piece: Piece, from: Uint8Array, offset: number, length: number): boolean {
    const slab = piece.slab;
    const end = piece.end + length;
    if (end > piece.limit) {
      if (piece.limit !== slab.used || end > slab.bytes.length) return false;
      piece.limit = slab.used = end;
    }
    copy(from, offset, length, slab.bytes, piece.end);
    piece.end = end;
    return true;
  }

  /** All of the piece has been read, handed over or dropped. */
  release(piece: Piece): void {
    // Bytes that nobody else has seen can be used again while the slab ends with them.
    if (piece.slab.used === piece.limit) piece.slab.used = piece.base;
    piece.slab = NO_SLAB;
    piece.next = this.spare;
    this.spare = piece;
  }

  private piece(slab: ArenaSlab): Piece {
    const piece = this.spare;
    if (piece === null) return new Piece(slab);
    this.spare = piece.next;
    piece.next = null;
    piece.slab = slab;
    return piece;
  }
}

function classOf(length: number): number {
  let index = 0;
  while (length > CLASSES[index].payload) index++;
  return index;
}

function copy(from: Uint8Array, offset: number, length: number, to: Uint8Array, at: number): void {
  if (length > COPY_BY_LOOP) {
    to.set(from.subarray(offset, offset + length), at);
  } else {
    for (let i = 0; i < length; i++) to[at + i] = from[offset + i];
  }
}
