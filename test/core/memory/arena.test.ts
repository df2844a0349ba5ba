import { Arena, type Piece } from '../../../lib/core/memory/arena';

const KIB = 1024;

function arena() {
  const slabs: Uint8Array[] = [];
  const made = new Arena((bytes) => {
    const slab = new Uint8Array(bytes);
    slabs.push(slab);
    return slab;
  });
  return { arena: made, slabs };
}

const source = Uint8Array.from({ length: 70_000 }, (_, i) => i % 251);

function contents(piece: Piece) {
  return Buffer.from(piece.bytes.subarray(piece.start, piece.end));
}

describe('Arena', () => {
  test('keeps small payloads in small slabs', () => {
    const { arena: memory, slabs } = arena();
    memory.store(source, 0, 1, 1);
    memory.store(source, 0, 1024, 1024);
    expect(slabs.map((slab) => slab.length)).toEqual([8 * KIB]);
    memory.store(source, 0, 1448, 1448);
    expect(slabs.map((slab) => slab.length)).toEqual([8 * KIB, 64 * KIB]);
    memory.store(source, 0, 65_535, 65_535);
    expect(slabs.map((slab) => slab.length)).toEqual([8 * KIB, 64 * KIB, 256 * KIB]);
  });

  test('a payload longer than any slab has one of its own', () => {
    const { arena: memory, slabs } = arena();
    const long = new Uint8Array(300 * KIB).fill(7);
    expect(contents(memory.store(long, 0, long.length, long.length)).equals(long)).toBe(true);
    expect(slabs.map((slab) => slab.length)).toEqual([300 * KIB]);
  });

  test('grows a piece in place while nothing follows it', () => {
    const { arena: memory } = arena();
    const first = memory.store(source, 0, 10, 10);
    expect(memory.extend(first, source, 10, 100)).toBe(true);
    expect(contents(first)).toEqual(Buffer.from(source.subarray(0, 110)));
    const second = memory.store(source, 0, 10, 50);
    expect(memory.extend(first, source, 110, 1)).toBe(false);
    const third = memory.store(source, 500, 10, 10);
    // Within the room that it was given.
    expect(memory.extend(second, source, 10, 40)).toBe(true);
    expect(memory.extend(second, source, 50, 1)).toBe(false);
    expect(contents(second)).toEqual(Buffer.from(source.subarray(0, 50)));
    expect(contents(third)).toEqual(Buffer.from(source.subarray(500, 510)));
    expect(memory.extend(third, source, 510, 60_000)).toBe(false);
  });

  test('uses memory again that nobody has seen, and no other', () => {
    const { arena: memory, slabs } = arena();
    for (let i = 0; i < 1000; i++) {
      const piece = memory.store(source, i, 900, 900);
      expect(contents(piece).equals(source.subarray(i, i + 900))).toBe(true);
      memory.release(piece);
    }
    expect(slabs).toHaveLength(1);

    const seen = memory.store(source, 0, 900, 900);
    const view = seen.bytes.subarray(seen.start, seen.start + 400);
    seen.start = seen.base = seen.start + 400;
    memory.release(seen);
    const after = memory.store(source, 5000, 900, 900);
    expect(after.bytes).toBe(slabs[0]);
    expect(after.start).toBe(400);
    expect(Buffer.from(view)).toEqual(Buffer.from(source.subarray(0, 400)));
  });
});
