import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FaultKind } from './faults';
import { readOptions, USAGE, type Options } from './options';
import { Pool } from './pool';
import { runSeed } from './run-seed';
import { Totals } from './totals';

/*
 * npm run sim: many simulated networks, each made by its seed; see USAGE. The last line is
 * `N passed, N failed, N skipped`; the exit code is 0 only if none failed.
 */

/** A seed that once found something. */
interface Regression {
  seed: number;
  /** Without: all kinds. */
  faults?: FaultKind[];
  found: string;
}

function regressions(): Regression[] {
  const text = readFileSync(join(__dirname, 'regressions.json'), 'utf8');
  return JSON.parse(text) as Regression[];
}

async function replay(seed: number, { faults }: Options): Promise<boolean> {
  const { error } = await runSeed(seed, faults, (line) => console.log(line));
  if (error !== null) console.log(`\nseed ${seed}: ${error}`);
  console.log(error === null ? '1 passed, 0 failed, 0 skipped' : '0 passed, 1 failed, 0 skipped');
  return error === null;
}

async function runMany(options: Options): Promise<boolean> {
  const totals = new Totals(options);
  const { seeds, from, faults, workers } = options;
  for (const regression of regressions()) {
    const kinds = regression.faults ?? faults;
    totals.add(await runSeed(regression.seed, regression.faults), kinds);
  }
  const all = Array.from({ length: seeds }, (_, i) => from + i);
  await new Pool(all, faults, (outcome) => totals.add(outcome, faults)).run(workers);
  totals.print();
  return totals.failed === 0;
}

async function main(): Promise<void> {
  let options: Options;
  try {
    options = readOptions(process.argv.slice(2));
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`);
    process.exitCode = 2;
    return;
  }
  const { replay: seed } = options;
  const passed = seed === null ? await runMany(options) : await replay(seed, options);
  if (!passed) process.exitCode = 1;
}

void main();
