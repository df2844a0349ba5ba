import { serve } from '../support/rpc';
import { measure, type Figures } from './figures';

// In a process of its own: under Jest the simulator takes ten times as long.
serve({
  /** @param cells source of a regular expression; empty: all */
  measure(controller: string, quick: boolean, cells: string): Figures {
    return measure(controller, { quick, cells: cells === '' ? undefined : new RegExp(cells) });
  },
});
