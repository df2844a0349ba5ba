import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Namespace } from '../../support/netns';
import { hostOptions } from '../options';
import { Ours, type Backend } from '../support/backend';
import { CONGESTION } from '../support/reference';
import { CALLS } from './calls';
import { calling, CELL_PORTS, runCell, SEPARATOR, type Act } from './cell';
import { TRIES, tryOf, tryOption } from './option-edges';
import { SCENES } from './scenes';
import { hearing, SEGMENT_SCENES, SEGMENTS } from './segments';

/** A row, by the state that a socket is in, and a column: what happens to it then. */
export type Cell = readonly [scene: string, column: string];

/** What Linux answers in each cell is in a file; what we answer is held against it. */
export interface Table {
  name: string;
  file: string;
  cells: readonly Cell[];
  /** What comes of a cell with that backend; the ports from `port` on are free. */
  answer(backend: Backend, port: number, cell: Cell): Promise<string>;
  /** Asks the kernel without a peer, where none is needed. */
  ask?(cells: readonly Cell[], namespace: Namespace): string[];
}

const acting =
  (act: (column: string) => Act): Table['answer'] =>
  (backend, port, [scene, column]) =>
    runCell(backend, port, scene, act(column));

/** Every call in every state. */
const CALL_TABLE: Table = {
  name: 'calls',
  file: 'linux-calls.json',
  cells: Object.keys(SCENES).flatMap((scene) =>
    Object.keys(CALLS).map((column) => [scene, column] as const),
  ),
  answer: acting((column) => calling(CALLS[column])),
};

/** One segment of so many is in the table; the next row begins elsewhere. */
const SEGMENT_STEP = 29;

/** What a peer can send in every state: a part of all flags, numbers, acknowledgments, data. */
const SEGMENT_TABLE: Table = {
  name: 'segments',
  file: 'linux-segments.json',
  cells: SEGMENT_SCENES.flatMap((scene, row) =>
    SEGMENTS.filter((_, at) => at % SEGMENT_STEP === row % SEGMENT_STEP).map(
      (column) => [scene, column] as const,
    ),
  ),
  answer: acting(hearing),
};

/** Lengths and values of options, on a socket that has done nothing. */
const OPTION_TABLE: Table = {
  name: 'options',
  file: 'linux-options.json',
  cells: [...TRIES].flatMap(([name, row]) => [...row.keys()].map((how) => [name, how] as const)),
  answer: (backend, _port, cell) => tryOption(backend, tryOf(cell)),
  ask: (cells, namespace) => {
    const tries = cells.map(tryOf).map((one) => [one.level, one.option, one.value, one.length]);
    const [command, ...words] = [...namespace.via, 'python3', join(__dirname, 'options.py')];
    const { stdout } = spawnSync(command, words, {
      input: JSON.stringify(tries),
      encoding: 'utf8',
    });
    return JSON.parse(stdout) as string[];
  },
};

export const TABLES: readonly Table[] = [CALL_TABLE, SEGMENT_TABLE, OPTION_TABLE];

/** What comes of each cell, in the order of the table's. */
export type Answers = readonly string[];

/** By row and column; `USUAL` is what the last part of an answer in that row is, if left out. */
type Fixture = Record<string, Record<string, string>>;
const USUAL = '';
const NOTHING = '-';

export function writeAnswers({ file, cells }: Table, answers: Answers): void {
  const usual = new Map<string, string>();
  for (const scene of new Set(cells.map(([row]) => row))) {
    usual.set(scene, mostFrequent(answers.filter((_, at) => cells[at][0] === scene).map(lastPart)));
  }
  const fixture: Fixture = {};
  cells.forEach(([scene, column], at) => {
    const last = usual.get(scene) ?? '';
    const row = (fixture[scene] ??= { [USUAL]: last });
    row[column] = brief(answers[at].split(SEPARATOR), last);
  });
  writeFileSync(join(__dirname, file), `${JSON.stringify(fixture, null, 2)}\n`);
}

export function readAnswers({ file, cells }: Table): Answers {
  const fixture = JSON.parse(readFileSync(join(__dirname, file), 'utf8')) as Fixture;
  return cells.map(([scene, column]) => {
    const { [column]: text, [USUAL]: usual } = fixture[scene] ?? {};
    if (text === undefined) return 'not in the file';
    return whole(text, usual);
  });
}

const lastPart = (answer: string): string => answer.split(SEPARATOR).at(-1) ?? '';

function mostFrequent(words: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1])[0][0];
}

/** A part that says the same as the one before, and a last part that is usual, are left out. */
function brief(parts: readonly string[], usual: string): string {
  const [first, second, last] = parts.map((part) => (part === '' ? NOTHING : part));
  if (parts.length === 1) return `${first}${SEPARATOR}`;
  const words = [first];
  if (second !== first || last !== usual) words.push(second === first ? '=' : second);
  if (last !== usual) words.push(last);
  return words.join(SEPARATOR);
}

function whole(text: string, usual: string): string {
  if (text.endsWith(SEPARATOR)) return text.slice(0, -SEPARATOR.length);
  const [first, second = '=', last = usual] = text.split(SEPARATOR);
  const parts = [first, second === '=' ? first : second, last];
  return parts.map((part) => (part === NOTHING ? '' : part)).join(SEPARATOR);
}

const FIRST_PORT = 10_000;

/** What our stack answers: a fresh one for each row. */
export async function ourAnswers({ cells, answer }: Table): Promise<Answers> {
  const answers: string[] = [];
  let ours = await startOurs();
  let port = FIRST_PORT;
  for (const [at, cell] of cells.entries()) {
    if (at > 0 && cell[0] !== cells[at - 1][0]) {
      ours = await startOurs();
      port = FIRST_PORT;
    }
    ours.packets.length = 0;
    answers.push(await answer(ours, (port += CELL_PORTS), cell));
  }
  return answers;
}

/** Our stack, set up as the kernel is. */
export async function startOurs(): Promise<Ours> {
  const ours = new Ours(hostOptions({ remote: '192.0.2.0/24', remote6: '2001:db8::/32' }));
  await ours.request('hello', { proto: 1, io: 'json', pid: process.pid, flags: '' });
  await ours.request('sysctl', { key: CONGESTION, value: 'reno' });
  return ours;
}
