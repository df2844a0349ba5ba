import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(__dirname, '../..');

/** How many of each kind Appendix B of RFC 9293 has: it leaves no number out. */
const NUMBERED = { MUST: 69, SHLD: 31, REC: 1, MAY: 18 };

const STATUSES = ['met', 'deviation', 'not met', 'left out', 'not applicable'] as const;
type Status = (typeof STATUSES)[number];

interface Row {
  number: string;
  requirement: string;
  section: string;
  rfc1122: string;
  status: Status;
  /** Cells as they stand. */
  code: string;
  tests: string;
}

const PAGE = readFileSync(join(ROOT, 'docs/rfc9293.md'), 'utf8');

function cells(line: string): string[] {
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
}

/** The rows of all tables with these columns. */
function tables(page: string, columns: number): string[][] {
  return page
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map(cells)
    .filter(([first, ...rest]) => rest.length === columns - 1 && !/^(-+|No\.|what)$/.test(first));
}

const ROWS: Row[] = tables(PAGE, 7).map(
  ([number, requirement, section, rfc1122, said, code, tests]) => {
    const [status] = said.split(':');
    return { number, requirement, section, rfc1122, status: status as Status, code, tests };
  },
);

const BY_NUMBER = ROWS.map((row): [string, Row] => [row.number, row]);

/** 'file' names in a cell, with the names beside each; null where the cell has another form. */
function references(cell: string, name: RegExp): [file: string, names: string[]][] | null {
  if (cell === '–') return [];
  const parts = cell.split(/; (?=`)/).map((part): [string, string[]] | null => {
    const match = /^`([\w./-]+)` (.+)$/.exec(part);
    if (match === null || match[2].replace(name, '').replace(/[, ]/g, '') !== '') return null;
    return [match[1], [...match[2].matchAll(name)].map(([, text]) => text)];
  });
  return parts.every((part) => part !== null) ? parts : null;
}

const codeOf = ({ code }: Row) => references(code, /`([\w.]+)`/g);
const testsOf = ({ tests }: Row) => references(tests, /“([^”]+)”/g);

/** The text of `file` in `top`, or in the folder of TCP there; null where there is none. */
function source(top: 'lib' | 'test', file: string): string | null {
  const path = [`${top}/core/tcp/${file}`, `${top}/${file}`].find((it) =>
    existsSync(join(ROOT, it)),
  );
  return path === undefined ? null : readFileSync(join(ROOT, path), 'utf8');
}

/** Whether it defines the function or class, or 'Class.method'. */
function defines(text: string, name: string): boolean {
  const [outer, member] = name.split('.');
  if (member === undefined) {
    return new RegExp(`^(export )?(abstract )?(function|class) ${outer}\\b`, 'm').test(text);
  }
  const body =
    new RegExp(`^(export )?(abstract )?class ${outer}\\b[^]*?^}`, 'm').exec(text)?.[0] ?? '';
  return new RegExp(`^  (private |readonly |get )*${member}[(<]`, 'm').test(body);
}

/** Whether a string in it, as the title of a test is, begins like that. */
function names(text: string, title: string): boolean {
  return ["'", '"', '`'].some((quote) => text.includes(quote + title));
}

/** What a row names and isn't there. */
function missing(row: Row): string[] {
  const code = codeOf(row);
  const tests = testsOf(row);
  if (code === null || tests === null) return ['a cell that can be read'];
  const of = (
    cited: [file: string, names: string[]][],
    top: 'lib' | 'test',
    has: (text: string, name: string) => boolean,
  ) =>
    cited.flatMap(([file, list]) => {
      const text = source(top, file);
      return text === null ? [file] : list.filter((name) => !has(text, name));
    });
  return [...of(code, 'lib', defines), ...of(tests, 'test', names)];
}

function saysDeviation(row: Row): boolean {
  const texts = (codeOf(row) ?? []).map(([file]) => source('lib', file) ?? '');
  return texts.some((text) => text.includes('Deviation:'));
}

describe('docs/rfc9293.md', () => {
  test('has every number of Appendix B once', () => {
    const expected = Object.entries(NUMBERED).flatMap(([kind, count]) =>
      Array.from({ length: count }, (_, i) => `${kind}-${i + 1}`),
    );
    const numbers = ROWS.map(({ number }) => number).filter((number) => !number.startsWith('§'));
    expect(numbers.sort()).toEqual(expected.sort());
  });

  test('has the procedures of §3.10, each row once', () => {
    const others = ROWS.map(({ number }) => number).filter((number) => number.startsWith('§'));
    expect(new Set(others).size).toBe(others.length);
    const sections = others.map((number) => number.split(' ')[0]);
    const calls = [1, 2, 3, 4, 5, 6, 8].map((n) => `§3.10.${n}`);
    const arrives = [1, 2, 3, 4].map((n) => `§3.10.7.${n}`);
    expect(sections).toEqual(expect.arrayContaining([...calls, ...arrives]));
  });

  test('lists what is not met, and nothing else, at its top', () => {
    const listed = tables(PAGE, 2).flatMap(([, numbers]) => numbers.split(', '));
    const notMet = ROWS.filter(({ status }) => status === 'not met').map(({ number }) => number);
    expect(listed.sort()).toEqual(notMet.sort());
    expect(ROWS.length).toBeGreaterThan(100);
  });

  test.each(BY_NUMBER)('%s: sections, status, code, tests, deviation', (number, row) => {
    expect(row.requirement).not.toBe('');
    expect(row.section).toMatch(/^3(\.\d+)+$/);
    expect(row.rfc1122).toMatch(/^(–|4\.2\.[234]\.\d+)$/);
    if (number.startsWith('§')) expect(number.slice(1).split(' ')[0]).toBe(row.section);
    expect(STATUSES).toContain(row.status);
    if (row.status === 'left out') expect(number).toMatch(/^(MAY|§)/);
    if (row.status === 'not applicable') expect(number).toMatch(/^(SHLD|§)/);
    expect(missing(row)).toEqual([]);
    const done = row.status === 'met' || row.status === 'deviation';
    if (done) expect([row.code, row.tests]).not.toContain('–');
    if (row.status === 'deviation') expect(saysDeviation(row)).toBe(true);
  });
});

describe('what the checks above find', () => {
  const text = 'class A {\n  one() {}\n  get two() {}\n}\nfunction one() {}\ntest("a b", f);\n';

  test.each([
    ['one', true],
    ['A', true],
    ['A.one', true],
    ['two', false],
    ['A.three', false],
    ['B.one', false],
    ['on', false],
  ])('%s: %s', (name, expected) => {
    expect(defines(text.replace('get two()', 'private get two()'), name)).toBe(expected);
  });

  test('the beginning of a title', () => {
    expect([names(text, 'a'), names(text, 'a b'), names(text, 'b')]).toEqual([true, true, false]);
  });

  test('cells of another form', () => {
    expect(references('`a.ts` `f`, `g`; `b.ts` `h`', /`(\w+)`/g)).toEqual([
      ['a.ts', ['f', 'g']],
      ['b.ts', ['h']],
    ]);
    expect(references('`a.ts` f', /`(\w+)`/g)).toBeNull();
    expect(references('a.ts `f`', /`(\w+)`/g)).toBeNull();
  });
});
