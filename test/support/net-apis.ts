import * as nodeNet from 'node:net';
import type { Readable } from 'node:stream';
import { Stack } from '../../lib/stack';
import type { Net } from '../../lib/net/net';
import type { Server } from '../../lib/net/server';
import type { Socket } from '../../lib/net/socket';
import type { ServerOptions } from '../../lib/net/types';

/** One of the two implementations of node:net's API, and what is to be done before and after. */
export interface NetApi {
  readonly name: string;
  /** Valid between `open` and `close`. */
  net: Net;
  open(): Promise<void>;
  /** @param error what is still open gets it */
  close(error?: Error): Promise<void>;
}

/** The kernel's TCP under Node's own API: what ours is compared with. */
export const NODE: NetApi = {
  name: 'node:net',
  net: nodeNet as unknown as Net,
  open: () => Promise.resolve(),
  close: () => Promise.resolve(),
};

/** Ours, on a stack that has only its loopback. */
export function netlandApi(): NetApi {
  let stack: Stack | null = null;
  const api: NetApi = {
    name: 'netland',
    net: nodeNet as unknown as Net,
    open: async () => {
      stack = await Stack.open();
      api.net = stack.net;
    },
    close: async (error) => {
      stack?.destroy(error);
      await stack?.closed;
    },
  };
  return api;
}

/**
 * Tests that state documented behaviour of node:net, point by point, and run twice: against
 * node:net itself and against ours.
 */
export function describeBoth(title: string, body: (api: NetApi) => void): void {
  describe.each([NODE, netlandApi()])(`${title}: $name`, (api) => {
    beforeAll(() => api.open());
    afterAll(() => api.close());
    body(api);
  });
}

/** Resolves with the arguments of the next event of this name. */
export function once(emitter: NodeJS.EventEmitter, event: string): Promise<unknown[]> {
  return new Promise((resolve) => emitter.once(event, (...args) => resolve(args)));
}

/** Resolves with the next 'error'. */
export async function nextError(emitter: NodeJS.EventEmitter): Promise<NodeJS.ErrnoException> {
  const [error] = await once(emitter, 'error');
  return error as NodeJS.ErrnoException;
}

export interface Pair {
  server: Server;
  client: Socket;
  peer: Socket;
  port: number;
}

/** Listens on 127.0.0.1 and returns the port. */
export async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server.address()?.port ?? 0;
}

/** A connection: its two ends, and the server that it came by. */
export async function connected(
  api: NetApi,
  serverOptions: ServerOptions = {},
  clientOptions: object = {},
): Promise<Pair> {
  const server = api.net.createServer(serverOptions);
  const port = await listen(server);
  const accepted = once(server, 'connection');
  const client = api.net.connect({ port, host: '127.0.0.1', ...clientOptions });
  const [[peer]] = await Promise.all([accepted, once(client, 'connect')]);
  return { server, client, peer: peer as Socket, port };
}

/** Ends everything of a pair and waits for it. */
export async function closePair({ server, client, peer }: Pair): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  for (const socket of [client, peer]) {
    socket.on('error', () => undefined);
    socket.destroy();
  }
  await closed;
}

/** All that a readable stream gives until its end; the other direction stays as it is. */
export function readAll(stream: Readable): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    stream.on('data', (piece: Buffer) => pieces.push(piece));
    stream.on('end', () => resolve(Buffer.concat(pieces)));
    stream.on('error', reject);
  });
}
