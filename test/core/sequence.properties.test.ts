import fc from 'fast-check';
import { seqGeq, seqGt, seqLeq, seqLt, seqMax } from '../../lib/core/sequence';

/** Positions in a stream that is longer than any, around the places where int32 and uint32 wrap. */
const position = fc
  .tuple(fc.bigInt(0n, 8n), fc.oneof(fc.bigInt(-3n, 3n), fc.bigInt(-(2n ** 31n), 2n ** 31n)))
  .map(([half, offset]) => 2n ** 40n + half * 2n ** 31n + offset);

/** How far apart two numbers may be to be compared (RFC 9293 §3.4): less than 2^31. */
const MOST = 2n ** 31n - 1n;
const distance = fc.oneof(
  fc.bigInt(-2n, 2n),
  fc.bigInt(-MOST, MOST),
  fc.constantFrom(-MOST, MOST, -MOST + 1n, MOST - 1n),
);

/** The sequence number of a position: int32. */
const numberOf = (at: bigint) => Number(BigInt.asIntN(32, at));

describe('sequence numbers against positions that never wrap', () => {
  test('compare as the positions do', () => {
    fc.assert(
      fc.property(position, distance, (a, apart) => {
        const b = a + apart;
        const [x, y] = [numberOf(a), numberOf(b)];
        expect([seqLt(x, y), seqLeq(x, y), seqGt(x, y), seqGeq(x, y)]).toEqual([
          a < b,
          a <= b,
          a > b,
          a >= b,
        ]);
        expect(seqMax(x, y)).toBe(numberOf(a > b ? a : b));
      }),
      { numRuns: 2000 },
    );
  });

  test('what is added and taken away again is the distance', () => {
    fc.assert(
      fc.property(position, distance, (a, apart) => {
        const later = (numberOf(a) + Number(apart)) | 0;
        expect(later).toBe(numberOf(a + apart));
        expect((later - numberOf(a)) | 0).toBe(Number(apart));
      }),
      { numRuns: 500 },
    );
  });
});
