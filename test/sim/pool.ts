import { fork, type ChildProcess } from 'node:child_process';
import { resolve } from 'node:path';
import type { FaultKind } from './faults';
import type { Outcome } from './run-seed';

/** Seeds that a process is given at once. */
const PORTION = 10;
/** Time in which it must have lived them, ms. */
const LIMIT = 300_000;

/** What a worker is told to do. */
export interface Portion {
  seeds: number[];
  faults: readonly FaultKind[];
}

/** Processes that live seeds, each its own. */
export class Pool {
  private readonly waiting: number[];

  constructor(
    seeds: readonly number[],
    private readonly faults: readonly FaultKind[],
    private readonly done: (outcome: Outcome) => void,
  ) {
    this.waiting = [...seeds];
  }

  /** Resolves when all seeds were lived. */
  async run(workers: number): Promise<void> {
    const count = Math.min(workers, Math.ceil(this.waiting.length / PORTION));
    await Promise.all(Array.from({ length: count }, () => this.work()));
  }

  /** One process after another, until nothing is left: one that dies fails its seeds. */
  private async work(): Promise<void> {
    while (this.waiting.length > 0) await this.workUntilDeath();
  }

  private workUntilDeath(): Promise<void> {
    const child = fork(resolve(__dirname, 'worker'), { execArgv: process.execArgv });
    let portion = new Set<number>();
    const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT);
    const next = (): void => {
      timer.refresh();
      portion = this.give(child);
    };
    child.on('message', (outcome: Outcome) => {
      portion.delete(outcome.seed);
      this.done(outcome);
      if (portion.size === 0) next();
    });
    next();
    return new Promise((settle) => {
      child.on('exit', (code, signal) => {
        clearTimeout(timer);
        const error = `the process ended: ${signal ?? code}`;
        for (const seed of portion) this.done({ seed, report: null, error, cost: 0 });
        settle();
      });
    });
  }

  /** Gives a process its next seeds, or lets it end. */
  private give(child: ChildProcess): Set<number> {
    const seeds = this.waiting.splice(0, PORTION);
    if (seeds.length === 0) child.disconnect();
    else child.send({ seeds, faults: this.faults } satisfies Portion);
    return new Set(seeds);
  }
}
