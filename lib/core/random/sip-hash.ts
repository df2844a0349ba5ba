import type { Random } from '../environment';

/**
 * SipHash-2-4 (J.-P. Aumasson, D. J. Bernstein): a keyed hash of 64 bits whose values can't be
 * predicted without the key. The message is a run of 32-bit words, little-endian; a 64-bit number
 * is two int32, which is much faster than BigInt.
 */
export class SipHash {
  /** The hash that `hash` computed last: high and low word, int32. */
  high = 0;
  low = 0;

  /** The state v0 to v3: high and low word of each. */
  private readonly v = new Int32Array(8);

  /** @param key four words, the least significant first */
  constructor(private readonly key: Int32Array) {}

  /** A hash with a random key. */
  static random(random: Random): SipHash {
    return new SipHash(Int32Array.from({ length: 4 }, () => random.next()));
  }

  /**
   * Hashes the first `count` words of `words`.
   * @returns the low word, int32; both are in `high` and `low`
   */
  hash(words: Int32Array, count: number): number {
    const { key, v } = this;
    v[0] = key[1] ^ 0x736f6d65;
    v[1] = key[0] ^ 0x70736575;
    v[2] = key[3] ^ 0x646f7261;
    v[3] = key[2] ^ 0x6e646f6d;
    v[4] = key[1] ^ 0x6c796765;
    v[5] = key[0] ^ 0x6e657261;
    v[6] = key[3] ^ 0x74656462;
    v[7] = key[2] ^ 0x79746573;
    for (let i = 0; i + 1 < count; i += 2) this.compress(words[i + 1], words[i]);
    // The last block: what is left of the message, and its length in bytes modulo 256 on top.
    this.compress((count * 4) << 24, (count & 1) === 1 ? words[count - 1] : 0);
    v[5] ^= 0xff;
    for (let i = 0; i < 4; i++) round(v);
    this.high = v[0] ^ v[2] ^ v[4] ^ v[6];
    this.low = v[1] ^ v[3] ^ v[5] ^ v[7];
    return this.low;
  }

  private compress(high: number, low: number): void {
    const v = this.v;
    v[6] ^= high;
    v[7] ^= low;
    round(v);
    round(v);
    v[0] ^= high;
    v[1] ^= low;
  }
}

function round(v: Int32Array): void {
  addTo(v, 0, 2);
  addTo(v, 4, 6);
  rotateXor(v, 2, 13, 0);
  rotateXor(v, 6, 16, 4);
  swap(v, 0);
  addTo(v, 4, 2);
  addTo(v, 0, 6);
  rotateXor(v, 2, 17, 4);
  rotateXor(v, 6, 21, 0);
  swap(v, 4);
}

/** v[a] += v[b] */
function addTo(v: Int32Array, a: number, b: number): void {
  const low = (v[a + 1] >>> 0) + (v[b + 1] >>> 0);
  v[a] = v[a] + v[b] + (low > 0xffffffff ? 1 : 0);
  v[a + 1] = low;
}

/** v[a] = (v[a] <<< bits) ^ v[b], for 1 to 31 bits */
function rotateXor(v: Int32Array, a: number, bits: number, b: number): void {
  const high = v[a];
  const low = v[a + 1];
  v[a] = ((high << bits) | (low >>> (32 - bits))) ^ v[b];
  v[a + 1] = ((low << bits) | (high >>> (32 - bits))) ^ v[b + 1];
}

/** v[a] <<<= 32 */
function swap(v: Int32Array, a: number): void {
  const high = v[a];
  v[a] = v[a + 1];
  v[a + 1] = high;
}
