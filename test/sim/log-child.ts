import { createHash } from 'node:crypto';
import { serve } from '../support/rpc';
import { FAULT_KINDS } from './faults';
import { runSeed } from './run-seed';

// In a process of its own: under Jest a seed takes some times as long.
serve({
  /** The event log of a seed, and what else is to be the same. */
  async logOf(seed: number): Promise<{ lines: number; hash: string; report: unknown }> {
    const hash = createHash('sha256');
    let lines = 0;
    const { report, error } = await runSeed(seed, FAULT_KINDS, (line) => {
      lines++;
      hash.update(`${line}\n`);
    });
    if (error !== null) throw new Error(error);
    return { lines, hash: hash.digest('hex'), report };
  },
});
