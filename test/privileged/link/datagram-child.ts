// Datagram sockets in a process of its own, the kernel's or ours on the raw link, that do what a
// test tells them: both have the same API.

import * as nodeDgram from 'node:dgram';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { rawLink, Stack } from '../../../lib';
import type { Dgram } from '../../../lib/dgram/dgram';
import type { RawLinkOptions } from '../../../lib/link/raw';
import { serve } from '../../support/rpc';
import { until } from '../../support/until';

/** What a socket has received. */
export interface Message {
  address: string;
  port: number;
  length: number;
  /** The bytes are those of `pattern`. */
  intact: boolean;
}

interface Open {
  socket: nodeDgram.Socket;
  messages: Message[];
  errors: string[];
}

let dgram = nodeDgram as unknown as Dgram;
let stack: Stack | null = null;
const sockets: Open[] = [];

const pattern = (length: number) =>
  Buffer.from(Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8) + length) & 0xff));

function create(options: nodeDgram.SocketOptions, echo: boolean): number {
  const socket = dgram.createSocket(options as never) as unknown as nodeDgram.Socket;
  const open: Open = { socket, messages: [], errors: [] };
  socket.on('message', (bytes, { address, port }) => {
    const intact = bytes.equals(pattern(bytes.length));
    open.messages.push({ address, port, length: bytes.length, intact });
    if (echo) socket.send(bytes, port, address);
  });
  socket.on('error', (error: NodeJS.ErrnoException) => open.errors.push(error.code ?? ''));
  return sockets.push(open) - 1;
}

process.stdin.on('end', () => process.exit(0));

serve({
  openRaw: async (options: RawLinkOptions) => {
    stack = await Stack.open({ link: rawLink(options) });
    ({ dgram } = stack);
  },
  create,
  /** The port, or what it fails with. */
  bind: async (id: number, port: number, address?: string) => {
    const { socket } = sockets[id];
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject);
        socket.bind(port, address, () => resolve(void socket.off('error', reject)));
      });
      return socket.address().port;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code;
    }
  },
  connect: async (id: number, port: number, address: string) => {
    sockets[id].socket.connect(port, address);
    await once(sockets[id].socket, 'connect');
  },
  /** Null, or what it fails with; the port is left out where the socket is connected. */
  send: (id: number, length: number, port: number | null, address?: string) =>
    new Promise((resolve) => {
      const done = (error: NodeJS.ErrnoException | null) => resolve(error?.code ?? null);
      const { socket } = sockets[id];
      if (port === null) socket.send(pattern(length), done);
      else socket.send(pattern(length), port, address, done);
    }),
  set: (id: number, name: 'setBroadcast' | 'setMulticastInterface', ...values: unknown[]) => {
    (sockets[id].socket[name] as (...values: unknown[]) => void)(...values);
  },
  join: (id: number, group: string, at?: string) => sockets[id].socket.addMembership(group, at),
  leave: (id: number, group: string, at?: string) => sockets[id].socket.dropMembership(group, at),
  /** What has come, once there are so many. */
  received: (id: number, count: number) =>
    until(
      async () => sockets[id].messages,
      ({ length }) => length >= count,
    ),
  failed: (id: number) =>
    until(
      async () => sockets[id].errors,
      ({ length }) => length > 0,
    ),
  errors: (id: number) => sockets[id].errors,
  /** Sends without waiting for anything; what the program's memory has grown by. */
  flood: async (id: number, count: number, length: number, port: number, address: string) => {
    const bytes = Buffer.alloc(length);
    const before = process.memoryUsage().arrayBuffers;
    let refused = 0;
    const callback = (error: Error | null) => void (refused += error === null ? 0 : 1);
    for (let i = 0; i < count; i++) {
      sockets[id].socket.send(bytes, port, address, callback);
      if (i % 64 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    return { refused, grown: process.memoryUsage().arrayBuffers - before };
  },
  close: async (id: number) => {
    sockets[id].socket.close();
    await once(sockets[id].socket, 'close');
  },
  counters: () => stack?.counters.link,
  /** How many file descriptors are sockets. */
  descriptors: () => readdirSync('/proc/self/fd').length,
});
