import type { CongestionController } from '../../core/tcp/congestion-controller';
import type { Settings } from '../../core/tcp/settings';
import { invalidArgType, outOfRange } from '../../errors';
import { checkSettings } from '../../net/check-settings';
import { readCongestionControl } from '../../net/congestion-control';
import type { CongestionControlName } from '../../net/types';
import { checkNames, checkPortRange } from '../../link/validate';

export interface HostOptions {
  /** IPv4 address. Default: 10.0.0.1 for the first host, 10.0.0.2 for the second, … */
  address?: string;
  /** IPv6 address. Default: fd00::1, fd00::2, … */
  address6?: string;
  /** Changes to TCP's settings, as of `Stack.open`. */
  tcp?: Partial<Settings>;
  /** What new sockets have, as of `Stack.open`. Default: 'cubic'. */
  congestionControl?: CongestionControlName | CongestionController;
  /** First and last local port that is chosen when none is asked for. Default: 32768 to 60999. */
  localPortRange?: readonly [number, number];
  /** Seconds that its clock counts in a true one, above 0, at most 1000. Default: 1. */
  clockRate?: number;
}

const NAMES = ['address', 'address6', 'tcp', 'congestionControl', 'localPortRange', 'clockRate'];
const MAX_RATE = 1000;

/**
 * Checks all but the addresses.
 * @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE; RangeError ERR_OUT_OF_RANGE
 */
export function checkHostOptions(options: HostOptions): void {
  checkNames('options', options, NAMES);
  const { tcp, congestionControl, localPortRange, clockRate } = options;
  checkSettings(tcp);
  if (congestionControl !== undefined) {
    readCongestionControl(congestionControl, 'options.congestionControl');
  }
  checkPortRange(localPortRange);
  if (clockRate !== undefined) checkRate('options.clockRate', clockRate);
}

/** @throws TypeError ERR_INVALID_ARG_TYPE, RangeError ERR_OUT_OF_RANGE */
export function checkRate(name: string, rate: unknown): void {
  if (typeof rate !== 'number') throw invalidArgType(name, 'of type number', rate);
  if (!(rate > 0 && rate <= MAX_RATE)) throw outOfRange(name, `> 0 and <= ${MAX_RATE}`, rate);
}
