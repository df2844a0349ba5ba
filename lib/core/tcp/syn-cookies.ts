import type { Random } from '../environment';
import { SipHash } from '../random/sip-hash';
import { Option, Word } from '../segment/layout';
import type { Segment } from '../segment/segment';

// SYN cookies (RFC 4987 §3.6): where no more handshakes can be remembered, the ISS says all that
// must be known of one. It is
//
//   SEG.SEQ + place + (minute << 24) + ((secret + MSS's index) mod 2^24)
//
// where `place` and `secret` are keyed hashes of the four-tuple, the latter of the minute and of
// SEG.SEQ, too: it grows with the peer's numbers and with time, as an ISS should, and who can't see
// it can't answer it. (Without SEG.SEQ in the secret, a later segment that has overtaken the third
// would now and then look like it.) What else the SYN has offered goes with the timestamps, in the
// low bits of TSval.

/**
 * The sizes that a cookie can tell of, as Linux has them, bytes; before them smaller ones, since a
 * peer that takes less than 536 bytes must not get more.
 */
const SIZES_V4: readonly number[] = [48, 256, 536, 1300, 1440, 1460];
const SIZES_V6: readonly number[] = [48, 256, 1220, 1420, 1440, 8940];

const MINUTE = 60_000_000;
/** A cookie is good in the minute in which it was made, and in the next. */
const LIFETIME_MINUTES = 2;
/** The same in ms: so long after the last cookie an acknowledgment may be that of one. */
export const COOKIE_LIFETIME_MS = LIFETIME_MINUTES * 60_000;

const TIME_SHIFT = 24;
const MASK = 0xffffff;

/** The four-tuple of a segment: both addresses and both ports. */
const TUPLE_WORDS = 10;

/** In the low bits of a cookie's TSval: the peer's window scale, or that it has none. */
const SCALE_MASK = 0xf;
const SACK_BIT = 0x10;
const ECN_BIT = 0x20;
const TSVAL_BITS = 0x3f;

/** Makes and checks cookies. */
export class SynCookies {
  private readonly places: SipHash;
  private readonly secrets: SipHash;
  private readonly words = new Int32Array(TUPLE_WORDS + 2);

  /** @param random gives the secret keys */
  constructor(random: Random) {
    this.places = SipHash.random(random);
    this.secrets = SipHash.random(random);
  }

  /**
   * The ISS that answers a SYN.
   * @param mss the peer's, of which the cookie keeps the next smaller size that it knows
   * @param now µs
   */
  issue(syn: Segment, mss: number, now: number): number {
    const known = sizes(syn);
    let index = known.length - 1;
    while (index > 0 && known[index] > mss) index--;
    const minute = Math.floor(now / MINUTE);
    const hidden = (this.secret(syn, syn.seq, minute) + index) & MASK;
    return (this.place(syn) + syn.seq + (minute << TIME_SHIFT) + hidden) | 0;
  }

  /**
   * What an acknowledgment of a cookie says: the peer's MSS, bytes; 0 where it is none, or an old
   * one.
   */
  check(ack: Segment, now: number): number {
    const irs = (ack.seq - 1) | 0;
    const rest = (ack.ack - 1 - this.place(ack) - irs) | 0;
    const minute = Math.floor(now / MINUTE);
    const age = (minute - (rest >>> TIME_SHIFT)) & (2 ** 8 - 1);
    if (age >= LIFETIME_MINUTES) return 0;
    const index = (rest - this.secret(ack, irs, minute - age)) & MASK;
    const known = sizes(ack);
    return index < known.length ? known[index] : 0;
  }

  private place(seg: Segment): number {
    this.take(seg);
    return this.places.hash(this.words, TUPLE_WORDS);
  }

  private secret(seg: Segment, irs: number, minute: number): number {
    this.take(seg);
    this.words[TUPLE_WORDS] = irs;
    this.words[TUPLE_WORDS + 1] = minute;
    return this.secrets.hash(this.words, TUPLE_WORDS + 2);
  }

  private take({ words, base }: Segment): void {
    for (let i = 0; i < TUPLE_WORDS; i++) this.words[i] = words[base + Word.Source + i];
  }
}

function sizes({ words, base }: Segment): readonly number[] {
  return words[base + Word.Family] === 4 ? SIZES_V4 : SIZES_V6;
}

/**
 * TSval of a cookie: our clock, turned back to the last moment whose low bits say what the SYN has
 * offered. They are those of the clock itself, before the connection's offset is added.
 * @param clock of the timestamps, ms, int32
 * @param options what both have, `Option` bits
 * @param scale the peer's window scale
 * @param ecn whether the connection will have ECN
 */
export function cookieClock(clock: number, options: number, scale: number, ecn: boolean): number {
  const bits =
    ((options & Option.WindowScale) !== 0 ? scale : SCALE_MASK) |
    ((options & Option.SackPermitted) !== 0 ? SACK_BIT : 0) |
    (ecn ? ECN_BIT : 0);
  const told = (clock & ~TSVAL_BITS) | bits;
  return ((told - clock) | 0) > 0 ? (told - TSVAL_BITS - 1) | 0 : told;
}

/** What the low bits of an echoed cookie's clock say; the peer's window scale. */
export function cookieScale(clock: number): number {
  return clock & SCALE_MASK;
}

/** Likewise: the options beside timestamps, `Option` bits. */
export function cookieOptions(clock: number): number {
  const scaling = cookieScale(clock) === SCALE_MASK ? 0 : Option.WindowScale;
  return scaling | ((clock & SACK_BIT) !== 0 ? Option.SackPermitted : 0);
}

/** Likewise: whether the connection has ECN. */
export function cookieEcn(clock: number): boolean {
  return (clock & ECN_BIT) !== 0;
}
