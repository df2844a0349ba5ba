import { Xoshiro } from '../../lib/core/random/xoshiro';

/** Decisions that follow from a seed. */
export class Chance {
  private readonly random: Xoshiro;

  constructor(seed: number) {
    this.random = new Xoshiro(seed);
  }

  /** A whole number from 0 to n - 1. */
  below(n: number): number {
    return (this.random.next() >>> 0) % n;
  }

  /** A number from `least` to less than `most`. */
  between(least: number, most: number): number {
    return least + ((this.random.next() >>> 0) / 2 ** 32) * (most - least);
  }

  percent(percent: number): boolean {
    return this.below(100) < percent;
  }

  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)];
  }

  /** Some of them, each with an even chance; at least one. */
  some<T>(values: readonly T[]): T[] {
    const chosen = values.filter(() => this.percent(50));
    return chosen.length > 0 ? chosen : [this.pick(values)];
  }
}
