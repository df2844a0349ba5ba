import { headerLength, packetLength } from '../../codec/build';
import { ipHeaderLength } from '../../codec/ip-header';
import { SegmentBatch } from '../../core/segment/batch';
import { FRAGMENT_MASK } from '../../codec/headers';
import { BuildWord, Direction, IS_FRAGMENT, Word } from '../../core/segment/layout';
import type { Dice } from './dice';
import { type Held, type Holding, copyDescriptor } from './held';
import type { Counts, Stage } from './stage';

/**
 * Flips one bit of packets, each with the same probability, 0 to 1, behind the IP header. What
 * can't be read any more is dropped.
 */
export class Corrupt implements Stage {
  private readonly piece = new SegmentBatch(1);

  constructor(
    private readonly next: Stage,
    private readonly dice: Dice,
    private readonly counts: Counts,
    private readonly holding: Holding,
    private readonly direction: Direction,
    private readonly probability: number,
  ) {
    this.piece.count = 1;
  }

  push(batch: SegmentBatch, index: number): void {
    if (!this.dice.happens(this.probability)) {
      this.next.push(batch, index);
      return;
    }
    copyDescriptor(batch, index, this.piece, 0);
    if (this.direction === Direction.In) this.toBeBuilt();
    const held = this.holding.build(this.piece, 0);
    if (held === null) {
      this.counts.overflow++;
      return;
    }
    this.counts.corrupted++;
    this.flip(held);
    if (this.direction === Direction.Out) this.send(held);
    else this.deliver(held);
    this.holding.retire(held);
  }

  /** Makes a descriptor to be built of `piece`, which was received: its checksum is right again. */
  private toBeBuilt(): void {
    const { words, slices } = this.piece;
    const { [Word.Slab]: slab, [Word.PayloadOffset]: offset, [Word.PayloadLength]: length } = words;
    slices.set([slab, offset, length]);
    words[Word.SliceCount] = length > 0 ? 1 : 0;
    words[Word.GsoSize] = 0;
    if (words[Word.Fragment] === 0) return;
    words[Word.Fragment] |= IS_FRAGMENT;
    words[BuildWord.FragmentId] = words[Word.Identification];
    // In IPv6 the flow label would stand there.
    if (words[Word.Family] === 6) words[Word.Identification] = 0;
  }

  private flip({ slab }: Held): void {
    const { words } = this.piece;
    const first = 8 * ipHeaderLength(words, 0);
    const last = 8 * packetLength(words, 0) - 1;
    if (last < first) return;
    const bit = this.dice.between(first, last);
    slab[bit >> 3] ^= 0x80 >> (bit & 7);
  }

  /** What is behind the IP header leaves as it is now. */
  private send({ slabIndex }: Held): void {
    const { words, slices } = this.piece;
    const isPart = words[Word.Fragment] < 0 && (words[Word.Fragment] & FRAGMENT_MASK) !== 0;
    const start = isPart ? headerLength(words, 0) : ipHeaderLength(words, 0);
    const length = packetLength(words, 0) - start;
    if (!isPart) words[Word.Fragment] = IS_FRAGMENT;
    words[Word.PayloadLength] = length;
    words[Word.GsoSize] = 0;
    words[Word.SliceCount] = length > 0 ? 1 : 0;
    slices.set([slabIndex, start, length]);
    this.next.push(this.piece, 0);
  }

  private deliver(held: Held): void {
    const length = packetLength(this.piece.words, 0);
    if (!this.holding.parse(held, length)) return;
    held.batch.words[Word.Interface] = this.piece.words[Word.Interface];
    this.next.push(held.batch, 0);
  }
}
