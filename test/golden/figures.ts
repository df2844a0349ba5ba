import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CELLS, type Cell } from './cells';
import { goodput } from './path';
import { share, SHARES, type Share } from './shares';
import { bound } from './theory';

/** What was measured, by the names of `cellName` and `shareNames`: kbit/s, or parts of one. */
export type Figures = Record<string, number>;

/** Of all controllers, by their names. */
export type AllFigures = Record<string, Figures>;

const FILE = join(__dirname, 'golden.json');
/** What a cell of the quick part may carry, kbit: what takes some hundredths of a second. */
const QUICK = 80_000;
const QUICK_SHARES: readonly string[] = ['2 flows beside 2 of Reno'];

/** The figures that are kept. */
export function storedFigures(): AllFigures {
  return JSON.parse(readFileSync(FILE, 'utf8')) as AllFigures;
}

export function storeFigures(figures: AllFigures): void {
  writeFileSync(FILE, `${JSON.stringify(figures, null, 2)}\n`);
}

export function cellName({ group, name }: Cell): string {
  return `${group}: ${name}`;
}

/** Of the figure, and of the share of the link that is used. */
export function shareNames({ name, kind }: Share): [string, string] {
  return [`shares: ${name}, ${kind}`, `shares: ${name}, used`];
}

/** Whether a cell belongs to the part that every `npm test` measures. */
function isQuick(cell: Cell): boolean {
  return bound(cell, 'cubic').kbps * cell.span[1] <= QUICK;
}

/** What to measure: all, or those whose names match. */
export interface Choice {
  quick?: boolean;
  cells?: RegExp;
}

/** Measures what is chosen with one controller, in the order of the table. */
export function measure(controller: string, { quick = false, cells }: Choice = {}): Figures {
  const figures: Figures = {};
  const wanted = (name: string): boolean => cells === undefined || cells.test(name);
  for (const cell of CELLS) {
    const name = cellName(cell);
    if (wanted(name) && (!quick || isQuick(cell))) figures[name] = goodput(cell, controller);
  }
  for (const scenario of SHARES) {
    const names = shareNames(scenario);
    if (!names.some(wanted) || (quick && !QUICK_SHARES.includes(scenario.name))) continue;
    const { figure, used } = share(scenario, controller);
    figures[names[0]] = figure;
    figures[names[1]] = used;
  }
  return figures;
}

/** A line for each figure that is not what it was. */
export function differences(before: Figures, now: Figures): string[] {
  const percent = (old: number, value: number): string => {
    const change = ((value - old) / old) * 100;
    return Number.isFinite(change) ? ` (${change >= 0 ? '+' : ''}${change.toFixed(1)} %)` : '';
  };
  return Object.entries(now).flatMap(([name, value]) => {
    const old = before[name] as number | undefined;
    if (old === value) return [];
    return [`${name}: ${old ?? 'none'} -> ${value}${old === undefined ? '' : percent(old, value)}`];
  });
}
