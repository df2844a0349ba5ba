import { load16 } from '../codec/bytes';
import { MAX_PACKET_LENGTH } from '../codec/build';
import { parsePacket } from '../codec/parse';
import { ParseResult, RESULT_COUNTERS } from '../codec/result';
import { SegmentBatch } from '../core/segment/batch';
import type { LinkContext, LinkCounters } from './link';

/** Packets handed over in one call. */
const BATCH = 64;
/** Memory for what has arrived, bytes: some of the longest packets. */
const SLAB = 256 * 1024;

// Taken at import, so that fake timers that are installed later don't reach the links.
const nextTick = process.nextTick.bind(process);

/**
 * Bytes on their way from a stream to a stack: copied into memory that descriptors can point into,
 * parsed, and handed over in batches.
 */
abstract class Intake {
  /** Why nothing more can be read from this stream. */
  fault: string | null = null;
  protected readonly slab = new Uint8Array(SLAB);
  /** Where the next bytes go. */
  protected end = 0;
  private readonly slabIndex: number;
  private readonly batch = new SegmentBatch(BATCH);
  private stopped = false;

  constructor(
    private readonly context: LinkContext,
    protected readonly counters: LinkCounters,
  ) {
    this.slabIndex = context.slabs.add(this.slab);
  }

  /** Takes the next chunk, whatever it is. The chunk is its owner's again on return. */
  abstract take(chunk: unknown): void;

  /** Hands over what was taken. */
  abstract flush(): void;

  /** The stack gets nothing any more. */
  stop(): void {
    this.stopped = true;
  }

  protected parse(at: number, length: number): void {
    const { batch, slab, slabIndex } = this;
    const base = batch.push();
    const { hashKey } = this.context;
    const result = parsePacket(slab, slabIndex, at, length, batch.words, base, hashKey);
    if (result === ParseResult.Ok) {
      this.counters.received++;
    } else {
      batch.count--;
      this.count(RESULT_COUNTERS[result]);
    }
    if (batch.count === BATCH) this.handOver();
  }

  /** The bytes of all packets that were parsed are free on return. */
  protected handOver(): void {
    const { batch } = this;
    try {
      if (batch.count > 0 && !this.stopped) this.context.host.receive(batch);
    } catch (error) {
      // The next packet begins where this one ends, whatever the stack says to it.
      nextTick(rethrow, error);
    }
    batch.count = 0;
  }

  protected count(name: string): void {
    this.counters[name] = (this.counters[name] ?? 0) + 1;
  }
}

function rethrow(error: unknown): void {
  throw error;
}

/** The bytes of a chunk; null for what isn't bytes. */
function bytesOf(chunk: unknown): Uint8Array | null {
  if (chunk instanceof Uint8Array) return chunk;
  if (ArrayBuffer.isView(chunk)) {
    return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  }
  // Also one of another realm: Jest's, a vm's.
  const tag: unknown = Object.prototype.toString.call(chunk);
  if (tag === '[object ArrayBuffer]') return new Uint8Array(chunk as ArrayBuffer);
  return null;
}

/** One packet in each chunk. What is none is counted and dropped. */
export class MessageIntake extends Intake {
  take(chunk: unknown): void {
    const bytes = bytesOf(chunk);
    if (bytes === null || bytes.length > MAX_PACKET_LENGTH) {
      this.count('badMessage');
      return;
    }
    if (this.end + bytes.length > SLAB) this.flush();
    const at = this.end;
    this.slab.set(bytes, at);
    this.end += bytes.length;
    this.parse(at, bytes.length);
  }

  flush(): void {
    this.handOver();
    this.end = 0;
  }
}

/** Packets one behind the other, as their own length fields have it, in chunks of any size. */
export class ByteIntake extends Intake {
  /** Where the first packet begins that has not been parsed. */
  private start = 0;
  /** Bytes of the stream before the slab. */
  private before = 0;

  take(chunk: unknown): void {
    const bytes = bytesOf(chunk);
    if (bytes === null) {
      this.fault = `the stream gives ${typeof chunk}s and not bytes`;
      return;
    }
    for (let at = 0; at < bytes.length && this.fault === null;) {
      const count = Math.min(bytes.length - at, SLAB - this.end);
      this.slab.set(bytes.subarray(at, at + count), this.end);
      this.end += count;
      at += count;
      this.parseWhole();
    }
  }

  flush(): void {
    // Each call of `take` has done it.
  }

  /** Whether a part of a packet waits for the rest. */
  get isWithinPacket(): boolean {
    return this.end > 0;
  }

  /** Parses the packets that are there as a whole, and moves what is left to the front. */
  private parseWhole(): void {
    for (;;) {
      const length = this.nextLength();
      if (length === 0 || this.start + length > this.end) break;
      this.parse(this.start, length);
      this.start += length;
    }
    this.handOver();
    if (this.start === 0) return;
    this.slab.copyWithin(0, this.start, this.end);
    this.before += this.start;
    this.end -= this.start;
    this.start = 0;
  }

  /** What the next packet says of its length; 0: not known yet, or never. */
  private nextLength(): number {
    const { slab, start } = this;
    const present = this.end - start;
    if (present === 0) return 0;
    const version = slab[start] >>> 4;
    if (version === 6) return present < 6 ? 0 : 40 + load16(slab, start + 4);
    const headerLength = (slab[start] & 15) * 4;
    if (version !== 4 || headerLength < 20) {
      return this.lost(`begins with 0x${slab[start].toString(16).padStart(2, '0')}`);
    }
    if (present < 4) return 0;
    const length = load16(slab, start + 2);
    return length < headerLength ? this.lost(`has a length of ${length}`) : length;
  }

  /** Where one packet ends nowhere, nobody knows where the next one begins. */
  private lost(why: string): 0 {
    this.fault = `no IP packet at byte ${this.before + this.start} of the stream: it ${why}`;
    return 0;
  }
}
