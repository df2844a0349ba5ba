import { invalidArgType, invalidArgValue, outOfRange } from '../../errors';
import { checkLoss, type GilbertElliott } from '../../link/impair/burst-loss';
import { checkInteger, checkNames, checkNumber } from '../../link/validate';
import type { SegmentView } from '../segment-view';

/** How the wire tells of congestion (RFC 3168 §5): it needs at least one of the two. */
export interface EcnOptions {
  /** It happens to packets that find more than so many bytes waiting in the queue. */
  threshold?: number;
  /** It happens to packets at random: probability, 0 to 1. */
  probability?: number;
}

/**
 * Sees each packet that is put on the wire, before anything happens to it.
 * @param from name of the host or router that puts it there
 * @returns false: the packet is lost; a number: so many ms later it is put on the wire, while
 *   others pass; anything else: it passes
 */
export type SegmentFilter = (segment: SegmentView, from: string) => boolean | number | void;

/** What happens to packets of one direction. */
export interface WireOptions {
  /** Time from one end to the other, ms, exact to 1 µs, up to an hour. Default: 0. */
  delay?: number;
  /** How much more or less than `delay` that may be, ms, uniformly. Default: 0. */
  jitter?: number;
  /**
   * Whether packets overtake each other where jitter lets a later one arrive earlier; else that one
   * arrives right behind. Default: true, as in tc-netem.
   */
  overtake?: boolean;
  /** Bits of IP packets that leave per second, above 0. Default: Infinity. */
  rate?: number;
  /**
   * Bytes that wait at most, behind the packet that is leaving, where `rate` is finite; what finds
   * no room is lost. Default: 1000 times `mtu`: as many full packets as a network interface of
   * Linux keeps (txqueuelen).
   */
  queue?: number;
  /** Probability that a packet is lost, 0 to 1, or loss in bursts. Default: 0. */
  loss?: number | GilbertElliott;
  /** Probability that a packet arrives twice, 0 to 1. Default: 0. */
  duplicate?: number;
  /** Holds packets back until later ones have passed, or 5 ms when none come. */
  reorder?: {
    /** That a packet is held back, 0 to 1. */
    probability: number;
    /** Least and most number of packets that pass before it. Default: 1 to 3. */
    by?: readonly [number, number];
  };
  /**
   * Probability that one bit of the packet is flipped, 0 to 1: any one, with equal chances, of the
   * headers, the checksum, the data. Default: 0.
   */
  corrupt?: number;
  /** Largest IP packet, bytes, 68 (RFC 791 §3.2) to 65,535; a larger one is lost. Default: 1500. */
  mtu?: number;
  /**
   * Tells of congestion: a packet that it happens to is marked CE where it says that its ends
   * understand it (ECT), and lost where it doesn't. Default: never.
   */
  ecn?: EcnOptions;
  /** Sees each packet, and can lose or delay it. */
  filter?: SegmentFilter;
}

/** What happens to packets between two hosts or routers. */
export interface LinkOptions extends WireOptions {
  /** What is different in one direction, by the name of the end that sends. */
  from?: { readonly [name: string]: WireOptions };
}

/** The options of one direction, complete: times in µs. */
export interface WireSettings {
  delay: number;
  jitter: number;
  overtake: boolean;
  rate: number;
  queue: number;
  loss: Required<GilbertElliott> | number;
  duplicate: number;
  reorder: { probability: number; least: number; most: number };
  corrupt: number;
  mtu: number;
  ecn: Required<EcnOptions>;
  filter: SegmentFilter | null;
}

/** Most that a packet is delayed by, ms. */
const MAX_DELAY = 3_600_000;
const MAX_BEHIND = 1000;
const MAX_BYTES = Number.MAX_SAFE_INTEGER;
const MIN_MTU = 68;
const MAX_MTU = 65_535;
const DEFAULT_MTU = 1500;
/** Linux's txqueuelen. */
const QUEUE_PACKETS = 1000;
const NAMES = [
  ...['delay', 'jitter', 'overtake', 'rate', 'queue', 'loss', 'duplicate', 'reorder', 'corrupt'],
  ...['mtu', 'ecn', 'filter'],
];

/**
 * Checks an object with options.
 * @param name as in messages
 * @param allowed names beside those of `WireOptions`
 * @throws TypeError ERR_INVALID_ARG_TYPE or ERR_INVALID_ARG_VALUE, RangeError ERR_OUT_OF_RANGE
 */
export function checkOptions(
  options: WireOptions,
  name = 'options',
  allowed: readonly string[] = [],
): void {
  checkNames(name, options, [...NAMES, ...allowed]);
  const { delay, jitter, rate, queue, duplicate, corrupt, mtu, overtake, filter } = options;
  if (delay !== undefined) checkNumber('delay', delay, 0, MAX_DELAY);
  if (jitter !== undefined) checkNumber('jitter', jitter, 0, MAX_DELAY);
  if (overtake !== undefined && typeof overtake !== 'boolean') {
    throw invalidArgType('options.overtake', 'of type boolean', overtake);
  }
  if (rate !== undefined) checkNumber('rate', rate, 0, Infinity);
  if (rate === 0) throw outOfRange('options.rate', '> 0', rate);
  if (queue !== undefined) checkInteger('queue', queue, 0, MAX_BYTES);
  if (duplicate !== undefined) checkNumber('duplicate', duplicate, 0, 1);
  if (corrupt !== undefined) checkNumber('corrupt', corrupt, 0, 1);
  if (mtu !== undefined) checkInteger('mtu', mtu, MIN_MTU, MAX_MTU);
  if (filter !== undefined && typeof filter !== 'function') {
    throw invalidArgType('options.filter', 'of type function', filter);
  }
  checkLoss(options.loss);
  checkReorder(options.reorder);
  checkEcn(options.ecn);
}

function checkReorder(reorder: WireOptions['reorder']): void {
  if (reorder === undefined) return;
  checkNames('options.reorder', reorder, ['probability', 'by']);
  checkNumber('reorder.probability', reorder.probability, 0, 1);
  if (reorder.by === undefined) return;
  if (!Array.isArray(reorder.by)) {
    throw invalidArgType('options.reorder.by', 'an instance of Array', reorder.by);
  }
  checkInteger('reorder.by[0]', reorder.by[0], 1, MAX_BEHIND);
  checkInteger('reorder.by[1]', reorder.by[1], reorder.by[0], MAX_BEHIND);
}

function checkEcn(ecn: EcnOptions | undefined): void {
  if (ecn === undefined) return;
  checkNames('options.ecn', ecn, ['threshold', 'probability']);
  const { threshold, probability } = ecn;
  if (threshold === undefined && probability === undefined) {
    throw invalidArgValue('options.ecn', ecn, 'must have a threshold or a probability');
  }
  if (threshold !== undefined) checkInteger('ecn.threshold', threshold, 0, MAX_BYTES);
  if (probability !== undefined) checkNumber('ecn.probability', probability, 0, 1);
}

/**
 * Checks the options of a link between the ends with these names.
 * @returns those of the directions from the one and from the other
 * @throws TypeError ERR_INVALID_ARG_TYPE or ERR_INVALID_ARG_VALUE, RangeError ERR_OUT_OF_RANGE
 */
export function splitOptions(
  options: LinkOptions,
  ends: readonly [string, string],
): [WireOptions, WireOptions] {
  checkOptions(options, 'options', ['from']);
  const { from = {}, ...both } = options;
  checkNames('options.from', from, ends);
  const one = (name: string): WireOptions => {
    const own = Object.hasOwn(from, name) ? from[name] : undefined;
    if (own !== undefined) checkOptions(own, `options.from.${name}`);
    return { ...both, ...own };
  };
  return [one(ends[0]), one(ends[1])];
}

/** Fills in what is not said. */
export function completeOptions(options: WireOptions): WireSettings {
  const { mtu = DEFAULT_MTU, reorder, ecn, loss = 0 } = options;
  const [least, most] = reorder?.by ?? [1, 3];
  return {
    delay: Math.round((options.delay ?? 0) * 1000),
    jitter: Math.round((options.jitter ?? 0) * 1000),
    overtake: options.overtake ?? true,
    rate: options.rate ?? Infinity,
    queue: options.queue ?? QUEUE_PACKETS * mtu,
    loss: typeof loss === 'number' ? loss : { r: 1 - loss.p, '1-h': 1, '1-k': 0, ...loss },
    duplicate: options.duplicate ?? 0,
    reorder: { probability: reorder?.probability ?? 0, least, most },
    corrupt: options.corrupt ?? 0,
    mtu,
    ecn: { threshold: ecn?.threshold ?? Infinity, probability: ecn?.probability ?? 0 },
    filter: options.filter ?? null,
  };
}
