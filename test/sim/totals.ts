import type { FaultKind } from './faults';
import { replayCommand, type Options } from './options';
import { addReport, emptyReport } from './report';
import type { Outcome } from './run-seed';

/** Time between two lines of progress, ms. */
const PROGRESS = 10_000;

/** What all seeds have given so far. */
export class Totals {
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
          `${sum.datagrams} datagrams, ${sum.received} of them read; ${sum.pings} pings`,
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
