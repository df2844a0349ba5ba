import fc from 'fast-check';
import { endpointsHash, fourTupleHash } from '../../../lib/core/random/half-sip-hash';
import { Word } from '../../../lib/core/segment/layout';

/** HalfSipHash-1-3 of any message in BigInt arithmetic, written from the paper's definition. */
function model(key: readonly [bigint, bigint], bytes: readonly number[]): bigint {
  const mask = 0xffffffffn;
  const rotl = (x: bigint, n: bigint) => ((x << n) | (x >> (32n - n))) & mask;
  let [v0, v1, v2, v3] = [key[0], key[1], 0x6c796765n ^ key[0], 0x74656462n ^ key[1]];
  const round = () => {
    v0 = (v0 + v1) & mask;
    v1 = rotl(v1, 5n) ^ v0;
    v0 = rotl(v0, 16n);
    v2 = (v2 + v3) & mask;
    v3 = rotl(v3, 8n) ^ v2;
    v0 = (v0 + v3) & mask;
    v3 = rotl(v3, 7n) ^ v0;
    v2 = (v2 + v1) & mask;
    v1 = rotl(v1, 13n) ^ v2;
    v2 = rotl(v2, 16n);
  };
  const padded = [...bytes];
  while (padded.length % 4 !== 3) padded.push(0);
  padded.push(bytes.length & 0xff);
  for (let i = 0; i < padded.length; i += 4) {
    const [a, b, c, d] = padded.slice(i, i + 4);
    const m = (BigInt(d) << 24n) | BigInt((c << 16) | (b << 8) | a);
    v3 ^= m;
    round();
    v0 ^= m;
  }
  v2 ^= 0xffn;
  round();
  round();
  round();
  return v1 ^ v3;
}

/** Published results for the key 00 01 .. 07 and the message 00 01 .. (n - 1), by n. */
const PUBLISHED: readonly (readonly [number, number])[] = [
  [0, 0x5814c896],
  [1, 0xe7e864ca],
  [4, 0x7e059ea6],
  [8, 0x577999b1],
  [15, 0xd0257b04],
  [16, 0x8b31d501],
  [36, 0x7c46fb7f],
  [63, 0x87178304],
];

const descriptor = (bytes: readonly number[]): Int32Array => {
  const words = new Int32Array(Word.Stride * 2);
  const word = (i: number) =>
    bytes[4 * i] | (bytes[4 * i + 1] << 8) | (bytes[4 * i + 2] << 16) | (bytes[4 * i + 3] << 24);
  for (let i = 0; i < 4; i++) words[Word.Stride + Word.Destination + i] = word(i);
  for (let i = 0; i < 4; i++) words[Word.Stride + Word.Source + i] = word(4 + i);
  words[Word.Stride + Word.SourcePort] = word(8) & 0xffff;
  words[Word.Stride + Word.DestinationPort] = word(8) >>> 16;
  return words;
};

const count = (n: number) => Array.from({ length: n }, (_, i) => i);

describe('the four-tuple hash', () => {
  test.each(PUBLISHED)('the model gives the published result for %i bytes', (length, expected) => {
    expect(model([0x03020100n, 0x07060504n], count(length))).toBe(BigInt(expected));
  });

  test('gives the published result for a message of its own length', () => {
    const key = Int32Array.of(0x03020100, 0x07060504);
    expect(fourTupleHash(key, descriptor(count(36)), Word.Stride) >>> 0).toBe(0x7c46fb7f);
  });

  test('equals the model for any key and tuple, from a descriptor and from endpoints', () => {
    const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
    const bytes = fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 36, maxLength: 36 });
    fc.assert(
      fc.property(int32, int32, bytes, (k0, k1, tuple) => {
        const key = Int32Array.of(k0, k1);
        const words = descriptor(tuple);
        const expected = Number(model([BigInt(k0 >>> 0), BigInt(k1 >>> 0)], tuple)) | 0;
        expect(fourTupleHash(key, words, Word.Stride)).toBe(expected);
        const address = (at: number) => ({
          w0: words[at],
          w1: words[at + 1],
          w2: words[at + 2],
          w3: words[at + 3],
        });
        const hash = endpointsHash(
          key,
          address(Word.Stride + Word.Destination),
          words[Word.Stride + Word.DestinationPort],
          address(Word.Stride + Word.Source),
          words[Word.Stride + Word.SourcePort],
        );
        expect(hash).toBe(expected);
      }),
    );
  });
});
