import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Script } from '../support/script';
import { CONTROLLERS } from './controllers';
import { differences, storedFigures, storeFigures, type AllFigures, type Figures } from './figures';
import { goldenPage } from './page';

/*
 * npm run golden: measures the table and compares it with the figures that are kept; exit code 1
 * where they differ.
 *
 *   npm run golden [-- --update] [--quick] [--controller NAME] [--cells REGEXP] [--print]
 */

const PAGE = join(__dirname, '../../docs/golden-table.md');

interface Values {
  update: boolean;
  quick: boolean;
  print: boolean;
  controller?: string;
  cells: string;
}

function readValues(): Values {
  return parseArgs({
    options: {
      update: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      print: { type: 'boolean', default: false },
      controller: { type: 'string' },
      cells: { type: 'string', default: '' },
    },
  }).values;
}

/** Each controller in a process of its own. */
async function measureAll({ quick, controller, cells }: Values): Promise<AllFigures> {
  const names = CONTROLLERS;
  const chosen = names.filter((name) => controller === undefined || name === controller);
  const measured = await Promise.all(
    chosen.map(async (name): Promise<[string, Figures]> => {
      const script = new Script('test/golden/worker.ts');
      try {
        return [name, await script.call<Figures>('measure', name, quick, cells)];
      } finally {
        await script.end();
      }
    }),
  );
  return Object.fromEntries(measured);
}

function merge(before: AllFigures, now: AllFigures, isWhole: boolean): AllFigures {
  const names = CONTROLLERS;
  const merged = names.map((name) => [
    name,
    isWhole ? now[name] : { ...before[name], ...now[name] },
  ]);
  return Object.fromEntries(merged) as AllFigures;
}

async function main(): Promise<void> {
  const values = readValues();
  const before = storedFigures();
  const now = await measureAll(values);
  const changed = Object.entries(now).flatMap(([controller, figures]) => {
    if (values.print) {
      for (const [name, value] of Object.entries(figures)) {
        console.log(`${controller} ${name}: ${value}`);
      }
    }
    return differences(before[controller] ?? {}, figures).map((line) => `${controller} ${line}`);
  });
  for (const line of changed) console.log(line);
  const count = Object.values(now).reduce((sum, figures) => sum + Object.keys(figures).length, 0);
  console.log(`${count} figures, ${changed.length} of them other than before`);
  if (values.update) {
    const isWhole = !values.quick && values.controller === undefined && values.cells === '';
    const merged = merge(before, now, isWhole);
    storeFigures(merged);
    writeFileSync(PAGE, goldenPage(merged));
  } else if (changed.length > 0) process.exitCode = 1;
}

main().catch((error: unknown) => {
  console.error(`golden: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 2;
});
