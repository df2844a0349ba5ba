// A process whose links live in worker threads that end in several ways.

import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { LOOPBACK4 } from '../../../lib/core/ip/address';
import { SlabTable } from '../../../lib/core/memory/slabs';
import type { LinkPort } from '../../../lib/link/link';
import { rawLink } from '../../../lib/link/raw';
import { tunLink } from '../../../lib/link/tun';
import { serve } from '../../support/rpc';

const PORT = 7700;

/** How a worker's environment ends. */
type End = 'terminate' | 'exit' | 'return' | 'throw';

async function openLinks(received: () => void): Promise<LinkPort[]> {
  const links = [rawLink({ ports: { block: 8 } }), tunLink({ name: 'nlw%d' })];
  return Promise.all(
    links.map((link) =>
      link.open({
        host: {
          receive: received,
          writable: () => undefined,
          changed: () => undefined,
          down: () => undefined,
        },
        slabs: new SlabTable(),
        hashKey: Int32Array.of(1, 2),
        addresses: [],
      }),
    ),
  );
}

async function work(): Promise<void> {
  let received = 0;
  const [raw, tun] = await openLinks(() => {
    if (received++ === 0) parentPort?.postMessage('receiving');
  });
  if (raw.ports?.reserve(LOOPBACK4, PORT) !== 0) throw new Error('the port is not free');
  raw.ports.ephemeralCount(4);
  parentPort?.postMessage('open');
  parentPort?.once('message', (end: End) => {
    parentPort?.close();
    if (end === 'exit') process.exit(0);
    if (end === 'throw') throw new Error('meant to be');
    raw.unref();
    tun.unref();
  });
}

async function inWorker(end: End, whenOpen: () => Promise<void> | void): Promise<void> {
  const execArgv = ['-r', resolve(__dirname, '../../support/register.js')];
  const worker = new Worker(__filename, { execArgv });
  const exited = new Promise((resolve) => worker.once('exit', resolve));
  worker.on('error', (error) => {
    if (end !== 'throw' || error.message !== 'meant to be') throw error;
  });
  await once(worker, 'message');
  await whenOpen();
  if (end === 'terminate') await worker.terminate();
  else worker.postMessage(end);
  await exited;
}

const descriptors = () => readdirSync('/proc/self/fd').length;

if (isMainThread) {
  process.stdin.on('end', () => process.exit(0));
  let resume: () => void = () => undefined;
  let running: Promise<void> = Promise.resolve();
  serve({
    /** Runs a worker until it has its links, and ends it; descriptors before and after. */
    run: async (end: End) => {
      const before = descriptors();
      await inWorker(end, () => undefined);
      return [before, descriptors()];
    },
    /** Starts a worker that is terminated by `stop`, which waits for its end. */
    start: () =>
      new Promise<void>((opened) => {
        running = inWorker('terminate', () => {
          opened();
          return new Promise((resolve) => (resume = resolve));
        });
      }),
    stop: () => {
      resume();
      return running;
    },
    /** Two links of each kind in this thread too; descriptors before and after. */
    here: async () => {
      const before = descriptors();
      const ports = [...(await openLinks(() => undefined)), ...(await openLinks(() => undefined))];
      for (const port of ports) port.close();
      await new Promise((resolve) => setTimeout(resolve, 20));
      return [before, descriptors()];
    },
  });
} else {
  void work();
}
