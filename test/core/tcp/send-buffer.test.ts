import fc from 'fast-check';
import { BlockPool, LARGE_BLOCK, SMALL_BLOCK } from '../../../lib/core/memory/block-pool';
import { SlabTable } from '../../../lib/core/memory/slabs';
import { MAX_SLICES, SLICE_WORDS } from '../../../lib/core/segment/layout';
import { SendBuffer } from '../../../lib/core/tcp/send-buffer';

const slabs = new SlabTable();
const pool = new BlockPool(slabs, (bytes) => new Uint8Array(bytes));

/** Bytes that tell their position in the stream. */
function pattern(from: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => {
    const position = from + i;
    return (position * 31 + (position >> 8) * 7) & 0xff;
  });
}

/** The bytes of up to `length` from `offset`, by one call of `slice`. */
function bytesOf(buffer: SendBuffer, offset: number, length: number): Buffer {
  const at = 5;
  const out = new Int32Array(at + MAX_SLICES * SLICE_WORDS);
  const covered = buffer.slice(offset, length, out, at);
  const parts: Uint8Array[] = [];
  for (let i = 0; i < buffer.sliceCount; i++) {
    const [slab, start, bytes] = out.subarray(at + i * SLICE_WORDS);
    expect(bytes).toBeGreaterThan(0);
    parts.push(slabs.slabs[slab].subarray(start, start + bytes));
  }
  const all = Buffer.concat(parts);
  expect(all.length).toBe(covered);
  expect(covered === length || buffer.sliceCount === MAX_SLICES).toBe(true);
  return all;
}

describe('SendBuffer', () => {
  afterEach(() => expect(pool.used).toBe(0));

  test('takes a small block for a little, large ones for much, none for nothing', () => {
    const buffer = new SendBuffer(pool);
    expect(pool.used).toBe(0);
    buffer.append(pattern(0, 100), 0, 100);
    expect(pool.used).toBe(SMALL_BLOCK);
    buffer.append(pattern(100, 1948), 0, 1948);
    expect(pool.used).toBe(SMALL_BLOCK);
    buffer.append(pattern(2048, 10_000), 0, 10_000);
    expect(pool.used).toBe(SMALL_BLOCK + LARGE_BLOCK);
    expect(bytesOf(buffer, 0, 12_048).equals(pattern(0, 12_048))).toBe(true);
    buffer.discard(2048);
    expect(pool.used).toBe(LARGE_BLOCK);
    buffer.discard(10_000);
    expect([buffer.length, pool.used]).toEqual([0, 0]);
    buffer.append(pattern(0, 8192), 0, 8192);
    expect(pool.used).toBe(LARGE_BLOCK);
    buffer.clear();
  });

  test('an empty range has no slice', () => {
    const buffer = new SendBuffer(pool);
    expect(bytesOf(buffer, 0, 0)).toHaveLength(0);
    buffer.append(pattern(0, SMALL_BLOCK), 0, SMALL_BLOCK);
    expect(bytesOf(buffer, SMALL_BLOCK, 0)).toHaveLength(0);
    buffer.append(pattern(SMALL_BLOCK, 10), 0, 10);
    expect(bytesOf(buffer, SMALL_BLOCK, 10)).toEqual(Buffer.from(pattern(SMALL_BLOCK, 10)));
    buffer.clear();
  });

  test('refuses a range outside of it', () => {
    const buffer = new SendBuffer(pool);
    buffer.append(pattern(0, 10), 0, 10);
    expect(() => bytesOf(buffer, 1, 10)).toThrow(RangeError);
    expect(() => bytesOf(buffer, -1, 2)).toThrow(RangeError);
    buffer.discard(10);
  });

  test('does not follow a block that has gone to another', () => {
    const buffer = new SendBuffer(pool);
    const other = new SendBuffer(pool);
    for (let i = 0; i < 3; i++) buffer.append(pattern(i * 2048, 2048), 0, 2048);
    expect(bytesOf(buffer, 0, 100)).toHaveLength(100);
    buffer.discard(2048);
    for (let i = 0; i < 2; i++) other.append(new Uint8Array(2048), 0, 2048);
    expect(bytesOf(buffer, 0, 4096).equals(pattern(2048, 4096))).toBe(true);
    buffer.clear();
    other.clear();
  });

  test('a payload of 64 KiB never needs more slices than there are', () => {
    const buffer = new SendBuffer(pool);
    for (let i = 0; i < 400; i++) buffer.append(pattern(i * 700, 700), 0, 700);
    for (let offset = 0; offset + 65_535 <= buffer.length; offset += 997) {
      expect(bytesOf(buffer, offset, 65_535)).toHaveLength(65_535);
    }
    buffer.clear();
  });

  test('goes on where the last search ended, for what is new and what is sent again', () => {
    let steps = 0;
    class Counting extends BlockPool {
      override linkOf(block: number): number {
        steps++;
        return super.linkOf(block);
      }
    }
    const blocks = 200;
    const counting = new Counting(slabs, (bytes) => new Uint8Array(bytes));
    const buffer = new SendBuffer(counting);
    for (let i = 0; i < blocks; i++) buffer.append(pattern(0, SMALL_BLOCK), 0, SMALL_BLOCK);
    const size = buffer.length / blocks;
    const out = new Int32Array(MAX_SLICES * SLICE_WORDS);
    const look = (block: number) => buffer.slice(block * size, size, out, 0);
    for (let i = 0; i < blocks; i++) look(i);
    expect(steps).toBeLessThan(2 * blocks);
    // Holes are filled while the end is asked for, too.
    for (let i = 0; i < blocks - 1; i++) for (const block of [i, blocks - 1]) look(block);
    expect(steps).toBeLessThan(5 * blocks);
    buffer.clear();
  });

  test('says how far the slices reach when they run out', () => {
    const buffer = new SendBuffer(pool);
    const length = (MAX_SLICES + 3) * LARGE_BLOCK;
    buffer.append(pattern(0, length), 0, length);
    expect(bytesOf(buffer, 10, length - 10)).toHaveLength(MAX_SLICES * LARGE_BLOCK - 10);
    buffer.clear();
  });

  test('behaves as one string of bytes would', () => {
    const size = fc.oneof(fc.nat(40), fc.nat(5_000), fc.nat(150_000));
    const operation = fc.record({
      do: fc.constantFrom('append', 'append', 'slice', 'slice', 'next', 'discard', 'clear'),
      size,
      share: fc.nat(1000),
      shift: fc.nat(9),
    });
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 40, size: 'max' }), (operations) => {
        const buffer = new SendBuffer(pool);
        const other = new SendBuffer(pool);
        let front = 0;
        let end = 0;
        let sent = 0;
        for (const step of operations) {
          const held = end - front;
          const offset = Math.floor((held * step.share) / 1000);
          if (step.do === 'append') {
            const source = pattern(end - step.shift, step.size + step.shift + 3);
            buffer.append(source, step.shift, step.size);
            source.fill(0xee);
            end += step.size;
            // Another buffer's blocks lie between.
            other.append(pattern(0, 100), 0, 100);
          } else if (step.do === 'slice' || step.do === 'next') {
            const from = step.do === 'next' ? Math.max(0, sent - front) : offset;
            const length = Math.min(step.size, held - from);
            const bytes = bytesOf(buffer, from, length);
            expect(bytes.equals(pattern(front + from, bytes.length))).toBe(true);
            sent = front + from + bytes.length;
          } else if (step.do === 'discard') {
            buffer.discard(offset);
            front += offset;
          } else {
            if (step.share < 800) continue;
            buffer.clear();
            front = end;
          }
          expect(buffer.length).toBe(end - front);
        }
        buffer.clear();
        other.clear();
        expect(pool.used).toBe(0);
      }),
      { numRuns: 50 },
    );
  });
});
