/**
 * The part of `npm start` that runs in a network namespace of its own: a kernel's HTTP server in a
 * process beside it, and our TCP on a raw link, both on loopback. Reports to the process outside
 * whether it has what it needs (see `runInNamespace`).
 */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { getSystemErrorName } from 'node:util';
import { Stack, rawLink } from '../index';
import { loadNative } from '../link/native';
import { BYTES, fetchOnce, printResult } from './exchange';
import type { Report } from './namespace';
import { missingCapabilities, remedy } from './refusal';
import { Transcript } from './transcript';

const HOST = '127.0.0.1';
const PORT = 8080;

const [trace, uid] = process.argv.slice(2);

function report(message: Report): void {
  process.send?.(message);
}

function refuse(reason: string, line = remedy(Number(uid))): void {
  report({ refused: { reason, remedy: line } });
}

async function startServer(): Promise<ChildProcess> {
  const server = fork(join(__dirname, 'kernel-server.js'), [HOST, String(PORT), String(BYTES)]);
  const [message] = (await once(server, 'message')) as [{ error?: string }];
  if (message.error !== undefined) throw new Error(`the kernel's server: ${message.error}`);
  return server;
}

/** Whether all is there that the raw link needs; false after having reported what isn't. */
function isAllowed(): boolean {
  const missing = missingCapabilities();
  if (missing.length > 0) {
    refuse(`${missing.join(' and ')} (taken away by the system)`);
    return false;
  }
  const { addon, reason } = loadNative();
  if (addon === null) {
    refuse(`the native addon (${reason.trim()})`, 'npm rebuild');
    return false;
  }
  // A namespace's own loopback is down at first.
  const errno = addon.setUpInterface('lo', 0);
  if (errno < 0) refuse(`CAP_NET_ADMIN to set lo up (${getSystemErrorName(errno)})`);
  return errno >= 0;
}

/** The stack on the raw link; null after having reported why there is none. */
async function openStack(transcript: Transcript): Promise<Stack | null> {
  try {
    return await Stack.open({ link: rawLink(), trace: transcript.segment });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'EPERM' && code !== 'EACCES') throw error;
    refuse(`CAP_NET_RAW (${message})`);
    return null;
  }
}

async function main(): Promise<void> {
  if (!isAllowed()) return;
  const transcript = new Transcript(trace === 'true', console.log);
  const stack = await openStack(transcript);
  if (stack === null) return;
  report({ started: true });
  const server = await startServer();
  try {
    console.log(`Our TCP on a raw link fetches from node:http on the kernel's, ${HOST}:${PORT}:`);
    const exchange = await fetchOnce(stack, HOST, PORT);
    printResult(exchange, stack, 'raw (lo, in a network namespace of its own)');
  } finally {
    await stack.close({ timeout: 1_000 });
    server.disconnect();
  }
}

process.once('disconnect', () => process.exit(1));
main()
  .catch((error: Error) => {
    console.error(`npm start: ${error.message}`);
    process.exitCode = 1;
  })
  .finally(() => {
    process.removeAllListeners('disconnect');
    process.disconnect?.();
  });
