import { buildPacket, packetLength } from '../codec/build';
import { load32, store32 } from '../codec/bytes';
import { Fragments, needsFragments } from '../codec/fragment';
import { parsePacket } from '../codec/parse';
import { ParseResult } from '../codec/result';
import type { SlabTable } from '../core/memory/slabs';
import type { SegmentBatch } from '../core/segment/batch';

/** Bytes of a chunk: a slab that packets are built into one behind the other. */
const CHUNK = 256 * 1024;
/** Before each packet stands its length. */
const HEAD = 4;

interface Chunk {
  readonly slab: Uint8Array;
  /** Of the slab in the receiver's table. */
  readonly index: number;
  /** Where the next packet goes. */
  end: number;
  /** Where the next packet to be taken stands. */
  start: number;
}

/** Packets on their way to one receiver: bytes in its slabs, in order, in bounded memory. */
export class PacketQueue {
  /** Packets that wait. */
  count = 0;
  /** Their bytes. */
  bytes = 0;
  private chunks: Chunk[] = [];
  private free: Chunk[] = [];
  private allocated = 0;
  private fragments: Fragments | null = null;

  /**
   * @param slabs the receiver's
   * @param limit memory, bytes; rounded up to whole chunks of 256 KiB
   */
  constructor(
    private readonly slabs: SlabTable,
    private readonly limit: number,
  ) {}

  /**
   * Builds the packet of the descriptor at `base`, or its fragments, behind the others.
   * @param from slabs that its slices point into
   * @returns false when there is no room (for all fragments: some may be there), or no such packet
   *   can be built
   */
  push(batch: SegmentBatch, base: number, from: readonly Uint8Array[]): boolean {
    const { words, slices } = batch;
    if (needsFragments(words, base)) return this.pushFragments(batch, base, from);
    const chunk = this.chunkFor(HEAD + packetLength(words, base));
    if (chunk === null) return false;
    const at = chunk.end + HEAD;
    const sliceBase = batch.sliceBase(base);
    const length = buildPacket(words, base, slices, sliceBase, from, chunk.slab, at);
    if (length === 0) return false;
    this.add(chunk, length);
    return true;
  }

  private pushFragments(batch: SegmentBatch, base: number, from: readonly Uint8Array[]): boolean {
    this.fragments ??= new Fragments();
    const { fragments } = this;
    const sliceBase = batch.sliceBase(base);
    if (!fragments.begin(batch.words, base, batch.slices, sliceBase, from)) return false;
    for (let length; (length = fragments.nextLength) > 0;) {
      const chunk = this.chunkFor(HEAD + length);
      if (chunk === null) return false;
      fragments.next(chunk.slab, chunk.end + HEAD);
      this.add(chunk, length);
    }
    return true;
  }

  /** There is a packet of `length` bytes behind the last one of the chunk. */
  private add(chunk: Chunk, length: number): void {
    store32(chunk.slab, chunk.end, length);
    chunk.end += HEAD + length;
    this.count++;
    this.bytes += length;
  }

  /**
   * Parses the next packet into the next place of `batch`, which has one. Its bytes stay until
   * `release`.
   */
  take(batch: SegmentBatch, hashKey: Int32Array): ParseResult {
    const chunk = this.reading();
    const length = load32(chunk.slab, chunk.start);
    const at = chunk.start + HEAD;
    const base = batch.push();
    const result = parsePacket(chunk.slab, chunk.index, at, length, batch.words, base, hashKey);
    if (result !== ParseResult.Ok) batch.count--;
    chunk.start = at + length;
    this.count--;
    this.bytes -= length;
    return result;
  }

  /** Gives up the bytes of what was taken. */
  release(): void {
    while (this.chunks.length > 0 && this.chunks[0].start === this.chunks[0].end) {
      const chunk = this.chunks[0];
      chunk.start = 0;
      chunk.end = 0;
      this.chunks.shift();
      this.free.push(chunk);
    }
  }

  /** The chunk that has the next packet to be taken; `count` is not 0. */
  private reading(): Chunk {
    let i = 0;
    while (this.chunks[i].start === this.chunks[i].end) i++;
    return this.chunks[i];
  }

  /** The last chunk when it has room for `length` bytes, else a new one; null beyond the limit. */
  private chunkFor(length: number): Chunk | null {
    const last = this.chunks.at(-1);
    if (last !== undefined && last.end + length <= CHUNK) return last;
    const next = this.free.pop() ?? this.allocate();
    if (next !== null) this.chunks.push(next);
    return next;
  }

  private allocate(): Chunk | null {
    if (this.allocated >= this.limit) return null;
    this.allocated += CHUNK;
    const slab = new Uint8Array(CHUNK);
    return { slab, index: this.slabs.add(slab), end: 0, start: 0 };
  }
}
