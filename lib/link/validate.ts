import { invalidArgType, outOfRange } from '../errors';

/**
 * Throws unless `value` is a number from `min` to `max`.
 * @param name of the option
 * @throws TypeError ERR_INVALID_ARG_TYPE, RangeError ERR_OUT_OF_RANGE
 */
export function checkNumber(name: string, value: unknown, min: number, max: number): void {
  if (typeof value !== 'number') throw invalidArgType(`options.${name}`, 'of type number', value);
  if (!(value >= min && value <= max)) {
    throw outOfRange(`options.${name}`, `>= ${min} and <= ${max}`, value);
  }
}

/** The same for a whole number. */
export function checkInteger(name: string, value: unknown, min: number, max: number): void {
  checkNumber(name, value, min, max);
  if (!Number.isInteger(value)) throw outOfRange(`options.${name}`, 'an integer', value);
}
