import fc from 'fast-check';
import { optionsLength, parseOptions, writeOptions } from '../../lib/codec/options';
import { Option, Word } from '../../lib/core/segment/layout';

const uint16 = fc.nat(0xffff);
const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });

/** One option: its bytes, and the words that it sets. */
interface Part {
  readonly bytes: readonly number[];
  readonly words: readonly (readonly [Word, number])[];
  readonly bit: number;
}

const big = (value: number) => [24, 16, 8, 0].map((bits) => (value >>> bits) & 0xff);

const known: fc.Arbitrary<Part> = fc.oneof(
  uint16.map((mss) => ({
    bytes: [2, 4, mss >> 8, mss & 0xff],
    words: [[Word.Mss, mss] as const],
    bit: Option.Mss,
  })),
  fc.nat(14).map((scale) => ({
    bytes: [3, 3, scale],
    words: [[Word.WindowScale, scale] as const],
    bit: Option.WindowScale,
  })),
  fc.constant({ bytes: [4, 2], words: [], bit: Option.SackPermitted }),
  fc.tuple(int32, int32).map(([value, echo]) => ({
    bytes: [8, 10, ...big(value), ...big(echo)],
    words: [[Word.TsVal, value] as const, [Word.TsEcr, echo] as const],
    bit: Option.Timestamps,
  })),
  fc.array(fc.tuple(int32, int32), { minLength: 1, maxLength: 4 }).map((blocks) => ({
    bytes: [5, 2 + 8 * blocks.length, ...blocks.flat().flatMap(big)],
    words: [
      [Word.SackCount, blocks.length] as const,
      ...blocks.flat().map((edge, i) => [Word.Sack + i, edge] as const),
    ],
    bit: Option.Sack,
  })),
);

/** What says nothing to us: padding, options that we don't know, known ones of a wrong length. */
const unknown: fc.Arbitrary<Part> = fc
  .oneof(
    fc.constant([1]),
    fc
      .tuple(fc.constantFrom(6, 7, 9, 19, 28, 34, 253, 255), fc.uint8Array({ maxLength: 6 }))
      .map(([kind, data]) => [kind, data.length + 2, ...data]),
    fc.constantFrom(
      [2, 3, 9],
      [3, 4, 1, 1],
      [4, 3, 0],
      [8, 6, 1, 2, 3, 4],
      [5, 2],
      [5, 6, 1, 2, 3, 4],
    ),
  )
  .map((bytes) => ({ bytes, words: [], bit: 0 }));

/** Options as a peer may send them: each kind once, in any order, 40 bytes at most. */
const sent = fc
  .array(fc.oneof(known, known, unknown), { maxLength: 10, size: 'max' })
  .map((parts) => {
    const chosen: Part[] = [];
    let bits = 0;
    let length = 0;
    for (const part of parts) {
      if ((bits & part.bit) !== 0 || length + part.bytes.length > 40) continue;
      chosen.push(part);
      bits |= part.bit;
      length += part.bytes.length;
    }
    return chosen;
  });

/** What comes behind the options: nothing, or their end and what must not be read. */
const behind = fc.constantFrom([], [0], [0, 2, 4, 1, 2], [2], [3, 0], [4, 1], [8, 10, 1, 2]);

function read(bytes: readonly number[]): Int32Array {
  const words = new Int32Array(Word.Stride + 5);
  // The place in the bytes and in the words must not matter.
  parseOptions(Uint8Array.from([9, 9, 9, ...bytes]), 3, 3 + bytes.length, words, 5);
  expect([...words.subarray(0, 5)]).toEqual([0, 0, 0, 0, 0]);
  return words.slice(5);
}

describe('options there and back', () => {
  test('are read as a peer may write them, up to the first that is not whole', () => {
    fc.assert(
      fc.property(sent, behind, (parts, rest) => {
        const expected = new Int32Array(Word.Stride);
        for (const { words, bit } of parts) {
          expected[Word.Options] |= bit;
          for (const [word, value] of words) expected[word] = value;
        }
        expect(read([...parts.flatMap(({ bytes }) => bytes), ...rest])).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  test('are written as long as said, aligned, and read as what they were', () => {
    fc.assert(
      fc.property(sent, (parts) => {
        const words = read(parts.flatMap(({ bytes }) => bytes));
        const length = optionsLength(words, 0);
        const bytes = new Uint8Array(60).fill(0xee);
        expect(writeOptions(words, 0, bytes, 7)).toBe(7 + length);
        expect(length % 4).toBe(0);
        expect(length).toBeLessThanOrEqual(40);
        expect([bytes[6], bytes[7 + length]]).toEqual([0xee, 0xee]);
        const again = read([...bytes.subarray(7, 7 + length)]);
        // What there is no room for beside the others are SACK blocks, the last ones.
        const blocks = again[Word.SackCount];
        const without = length - (blocks === 0 ? 0 : 4 + 8 * blocks);
        const fits = Math.max(0, Math.floor((36 - without) / 8));
        expect(blocks).toBe(Math.min(words[Word.SackCount], fits));
        words[Word.SackCount] = blocks;
        words.fill(0, Word.Sack + 2 * blocks, Word.Sack + 8);
        if (blocks === 0) words[Word.Options] &= ~Option.Sack;
        expect(again).toEqual(words);
      }),
      { numRuns: 300 },
    );
  });
});
