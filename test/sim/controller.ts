import type { CongestionController } from '../../lib/core/tcp/congestion-controller';
import type { Chance } from './chance';

/** Bytes per second: slower, and what is left would not be through when the run ends. */
const SLOWEST = 50_000;

/**
 * A program's controller that knows nothing of the path: whatever it says, nothing may be lost.
 * @param isTame from then on it says what lets everything come to an end
 */
export function erratic(chance: Chance, isTame: () => boolean): CongestionController {
  const window = (): number =>
    isTame() ? 4 : chance.pick([1, 2, 10, chance.below(100), 1e9, 2.5, 0, -1, NaN, Infinity]);
  const controller: CongestionController = {
    name: 'erratic',
    ssthresh: window,
    congAvoid(connection, acked) {
      if (!isTame() && chance.percent(80)) connection.slowStart(acked);
      else connection.cwnd = window();
    },
  };
  if (chance.percent(50)) controller.undoCwnd = window;
  if (chance.percent(30)) {
    controller.acked = (connection) => {
      if (chance.percent(5)) connection.ssthresh = window();
      if (chance.percent(5)) connection.pacingRate = chance.pick([0, SLOWEST, 1e6, 1e12]);
    };
  }
  if (chance.percent(30)) {
    controller.event = (connection) => (connection.cwnd = window());
  }
  if (chance.percent(30)) {
    controller.control = (connection) => (connection.cwnd = window());
  }
  return controller;
}
