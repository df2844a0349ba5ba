import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { FAULT_KINDS, type FaultKind } from './faults';

/** What the command line asks for. */
export interface Options {
  /** How many seeds, and the first of them. */
  seeds: number;
  from: number;
  faults: readonly FaultKind[];
  /** The seed to be shown, with its trace; null: run many. */
  replay: number | null;
  /** Processes. */
  workers: number;
  /** No progress, nothing but failures and the last line. */
  quiet: boolean;
}

export const USAGE = `npm run sim -- [options]
  --seeds N      how many networks (default: 2000)
  --from M       the first seed (default: 1)
  --faults A,B   only faults of these kinds, or none (default: all):
                 ${wrap(FAULT_KINDS, 60).join('\n                 ')}
  --replay SEED  one seed, with the trace of all packets
  --workers N    processes (default: as many as there are processors)
  --quiet        no progress`;

function wrap(words: readonly string[], width: number): string[] {
  const lines = [''];
  for (const word of words) {
    if (lines[lines.length - 1].length + word.length > width) lines.push('');
    lines[lines.length - 1] += `${word} `;
  }
  return lines.map((line) => line.trim());
}

/** @throws Error for what can't be understood */
export function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      seeds: { type: 'string', default: '2000' },
      from: { type: 'string', default: '1' },
      faults: { type: 'string' },
      replay: { type: 'string' },
      workers: { type: 'string', default: String(availableParallelism()) },
      quiet: { type: 'boolean', default: false },
    },
  });
  return {
    seeds: wholeNumber('--seeds', values.seeds, 1),
    from: wholeNumber('--from', values.from, 0),
    faults: readFaults(values.faults),
    replay: values.replay === undefined ? null : wholeNumber('--replay', values.replay, 0),
    workers: wholeNumber('--workers', values.workers, 1),
    quiet: values.quiet,
  };
}

function wholeNumber(name: string, text: string, least: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= 2 ** 32 - 1) return value;
  throw new Error(`${name} must be a whole number from ${least} on; received '${text}'`);
}

function readFaults(text: string | undefined): readonly FaultKind[] {
  if (text === undefined) return FAULT_KINDS;
  if (text === 'none') return [];
  return text.split(',').map((name) => {
    const kind = FAULT_KINDS.find((known) => known === name);
    if (kind === undefined) throw new Error(`--faults: there is no '${name}'\n${USAGE}`);
    return kind;
  });
}

/** The command that replays a seed. */
export function replayCommand(seed: number, faults: readonly FaultKind[]): string {
  const all = FAULT_KINDS.every((kind) => faults.includes(kind));
  const names = faults.length === 0 ? 'none' : faults.join(',');
  return `npm run sim -- --replay ${seed}${all ? '' : ` --faults ${names}`}`;
}
