/** Runs each test file without a mutant, and then for each mutant the tests that reach it. */
import type { Answer } from './protocol';
import type { Mutant } from './sample';
import { WorkerProcess } from './worker-process';
import type { Workspace } from './workspace';

export type Outcome = 'killed' | 'timeout' | 'survived' | 'no coverage';

export interface Verdict {
  readonly mutant: Mutant;
  readonly outcome: Outcome;
  /** The test that failed or hung. */
  readonly by: string | null;
}

/** The part of a test file that reaches a mutant. */
interface Part {
  readonly file: string;
  /** Null where the file's own code reaches it, or one of its processes may: all. */
  readonly tests: readonly string[] | null;
  readonly hits: number;
  readonly milliseconds: number;
}

type Measured = ReadonlyMap<string, Answer>;

/** Calls `work` for each item, in `count` workers. */
async function share<T>(
  folder: string,
  count: number,
  items: readonly T[],
  work: (worker: WorkerProcess, item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  const workers = Array.from({ length: count }, () => new WorkerProcess(folder));
  const serve = async (worker: WorkerProcess) => {
    for (const item of queue) await work(worker, item);
  };
  try {
    await Promise.all(workers.map(serve));
  } finally {
    for (const worker of workers) worker.end();
  }
}

/** Runs every test file without a mutant: how long it takes, and what it reaches. */
export async function measure({ folder, tests }: Workspace, workers: number): Promise<Measured> {
  const measured = new Map<string, Answer>();
  await share(folder, workers, tests, async (worker, file) => {
    const request = { file, mutant: null, tests: null, hitLimit: Infinity };
    const answer = await worker.ask(request, 300_000);
    if (answer?.failed !== null) {
      throw new Error(`${file} fails without a mutant: ${answer?.failed ?? 'no answer'}`);
    }
    measured.set(file, answer);
  });
  return measured;
}

function partsFor(id: string, measured: Measured, elsewhere: readonly string[]): Part[] {
  const parts: Part[] = [];
  for (const [file, { milliseconds, outside, perTest }] of measured) {
    const reached = Object.entries(perTest).filter(([, hits]) => id in hits);
    const inside = reached.reduce((sum, [, hits]) => sum + hits[id], 0);
    const hits = inside + (outside[id] ?? 0);
    const isAll = id in outside || elsewhere.includes(file);
    const tests = isAll ? null : reached.map(([name]) => name);
    if (isAll || hits > 0) parts.push({ file, tests, hits, milliseconds });
  }
  return parts.sort((a, b) => a.milliseconds - b.milliseconds);
}

/** How many mutants of a source each test file has noticed: it is asked first about the next. */
class Experience {
  private readonly noticed = new Map<string, number>();

  add(source: string, test: string): void {
    this.noticed.set(`${source} ${test}`, this.of(source, test) + 1);
  }

  of(source: string, test: string): number {
    return this.noticed.get(`${source} ${test}`) ?? 0;
  }
}

async function judge(
  worker: WorkerProcess,
  mutant: Mutant,
  measured: Measured,
  elsewhere: readonly string[],
  experience: Experience,
): Promise<Verdict> {
  const noticed = ({ file }: Part) => experience.of(mutant.fileName, file);
  const parts = partsFor(mutant.id, measured, elsewhere).sort((a, b) => noticed(b) - noticed(a));
  for (const { file, tests, hits, milliseconds } of parts) {
    const request = { file, mutant: mutant.id, tests, hitLimit: 1000 + 100 * hits };
    const answer = await worker.ask(request, 10_000 + 10 * milliseconds);
    if (answer !== null && answer.failed === null) continue;
    experience.add(mutant.fileName, file);
    if (answer === null) return { mutant, outcome: 'timeout', by: file };
    return { mutant, outcome: 'killed', by: `${file}: ${answer.failed}` };
  }
  const isReached = parts.some(({ hits }) => hits > 0);
  return { mutant, outcome: isReached ? 'survived' : 'no coverage', by: null };
}

/** What becomes of each mutant, in their order. */
export async function tryAll(
  { folder, elsewhere }: Workspace,
  workers: number,
  mutants: readonly Mutant[],
  measured: Measured,
  onVerdict: (verdict: Verdict) => void,
): Promise<Verdict[]> {
  const verdicts = new Map<Mutant, Verdict>();
  const experience = new Experience();
  await share(folder, workers, mutants, async (worker, mutant) => {
    const verdict = await judge(worker, mutant, measured, elsewhere, experience);
    verdicts.set(mutant, verdict);
    onVerdict(verdict);
  });
  return mutants.map((mutant) => verdicts.get(mutant) as Verdict);
}
