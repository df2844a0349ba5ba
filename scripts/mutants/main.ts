/**
 * npm run mutants [-- --seed N] [--count N] [--only PART-OF-PATH[,…]] [--workers N] [--verbose]
 *
 * Changes lib/core in a number of places, one at a time, and sees whether a test fails. The places
 * are drawn with the seed from all that Stryker's instrumenter finds. Exit code 1 when fewer than
 * 85 % are noticed, or when a test fails without a mutant.
 */
import { parseArgs } from 'node:util';
import { EQUIVALENT, hasCode, subtractsZero } from './equivalent';
import { drawSample, type Mutant, originalOf, type Sample } from './sample';
import { measure, type Outcome, tryAll, type Verdict } from './trial';
import { makeWorkspace } from './workspace';

const LEAST_SCORE = 85;

function readOptions() {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      count: { type: 'string', default: '200' },
      only: { type: 'string', default: '' },
      workers: { type: 'string', default: '2' },
      verbose: { type: 'boolean', default: false },
    },
  });
  const seed = Number(values.seed);
  if (!Number.isSafeInteger(seed)) throw new RangeError(`--seed: not an integer: ${values.seed}`);
  const [count, workers] = (['count', 'workers'] as const).map((name) => {
    const value = Number(values[name]);
    if (Number.isSafeInteger(value) && value >= 1) return value;
    throw new RangeError(`--${name}: not a positive integer: ${values[name]}`);
  });
  return { seed, count, workers, only: values.only.split(','), verbose: values.verbose };
}

/** A mutant with the text around it. */
interface Place {
  readonly mutant: Mutant;
  readonly source: string;
  readonly original: string;
}

function placeOf(mutant: Mutant, sample: Sample): Place {
  const source = sample.sources.get(mutant.fileName) ?? '';
  return { mutant, source, original: originalOf(mutant, source) };
}

function isEquivalent({ mutant, source, original }: Place, sample: Sample): boolean {
  if (subtractsZero(original, mutant.replacement, source, sample.sources.values())) return true;
  return EQUIVALENT.some(
    (entry) =>
      entry.file === mutant.fileName &&
      entry.original === original &&
      entry.replacement === mutant.replacement &&
      hasCode(entry, source, mutant.location.start.line),
  );
}

/** Where it is and what it does. */
function described({ mutant, original }: Place): string {
  const { line, column } = mutant.location.start;
  const [before, after] = [original, mutant.replacement].map((text) => {
    const short = text.replace(/\s+/g, ' ');
    return short.length > 70 ? `${short.slice(0, 70)}…` : short;
  });
  const place = `${mutant.fileName}:${line + 1}:${column + 1}`;
  return `${place} ${mutant.mutatorName}\n      ${before}\n   => ${after}`;
}

/** Prints what came of it, and returns the score in per cent. */
function report(verdicts: readonly Verdict[], sample: Sample): number {
  const isNoticed = ({ outcome }: Verdict) => outcome === 'killed' || outcome === 'timeout';
  const counted = verdicts.filter(
    (verdict) => isNoticed(verdict) || !isEquivalent(placeOf(verdict.mutant, sample), sample),
  );
  const of = (outcome: Outcome) => counted.filter((verdict) => verdict.outcome === outcome);
  for (const outcome of ['survived', 'no coverage'] as const) {
    for (const { mutant } of of(outcome)) {
      console.log(`\n${outcome}: ${described(placeOf(mutant, sample))}`);
    }
  }
  const score = (100 * counted.filter(isNoticed).length) / Math.max(1, counted.length);
  console.log('');
  for (const outcome of ['killed', 'timeout', 'survived', 'no coverage'] as const) {
    console.log(`${outcome.padEnd(12)}${String(of(outcome).length).padStart(5)}`);
  }
  console.log(`equivalent  ${String(verdicts.length - counted.length).padStart(5)}`);
  console.log(`score       ${score.toFixed(1).padStart(5)} % (at least ${LEAST_SCORE})`);
  for (const entry of EQUIVALENT) {
    if (hasCode(entry, sample.sources.get(entry.file) ?? '')) continue;
    console.log(`equivalent.ts names what ${entry.file} has no more: ${entry.code.trim()}`);
  }
  return score;
}

async function main(): Promise<void> {
  const { seed, count, workers, only, verbose } = readOptions();
  const started = Date.now();
  const seconds = () => `${Math.round((Date.now() - started) / 1000)} s`;
  const sample = await drawSample(seed, count, only);
  const { population, mutants } = sample;
  console.log(`${mutants.length} of ${population} mutants of lib/core, seed ${seed}`);
  const workspace = makeWorkspace(sample);
  const measured = await measure(workspace, workers);
  console.log(`${measured.size} test files pass without a mutant (${seconds()})`);
  let done = 0;
  const verdicts = await tryAll(
    workspace,
    workers,
    mutants,
    measured,
    ({ mutant, outcome, by }) => {
      done++;
      if (verbose) {
        console.log(`${outcome}: ${described(placeOf(mutant, sample))}\n   by ${by ?? 'none'}`);
      }
      if (done % 20 === 0) console.log(`${done} of ${mutants.length} (${seconds()})`);
    },
  );
  if (report(verdicts, sample) < LEAST_SCORE) process.exitCode = 1;
}

// Workers and workspace go when the process exits.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    console.error(`Ended by ${signal}`);
    process.exit(1);
  });
}

void main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
