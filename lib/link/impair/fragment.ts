import { fragmentRoom, needsFragments } from '../../codec/fragment';
import { ipHeaderLength } from '../../codec/ip-header';
import { packetLength } from '../../codec/build';
import { SegmentBatch } from '../../core/segment/batch';
import { IS_FRAGMENT, MORE_FRAGMENTS, Word } from '../../core/segment/layout';
import { type Holding, copyDescriptor } from './held';
import type { SplitCounts, Stage } from './stage';

/**
 * Cuts packets that would leave as fragments into these, so that what happens to one of them
 * happens to it alone.
 */
export class Fragment implements Stage {
  private readonly piece = new SegmentBatch(1);

  constructor(
    private readonly next: Stage,
    private readonly holding: Holding,
    private readonly counts: SplitCounts,
  ) {
    this.piece.count = 1;
  }

  push(batch: SegmentBatch, index: number): void {
    const { words } = batch;
    const base = batch.base(index);
    const room = needsFragments(words, base) ? fragmentRoom(words, base) : 0;
    if (room === 0) {
      this.next.push(batch, index);
      return;
    }
    const whole = this.holding.build(batch, index);
    if (whole === null) {
      this.counts.overflow++;
      return;
    }
    this.counts.split++;
    const start = ipHeaderLength(words, base);
    const end = packetLength(words, base);
    for (let at = start, length; at < end; at += length) {
      length = end - at <= room ? end - at : room & ~7;
      const more = at + length < end ? MORE_FRAGMENTS : 0;
      copyDescriptor(batch, index, this.piece, 0);
      this.piece.words[Word.Fragment] = IS_FRAGMENT | (at - start) | more;
      this.piece.words[Word.PayloadLength] = length;
      this.piece.words[Word.SliceCount] = 1;
      this.piece.slices.set([whole.slabIndex, at, length]);
      this.next.push(this.piece, 0);
    }
    this.holding.retire(whole);
  }
}
