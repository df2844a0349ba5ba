/**
 * `npm start`: one real HTTP transfer through Netland's TCP, shown segment by segment.
 *
 *     npm start [-- --trace]
 *
 * Against the kernel's TCP over raw sockets, in a network namespace of its own; where the system
 * doesn't allow that, between two of our stacks over the memory link, which its last line says.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Stack, memoryLink } from '../index';
import { BYTES, fetchOnce, printResult } from './exchange';
import { runInNamespace } from './namespace';
import type { Refusal } from './refusal';
import { Transcript } from './transcript';
import { webServer } from './web-server';

const USAGE = 'usage: npm start [-- --trace]    --trace prints every segment';

const PORT = 8080;

function readArguments(): { trace: boolean } | null {
  try {
    const options = { trace: { type: 'boolean', default: false } } as const;
    const { trace } = parseArgs({ options }).values;
    return { trace };
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`);
    return null;
  }
}

async function overMemory(trace: boolean): Promise<void> {
  const cable = memoryLink();
  const transcript = new Transcript(trace, console.log);
  const server = await Stack.open({ link: cable, addresses: ['10.0.0.2/24'] });
  const client = await Stack.open({
    link: cable,
    addresses: ['10.0.0.1/24'],
    trace: transcript.segment,
  });
  const web = webServer(BYTES);
  const listener = server.net.createServer((socket) => web.emit('connection', socket));
  await new Promise<void>((resolve) => listener.listen(PORT, '10.0.0.2', resolve));
  const exchange = await fetchOnce(client, '10.0.0.2', PORT);
  printResult(exchange, client, 'memory (between two of our stacks: the system refused raw)');
  listener.close();
  await Promise.all([client.close({ timeout: 1_000 }), server.close({ timeout: 1_000 })]);
}

function explain({ reason, remedy }: Refusal): void {
  console.log(`Not over raw sockets: missing is ${reason}.`);
  console.log(`This gives it: ${remedy}`);
  console.log('The same exchange between two of our stacks over the memory link:');
}

async function main(): Promise<number> {
  const given = readArguments();
  if (given === null) return 2;
  const uid = String(process.getuid?.() ?? -1);
  const inside = join(__dirname, 'inside.js');
  const outcome = await runInNamespace(inside, [String(given.trace), uid]);
  if (typeof outcome === 'number') return outcome;
  explain(outcome);
  await overMemory(given.trace);
  return process.env.NETLAND_NO_SKIP === '1' ? 1 : 0;
}

main().then(
  (code) => (process.exitCode = code),
  (error: Error) => {
    console.error(`npm start: ${error.message}`);
    process.exitCode = 1;
  },
);
