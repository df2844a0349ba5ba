/** What the process that leads asks of a worker, and what it is told. */

/** One run of one test file. */
export interface Request {
  /** Relative to the workspace. */
  readonly file: string;
  /** Id of the mutant to switch on; null for none. */
  readonly mutant: string | null;
  /** Names of the tests to run; null for all. */
  readonly tests: readonly string[] | null;
  /** The run fails when the mutant has been reached so often: an endless loop. */
  readonly hitLimit: number;
}

/** How often each mutant was reached, by id. */
export type Hits = Readonly<Record<string, number>>;

export interface Answer {
  /** Name of a test that failed, or what kept the file from being run; null when all passed. */
  readonly failed: string | null;
  readonly milliseconds: number;
  /** Reached by the file's own code: while it is loaded, before all tests and after them. */
  readonly outside: Hits;
  readonly perTest: Readonly<Record<string, Hits>>;
}

/** What the worker and its Jest environment, which don't share modules, share instead. */
interface HandOver {
  request: Request;
  hits: Pick<Answer, 'outside' | 'perTest'>;
}

const KEY = Symbol.for('netland.mutants');

export function handOver(): HandOver {
  const shared = globalThis as unknown as Record<symbol, HandOver>;
  return (shared[KEY] ??= {} as HandOver);
}
