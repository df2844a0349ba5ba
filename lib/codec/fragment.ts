/**
 * A packet that is longer than `Word.Fragment` allows, as fragments, as `native/core/fragment.h`
 * does it: the same bytes for every descriptor.
 */
import { BuildWord, MAY_FRAGMENT, MORE_FRAGMENTS, Word } from '../core/segment/layout';
import { MAX_PACKET_LENGTH, buildPacket, headerLength, packetLength } from './build';
import { IPV6_EXTENSION } from './headers';
import { ipHeaderLength, makeFragmentHeader } from './ip-header';

/** Whether the packet is longer than `Word.Fragment` allows, so that it has to be split. */
export function needsFragments(words: Int32Array, base: number): boolean {
  const limit = words[base + Word.Fragment];
  return limit > 0 && packetLength(words, base) > limit;
}

/**
 * Bytes that one fragment carries at most; 0 where the packet can't be split: in IPv4 without
 * `MAY_FRAGMENT`, or where a fragment had no room for the headers and 8 bytes.
 */
export function fragmentRoom(words: Int32Array, base: number): number {
  const is4 = words[base + Word.Family] === 4;
  if (is4 && (words[base + Word.Identification] & MAY_FRAGMENT) === 0) return 0;
  const ip = ipHeaderLength(words, base);
  const transport = headerLength(words, base) - ip;
  const room = words[base + Word.Fragment] - ip - (is4 ? 0 : IPV6_EXTENSION);
  return room < Math.max(8, (transport + 7) & ~7) ? 0 : room;
}

/** Bytes of the packet, or of a fragment of it at most; 0 where it can't be built even whole. */
export function largestPacket(words: Int32Array, base: number): number {
  return needsFragments(words, base) ? words[base + Word.Fragment] : packetLength(words, base);
}

/** How many packets the descriptor becomes; 0: it can't be built. */
export function packetCount(words: Int32Array, base: number): number {
  if (!needsFragments(words, base)) return packetLength(words, base) === 0 ? 0 : 1;
  const room = fragmentRoom(words, base);
  if (room === 0) return 0;
  const carried = packetLength(words, base) - ipHeaderLength(words, base);
  // The last one may be longer than the others.
  return carried <= room ? 1 : 1 + Math.ceil((carried - room) / (room & ~7));
}

/** Bytes of the packet, or of all its fragments together; 0: it can't be built. */
export function packetsLength(words: Int32Array, base: number): number {
  const count = packetCount(words, base);
  if (count < 2) return count === 0 ? 0 : packetLength(words, base);
  const around =
    ipHeaderLength(words, base) + (words[base + Word.Family] === 4 ? 0 : IPV6_EXTENSION);
  return packetLength(words, base) - ipHeaderLength(words, base) + count * around;
}

/** Splits packets, one after the other. */
export class Fragments {
  /** The whole. */
  private readonly packet = new Uint8Array(MAX_PACKET_LENGTH);
  private length = 0;
  /** Of its IP header, and of what surrounds the bytes that a fragment carries. */
  private ip = 0;
  private around = 0;
  private room = 0;
  private id = 0;
  private done = 0;

  /**
   * Begins with the packet of a descriptor; what is asked for is as of `buildPacket`.
   * @returns false where it can't be built or can't be split; `next` then has nothing
   */
  begin(
    words: Int32Array,
    base: number,
    slices: Int32Array,
    sliceBase: number,
    slabs: readonly Uint8Array[],
  ): boolean {
    this.room = fragmentRoom(words, base);
    this.done = this.length = 0;
    if (this.room === 0) return false;
    this.length = buildPacket(words, base, slices, sliceBase, slabs, this.packet, 0);
    this.done = this.ip = ipHeaderLength(words, base);
    if (this.length === 0) return false;
    this.around = this.ip + (words[base + Word.Family] === 4 ? 0 : IPV6_EXTENSION);
    this.id = words[base + BuildWord.FragmentId];
    return true;
  }

  /** Bytes of the next fragment; 0: there is none. */
  get nextLength(): number {
    return this.done < this.length ? this.around + this.carried : 0;
  }

  /** Writes the next fragment at `at` of `out`, which has room for it; returns its length. */
  next(out: Uint8Array, at: number): number {
    const { carried, done, ip, packet } = this;
    const more = done + carried < this.length ? MORE_FRAGMENTS : 0;
    out.set(packet.subarray(0, ip), at);
    const start = makeFragmentHeader(out, at, ip, (done - ip) | more, this.id, carried);
    out.set(packet.subarray(done, done + carried), start);
    this.done += carried;
    return start + carried - at;
  }

  private get carried(): number {
    const left = this.length - this.done;
    return left <= this.room ? left : this.room & ~7;
  }
}

/** Made when the first packet has to be split: most programs have none. */
let fragments: Fragments | null = null;

/**
 * Writes the whole packet, or its fragments one behind the other, at `at` of `out`; what is asked
 * for is as of `buildPacket`.
 * @returns bytes written; 0 where it can't be built or there is no room (what is in `out` then has
 *   no meaning)
 */
export function buildPackets(
  words: Int32Array,
  base: number,
  slices: Int32Array,
  sliceBase: number,
  slabs: readonly Uint8Array[],
  out: Uint8Array,
  at: number,
): number {
  if (!needsFragments(words, base)) {
    return buildPacket(words, base, slices, sliceBase, slabs, out, at);
  }
  fragments ??= new Fragments();
  if (!fragments.begin(words, base, slices, sliceBase, slabs)) return 0;
  let end = at;
  for (let length; (length = fragments.nextLength) > 0; end += length) {
    if (end + length > out.length) return 0;
    fragments.next(out, end);
  }
  return end - at;
}
