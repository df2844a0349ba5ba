import { headerLength } from '../../codec/build';
import { type IpAddress, readAddress } from '../../core/ip/address';
import { SegmentBatch } from '../../core/segment/batch';
import { isTcp, isUdp } from '../../core/segment/kind';
import {
  Checksum,
  Direction,
  Flag,
  MAY_FRAGMENT,
  SLICE_WORDS,
  Word,
} from '../../core/segment/layout';
import { type Held, type Holding, copyDescriptor } from './held';
import type { SplitCounts, Stage } from './stage';

/** Flags that only the last, and only the first of the pieces keeps. */
const LAST_ONLY = Flag.FIN | Flag.PSH;
const FIRST_ONLY = Flag.SYN | Flag.CWR;

/** A path of an MTU that a smaller segment doesn't fit is none (RFC 1122 §3.3.3: 576 bytes). */
const ALWAYS_FITS = 536;

/** TCP goes on in another segment; any other packet is one, unless it says that it is many. */
function isMany(words: Int32Array, base: number): boolean {
  return isTcp(words, base) || (isUdp(words, base) && words[base + Word.GsoSize] > 0);
}

/** MTU of the path between two addresses, bytes. */
export type PathMtu = (remote: IpAddress, local: IpAddress) => number;

/**
 * Cuts super-segments into segments of at most one MSS: the GSO size where it is known, else what
 * fits into the MTU of the path; and what stands for many datagrams into these. So a loss is the
 * loss of one segment.
 */
export class Split implements Stage {
  private readonly piece = new SegmentBatch(1);

  constructor(
    private readonly next: Stage,
    private readonly direction: Direction,
    private readonly mtu: PathMtu,
    private readonly holding: Holding,
    private readonly counts: SplitCounts,
  ) {
    this.piece.count = 1;
  }

  push(batch: SegmentBatch, index: number): void {
    const { words } = batch;
    const base = batch.base(index);
    const payload = words[base + Word.PayloadLength];
    const most = this.largest(words, base);
    // One with a wrong checksum has to stay what it is.
    const whole = payload <= most || most <= 0 || !isMany(words, base);
    if (whole || words[base + Word.Checksum] === Checksum.Bad) {
      this.next.push(batch, index);
      return;
    }
    this.counts.split++;
    let id = words[base + Word.Identification];
    for (let from = 0; from < payload; from += most) {
      this.cut(batch, index, from, Math.min(most, payload - from));
      // As a device numbers them.
      if (words[base + Word.Family] === 4) {
        this.piece.words[Word.Identification] = id;
        id = (id & MAY_FRAGMENT) | ((id + 1) & 0xffff);
      }
      this.pass(words[base + Word.Interface]);
    }
  }

  /** The most payload that one segment like this one has. */
  private largest(words: Int32Array, base: number): number {
    const known = words[base + Word.GsoSize];
    if (known > 0) return known;
    if (words[base + Word.PayloadLength] <= ALWAYS_FITS) return ALWAYS_FITS;
    const source = readAddress(words, base + Word.Source);
    const destination = readAddress(words, base + Word.Destination);
    const outward = this.direction === Direction.Out;
    const mtu = outward ? this.mtu(destination, source) : this.mtu(source, destination);
    return mtu - headerLength(words, base);
  }

  /** Makes `piece` of `length` bytes from `from` of the payload. */
  private cut(batch: SegmentBatch, index: number, from: number, length: number): void {
    const base = batch.base(index);
    copyDescriptor(batch, index, this.piece, 0);
    const { words } = this.piece;
    const isLast = from + length === words[Word.PayloadLength];
    words[Word.GsoSize] = 0;
    words[Word.PayloadLength] = length;
    if (isTcp(words, 0)) this.cutHeader(from, isLast);
    if (this.direction === Direction.In) {
      words[Word.SliceCount] = 1;
      this.piece.slices[0] = batch.words[base + Word.Slab];
      this.piece.slices[1] = batch.words[base + Word.PayloadOffset] + from;
      this.piece.slices[2] = length;
    } else {
      this.cutSlices(batch, base, from, length);
    }
  }

  /** The TCP header of the piece that has the payload from `from` on. */
  private cutHeader(from: number, isLast: boolean): void {
    const { words } = this.piece;
    const flags = words[Word.Flags];
    if (!isLast) words[Word.Flags] &= ~LAST_ONLY;
    if (from === 0) return;
    words[Word.Flags] &= ~FIRST_ONLY;
    words[Word.Sequence] += from + ((flags & Flag.SYN) !== 0 ? 1 : 0);
    words[Word.Urgent] -= from;
    if (words[Word.Urgent] <= 0) words[Word.Flags] &= ~Flag.URG;
    if ((words[Word.Flags] & Flag.URG) === 0) words[Word.Urgent] = 0;
  }

  private cutSlices(batch: SegmentBatch, base: number, from: number, length: number): void {
    const { slices } = batch;
    const start = batch.sliceBase(base);
    let skip = from;
    let left = length;
    let count = 0;
    const end = start + batch.words[base + Word.SliceCount] * SLICE_WORDS;
    for (let at = start; at < end && left > 0; at += SLICE_WORDS) {
      const size = slices[at + 2];
      if (skip < size) {
        const take = Math.min(left, size - skip);
        const target = count++ * SLICE_WORDS;
        this.piece.slices[target] = slices[at];
        this.piece.slices[target + 1] = slices[at + 1] + skip;
        this.piece.slices[target + 2] = take;
        left -= take;
        skip = 0;
      } else {
        skip -= size;
      }
    }
    this.piece.words[Word.SliceCount] = count;
  }

  private pass(interfaceIndex: number): void {
    if (this.direction === Direction.Out) {
      this.next.push(this.piece, 0);
      return;
    }
    const held: Held | null = this.holding.receive(this.piece, 0);
    if (held === null) {
      this.counts.overflow++;
      return;
    }
    held.batch.words[Word.Interface] = interfaceIndex;
    this.next.push(held.batch, 0);
    this.holding.retire(held);
  }
}
