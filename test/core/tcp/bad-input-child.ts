import {
  cellAt,
  CELLS,
  OPTION_CELLS,
  optionCellAt,
  tryCell,
  tryOption,
} from '../../support/bad-input';
import { Peer } from '../../support/peer';
import { serve } from '../../support/rpc';

/** Cells that one stack meets, one after the other. */
const PER_STACK = 50;
/** Failures that are told. */
const TOLD = 20;

/** What came of a part of a table. */
export interface Result {
  tried: number;
  failures: string[];
}

/** Every `step`th of the cells. */
function tryAll<T>(count: number, step: number, at: (i: number) => T, live: Live<T>): Result {
  const failures: string[] = [];
  let tried = 0;
  let peer = new Peer();
  for (let index = 0; index < count && failures.length < TOLD; index += step) {
    if (tried++ % PER_STACK === 0) peer = new Peer();
    try {
      live(at(index), peer);
    } catch (error) {
      failures.push(`${JSON.stringify(at(index))}: ${(error as Error).message}`);
      peer = new Peer();
    }
  }
  return { tried, failures };
}

type Live<T> = (cell: T, peer: Peer) => void;

// In a process of its own: under Jest it takes ten times as long.
serve({
  segments: (step: number): Result => tryAll(CELLS, step, cellAt, tryCell),
  options: (step: number): Result => tryAll(OPTION_CELLS, step, optionCellAt, tryOption),
});
