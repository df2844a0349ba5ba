import { packetLength } from '../../codec/build';
import type { SegmentBatch } from '../../core/segment/batch';
import { Direction, Flag, IpProtocol, SLICE_WORDS, Word } from '../../core/segment/layout';
import { codeError } from '../../errors';
import { SegmentView } from '../../observe/segment-view';
import type { SegmentReference } from '../../observe/tcpdump';
import { type SegmentFields, writeFields } from './fields';

/** Of the segments that a filter sends. */
const HOP_LIMIT = 64;
/** Words of the two addresses, which an answer has the other way round. */
const ADDRESS = 4;

/** A segment to be sent in the place of another one, or as an answer. */
export interface Draft {
  /** Its descriptor, but for the place of the payload. */
  readonly words: Int32Array;
  /** Null: the payload of the segment that the filter has seen. */
  readonly payload: Uint8Array | null;
}

/**
 * A segment that passes a live link, as it was when it came to the filter, or has been changed to.
 * It may be kept, but only within the call it can be changed and answered, and its payload be read.
 */
export class LiveSegment extends SegmentView {
  /** @internal */
  readonly answers: Draft[] = [];
  private changedPayload: Uint8Array | null = null;
  private isChanged = false;
  private batch: SegmentBatch | null;

  /** @internal */
  constructor(
    batch: SegmentBatch,
    private readonly base: number,
    private readonly direction: Direction,
    private readonly slabs: readonly Uint8Array[],
    reference: SegmentReference,
  ) {
    super(batch.words.slice(base, base + Word.Stride), reference);
    this.batch = batch;
  }

  /** Bytes of the IP packet, headers included. */
  override get packetLength(): number {
    const { words } = this;
    const received = this.direction === Direction.In && !this.isChanged;
    return received ? words[Word.PacketLength] : packetLength(words, 0);
  }

  /**
   * A copy of the payload.
   * @throws Error ERR_INVALID_STATE when the call of the filter is over
   */
  override get payload(): Buffer {
    const { words, slabs } = this;
    const batch = this.within();
    if (this.changedPayload !== null) return Buffer.from(this.changedPayload);
    if (this.direction === Direction.In) {
      const start = words[Word.PayloadOffset];
      const bytes = slabs[words[Word.Slab]];
      return Buffer.from(bytes.subarray(start, start + words[Word.PayloadLength]));
    }
    const parts: Uint8Array[] = [];
    let at = batch.sliceBase(this.base);
    for (let n = words[Word.SliceCount]; n > 0; n--, at += SLICE_WORDS) {
      const offset = batch.slices[at + 1];
      const bytes = slabs[batch.slices[at]];
      parts.push(bytes.subarray(offset, offset + batch.slices[at + 2]));
    }
    return Buffer.concat(parts);
  }

  /**
   * Sets fields: what passes is a segment with these, and the right checksums. One that is received
   * loses options that the names don't cover, but for SACK.
   *
   * @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE; RangeError ERR_OUT_OF_RANGE;
   *   Error ERR_INVALID_STATE when the call of the filter is over, and of an ICMP error
   */
  change(fields: SegmentFields): void {
    this.checkIsTcp();
    const words = this.words.slice();
    writeFields(words, fields);
    this.words.set(words);
    if (fields.payload !== undefined) this.changedPayload = Uint8Array.from(fields.payload);
    this.isChanged = true;
  }

  /**
   * Sends a segment back, as if it came from whom this one is for; this filter doesn't see it. What
   * is not named: addresses and ports are those of this one the other way round, `ttl` is 64,
   * `flags` is `.`, `seq` what this one acknowledges, `ack` what comes after it, all else 0 or
   * nothing.
   *
   * @throws as `change`
   */
  answer(fields: SegmentFields = {}): void {
    this.checkIsTcp();
    const { words } = this;
    const back = new Int32Array(Word.Stride);
    back[Word.Family] = words[Word.Family];
    back[Word.Protocol] = IpProtocol.Tcp;
    back[Word.HopLimit] = HOP_LIMIT;
    for (let i = 0; i < ADDRESS; i++) {
      back[Word.Source + i] = words[Word.Destination + i];
      back[Word.Destination + i] = words[Word.Source + i];
    }
    back[Word.SourcePort] = words[Word.DestinationPort];
    back[Word.DestinationPort] = words[Word.SourcePort];
    back[Word.Flags] = Flag.ACK;
    if (this.isAck) back[Word.Sequence] = words[Word.Acknowledgment];
    const ends = (this.isSyn ? 1 : 0) + (this.isFin ? 1 : 0);
    back[Word.Acknowledgment] = words[Word.Sequence] + words[Word.PayloadLength] + ends;
    writeFields(back, fields);
    if ((back[Word.Flags] & Flag.ACK) === 0 && fields.ack === undefined) {
      back[Word.Acknowledgment] = 0;
    }
    const payload = Uint8Array.from(fields.payload ?? []);
    this.answers.push({ words: back, payload });
  }

  /**
   * Answers as a host that knows no such connection: with a RST (RFC 9293 §3.10.7.1), and a RST
   * with nothing.
   *
   * @throws Error ERR_INVALID_STATE as `change`
   */
  reset(): void {
    if (this.isRst) this.within();
    else this.answer({ flags: this.isAck ? 'R' : 'R.' });
  }

  /** @internal What is to pass instead; null: the segment itself. */
  get draft(): Draft | null {
    return this.isChanged ? { words: this.words, payload: this.changedPayload } : null;
  }

  /** @internal The call of the filter is over. */
  release(): void {
    this.batch = null;
  }

  private within(): SegmentBatch {
    if (this.batch !== null) return this.batch;
    throw codeError(Error, 'ERR_INVALID_STATE', 'The filter has returned already');
  }

  private checkIsTcp(): void {
    this.within();
    if (this.words[Word.Protocol] === IpProtocol.Tcp) return;
    throw codeError(Error, 'ERR_INVALID_STATE', 'An ICMP error is neither changed nor answered');
  }
}
