'use strict';

const BAR = 40;
/** Goodput of a full link: 1448 of 1500 bytes of 50 Mbit/s. */
const FULL = 48.3;

function ratio(figures, index) {
  if (figures.length < 3) return null;
  return figures[index].megabits / figures[0].megabits;
}

function spread({ megabits, slowest, fastest }) {
  return `${megabits.toFixed(2)} (${slowest.toFixed(1)}-${fastest.toFixed(1)})`;
}

/** Rows for the terminal: medians with the slowest and fastest run, Mbit/s. */
function printTable(results, withHead, aim) {
  for (const { cell, figures } of results) {
    if (withHead) {
      const heads = figures.flatMap(({ pair }, i) => [pair, ...(i > 0 ? ['ratio'] : [])]);
      console.log(`${'Mbit/s, median (range)'.padEnd(24)}${heads.map(column).join('')}   joiner`);
    }
    const cells = figures.flatMap((figure, i) => {
      if (i === 0) return [spread(figure)];
      const value = ratio(figures, i);
      return [
        spread(figure),
        value === null ? '' : `${value.toFixed(3)}${value < aim ? ' !' : ''}`,
      ];
    });
    const joiner = Math.max(...figures.map((figure) => figure.joiner)) * 100;
    console.log(`${cell.padEnd(24)}${cells.map(column).join('')}   ${joiner.toFixed(0)} %`);
  }
}

function column(text) {
  return text.padStart(text.length < 8 ? 9 : 21);
}

/** A Markdown page with the table and the plot. */
function writePage(results, { runs, from, seconds, long }, aim) {
  const bars = results.flatMap(({ cell, figures }) => [
    cell,
    ...figures.map(({ pair, megabits }) => {
      const full = Math.round((Math.min(megabits, FULL) / FULL) * BAR);
      return `  ${pair.padEnd(17)}${'█'.repeat(full).padEnd(BAR)} ${megabits.toFixed(2)}`;
    }),
  ]);
  const rows = results.map(({ cell, figures }) => [
    cell,
    ...figures.flatMap((figure, i) => {
      const value = ratio(figures, i);
      return i === 0 || value === null ? [spread(figure)] : [spread(figure), value.toFixed(3)];
    }),
  ]);
  const heads = results[0].figures.flatMap(({ pair }, i) => [pair, ...(i > 0 ? ['ratio'] : [])]);
  return [
    '# Against the kernel',
    '',
    `\`npm run bench:paths\`: goodput over the same path, Mbit/s, from ${from} to ${seconds} s, where`,
    `the queue is shallow or segments are lost to ${long} s; the median of ${runs} alternating runs,`,
    `with the slowest and the fastest. 50 Mbit/s, CUBIC on both sides; the deep queue holds two`,
    `products of rate and round trip, the shallow one a quarter; all cells but the shallow ones have`,
    `the deep queue. The aim is a ratio of ${aim} to the kernel.`,
    '',
    markdown([['path', ...heads], ...rows]),
    '',
    '```',
    ...bars,
    '```',
    '',
  ].join('\n');
}

/** A table as Prettier writes it. */
function markdown(rows) {
  const widths = rows[0].map((_, i) => Math.max(3, ...rows.map((row) => row[i].length)));
  const line = (row) =>
    `| ${row.map((text, i) => (i === 0 ? text.padEnd(widths[i]) : text.padStart(widths[i]))).join(' | ')} |`;
  const rule = widths.map((width, i) =>
    i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  );
  return [line(rows[0]), `| ${rule.join(' | ')} |`, ...rows.slice(1).map(line)].join('\n');
}

module.exports = { printTable, writePage };
