import type { SegmentBatch } from './batch';
import { Flag, Option, Word } from './layout';

/**
 * The segment being processed, by RFC 9293's names: SEG.SEQ, SEG.ACK, SEG.LEN, SEG.WND. One object
 * serves all segments of a stack; its fields are copied from a descriptor and trimmed in place.
 */
export class Segment {
  words: Int32Array = new Int32Array(Word.Stride);
  base = 0;
  slab: Uint8Array = new Uint8Array(0);
  /** SEG.SEQ: of the SYN if there is one, else of the first byte of payload. */
  seq = 0;
  ack = 0;
  /** The window field, unscaled. */
  wnd = 0;
  flags = 0;
  options = 0;
  tsVal = 0;
  tsEcr = 0;
  /** Payload: where it starts in `slab`, and how many bytes it has. */
  offset = 0;
  length = 0;

  /** Takes descriptor `index` of `batch`. */
  load(batch: SegmentBatch, index: number, slabs: readonly Uint8Array[]): void {
    const words = batch.words;
    const base = batch.base(index);
    this.words = words;
    this.base = base;
    this.slab = slabs[words[base + Word.Slab]];
    this.seq = words[base + Word.Sequence];
    this.ack = words[base + Word.Acknowledgment];
    this.wnd = words[base + Word.Window];
    this.flags = words[base + Word.Flags];
    this.options = words[base + Word.Options];
    this.tsVal = words[base + Word.TsVal];
    this.tsEcr = words[base + Word.TsEcr];
    this.offset = words[base + Word.PayloadOffset];
    this.length = words[base + Word.PayloadLength];
  }

  get isSyn(): boolean {
    return (this.flags & Flag.SYN) !== 0;
  }

  get isAck(): boolean {
    return (this.flags & Flag.ACK) !== 0;
  }

  get isRst(): boolean {
    return (this.flags & Flag.RST) !== 0;
  }

  get isFin(): boolean {
    return (this.flags & Flag.FIN) !== 0;
  }

  get hasTimestamps(): boolean {
    return (this.options & Option.Timestamps) !== 0;
  }

  /** SEG.LEN: payload, and one each for SYN and FIN (RFC 9293 §3.4). */
  get len(): number {
    return this.length + ((this.flags & Flag.SYN) >> 1) + (this.flags & Flag.FIN);
  }

  /** The first sequence number after the segment. */
  get end(): number {
    return (this.seq + this.len) | 0;
  }

  /** Drops the first `bytes` sequence numbers, the SYN first. */
  trimFront(bytes: number): void {
    let payload = bytes;
    if (payload > 0 && this.isSyn) {
      this.flags &= ~Flag.SYN;
      payload--;
    }
    this.seq = (this.seq + bytes) | 0;
    const cut = Math.min(payload, this.length);
    this.offset += cut;
    this.length -= cut;
    if (payload > cut) this.flags &= ~Flag.FIN;
  }

  /** Drops the last `bytes` sequence numbers, the FIN first. */
  trimBack(bytes: number): void {
    let payload = bytes;
    if (payload > 0 && this.isFin) {
      this.flags &= ~Flag.FIN;
      payload--;
    }
    this.length -= Math.min(payload, this.length);
  }
}
