import { invalidArgType, invalidArgValue } from '../errors';

/**
 * Throws unless `value` can be the name of a network interface: 1 to 15 bytes without space, slash
 * or colon. It may hold one `%d`, where the kernel puts a number.
 * @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE
 */
export function checkInterfaceName(option: string, value: unknown): asserts value is string {
  if (typeof value !== 'string') {
    throw invalidArgType(`options.${option}`, 'of type string', value);
  }
  const plain = value.replace('%d', '0');
  if (!/^[^\s/:%\0]+$/.test(plain) || /^\.\.?$/.test(plain) || Buffer.byteLength(value) > 15) {
    throw invalidArgValue(`options.${option}`, value, 'must be the name of an interface');
  }
}
