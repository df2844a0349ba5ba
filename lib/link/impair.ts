import { Xoshiro } from '../core/random/xoshiro';
import { Direction } from '../core/segment/layout';
import { type ImpairmentClock, systemClock } from './impair/clock';
import { impairments } from './impair/course';
import { openLanes } from './impair/lanes';
import { type ImpairOptions, checkOptions } from './impair/options';
import type { Link } from './link';

export type { ImpairOptions } from './impair/options';
export type { GilbertElliott } from './impair/burst-loss';

/**
 * A link that slows down, loses, corrupts, duplicates, delays and reorders the packets that pass
 * `link`, by a seed, whatever their protocol.
 * Super-segments are cut to segments of at most one MSS first, and what is longer than its path
 * into its fragments, so each of these things happens to one packet: a datagram is lost with one of
 * its fragments.
 *
 * The same seed and the same packets give the same result; with several stacks on it, if they open
 * it in the same order. Packets that are kept when the port closes leave at once.
 *
 * Counters: `outLost`, `inLost`, and the same with `Split`, `QueueFull`, `Corrupted`, `Duplicated`,
 * `Delayed`, `Reordered`, `Overflow` (dropped because more than 64 MiB were kept).
 *
 * @param clock where delays take the time from
 * @throws TypeError ERR_INVALID_ARG_TYPE or ERR_INVALID_ARG_VALUE, RangeError ERR_OUT_OF_RANGE
 */
export function impair(
  link: Link,
  options: ImpairOptions,
  clock: ImpairmentClock = systemClock,
): Link {
  checkOptions(options);
  const random = new Xoshiro(options.seed);
  const generator = (seed: number) => new Xoshiro(seed);
  const { direction: only = 'both' } = options;
  return {
    kind: link.kind,
    open: (context) =>
      openLanes(link, context, clock, (direction) => {
        if (only === (direction === Direction.Out ? 'in' : 'out')) return null;
        return impairments(options, random, generator);
      }),
  };
}
