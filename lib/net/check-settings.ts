import { makeSettings, type Settings } from '../core/tcp/settings';
import { codeError, invalidArgType } from '../errors';

/**
 * Checks changes to TCP's settings, which a program gives as `options.tcp`.
 * @throws TypeError ERR_INVALID_ARG_TYPE; RangeError ERR_OUT_OF_RANGE, for an unknown name, too
 */
export function checkSettings(tcp: Partial<Settings> | undefined): void {
  if (tcp === undefined) return;
  if (typeof tcp !== 'object' || (tcp as unknown) === null || Array.isArray(tcp)) {
    throw invalidArgType('options.tcp', 'of type object', tcp);
  }
  for (const [name, value] of Object.entries(tcp) as [string, unknown][]) {
    if (value !== undefined && typeof value !== 'number') {
      throw invalidArgType(`options.tcp.${name}`, 'of type number', value);
    }
  }
  try {
    makeSettings(tcp);
  } catch (error) {
    throw codeError(RangeError, 'ERR_OUT_OF_RANGE', (error as Error).message);
  }
}
