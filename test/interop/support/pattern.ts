import { createHash } from 'node:crypto';

import { Xoshiro } from '../../../lib/core/random/xoshiro';

const NOISE = 1 << 20;
const PIECE = 1 << 16;
const MARK = 4096;

/**
 * Bytes that are the same for the same seed, and nowhere the same as elsewhere: noise that repeats
 * every MiB, with the position written into it every 4 KiB. What is lost, doubled or swapped shows.
 */
export class Pattern {
  private readonly noise = Buffer.allocUnsafe(NOISE);
  private position = 0;

  constructor(seed: number) {
    const random = new Xoshiro(seed);
    for (let i = 0; i < NOISE; i += 4) this.noise.writeInt32LE(random.next(), i);
  }

  /** The next bytes: at least one, at most `limit` and 64 KiB. */
  next(limit: number): Buffer {
    const offset = this.position % NOISE;
    const length = Math.min(limit, PIECE - (offset % PIECE));
    const piece = Buffer.from(this.noise.subarray(offset, offset + length));
    const ahead = (MARK - (offset % MARK)) % MARK;
    for (let i = ahead; i + 6 <= length; i += MARK) piece.writeUIntLE(this.position + i, i, 6);
    this.position += length;
    return piece;
  }

  /** The next `bytes` bytes in one. */
  all(bytes: number): Buffer {
    const pieces: Buffer[] = [];
    for (let left = bytes; left > 0;) {
      const piece = this.next(left);
      pieces.push(piece);
      left -= piece.length;
    }
    return Buffer.concat(pieces);
  }
}

/** SHA-256 of the first bytes, hexadecimal. */
export function patternDigest(seed: number, bytes: number): string {
  const pattern = new Pattern(seed);
  const hash = createHash('sha256');
  for (let left = bytes; left > 0;) {
    const piece = pattern.next(left);
    hash.update(piece);
    left -= piece.length;
  }
  return hash.digest('hex');
}
