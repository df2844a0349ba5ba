import { Xoshiro } from '../../lib/core/random/xoshiro';

/** Longest stream, bytes. */
export const LONGEST = 512 * 1024;

/** Streams differ in where in it they begin. */
const PATTERN = makePattern(2 * 1024 * 1024);
const STARTS = PATTERN.length - LONGEST;

function makePattern(length: number): Buffer {
  const random = new Xoshiro(1);
  const words = Int32Array.from({ length: length / 4 }, () => random.next());
  return Buffer.from(words.buffer);
}

/** What stream `id` consists of: all streams' bytes can be told from each other's. */
export class Content {
  /** `LONGEST` bytes. */
  readonly bytes: Buffer;

  constructor(readonly id: number) {
    const start = (id * 4099) % STARTS;
    this.bytes = PATTERN.subarray(start, start + LONGEST);
  }

  /** Whether `bytes` are those from `index` on. */
  matches(index: number, bytes: Uint8Array): boolean {
    const end = index + bytes.length;
    return end <= LONGEST && this.bytes.compare(bytes, 0, bytes.length, index, end) === 0;
  }
}
