/** A copy of the project outside of its tree, with mutants in it, in which Jest runs. */
import { cpSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { ROOT, type Sample } from './sample';

/** Tests of lib/core, all of them under virtual time: none waits. */
const TESTS = [
  'test/core',
  'test/codec/build.test.ts',
  'test/codec/parse.test.ts',
  'test/codec/options.properties.test.ts',
];
/** Such as run lib/core in processes of their own: nobody counts which mutants they reach. */
const ELSEWHERE = ['test/conformance/exchanges.test.ts', 'test/core/tcp/chaos.test.ts'];

/** `scripts` for the Jest environment. */
const COPIED = ['lib', 'test', 'scripts', 'package.json', 'tsconfig.json', 'jest.config.js'];

export interface Workspace {
  readonly folder: string;
  /** Paths of test files, relative to the folder. */
  readonly tests: readonly string[];
  /** Of these, the ones that may reach any mutant. */
  readonly elsewhere: readonly string[];
}

function testFiles(folder: string): string[] {
  const found = TESTS.flatMap((path) => {
    if (path.endsWith('.ts')) return [path];
    return readdirSync(join(folder, path), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.test.ts'))
      .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
      .sort();
  });
  return [...new Set([...found, ...ELSEWHERE])];
}

/** Makes a workspace, which goes with the process. */
export function makeWorkspace(sample: Sample): Workspace {
  const folder = mkdtempSync(join(tmpdir(), 'netland-mutants-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  for (const name of COPIED) {
    cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  }
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  for (const { name, content } of sample.files) writeFileSync(join(folder, name), content);
  return { folder, tests: testFiles(folder), elsewhere: ELSEWHERE };
}
