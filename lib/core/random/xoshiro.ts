import type { Random } from '../environment';

// A local name: under Jest each look-up of a global goes through its sandbox.
const { imul } = Math;

/**
 * xoshiro128** (D. Blackman, S. Vigna): random words from a seed, for tests, simulation and
 * impairments. Who sees some of its output can compute the rest: not for what must not be guessed.
 */
export class Xoshiro implements Random {
  private readonly state = new Int32Array(4);

  /** @param seed any number; equal seeds give equal sequences */
  constructor(seed: number) {
    const low = Math.trunc(seed) | 0;
    const high = Math.floor(seed / 2 ** 32) | 0;
    // splitmix32: of four numbers in a row at most one is 0.
    let x = scramble(low) ^ high;
    for (let i = 0; i < 4; i++) {
      x = (x + 0x9e3779b9) | 0;
      this.state[i] = scramble(x);
    }
  }

  /** A generator with the four words of state given, which must not all be 0. */
  static fromState(s0: number, s1: number, s2: number, s3: number): Xoshiro {
    const generator = new Xoshiro(0);
    generator.state.set([s0, s1, s2, s3]);
    return generator;
  }

  /** A uniformly distributed int32. */
  next(): number {
    const s = this.state;
    const result = imul(rotate(imul(s[1], 5), 7), 9);
    const t = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 11);
    return result;
  }
}

function rotate(x: number, bits: number): number {
  return (x << bits) | (x >>> (32 - bits));
}

/** A bijection of int32 in which each bit of the result depends on all of `x`. */
function scramble(x: number): number {
  let z = imul(x ^ (x >>> 16), 0x21f0aaad);
  z = imul(z ^ (z >>> 15), 0x735a2d97);
  return z ^ (z >>> 15);
}
