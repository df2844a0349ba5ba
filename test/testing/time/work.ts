import { execFile } from 'node:child_process';
import { scrypt } from 'node:crypto';
import { lookup } from 'node:dns';
import { createReadStream, promises as files, readFile } from 'node:fs';
import http from 'node:http';
import promises from 'node:timers/promises';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { createGzip, gzip } from 'node:zlib';
import { ProgramClock } from '../../../lib/testing/time/program-clock';
import { Turns } from '../../../lib/testing/time/turns';
import { ToyNetwork } from '../../support/toy-network';

type Hold = <T>(promise: Promise<T>) => Promise<T>;

const FILE = __filename;

/** On another thread, like any; cheap, since it is done hundreds of times. */
const scryptOnce = () =>
  new Promise<void>((resolve, reject) => {
    scrypt('a', 'b', 32, { N: 1024 }, (error) => (error === null ? resolve() : reject(error)));
  });

/** What a server may do before it answers. */
export const WORK = {
  nothing: async () => undefined,
  'fs.promises.readFile': () => files.readFile(FILE),
  'fs.readFile': () => promisify(readFile)(FILE),
  'a read stream': async () => {
    for await (const chunk of createReadStream(FILE, { highWaterMark: 512 })) void chunk;
  },
  'a chain of immediates': async () => {
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
  },
  'dns.lookup': () => promisify(lookup)('localhost'),
  zlib: () => promisify(gzip)(Buffer.alloc(1e5)),
  'a zlib stream': async () => {
    const zip = createGzip();
    zip.end(Buffer.alloc(1e5, 'netland'));
    for await (const chunk of zip) void chunk;
  },
  scrypt: () => scryptOnce(),
  webcrypto: () => crypto.subtle.digest('SHA-256', Buffer.alloc(1e5)),
  'a child process, held': (hold: Hold) => hold(promisify(execFile)('true')),
  'a worker, held': (hold: Hold) =>
    hold(new Promise((resolve) => new Worker('0', { eval: true }).on('exit', resolve))),
  'a timer': () => new Promise((resolve) => setTimeout(resolve, 5)),
  'timers/promises': () => promises.setTimeout(5),
  'an interval': async () => {
    let times = 0;
    for await (const value of promises.setInterval(2.5, 1)) if ((times += value) === 3) break;
  },
} as const;

export type Work = keyof typeof WORK;

/** µs from one end of a wire to the other. */
const DELAY = 20_000;

function get(agent: http.Agent, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = http.get({ agent, path }, (response) => {
      let bytes = 0;
      response.on('data', (chunk: Buffer) => (bytes += chunk.length));
      response.on('end', () => resolve(bytes));
    });
    request.on('error', reject);
  });
}

/** Three downloads by `http`, the server at work in each: what happened at which µs. */
export async function tell(kind: Work): Promise<string[]> {
  const network = new ToyNetwork();
  const program = new ProgramClock();
  const turns = new Turns(network, program);
  const log: string[] = [];
  const note = (text: string) => log.push(`${network.now} ${Date.now() - program.epoch} ${text}`);
  const server = http.createServer((request, response) => {
    note(`request ${request.url}`);
    void WORK[kind](<T>(promise: Promise<T>) => turns.hold(promise)).then(() => {
      note(`answer ${request.url}`);
      response.end('x'.repeat(100_000));
    });
  });
  const agent = new http.Agent({ keepAlive: true });
  agent.createConnection = () => {
    const [client, peer] = network.pair(DELAY);
    server.emit('connection', peer);
    return client;
  };
  let left = 3;
  for (let i = 0; i < 3; i++) {
    network.at(i * 5000, () => {
      network.activity++;
      void get(agent, `/${i}`).then((bytes) => {
        note(`${bytes} bytes of /${i}`);
        left--;
      });
    });
  }
  network.hum(400);
  program.enter();
  try {
    const outcome = await turns.run(() => left === 0, 1e9);
    return [...log, `${network.now} ${outcome}`];
  } finally {
    program.close();
    agent.destroy();
  }
}
