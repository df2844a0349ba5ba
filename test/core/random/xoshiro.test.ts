import { Xoshiro } from '../../../lib/core/random/xoshiro';

const take = (generator: Xoshiro, count: number) =>
  Array.from({ length: count }, () => generator.next() >>> 0);

describe('Xoshiro', () => {
  test('gives the words of the reference implementation', () => {
    const generator = Xoshiro.fromState(0x964d4a0c, 0xd40ab895, 0xad7fdecb, 0x3006f0f0);
    expect(take(generator, 4)).toEqual([0xf1391922, 0x6fe53806, 0xa5be2840, 0xf510ee70]);
    expect(take(Xoshiro.fromState(1, 2, 3, 4), 4)).toEqual([11_520, 0, 5_927_040, 70_819_200]);
  });

  test('a seed is a sequence', () => {
    expect(take(new Xoshiro(7), 10)).toEqual(take(new Xoshiro(7), 10));
    const seeds = [0, 1, 2, -1, 2 ** 32, 2 ** 32 + 1, 2 ** 53, 0.5 + 3];
    expect(new Set(seeds.map((seed) => take(new Xoshiro(seed), 2).join())).size).toBe(seeds.length);
  });

  test('gives int32 whose bits are set half of the time', () => {
    const generator = new Xoshiro(1);
    const ones = new Array<number>(32).fill(0);
    for (let i = 0; i < 10_000; i++) {
      const word = generator.next();
      expect(word).toBe(word | 0);
      for (let bit = 0; bit < 32; bit++) ones[bit] += (word >>> bit) & 1;
    }
    for (const count of ones) expect(Math.abs(count - 5000)).toBeLessThan(300);
  });
});
