import type { Random } from '../environment';
import { SipHash } from '../random/sip-hash';

/** Linux's least number of counters. */
const COUNTERS = 2048;
/** Words that are hashed: both addresses, four words each, and the protocol. */
const WORDS = 9;

/**
 * Identifications of packets that may become fragments, as Linux chooses them: one can't be guessed
 * from another's (RFC 7739), and none comes again soon between the same two hosts.
 */
export class Identification {
  private readonly hash: SipHash;
  private readonly message = new Int32Array(WORDS);
  /** The latest of each counter, and when that was given out, ms. Made when it is needed. */
  private latest: Uint16Array | null = null;
  private times = new Int32Array(0);

  /** @param random gives the key of the hash, where counters begin, and how far they jump */
  constructor(private readonly random: Random) {
    this.hash = SipHash.random(random);
  }

  /**
   * IPv4's, 16 bits, of `count` packets that follow one another. Addresses and protocol choose one
   * of 2048 counters by a keyed hash (RFC 7739 §5.3); with the time since it was last asked it
   * jumps ahead, by chance, so that it doesn't tell how much is sent to others.
   * @param words both addresses, four words each, from `at` on, as a descriptor has them
   * @param nowMs ms, modulo 2^32
   * @returns the first of them
   */
  next4(words: Int32Array, at: number, protocol: number, count: number, nowMs: number): number {
    const latest = this.counters(nowMs);
    const { message, times } = this;
    for (let i = 0; i < WORDS - 1; i++) message[i] = words[at + i];
    message[WORDS - 1] = protocol;
    const counter = this.hash.hash(message, WORDS) & (COUNTERS - 1);
    const elapsed = (nowMs - times[counter]) >>> 0;
    times[counter] = nowMs;
    const first = (latest[counter] + 1 + this.below(elapsed)) & 0xffff;
    latest[counter] = first + count - 1;
    return first;
  }

  /** IPv6's, a random int32 but 0 (RFC 7739 §5.2), as Linux has it. */
  next6(): number {
    for (;;) {
      const id = this.random.next();
      if (id !== 0) return id;
    }
  }

  /** A whole number from 0 to `n - 1`; 0 for 0. */
  private below(n: number): number {
    return Math.floor(((this.random.next() >>> 0) / 2 ** 32) * n);
  }

  private counters(nowMs: number): Uint16Array {
    if (this.latest !== null) return this.latest;
    this.latest = Uint16Array.from({ length: COUNTERS }, () => this.random.next());
    this.times = new Int32Array(COUNTERS).fill(nowMs);
    return this.latest;
  }
}
