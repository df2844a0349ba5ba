import fc from 'fast-check';
import { Identification } from '../../../lib/core/ip/identification';
import { Xoshiro } from '../../../lib/core/random/xoshiro';

/** Both addresses, as a descriptor has them, somewhere in an array. */
const ends = (from: number, to: number) =>
  Int32Array.of(-1, 0, 0, 0xffff, from, 0, 0, 0xffff, to, -1);
const UDP = 17;

describe('of IPv4', () => {
  test('packets that follow at once have numbers that follow, also where they wrap', () => {
    const ids = new Identification(new Xoshiro(1));
    const words = ends(1, 2);
    let before = ids.next4(words, 1, UDP, 1, 5);
    for (let i = 0; i < 70_000; i++) {
      const next = ids.next4(words, 1, UDP, 1, 5);
      if (next !== ((before + 1) & 0xffff)) throw new Error(`${next} after ${before}`);
      before = next;
    }
    const run = ids.next4(words, 1, UDP, 45, 5);
    expect(ids.next4(words, 1, UDP, 1, 5)).toBe((run + 45) & 0xffff);
  });

  test('with time they jump, by no more than there are milliseconds', () => {
    fc.assert(
      fc.property(fc.integer(), fc.nat(20_000), fc.integer(), (seed, elapsed, now) => {
        const ids = new Identification(new Xoshiro(seed));
        const before = ids.next4(ends(1, 2), 1, UDP, 1, now);
        const jump = (ids.next4(ends(1, 2), 1, UDP, 1, (now + elapsed) | 0) - before) & 0xffff;
        expect(jump).toBeGreaterThanOrEqual(1);
        expect(jump).toBeLessThanOrEqual(Math.max(1, elapsed));
      }),
    );
  });

  test('where they begin differs by address, protocol and stack', () => {
    const first = (seed: number, words: Int32Array, protocol: number) =>
      new Identification(new Xoshiro(seed)).next4(words, 1, protocol, 1, 0);
    const seen = new Set<number>();
    for (let i = 0; i < 50; i++) {
      seen.add(first(7, ends(1, i), UDP));
      seen.add(first(7, ends(i + 100, 2), UDP));
      seen.add(first(7, ends(1, 2), 50 + i));
      seen.add(first(100 + i, ends(1, 2), UDP));
    }
    // Of 200 numbers out of 65,536 (of three of the kinds, 2048) few are equal by chance.
    expect(seen.size).toBeGreaterThan(185);
  });

  test('what is sent to others leaves a counter alone', () => {
    const ids = new Identification(new Xoshiro(3));
    const before = ids.next4(ends(1, 2), 1, UDP, 1, 0);
    for (let i = 0; i < 20; i++) ids.next4(ends(1, 1000 + i), 1, UDP, 1, 0);
    expect(ids.next4(ends(1, 2), 1, UDP, 1, 0)).toBe((before + 1) & 0xffff);
  });
});

test('of IPv6: random, never 0', () => {
  const numbers = [5, 0, 0, -1];
  const ids = new Identification({ next: () => numbers.shift() ?? 9 });
  // The key of the hash has taken four words already.
  numbers.push(0, 0, 7, -2);
  expect([ids.next6(), ids.next6(), ids.next6()]).toEqual([7, -2, 9]);
});
