/**
 * Datagrams from their fragments (RFC 791 §3.2, RFC 8200 §4.5), of one family, as Linux puts them
 * together: any overlap discards all (RFC 5722, for IPv4 too), time and memory are limited.
 */
import type { Random } from '../environment';
import { KEY_START, KeyedTable } from '../memory/keyed-table';
import { SipHash } from '../random/sip-hash';
import { MORE_FRAGMENTS, Word } from '../segment/layout';
import { FragmentStore, Placing } from './fragment-store';
import { hasWholeHeaderChain } from './header-chain';

const NONE = -1;
const IPV4_HEADER = 20;
const IPV6_HEADER = 40;
const FRAGMENT_HEADER = 8;
/** The next header of a fragment header: one may stand before another, if it says nothing. */
const ATOMIC = 44;
/** Largest value of IPv4's total length and of IPv6's payload length. */
const MAX_LENGTH = 0xffff;

/** Limits of one family, by Linux's names. */
export interface ReassemblyLimits {
  /** How long fragments wait for the others: `ipfrag_time`, `ip6frag_time`, ms. */
  readonly time: number;
  /** Memory beyond which no fragment is taken: `ipfrag_high_thresh`, bytes; 0: none is ever. */
  readonly highThresh: number;
  /**
   * Fragments of other datagrams of its source that may come between two of a datagram, whose
   * beginning is else forgotten: `ipfrag_max_dist`; 0: any number.
   */
  readonly maxDist: number;
}

/** Linux's defaults. IPv6 has no `ipfrag_max_dist`. */
export const LIMITS4: ReassemblyLimits = { time: 30_000, highThresh: 4_194_304, maxDist: 64 };
export const LIMITS6: ReassemblyLimits = { time: 60_000, highThresh: 4_194_304, maxDist: 0 };

/** What has come of a fragment. Where nothing else is said, it is dropped: a failure. */
export const enum Outcome {
  /** It is kept until the others are there. No failure. */
  Kept = 0,
  /** It was the last one: the datagram is `whole`. No failure. */
  Complete = 1,
  /** What it carries was there already; the datagram waits on. No failure. */
  Duplicate = 2,
  /** There is too much in memory. */
  NoMemory = 3,
  /** The datagram is gone: a part of this was there already. */
  Overlap = 4,
  /** The datagram is gone: its fragments contradict each other, or one is empty. */
  Contradiction = 5,
  /** The datagram is gone, as it would be longer than one can be. */
  TooLong = 6,
  /** IPv6, to be answered: parameter problem, code 0, pointer 4: no multiple of 8 bytes. */
  OddLength = 7,
  /** IPv6, to be answered: parameter problem, code 0, pointer `pointer`: it would be too long. */
  BadOffset = 8,
  /** IPv6, to be answered: parameter problem, code 3, pointer 0: the first lacks headers. */
  HeadersMissing = 9,
}

/** Words of a datagram's key: both addresses, identification, protocol (IPv4), interface. */
const enum Key {
  Source = 0,
  Destination = 4,
  Identification = 8,
  Protocol = 9,
  Interface = 10,
  Words = 11,
}

/** Words of a datagram behind its key. */
const enum Own {
  First = 0,
  Last = 1,
  /** The largest end so far; with `Seen.Last` that of the datagram. */
  End = 2,
  /** Bytes that are there. */
  Here = 3,
  /** A set of `Seen` bits, and of ECN values from bit `ECN_SHIFT` on. */
  Flags = 4,
  /** Its source's row, and how many fragments that had sent with its latest. */
  SourceRow = 5,
  Sent = 6,
  /** Its neighbours in the order of age. */
  Older = 7,
  Younger = 8,
  /** Interface that its first fragment to arrive has come from. */
  Interface = 9,
  Words = 10,
}

const enum Seen {
  First = 1,
  Last = 2,
}
const ECN_SHIFT = 8;
const ECN_MASK = 3;
const CE = 3;

/** Words of a source behind its key: fragments that it has sent, and datagrams of it that wait. */
const SENT = 0;
const WAITING = 1;

/** Memory that a datagram counts for beside its fragments, bytes. */
const DATAGRAM_BYTES = (KEY_START + Key.Words + Own.Words) * 4;

/** A datagram that was given up, as far as its sender is to be told (time exceeded, code 1). */
export interface Expired {
  /** Both addresses, four words each. */
  readonly ends: Int32Array;
  /** Interface that its fragments have come from. */
  interface: number;
  /**
   * What is to be quoted: its first fragment from the IP header on, cut; null: that isn't there,
   * and nobody is told (RFC 792, RFC 8200 §4.5). Valid until the next call.
   */
  quote: Uint8Array | null;
}

/** As much of a packet as any error quotes. */
const QUOTE = 1280;

export class Reassembly {
  /** The datagram that is complete, from its IP header on; valid until the next call. */
  whole: Uint8Array = new Uint8Array(0);
  /** Of `Outcome.BadOffset`. */
  pointer = 0;
  /** What `expire` has given up last. */
  readonly expired: Expired = { ends: new Int32Array(8), interface: 0, quote: null };

  private readonly key = new Int32Array(Key.Words);
  private readonly datagrams: KeyedTable;
  private readonly sources: KeyedTable;
  private readonly fragments: FragmentStore;
  /** When a datagram is given up, µs, by its row. */
  private deadlines = new Float64Array(64);
  private oldest = NONE;
  private youngest = NONE;
  private out: Uint8Array | null = null;

  /**
   * @param random gives the keys of the hashes
   * @param allocate memory, uninitialised where that is cheaper
   */
  constructor(
    readonly family: 4 | 6,
    private readonly limits: ReassemblyLimits,
    random: Random,
    private readonly allocate: (bytes: number) => Uint8Array,
  ) {
    const hash = SipHash.random(random);
    this.datagrams = new KeyedTable(Key.Words, Own.Words, hash);
    this.sources = new KeyedTable(4, 2, hash);
    this.fragments = new FragmentStore(allocate);
  }

  /** Datagrams that wait for fragments. */
  get count(): number {
    return this.datagrams.count;
  }

  /** Memory that they take, bytes: never more than `highThresh` and one fragment. */
  get used(): number {
    return this.fragments.bytes + this.datagrams.count * DATAGRAM_BYTES;
  }

  /** When the next datagram is given up, µs; Infinity: none waits. */
  nextDeadline(): number {
    return this.oldest === NONE ? Infinity : this.deadlines[this.oldest];
  }

  /**
   * Takes a fragment.
   * @param words the descriptor at `base`, of this family, with a `Word.Fragment`
   * @param slab what it points into
   * @param now µs, never less than before
   */
  add(words: Int32Array, base: number, slab: Uint8Array, now: number): Outcome {
    const { limits } = this;
    const start = words[base + Word.PayloadOffset];
    const offset = words[base + Word.Fragment] & ~MORE_FRAGMENTS;
    let length = words[base + Word.PayloadLength];
    const more = (words[base + Word.Fragment] & MORE_FRAGMENTS) !== 0;
    if (this.family === 6) {
      const bad = this.judge(words, base, slab, offset, more);
      if (bad !== Outcome.Kept) return bad;
    }
    if (this.used > limits.highThresh || limits.highThresh === 0) return Outcome.NoMemory;
    this.writeKey(words, base);
    let row = this.datagrams.find(this.key);
    if (row === NONE) row = this.begin(words[base + Word.Interface], now);
    else if (limits.maxDist > 0 && this.isTooFar(row)) this.beginAgain(row, now);
    this.noteSent(row);
    // As Linux has it, IPv4's last bytes that make no whole eight are cut off.
    if (more) length &= ~7;
    const end = offset + length;
    const header = start - words[base + Word.PacketOffset];
    if (this.family === 4 && Math.max(IPV4_HEADER, offset === 0 ? header : 0) + end > MAX_LENGTH) {
      return this.discard(row, Outcome.TooLong);
    }
    if (length === 0 || !this.noteEnd(row, end, more)) {
      return this.discard(row, Outcome.Contradiction);
    }
    const from = offset === 0 ? start - header : start;
    const outcome = this.put(row, slab, from, offset === 0 ? header : 0, offset, end);
    if (outcome !== Outcome.Kept) return outcome;
    const at = this.own(row);
    const ecn = 1 << (ECN_SHIFT + (words[base + Word.TrafficClass] & ECN_MASK));
    this.datagrams.words[at + Own.Flags] |= ecn | (offset === 0 ? Seen.First : 0);
    return this.isComplete(at) ? this.complete(row) : Outcome.Kept;
  }

  /**
   * Gives up the oldest datagram if its time is over, and says in `expired` what is to be told of
   * it. To be called until there is none.
   * @param now µs
   * @returns whether there was one: a failure, and a timeout
   */
  expire(now: number): boolean {
    const row = this.oldest;
    if (row === NONE || this.deadlines[row] > now) return false;
    const { expired } = this;
    const { words } = this.datagrams;
    const key = this.datagrams.base(row) + KEY_START;
    for (let i = 0; i < 8; i++) expired.ends[i] = words[key + Key.Source + i];
    const at = this.own(row);
    expired.interface = words[at + Own.Interface];
    expired.quote = null;
    if ((words[at + Own.Flags] & Seen.First) !== 0) {
      const out = this.output();
      const length = this.fragments.copy(words[at + Own.First], 0, QUOTE, out, 0);
      expired.quote = out.subarray(0, length);
    }
    this.forget(row);
    return true;
  }

  /** What RFC 8200 §4.5 has answered at once, whatever came before. */
  private judge(
    words: Int32Array,
    base: number,
    slab: Uint8Array,
    offset: number,
    more: boolean,
  ): Outcome {
    const start = words[base + Word.PayloadOffset];
    const length = words[base + Word.PayloadLength];
    const before = start - words[base + Word.PacketOffset] - IPV6_HEADER - FRAGMENT_HEADER;
    if (more && (length & 7) !== 0) return Outcome.OddLength;
    if (before + offset + length > MAX_LENGTH) {
      this.pointer = IPV6_HEADER + before + 2;
      return Outcome.BadOffset;
    }
    if (offset !== 0) return Outcome.Kept;
    const whole = hasWholeHeaderChain(slab, start, start + length, words[base + Word.Protocol]);
    return whole ? Outcome.Kept : Outcome.HeadersMissing;
  }

  private writeKey(words: Int32Array, base: number): void {
    const { key } = this;
    for (let i = 0; i < 8; i++) key[Key.Source + i] = words[base + Word.Source + i];
    // Beside IPv4's identification stands whether DF was set.
    const is4 = this.family === 4;
    const id = words[base + Word.Identification];
    key[Key.Identification] = is4 ? id & 0xffff : id;
    // In IPv6 fragments of one packet may name different headers: the first one's counts.
    key[Key.Protocol] = is4 ? words[base + Word.Protocol] : 0;
    // Elsewhere a packet's fragments may come on several ways.
    key[Key.Interface] = is4 || !isScoped(key[Key.Destination]) ? 0 : words[base + Word.Interface];
  }

  /** A new datagram, with the key that was written. */
  private begin(interfaceIndex: number, now: number): number {
    const { datagrams, sources } = this;
    const row = datagrams.insert(this.key);
    const at = this.own(row);
    datagrams.words[at + Own.First] = NONE;
    datagrams.words[at + Own.Last] = NONE;
    datagrams.words[at + Own.Interface] = interfaceIndex;
    let source = sources.find(this.key);
    if (source === NONE) source = sources.insert(this.key);
    sources.words[sources.base(source) + KEY_START + 4 + WAITING]++;
    datagrams.words[at + Own.SourceRow] = source;
    datagrams.words[at + Own.Sent] = this.sentBy(source);
    this.makeYoungest(row, now);
    return row;
  }

  private sentBy(source: number): number {
    return this.sources.words[this.sources.base(source) + KEY_START + 4 + SENT];
  }

  /** Its source has sent so much else meanwhile that the identification may be another's by now. */
  private isTooFar(row: number): boolean {
    const { words } = this.datagrams;
    const at = this.own(row);
    if (words[at + Own.First] === NONE) return false;
    const sent = this.sentBy(words[at + Own.SourceRow]);
    return ((sent + 1 - words[at + Own.Sent]) | 0) > this.limits.maxDist;
  }

  private noteSent(row: number): void {
    const { words } = this.datagrams;
    const at = this.own(row);
    const source = this.sources.base(words[at + Own.SourceRow]) + KEY_START + 4;
    this.sources.words[source + SENT] = (this.sources.words[source + SENT] + 1) | 0;
    words[at + Own.Sent] = this.sources.words[source + SENT];
  }

  /** The datagram has nothing any more, and waits from now on. */
  private beginAgain(row: number, now: number): void {
    const { words } = this.datagrams;
    const at = this.own(row);
    this.fragments.freeAll(words[at + Own.First]);
    words[at + Own.First] = words[at + Own.Last] = NONE;
    words[at + Own.End] = words[at + Own.Here] = words[at + Own.Flags] = 0;
    this.unlink(row);
    this.makeYoungest(row, now);
  }

  /** What a fragment says of the datagram's length; false: it contradicts others. */
  private noteEnd(row: number, end: number, more: boolean): boolean {
    const { words } = this.datagrams;
    const at = this.own(row);
    const known = (words[at + Own.Flags] & Seen.Last) !== 0;
    if (more) {
      if (end <= words[at + Own.End]) return true;
      words[at + Own.End] = end;
      return !known;
    }
    if (end < words[at + Own.End] || (known && end !== words[at + Own.End])) return false;
    words[at + Own.Flags] |= Seen.Last;
    words[at + Own.End] = end;
    return true;
  }

  /** Puts the bytes of a fragment, which begin at `from` with its header, into their place. */
  private put(
    row: number,
    slab: Uint8Array,
    from: number,
    header: number,
    offset: number,
    end: number,
  ): Outcome {
    const { datagrams, fragments } = this;
    const at = this.own(row);
    const first = datagrams.words[at + Own.First];
    const last = datagrams.words[at + Own.Last];
    const placing = fragments.place(first, last, offset, end);
    if (placing === Placing.Duplicate) return Outcome.Duplicate;
    if (placing === Placing.Overlap) return this.discard(row, Outcome.Overlap);
    const { behind } = fragments;
    const next = behind === NONE ? first : fragments.next(behind);
    const added = fragments.add(slab, from, header, offset, end, behind, next);
    const { words } = datagrams;
    if (behind === NONE) words[at + Own.First] = added;
    if (next === NONE) words[at + Own.Last] = added;
    words[at + Own.Here] += end - offset;
    return Outcome.Kept;
  }

  private isComplete(at: number): boolean {
    const { words } = this.datagrams;
    const both = Seen.First | Seen.Last;
    return (words[at + Own.Flags] & both) === both && words[at + Own.Here] === words[at + Own.End];
  }

  /** Writes `whole`; the datagram waits no more. */
  private complete(row: number): Outcome {
    const { fragments } = this;
    const { words } = this.datagrams;
    const at = this.own(row);
    const first = words[at + Own.First];
    const header = fragments.headerLength(first);
    const kept = this.family === 4 ? header : header - FRAGMENT_HEADER;
    const length = kept + words[at + Own.End];
    const most = this.family === 4 ? MAX_LENGTH : IPV6_HEADER + MAX_LENGTH;
    if (length > most) return this.discard(row, Outcome.TooLong);
    const ecn = wholeEcn(words[at + Own.Flags] >>> ECN_SHIFT);
    if (ecn < 0) return this.discard(row, Outcome.Contradiction);
    const out = this.output();
    // What the fragments carry goes behind the headers without IPv6's fragment header, whose place
    // the first one's bytes take.
    fragments.copy(first, 0, header, out, 0);
    const protocol = out[kept];
    let end = kept;
    for (let fragment = first; fragment !== NONE; fragment = fragments.next(fragment)) {
      end += fragments.copy(fragment, fragments.headerLength(fragment), MAX_LENGTH, out, end);
    }
    if (this.family === 4) finishIpv4(out, header, length, ecn);
    else finishIpv6(out, kept, length, protocol, ecn);
    this.whole = out.subarray(0, length);
    this.forget(row);
    return Outcome.Complete;
  }

  private discard(row: number, outcome: Outcome): Outcome {
    this.forget(row);
    return outcome;
  }

  private forget(row: number): void {
    const { datagrams, sources } = this;
    const at = this.own(row);
    this.fragments.freeAll(datagrams.words[at + Own.First]);
    const source = datagrams.words[at + Own.SourceRow];
    const waiting = --sources.words[sources.base(source) + KEY_START + 4 + WAITING];
    if (waiting === 0) sources.remove(source);
    this.unlink(row);
    datagrams.remove(row);
  }

  /** First of the datagram's own words. */
  private own(row: number): number {
    return this.datagrams.base(row) + KEY_START + Key.Words;
  }

  private makeYoungest(row: number, now: number): void {
    if (row >= this.deadlines.length) {
      const deadlines = new Float64Array(2 * this.deadlines.length);
      deadlines.set(this.deadlines);
      this.deadlines = deadlines;
    }
    this.deadlines[row] = now + this.limits.time * 1000;
    const { words } = this.datagrams;
    words[this.own(row) + Own.Older] = this.youngest;
    words[this.own(row) + Own.Younger] = NONE;
    if (this.youngest === NONE) this.oldest = row;
    else words[this.own(this.youngest) + Own.Younger] = row;
    this.youngest = row;
  }

  private unlink(row: number): void {
    const { words } = this.datagrams;
    const older = words[this.own(row) + Own.Older];
    const younger = words[this.own(row) + Own.Younger];
    if (older === NONE) this.oldest = younger;
    else words[this.own(older) + Own.Younger] = younger;
    if (younger === NONE) this.youngest = older;
    else words[this.own(younger) + Own.Older] = older;
  }

  /** Where `whole` and what `expire` quotes stand; always the same. */
  output(): Uint8Array {
    this.out ??= this.allocate(IPV6_HEADER + MAX_LENGTH + FRAGMENT_HEADER);
    return this.out;
  }
}

/** fe80::/10, ff00::/8: addresses that mean something on one link only. @param word the first */
function isScoped(word: number): boolean {
  return word >>> 22 === 0x3fa || word >>> 24 === 0xff;
}

/**
 * The ECN field that fragments with these values (bit n: one has the value n) give the whole (RFC
 * 3168 §5.3): 3: CE; 0: that of the first; -1: they contradict each other.
 */
function wholeEcn(values: number): number {
  if ((values & 1) !== 0) return values === 1 ? 0 : -1;
  return (values & (1 << CE)) !== 0 ? CE : 0;
}

/** The header of a datagram that is whole. */
function finishIpv4(out: Uint8Array, header: number, length: number, ecn: number): void {
  out[1] |= ecn;
  out[2] = length >>> 8;
  out[3] = length;
  out[6] = out[7] = out[10] = out[11] = 0;
  let sum = 0;
  for (let i = 0; i < header; i += 2) sum += (out[i] << 8) | out[i + 1];
  sum = (sum & 0xffff) + (sum >>> 16);
  sum = ~(sum + (sum >>> 16));
  out[10] = sum >>> 8;
  out[11] = sum;
}

/** @param kept bytes of the headers; @param protocol what the last of them is to name */
function finishIpv6(
  out: Uint8Array,
  kept: number,
  length: number,
  protocol: number,
  ecn: number,
): void {
  out[1] |= ecn << 4;
  out[4] = (length - IPV6_HEADER) >>> 8;
  out[5] = length - IPV6_HEADER;
  let name = 6;
  for (let at = IPV6_HEADER; at < kept;) {
    const size = out[name] === ATOMIC ? FRAGMENT_HEADER : (out[at + 1] + 1) * 8;
    name = at;
    at += size;
  }
  out[name] = protocol;
}
