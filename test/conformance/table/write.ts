// Asks the kernel for its answers in every cell and writes them to the tables' files:
//
//     npm run conformance:tables -- [name of a table]
//
// Needs what kernel.test.ts needs, root above all. A cell is asked for again until two answers are
// the same: a busy machine disturbs one now and then.

import { kernelAnswers } from './kernel';
import { TABLES, writeAnswers } from './table';

async function main(): Promise<void> {
  const [, , only] = process.argv;
  for (const table of TABLES) {
    if (only !== undefined && only !== table.name) continue;
    const answers = await kernelAnswers(table);
    writeAnswers(table, answers);
    process.stdout.write(`${table.name}: ${answers.length} cells\n`);
  }
}

void main();
