import type { Random } from '../environment';
import type { Counters } from '../stack/counters';
import { Icmp4, Unreachable4 } from './icmp-error';

/** How the rate of messages is limited, by Linux's names. */
export interface RateSettings {
  /** ms */
  readonly icmpRatelimit: number;
  readonly icmpRatemask: number;
  readonly icmpMsgsPerSec: number;
  readonly icmpMsgsBurst: number;
  readonly icmp6Ratelimit: number;
  readonly icmp6Ratemask: number;
}

/** A host's bucket, in words. */
const enum Bucket {
  Address = 0,
  /** ms that have been saved up; -1: the place is free. */
  Tokens = 4,
  /** When that was, ms of the stack's clock, modulo 2^32. */
  Last = 5,
  Stride = 6,
}

/** Messages that a host can get at once (Linux: XRLIM_BURST_FACTOR). */
const BURST = 6;
const SETS = 64;
/** Places that one host may be in. */
const WAYS = 4;
/** Credit is given at most so often, and for so long, ms (Linux: icmp_global_allow). */
const LEAST = 20;
const MOST = 1000;

/**
 * How many ICMP messages are sent (RFC 1812 §4.3.2.8, RFC 4443 §2.4 f), as Linux limits them: a
 * bucket for each host, and one for all. Of more than 256 hosts the one that was told least lately
 * gives way, and has a full bucket the next time: the bucket of all bounds that.
 */
export class RateLimit {
  private buckets: Int32Array | null = null;
  private readonly key: number;
  private credit = 0;
  /** ms */
  private given: number;

  /** @param random chance, so that nobody can choose whose place he takes, nor count the credit */
  constructor(
    private readonly settings: RateSettings,
    private readonly random: Random,
    private readonly counters: Counters,
    nowMs: number,
  ) {
    this.key = random.next();
    this.given = (nowMs - MOST) | 0;
  }

  /**
   * Whether a message may be sent; one that mayn't is counted.
   * @param words its destination is in the four words from `at`
   * @param nowMs ms of the stack's clock, modulo 2^32
   */
  allows(
    family: 4 | 6,
    type: number,
    code: number,
    words: Int32Array,
    at: number,
    nowMs: number,
  ): boolean {
    const { settings, counters } = this;
    if (!isLimited(settings, family, type, code)) return true;
    if (!this.hasCredit(nowMs)) {
      counters.IcmpOutRateLimitGlobal++;
      return false;
    }
    // The host's own limit comes first: what is left for all must not tell of others.
    const interval = family === 4 ? settings.icmpRatelimit : settings.icmp6Ratelimit;
    if (interval > 0 && !this.take(words, at, interval, nowMs)) {
      if (family === 4) counters.IcmpOutRateLimitHost++;
      else counters.Icmp6OutRateLimitHost++;
      return false;
    }
    this.credit -= (this.random.next() >>> 0) % 3;
    return true;
  }

  private hasCredit(nowMs: number): boolean {
    if (this.credit > 0) return true;
    const elapsed = Math.min((nowMs - this.given) >>> 0, MOST);
    if (elapsed < LEAST) return false;
    const more = Math.floor((this.settings.icmpMsgsPerSec * elapsed) / 1000);
    if (more === 0) return false;
    this.given = nowMs;
    this.credit = Math.min(this.credit + more, this.settings.icmpMsgsBurst);
    return this.credit > 0;
  }

  /** Takes a message from the host's bucket, if there is one in it (inet_peer_xrlim_allow). */
  private take(words: Int32Array, at: number, interval: number, nowMs: number): boolean {
    const place = this.placeOf(words, at, nowMs, interval);
    const buckets = this.buckets as Int32Array;
    const saved = buckets[place + Bucket.Tokens] + ((nowMs - buckets[place + Bucket.Last]) >>> 0);
    const tokens = Math.min(saved, BURST * interval, 0x7fffffff);
    const isEnough = tokens >= interval;
    buckets[place + Bucket.Tokens] = isEnough ? tokens - interval : tokens;
    buckets[place + Bucket.Last] = nowMs;
    return isEnough;
  }

  /** Where the host's bucket is; a new one is full. */
  private placeOf(words: Int32Array, at: number, nowMs: number, interval: number): number {
    this.buckets ??= new Int32Array(SETS * WAYS * Bucket.Stride).fill(-1);
    const { buckets } = this;
    const set = this.setOf(words, at);
    let best = set;
    let longest = -1;
    for (let place = set; place < set + WAYS * Bucket.Stride; place += Bucket.Stride) {
      const isFree = buckets[place + Bucket.Tokens] < 0;
      if (!isFree && isSame(buckets, place, words, at)) return place;
      const age = isFree ? Infinity : (nowMs - buckets[place + Bucket.Last]) >>> 0;
      if (age > longest) [best, longest] = [place, age];
    }
    for (let i = 0; i < 4; i++) buckets[best + Bucket.Address + i] = words[at + i];
    buckets[best + Bucket.Tokens] = Math.min(BURST * interval, 0x7fffffff);
    buckets[best + Bucket.Last] = nowMs;
    return best;
  }

  private setOf(words: Int32Array, at: number): number {
    let hash = this.key;
    for (let i = 0; i < 4; i++) hash = Math.imul(hash ^ words[at + i], 0x9e3779b1) ^ (hash >>> 15);
    return (hash >>> 26) * WAYS * Bucket.Stride;
  }
}

function isSame(a: Int32Array, at: number, b: Int32Array, from: number): boolean {
  return (
    a[at + 3] === b[from + 3] &&
    a[at + 2] === b[from + 2] &&
    a[at + 1] === b[from + 1] &&
    a[at] === b[from]
  );
}

/** Whether messages of that kind are limited at all; those that a path MTU depends on aren't. */
function isLimited(settings: RateSettings, family: 4 | 6, type: number, code: number): boolean {
  if (family === 6) return type < 32 && hasBit(settings.icmp6Ratemask, type);
  const isTooBig = type === Icmp4.Unreachable && code === Unreachable4.FragmentationNeeded;
  return !isTooBig && type < 32 && hasBit(settings.icmpRatemask, type);
}

function hasBit(mask: number, bit: number): boolean {
  return ((mask >>> bit) & 1) === 1;
}
