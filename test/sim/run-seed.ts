import { FAULT_KINDS, type FaultKind } from './faults';
import { Life } from './life';
import type { Report } from './report';
import { describeSettings } from './settings';
import { StreamLife } from './stream-life';

/** Every so many seeds one goes through the API that people use. */
const STREAMS = 10;

/** What became of a seed. */
export interface Outcome {
  seed: number;
  report: Report | null;
  /** What was wrong, and where. */
  error: string | null;
  /** Of the processor, ms. */
  cost: number;
}

/** The whole trace, if asked for: what happened, packet by packet, with the states of the ends. */
export type Print = (line: string) => void;

/** Lives one seed. */
export async function runSeed(
  seed: number,
  kinds: readonly FaultKind[] = FAULT_KINDS,
  print: Print | null = null,
): Promise<Outcome> {
  const started = process.cpuUsage();
  const trace = print !== null;
  const life =
    seed % STREAMS === 0 ? new StreamLife(seed, kinds, trace) : new Life(seed, kinds, trace);
  let report: Report | null = null;
  let error: string | null = null;
  try {
    report = await life.run();
  } catch (thrown) {
    error = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
  }
  const { network, settings } = life.world;
  if (print !== null) {
    for (const [name, tcp] of settings) print(describeSettings(name, tcp));
    for (const line of network.trace.lines()) print(line);
  }
  await network.close();
  const { user, system } = process.cpuUsage(started);
  return { seed, report, error, cost: (user + system) / 1000 };
}
