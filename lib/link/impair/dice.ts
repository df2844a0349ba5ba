import type { Random } from '../../core/environment';

/** Chances from a random source. */
export class Dice {
  constructor(private readonly random: Random) {}

  /** Uniform, from 0 to just below 1. */
  fraction(): number {
    return (this.random.next() >>> 0) / 2 ** 32;
  }

  /** True with that probability, 0 to 1. */
  happens(probability: number): boolean {
    return this.fraction() < probability;
  }

  /** A whole number from `least` to `most`. */
  between(least: number, most: number): number {
    return least + Math.floor(this.fraction() * (most - least + 1));
  }
}
