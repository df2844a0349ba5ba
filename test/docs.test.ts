import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { settingsPage } from '../scripts/settings-page';
import { storedFigures } from './golden/figures';
import { goldenPage } from './golden/page';

const ROOT = join(__dirname, '..');

function read(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8');
}

describe('the documentation', () => {
  it('has the settings as the code has them (npm run docs writes the page)', () => {
    expect(read('docs/settings.md')).toBe(settingsPage());
  });

  it('has the golden table of the figures that are kept (npm run docs writes the page)', () => {
    expect(read('docs/golden-table.md')).toBe(goldenPage(storedFigures()));
  });

  it('names files that exist', () => {
    const named = [...read('docs/architecture.md').matchAll(/`((?:lib|native|test)\/[\w./-]+)`/g)];
    expect(named.length).toBeGreaterThan(20);
    expect(named.map(([, path]) => path).filter((path) => !exists(path))).toEqual([]);
  });

  it('gives a reason for each dependency at run time', () => {
    const { dependencies } = JSON.parse(read('package.json')) as { dependencies: object };
    const rows = read('README.md').matchAll(/^\| `([@/\w-]+)` +\|/gm);
    const reasons = [...rows].map(([, name]) => name);
    expect(Object.keys(dependencies).filter((name) => !reasons.includes(name))).toEqual([]);
  });

  it('names npm scripts that exist', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: object };
    const named = [...read('README.md').matchAll(/npm run ([\w:-]*\w)/g)].map(([, name]) => name);
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });
});

function exists(path: string): boolean {
  try {
    read(path);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EISDIR';
  }
}
