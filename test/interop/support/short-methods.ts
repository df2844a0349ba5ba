import { once } from 'node:events';

import type { Net } from '../../../lib/net/net';
import type { Methods } from '../../support/rpc';
import type { AnySocket } from './conversation';

/** How a run of short connections went. JSON. */
export interface ShortRun {
  ms: number;
  /** Answers that were right. */
  right: number;
  /** Local ports that were used. */
  ports: number;
}

/** One byte there and back over a connection of its own, closed in order by us first. */
async function oneByte(api: Net, host: string, port: number, byte: number): Promise<number> {
  const socket = api.connect({ host, port }) as AnySocket;
  const closed = once(socket, 'close');
  let answer = -1;
  let localPort = 0;
  socket.on('data', (piece: Buffer) => {
    answer = answer === -1 && piece.length === 1 ? piece[0] : -2;
    localPort = socket.localPort ?? 0;
    socket.end();
  });
  socket.write(Buffer.of(byte));
  await closed;
  if (answer !== byte) throw new Error(`sent ${byte}, and the answer was ${answer}`);
  return localPort;
}

async function run(api: Net, host: string, port: number, count: number): Promise<ShortRun> {
  const started = performance.now();
  const ports = new Set<number>();
  let right = 0;
  for (; right < count; right++) ports.add(await oneByte(api, host, port, right & 0xff));
  return { ms: performance.now() - started, right, ports: ports.size };
}

export function shortMethods(api: () => Net): Methods {
  let accepted = 0;
  let failed = 0;
  return {
    /** A server that gives each byte back, and ends after its client; the port. */
    shortServe: (host: string, port: number) =>
      new Promise((resolve, reject) => {
        const server = api().createServer((socket) => {
          accepted++;
          socket.on('data', (piece: Buffer) => void socket.write(piece));
          socket.on('error', () => failed++);
        });
        server.once('error', reject);
        server.listen({ host, port }, () => resolve(server.address()?.port));
      }),
    shortServed: () => ({ accepted, failed }),
    /** So many short connections, one after another. */
    shortRun: (host: string, port: number, count: number) => run(api(), host, port, count),
  };
}
