import type { Cost, Real } from './real';
import type { Comparison, Outcome } from './simulated';

type Align = 'left' | 'right';

/** A table as Prettier writes it. */
function table(rows: readonly string[][], align: readonly Align[]): string {
  const widths = align.map((_, i) => Math.max(3, ...rows.map((row) => row[i].length)));
  const pad = (text: string, i: number): string =>
    align[i] === 'left' ? text.padEnd(widths[i]) : text.padStart(widths[i]);
  const line = (row: readonly string[]): string => `| ${row.map(pad).join(' | ')} |`;
  const rule = align.map((side, i) =>
    side === 'left' ? '-'.repeat(widths[i]) : `${'-'.repeat(widths[i] - 1)}:`,
  );
  return [line(rows[0]), `| ${rule.join(' | ')} |`, ...rows.slice(1).map(line)].join('\n');
}

const FIGURES: readonly (readonly [string, (outcome: Outcome, messages: number) => string])[] = [
  ['first, ms', ({ first }) => first.toFixed(1)],
  ['last, ms', ({ last }) => last.toFixed(0)],
  ['lost', ({ arrived }, messages) => String(messages - arrived)],
  ['late', ({ late }) => String(late)],
  ['p50', ({ delay }) => delay.p50.toFixed(1)],
  ['p90', ({ delay }) => delay.p90.toFixed(1)],
  ['p99', ({ delay }) => delay.p99.toFixed(1)],
  ['max', ({ delay }) => delay.max.toFixed(1)],
  ['packets', ({ packets }) => packets.toFixed(2)],
  ['bytes', ({ bytes }) => bytes.toFixed(0)],
];

/** The table of what was simulated. */
export function simulatedTable(all: readonly Comparison[]): string {
  const row = (name: string, protocol: string, outcome: Outcome, messages: number): string[] => [
    name,
    protocol,
    ...FIGURES.map(([, text]) => text(outcome, messages)),
  ];
  const rows = all.flatMap(({ task, tcp, udp }) => [
    row(task.name, 'TCP', tcp, task.messages),
    row('', 'UDP', udp, task.messages),
  ]);
  const head = ['path', '', ...FIGURES.map(([name]) => name)];
  return table(
    [head, ...rows],
    head.map((_, i): Align => (i < 2 ? 'left' : 'right')),
  );
}

/** The tables of what was measured. */
export function realTables({ tcp, udp, weight }: Real): string {
  const row = (name: string, { size, rate, cpu }: Cost): string[] => [
    `${size} bytes`,
    name,
    Math.round(rate).toLocaleString('en'),
    ((rate * size) / 1e6).toFixed(0),
    cpu.toFixed(2),
  ];
  const rows = tcp.flatMap((cost, i) => [row('TCP', cost), ['', ...row('UDP', udp[i]).slice(1)]]);
  const head = ['message', '', 'messages/s', 'MB/s', 'CPU of one, µs'];
  const weights = [
    ['idle', 'bytes'],
    ['end of a TCP connection (`net.Socket`)', Math.round(weight.tcp).toLocaleString('en')],
    ['bound UDP socket (`dgram.Socket`)', Math.round(weight.udp).toLocaleString('en')],
  ];
  return [
    table([head, ...rows], ['left', 'left', 'right', 'right', 'right']),
    table(weights, ['left', 'right']),
  ].join('\n\n');
}

function marks(name: string): [string, string] {
  return [`<!-- ${name}: begin -->\n\n`, `\n\n<!-- ${name}: end -->`];
}

/** What a page has between the marks of that name. @throws Error where there are none */
export function section(page: string, name: string): string {
  const [begin, end] = marks(name);
  const from = page.indexOf(begin);
  const to = page.indexOf(end, from);
  if (from < 0 || to < 0) throw new Error(`no section ${name}`);
  return page.slice(from + begin.length, to);
}

/** The page with another text there. @throws Error where there are no such marks */
export function withSection(page: string, name: string, text: string): string {
  const [begin, end] = marks(name);
  return page.replace(`${begin}${section(page, name)}${end}`, () => `${begin}${text}${end}`);
}
