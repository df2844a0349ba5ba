import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FaultKind } from './faults';
import { readOptions, replayCommand, USAGE, type Options } from './options';
import { Pool } from './pool';
import { addReport, emptyReport } from './report';
import { runSeed, type Outcome } from './run-seed';

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

/** Time between two lines of progress, ms. */
const PROGRESS = 10_000;

/** What all seeds have given so far. */
class Totals {
  readonly sum = emptyReport();
  failed = 0;
  slowest: Outcome | null = null;
  private readonly started = Date.now();
  private lastProgress = Date.now();
  /** Of the processors, ms. */
  private cost = 0;

  constructor(private readonly options: Options) {}

  add(outcome: Outcome, faults: readonly FaultKind[]): void {
    const { seed, report, error, cost } = outcome;
    this.cost += cost;
    if (this.slowest === null || cost > this.slowest.cost) this.slowest = outcome;
    if (report !== null) addReport(this.sum, report);
    if (error !== null) {
      this.failed++;
      console.log(`\nseed ${seed}: ${error}\n  ${replayCommand(seed, faults)}\n`);
    }
    if (this.options.quiet || Date.now() < this.lastProgress + PROGRESS) return;
    this.lastProgress = Date.now();
    const { lives, connections, segments } = this.sum;
    console.log(`${lives} networks, ${connections} connections, ${segments} segments …`);
  }

  print(): void {
    const { sum, slowest, options } = this;
    const seconds = (Date.now() - this.started) / 1000;
    if (!options.quiet) {
      const rate = sum.segments / (this.cost / 1000);
      console.log(
        [
          `${sum.lives} networks in ${seconds.toFixed(1)} s, ` +
            `${(sum.virtualSeconds / 3600).toFixed(1)} h of virtual time`,
          `${sum.connections} connections: ${sum.accepted} accepted, ` +
            `${sum.refused} without a free port`,
          `${sum.segments} segments, ${sum.retransmissions} of them again; ` +
            `${sum.events} events; ${Math.round(rate)} segments/s of a processor`,
          `faults: ${describeFaults(sum.faults)}`,
          `slowest: seed ${slowest?.seed}, ${slowest?.cost.toFixed(0)} ms`,
        ].join('\n'),
      );
    }
    console.log(`${sum.lives} passed, ${this.failed} failed, 0 skipped`);
  }
}

function describeFaults(faults: Partial<Record<string, number>>): string {
  const sorted = Object.entries(faults).sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.map(([kind, count]) => `${count} ${kind}`).join(', ') || 'none';
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
