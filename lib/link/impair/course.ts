import type { Random } from '../../core/environment';
import { Direction } from '../../core/segment/layout';
import { Corrupt } from './corrupt';
import { Delay } from './delay';
import { Dice } from './dice';
import { Duplicate } from './duplicate';
import { Fragment } from './fragment';
import type { Course } from './lane';
import { BurstLoss, Loss } from './loss';
import { DEFAULT_QUEUE, type ImpairOptions } from './options';
import { Rate } from './rate';
import { Reorder } from './reorder';
import type { Counts } from './stage';

/**
 * Rate, loss, corruption, duplication, delay and reordering, in this order, those of them that are
 * asked for.
 *
 * @param random seeds the stages, one word each
 * @param generator a generator from a seed
 */
export function impairments(
  options: ImpairOptions,
  random: Random,
  generator: (seed: number) => Random,
): Course<Counts> {
  const counts: Counts = {
    split: 0,
    queueFull: 0,
    lost: 0,
    corrupted: 0,
    duplicated: 0,
    delayed: 0,
    reordered: 0,
    overflow: 0,
  };
  return {
    counts,
    assemble: ({ direction, clock, holding, end, time }) => {
      // Each stage has its own, so that one of them doesn't change what another one does.
      const [forReorder, forDelay, forDuplicate, forLoss, forState, forCorrupt] = Array.from(
        { length: 6 },
        () => new Dice(generator(random.next())),
      );
      const { rate = Infinity, queue = DEFAULT_QUEUE } = options;
      const { loss = 0, corrupt = 0, duplicate = 0, delay = 0, jitter = 0, reorder } = options;
      let next = end;
      if (reorder !== undefined) {
        const [least, most] = reorder.by ?? [1, 3];
        const { probability } = reorder;
        next = time(
          new Reorder(next, forReorder, counts, holding, clock, probability, least, most),
        );
      }
      if (delay > 0 || jitter > 0) {
        next = time(new Delay(next, forDelay, counts, holding, clock, delay, jitter));
      }
      if (duplicate > 0) next = new Duplicate(next, forDuplicate, counts, duplicate);
      if (corrupt > 0) {
        next = new Corrupt(next, forCorrupt, counts, holding, direction, corrupt);
      }
      if (typeof loss === 'object') {
        next = new BurstLoss(next, forLoss, forState, counts, loss);
      } else if (loss > 0) next = new Loss(next, forLoss, counts, loss);
      if (rate < Infinity) {
        next = time(new Rate(next, direction, counts, holding, clock, rate, queue));
      }
      return direction === Direction.Out ? new Fragment(next, holding, counts) : next;
    },
  };
}
