import * as nodeDgram from 'node:dgram';
import type { Dgram } from '../../lib/dgram/dgram';
import type { Socket } from '../../lib/dgram/socket';
import type { RemoteInfo, SocketOptions, SocketType } from '../../lib/dgram/types';
import { Stack } from '../../lib/stack';
import { once } from './net-apis';

/** One of the two implementations of node:dgram's API. */
export interface DgramApi {
  readonly name: string;
  /** Valid between `open` and `close`. */
  dgram: Dgram;
  open(): Promise<void>;
  close(): Promise<void>;
}

/** The kernel's UDP under Node's own API: what ours is compared with. */
const NODE: DgramApi = {
  name: 'node:dgram',
  dgram: nodeDgram as unknown as Dgram,
  open: () => Promise.resolve(),
  close: () => Promise.resolve(),
};

/** Ours, on a stack that has only its loopback. */
function netlandApi(): DgramApi {
  let stack: Stack | null = null;
  const api: DgramApi = {
    name: 'netland',
    dgram: nodeDgram as unknown as Dgram,
    open: async () => {
      stack = await Stack.open();
      api.dgram = stack.dgram;
    },
    close: async () => {
      stack?.destroy();
      await stack?.closed;
    },
  };
  return api;
}

/** Tests that state what node:dgram does, point by point, and run against it and against ours. */
export function describeDgram(title: string, body: (api: DgramApi) => void): void {
  describe.each([NODE, netlandApi()])(`${title}: $name`, (api) => {
    beforeAll(() => api.open());
    afterAll(() => api.close());
    body(api);
  });
}

/** A socket that is bound to a port of 127.0.0.1, or of ::1. */
export async function bound(
  { dgram }: { dgram: Dgram },
  type: SocketType | SocketOptions = 'udp4',
  port = 0,
): Promise<Socket> {
  const socket = dgram.createSocket(type);
  const listening = once(socket, 'listening');
  socket.bind(port, socket.type === 'udp4' ? '127.0.0.1' : '::1');
  await listening;
  return socket;
}

export interface Received {
  text: string;
  sender: RemoteInfo;
}

/** The next `count` datagrams. */
export function receive(socket: Socket, count = 1): Promise<Received[]> {
  const all: Received[] = [];
  return new Promise((resolve) => {
    socket.on('message', function listener(message: Buffer, sender: RemoteInfo) {
      all.push({ text: message.toString(), sender });
      if (all.length < count) return;
      socket.off('message', listener);
      resolve(all);
    });
  });
}

export async function closeAll(...sockets: Socket[]): Promise<void> {
  await Promise.all(sockets.map((socket) => new Promise<void>((done) => socket.close(done))));
}
