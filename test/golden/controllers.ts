import type { CongestionControl } from '../../lib/core/tcp/congestion';
import { reno } from '../../lib/core/tcp/reno';

/** The congestion controls that the table has, by name. */
export const CONTROLLERS: readonly CongestionControl[] = [reno];

/** @throws Error for a name that there isn't */
export function controllerOf(name: string): CongestionControl {
  const found = CONTROLLERS.find((controller) => controller.name === name);
  if (found === undefined) throw new Error(`the table has no controller '${name}'`);
  return found;
}
