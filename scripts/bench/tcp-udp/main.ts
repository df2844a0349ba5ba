import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { realTables, simulatedTable, withSection } from './page';
import { measure } from './real';
import { simulate } from './simulated';

/*
 * npm run bench:tcp-udp: writes the figures of docs/tcp-and-udp.md.
 *
 *   npm run bench:tcp-udp [-- --simulated] [--messages N] [--sockets N] [--page FILE]
 */

const PAGE = join(__dirname, '../../../docs/tcp-and-udp.md');

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      simulated: { type: 'boolean', default: false },
      messages: { type: 'string', default: '200000' },
      sockets: { type: 'string', default: '5000' },
      page: { type: 'string', default: PAGE },
    },
  });
  let page = readFileSync(values.page, 'utf8');
  const simulated = simulatedTable(await simulate());
  console.log(simulated);
  page = withSection(page, 'simulated', simulated);
  if (!values.simulated) {
    const measured = realTables(await measure(Number(values.messages), Number(values.sockets)));
    const where = `Measured with Node.js ${process.version} on ${cpus()[0].model.trim()}.`;
    console.log(`\n${measured}\n\n${where}`);
    page = withSection(page, 'measured', `${measured}\n\n${where}`);
  }
  writeFileSync(values.page, page);
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
