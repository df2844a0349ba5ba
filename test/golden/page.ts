import { CELLS, GROUPS, type Cell } from './cells';
import { cellName, shareNames, type AllFigures } from './figures';
import { SHARES } from './shares';
import { bound } from './theory';

const HEAD = `# The golden table

What TCP of this tree gets through simulated paths (\`test/golden\`): goodput, and how flows share
a bottleneck. The same seeds give the same figures, so each change that moves one shows as a
difference, to be explained or undone: \`npm run golden\` measures all and compares, \`npm test\`
the cheaper part. \`npm run golden -- --update\` writes the figures and this page.

Goodput is payload that the reader gets, Mbit/s. Beside it stand what theory allows and how much of
that was reached: the **link**'s rate without headers; the **window** by the round trip; for a given
**loss** the response function, √(3/2p) for Reno (RFC 9438 §5.1 has it in its AIMD form), for CUBIC
equation 6 of RFC 9438 §5.1, or Reno's where that is more. p counts a burst as one loss. Response
functions are no limits, but averages over long times in which timeouts don't happen: more than
100 % is possible.
`;

type Align = 'left' | 'right';

/** A table as Prettier writes it. */
function table(rows: readonly string[][], align: readonly Align[]): string {
  const widths = align.map((_, i) => Math.max(3, ...rows.map((row) => row[i].length)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((text, i) => pad(text, widths[i], align[i])).join(' | ')} |`;
  const rule = align.map((side, i) =>
    side === 'left' ? '-'.repeat(widths[i]) : `${'-'.repeat(widths[i] - 1)}:`,
  );
  return [line(rows[0]), `| ${rule.join(' | ')} |`, ...rows.slice(1).map(line)].join('\n');
}

function pad(text: string, width: number, align: Align): string {
  return align === 'left' ? text.padEnd(width) : text.padStart(width);
}

function megabits(kbps: number): string {
  return (kbps / 1000).toFixed(kbps < 10_000 ? 3 : kbps < 100_000 ? 2 : 1);
}

function cellRow(cell: Cell, figures: AllFigures): string[] {
  const columns = Object.entries(figures).flatMap(([controller, all]) => {
    const { kbps, limit } = bound(cell, controller);
    const got = all[cellName(cell)];
    return [megabits(got), `${megabits(kbps)} ${limit}`, `${Math.round((got / kbps) * 100)} %`];
  });
  return [cell.name, ...columns];
}

function groupTable(group: string, figures: AllFigures): string {
  const controllers = Object.keys(figures);
  const head = ['path', ...controllers.flatMap((name) => [name, 'theory', 'of it'])];
  const rows = CELLS.filter((cell) => cell.group === group).map((cell) => cellRow(cell, figures));
  const align = head.map((_, i): Align => (i === 0 ? 'left' : 'right'));
  return `## ${GROUPS[group]}\n\n${table([head, ...rows], align)}\n`;
}

function sharesTable(figures: AllFigures): string {
  const controllers = Object.keys(figures);
  const head = ['flows', 'figure', 'fair', ...controllers.flatMap((name) => [name, 'link used'])];
  const rows = SHARES.map((scenario) => {
    const [name, used] = shareNames(scenario);
    const columns = controllers.flatMap((controller) => {
      const all = figures[controller];
      return [all[name].toFixed(3), `${(all[used] * 100).toFixed(1)} %`];
    });
    return [scenario.name, scenario.about, String(scenario.ideal), ...columns];
  });
  const align = head.map((_, i): Align => (i < 2 ? 'left' : 'right'));
  const text = [
    'Through 50 Mbit/s with a queue of 167 packets; 40 ms where nothing else is said. The link can',
    'seem to be used by more than 100 % where data waited in a receiver for a retransmission.',
  ].join('\n');
  return `## Flows that share a bottleneck\n\n${text}\n\n${table([head, ...rows], align)}\n`;
}

/** The text of docs/golden-table.md. */
export function goldenPage(figures: AllFigures): string {
  const groups = Object.keys(GROUPS).map((group) => groupTable(group, figures));
  return [HEAD, ...groups, sharesTable(figures)].join('\n');
}
