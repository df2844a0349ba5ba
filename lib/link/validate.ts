import { invalidArgType, invalidArgValue, outOfRange } from '../errors';

/**
 * Throws unless `value` is an object with none but these properties.
 * @param name of the argument
 * @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE
 */
export function checkNames(name: string, value: unknown, allowed: readonly string[]): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidArgType(name, 'of type object', value);
  }
  const unknown = Object.keys(value).find((key) => !allowed.includes(key));
  if (unknown === undefined) return;
  throw invalidArgValue(name, value, `has no "${unknown}": there are ${allowed.join(', ')}`);
}

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

/**
 * Throws unless `range` is undefined, or the first and the last of some ports.
 * @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE; RangeError ERR_OUT_OF_RANGE
 */
export function checkPortRange(range: unknown): void {
  if (range === undefined) return;
  const name = 'options.localPortRange';
  if (!Array.isArray(range)) throw invalidArgType(name, 'an instance of Array', range);
  const [first, last] = range as unknown[];
  const ports = [first, last].every((port) => Number.isInteger(port));
  if (range.length !== 2 || !ports || !(1 <= Number(first) && Number(first) <= Number(last))) {
    throw invalidArgValue(name, range, 'must be the first and the last port');
  }
  if (Number(last) > 65_535) throw outOfRange(name, '>= 1 and <= 65535', last);
}
