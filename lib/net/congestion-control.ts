import type { CongestionController } from '../core/tcp/congestion-controller';
import { OWN_CONTROLLERS } from '../core/tcp/controllers';
import { invalidArgType, invalidArgValue } from '../errors';

/** TCP_CA_NAME_MAX without the zero at the end. */
const LONGEST_NAME = 15;
const OPTIONAL = ['init', 'congAvoid', 'undoCwnd', 'acked', 'event', 'control'] as const;

function checkName(given: unknown, name: string): void {
  if (typeof given !== 'string') throw invalidArgType(name, 'of type string', given);
  if (given === '' || given.length > LONGEST_NAME) {
    throw invalidArgValue(name, given, `must have 1 to ${LONGEST_NAME} characters`);
  }
  if (OWN_CONTROLLERS.includes(given)) {
    throw invalidArgValue(name, given, 'is the name of a controller of the stack’s own');
  }
}

function checkController(controller: CongestionController, name: string): void {
  checkName(controller.name, `${name}.name`);
  if (typeof controller.ssthresh !== 'function') {
    throw invalidArgType(`${name}.ssthresh`, 'of type function', controller.ssthresh);
  }
  for (const method of OPTIONAL) {
    const given: unknown = controller[method];
    if (given !== undefined && typeof given !== 'function') {
      throw invalidArgType(`${name}.${method}`, 'of type function', given);
    }
  }
  if (controller.congAvoid === undefined && controller.control === undefined) {
    throw invalidArgValue(name, controller, 'has neither congAvoid() nor control()');
  }
}

/**
 * A congestion controller by its name, or one of the program's.
 * @param name of the argument or property, for the error
 * @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE
 */
export function readCongestionControl(value: unknown, name: string): string | CongestionController {
  if (typeof value === 'object' && value !== null) {
    checkController(value as CongestionController, name);
    return value as CongestionController;
  }
  if (typeof value !== 'string') {
    throw invalidArgType(name, 'of type string or an instance of CongestionController', value);
  }
  if (!OWN_CONTROLLERS.includes(value)) {
    throw invalidArgValue(name, value, `must be one of ${OWN_CONTROLLERS.join(', ')}`);
  }
  return value;
}
