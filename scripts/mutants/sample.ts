/** Mutants of lib/core: all that Stryker's instrumenter knows of, and a sample of them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Xoshiro } from '../../lib/core/random/xoshiro';

export const ROOT = join(__dirname, '../..');
const MUTATED = join(ROOT, 'lib/core');

interface Position {
  /** From 0. */
  readonly line: number;
  readonly column: number;
}

interface Range {
  readonly start: Position;
  readonly end: Position;
}

/** A change of the source, as the instrumenter describes it. */
export interface Mutant {
  readonly id: string;
  /** Relative to the project. */
  readonly fileName: string;
  readonly location: Range;
  readonly mutatorName: string;
  readonly replacement: string;
}

interface Source {
  readonly name: string;
  readonly content: string;
}

interface Instrumented {
  readonly files: readonly Source[];
  readonly mutants: readonly Mutant[];
}

function readSources(): Source[] {
  return readdirSync(MUTATED, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((path) => ({ name: relative(ROOT, path), content: readFileSync(path, 'utf8') }));
}

/** What the instrumenter asks of its injector. */
class Injector {
  private readonly values: Record<string, unknown> = {
    logger: { debug: () => undefined, info: () => undefined, isDebugEnabled: () => false },
  };

  provideValue(token: string, value: unknown): this {
    this.values[token] = value;
    return this;
  }

  injectClass<T>(made: { new (...values: never[]): T; inject: readonly string[] }): T {
    return new made(...(made.inject.map((token) => this.values[token]) as never[]));
  }
}

/** Puts every mutant within `ranges` (of a file; all where it has none) behind a switch. */
async function instrument(
  sources: readonly Source[],
  ranges?: ReadonlyMap<string, Range[]>,
): Promise<Instrumented> {
  const { createInstrumenter } = await import('@stryker-mutator/instrumenter');
  const instrumenter = createInstrumenter(new Injector() as never);
  const files = sources.map((source) => ({
    ...source,
    mutate: ranges === undefined ? true : (ranges.get(source.name) ?? false),
  }));
  const options = { plugins: null, excludedMutations: [], ignorers: [], noHeader: false };
  return instrumenter.instrument(files, options);
}

const keyOf = ({ fileName, location: { start, end }, mutatorName, replacement }: Mutant) =>
  [fileName, start.line, start.column, end.line, end.column, mutatorName, replacement].join('\0');

/** `count` of `all`, each equally likely, in their order. */
function draw<T>(all: readonly T[], count: number, seed: number): T[] {
  const random = new Xoshiro(seed);
  const indices = all.map((_, index) => index);
  for (let i = 0; i < Math.min(count, all.length); i++) {
    const other = i + ((random.next() >>> 0) % (all.length - i));
    [indices[i], indices[other]] = [indices[other], indices[i]];
  }
  return indices
    .slice(0, count)
    .sort((a, b) => a - b)
    .map((index) => all[index]);
}

export interface Sample {
  /** How many mutants there are altogether. */
  readonly population: number;
  readonly mutants: readonly Mutant[];
  /** The sources, by path, and the same with the mutants (and some more) in them. */
  readonly sources: ReadonlyMap<string, string>;
  readonly files: readonly Source[];
}

/** Draws `count` mutants of the files whose path has one of `only` in it. */
export async function drawSample(seed: number, count: number, only: string[]): Promise<Sample> {
  const sources = readSources();
  const all = (await instrument(sources)).mutants.filter(({ fileName }) =>
    only.some((part) => fileName.includes(part)),
  );
  const drawn = new Set(draw(all, count, seed).map(keyOf));
  const ranges = new Map<string, Range[]>();
  for (const mutant of all.filter((candidate) => drawn.has(keyOf(candidate)))) {
    ranges.set(mutant.fileName, [...(ranges.get(mutant.fileName) ?? []), mutant.location]);
  }
  const { files, mutants } = await instrument(sources, ranges);
  return {
    population: all.length,
    mutants: mutants.filter((mutant) => drawn.has(keyOf(mutant))),
    sources: new Map(sources.map(({ name, content }) => [name, content])),
    files,
  };
}

/** The part of its source that a mutant replaces. */
export function originalOf({ location: { start, end } }: Mutant, source: string): string {
  const text = source.split('\n').slice(start.line, end.line + 1);
  text[text.length - 1] = text[text.length - 1].slice(0, end.column);
  text[0] = text[0].slice(start.column);
  return text.join('\n');
}
