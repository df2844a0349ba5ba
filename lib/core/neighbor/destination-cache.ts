import type { Neighbor } from './neighbor';

const PLACES = 64;

/** A destination, and where its packets go. */
export interface Destination {
  readonly w0: number;
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;
  /** The next hop; null: `high` and `low` are the hardware address, for good. */
  readonly neighbor: Neighbor | null;
  readonly high: number;
  readonly low: number;
}

/**
 * The destination cache (RFC 4861 §5.1): which neighbour packets to an address go to. It remembers
 * what was asked of late, by place; all of it is forgotten when routes or neighbours change.
 */
export class DestinationCache {
  private places: (Destination | null)[] = new Array<Destination | null>(PLACES).fill(null);
  private isEmpty = true;

  find(words: Int32Array, at: number): Destination | null {
    const place = this.places[placeOf(words, at)];
    if (place === null || place.w3 !== words[at + 3] || place.w2 !== words[at + 2]) return null;
    return place.w1 === words[at + 1] && place.w0 === words[at] ? place : null;
  }

  /** @param high and `low`: where there is no neighbour */
  add(
    words: Int32Array,
    at: number,
    neighbor: Neighbor | null,
    high: number,
    low: number,
  ): Destination {
    const [w0, w1, w2, w3] = words.subarray(at, at + 4);
    const destination = { w0, w1, w2, w3, neighbor, high, low };
    this.places[placeOf(words, at)] = destination;
    this.isEmpty = false;
    return destination;
  }

  clear(): void {
    if (this.isEmpty) return;
    this.places.fill(null);
    this.isEmpty = true;
  }
}

function placeOf(words: Int32Array, at: number): number {
  const mixed = words[at] ^ words[at + 1] ^ words[at + 2] ^ words[at + 3];
  return Math.imul(mixed, 0x9e3779b1) >>> 26;
}
