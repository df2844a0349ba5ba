import { invalidArgType } from '../../errors';
import { checkNames, checkNumber } from '../validate';

/**
 * Loss in bursts: a chain of two states, good and bad (E. N. Gilbert 1960, E. O. Elliott 1963),
 * with the parameters of tc-netem's `loss gemodel p r 1-h 1-k`, each a probability, 0 to 1.
 *
 * With the defaults of `1-h` and `1-k` p / (p + r) of all packets are lost, in bursts of 1 / r on
 * average.
 */
export interface GilbertElliott {
  /** That the next packet finds the link bad when this one found it good. */
  p: number;
  /** That the next packet finds the link good when this one found it bad. Default: 1 - p. */
  r?: number;
  /** That a packet is lost while the link is bad. Default: 1. */
  '1-h'?: number;
  /** That a packet is lost while the link is good. Default: 0. */
  '1-k'?: number;
}

/** @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, RangeError ERR_OUT_OF_RANGE */
export function checkLoss(loss: number | GilbertElliott | undefined): void {
  if (loss === undefined) return;
  if (typeof loss === 'number') {
    checkNumber('loss', loss, 0, 1);
    return;
  }
  if (typeof loss !== 'object' || loss === null) {
    throw invalidArgType('options.loss', 'of type number or object', loss);
  }
  checkNames('options.loss', loss, ['p', 'r', '1-h', '1-k']);
  checkNumber('loss.p', loss.p, 0, 1);
  for (const name of ['r', '1-h', '1-k'] as const) {
    if (loss[name] !== undefined) checkNumber(`loss.${name}`, loss[name], 0, 1);
  }
}
