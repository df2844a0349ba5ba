import { invalidArgValue, outOfRange } from '../../errors';
import { checkInteger, checkNames, checkNumber } from '../validate';
import { checkLoss, type GilbertElliott } from './burst-loss';

export interface ImpairOptions {
  /** The same seed does the same to the same segments. 0 to 2^32 - 1. */
  seed: number;
  /** Of the stack's view: what it receives, sends, or both (the default). */
  direction?: 'in' | 'out' | 'both';
  /** Bits of IP packets that pass per second, above 0. Default: Infinity. */
  rate?: number;
  /** Bytes that wait for that, at most; what finds no room is dropped. Default: 1,500,000. */
  queue?: number;
  /** Probability that a segment is dropped, 0 to 1, or loss in bursts. */
  loss?: number | GilbertElliott;
  /**
   * Probability that one bit of a packet is flipped, 0 to 1, behind its IP header. It is dropped
   * where its checksum is looked at; a UDP datagram over IPv4 that has none isn't.
   */
  corrupt?: number;
  /** Probability that a segment passes twice, 0 to 1. */
  duplicate?: number;
  /** What each segment is delayed by, ms (whole ones are exact). */
  delay?: number;
  /** How much more or less than `delay` that may be, ms, uniformly; segments overtake then. */
  jitter?: number;
  /** Holds segments back until later ones have passed, or 5 ms when none come. */
  reorder?: {
    /** That a segment is held back, 0 to 1. */
    probability: number;
    /** Least and most number of segments that pass before it. Default: 1 to 3. */
    by?: readonly [number, number];
  };
}

const NAMES = 'seed direction rate queue loss corrupt duplicate delay jitter reorder'.split(' ');
/** Most that a segment is delayed by, ms. */
const MAX_DELAY = 3_600_000;
const MAX_BEHIND = 1000;
/** As many full packets as a network interface of Linux keeps (txqueuelen). */
export const DEFAULT_QUEUE = 1000 * 1500;

/** @throws TypeError ERR_INVALID_ARG_TYPE, RangeError ERR_OUT_OF_RANGE */
export function checkOptions(options: ImpairOptions): void {
  checkNames('options', options, NAMES);
  const { rate, queue, loss, corrupt, duplicate, delay, jitter, reorder } = options;
  const { direction = 'both' } = options;
  checkInteger('seed', options.seed, 0, 2 ** 32 - 1);
  if (!['in', 'out', 'both'].includes(direction)) {
    throw invalidArgValue('options.direction', direction, "must be 'in', 'out' or 'both'");
  }
  if (rate !== undefined) checkNumber('rate', rate, 0, Infinity);
  if (rate === 0) throw outOfRange('options.rate', '> 0', rate);
  if (queue !== undefined) checkInteger('queue', queue, 0, Number.MAX_SAFE_INTEGER);
  checkLoss(loss);
  if (corrupt !== undefined) checkNumber('corrupt', corrupt, 0, 1);
  if (duplicate !== undefined) checkNumber('duplicate', duplicate, 0, 1);
  if (delay !== undefined) checkNumber('delay', delay, 0, MAX_DELAY);
  if (jitter !== undefined) checkNumber('jitter', jitter, 0, MAX_DELAY);
  if (reorder === undefined) return;
  checkNumber('reorder.probability', reorder.probability, 0, 1);
  if (reorder.by === undefined) return;
  checkInteger('reorder.by[0]', reorder.by[0], 1, MAX_BEHIND);
  checkInteger('reorder.by[1]', reorder.by[1], reorder.by[0], MAX_BEHIND);
}
