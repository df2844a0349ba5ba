/** A place of the table, in words. */
const enum Field {
  Address = 0,
  /** Bytes, and `LOCKED`, perhaps; 0: the place is free. */
  Mtu = 4,
  /** ms of the stack's clock, modulo 2^32. */
  Expires = 5,
  Stride = 6,
}

const LOCKED = 0x40000000;
/** Places that one address may be in. */
const WAYS = 4;
const SETS = 256;

/**
 * What routers have said of the MTU of the way to an address (RFC 1191 §6.2, RFC 8201 §5.2), for so
 * long as it is believed. As many as there is room for (1024): of more, one that would have
 * been forgotten soon gives way.
 */
export class PathMtus {
  /** Addresses that something is known of; what has expired counts until it is asked for. */
  count = 0;
  private places: Int32Array | null = null;

  /** @param key chance, so that nobody can choose whose place he takes */
  constructor(private readonly key: number) {}

  /**
   * MTU of the way to the address in the four words from `at`, bytes; 0: nothing is known.
   * @param nowMs ms of the stack's clock, modulo 2^32
   */
  find(words: Int32Array, at: number, nowMs: number): number {
    const place = this.placeOf(words, at, nowMs);
    return place < 0 ? 0 : (this.places as Int32Array)[place + Field.Mtu] & ~LOCKED;
  }

  /** Whether it is less than is believed of any way, so that routers have to fragment instead. */
  isLocked(words: Int32Array, at: number, nowMs: number): boolean {
    const place = this.placeOf(words, at, nowMs);
    return place >= 0 && ((this.places as Int32Array)[place + Field.Mtu] & LOCKED) !== 0;
  }

  /** @param lifetime ms */
  learn(
    words: Int32Array,
    at: number,
    mtu: number,
    locked: boolean,
    nowMs: number,
    lifetime: number,
  ): void {
    let place = this.placeOf(words, at, nowMs);
    if (place < 0) place = this.freePlace(this.setOf(words, at), nowMs);
    const places = this.places as Int32Array;
    for (let i = 0; i < 4; i++) places[place + Field.Address + i] = words[at + i];
    places[place + Field.Mtu] = mtu | (locked ? LOCKED : 0);
    places[place + Field.Expires] = (nowMs + lifetime) | 0;
  }

  /** Where the address stands; -1: nowhere (any more). */
  private placeOf(words: Int32Array, at: number, nowMs: number): number {
    const { places } = this;
    if (places === null) return -1;
    const set = this.setOf(words, at);
    for (let place = set; place < set + WAYS * Field.Stride; place += Field.Stride) {
      if (
        places[place + Field.Mtu] !== 0 &&
        places[place + 3] === words[at + 3] &&
        places[place + 2] === words[at + 2] &&
        places[place + 1] === words[at + 1] &&
        places[place] === words[at]
      ) {
        if (((places[place + Field.Expires] - nowMs) | 0) > 0) return place;
        places[place + Field.Mtu] = 0;
        this.count--;
        return -1;
      }
    }
    return -1;
  }

  /** A place in the set that is free, or that of the one who would leave it first. */
  private freePlace(set: number, nowMs: number): number {
    this.places ??= new Int32Array(SETS * WAYS * Field.Stride);
    const { places } = this;
    let best = set;
    let least = Infinity;
    for (let place = set; place < set + WAYS * Field.Stride; place += Field.Stride) {
      if (places[place + Field.Mtu] === 0) {
        this.count++;
        return place;
      }
      const left = (places[place + Field.Expires] - nowMs) | 0;
      if (left < least) [best, least] = [place, left];
    }
    return best;
  }

  private setOf(words: Int32Array, at: number): number {
    let hash = this.key;
    for (let i = 0; i < 4; i++) hash = Math.imul(hash ^ words[at + i], 0x9e3779b1) ^ (hash >>> 15);
    return (hash >>> 24) * WAYS * Field.Stride;
  }
}
