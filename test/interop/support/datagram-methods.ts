import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type * as nodeDgram from 'node:dgram';

import type { Methods } from '../../support/rpc';
import { Pattern } from './pattern';

/** What a socket has received. JSON. */
export interface Message {
  length: number;
  /** SHA-256, hexadecimal. */
  digest: string;
  /** The first bytes, as Latin-1. */
  text: string;
  from: string;
}

/** How a socket is made. JSON. */
export interface DatagramPlan {
  address: string;
  port?: number;
  /** Send each message back. */
  echo?: boolean;
  /** Join this group. */
  group?: string;
  /** The one it is connected to. */
  peer?: { address: string; port: number };
}

interface Open {
  socket: nodeDgram.Socket;
  messages: Message[];
  errors: string[];
}

const TEXT = 64;

/** The longest message. */
const LONGEST = 65_527;

let pattern: Buffer | null = null;

/** A message of so many bytes: the beginning of the pattern. */
export function messageOf(bytes: number): Buffer {
  pattern ??= new Pattern(1).all(LONGEST);
  return pattern.subarray(0, bytes);
}

export function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** @param api node:dgram or what a stack has in its place */
export function datagramMethods(api: () => Pick<typeof nodeDgram, 'createSocket'>): Methods {
  const sockets: Open[] = [];
  return {
    datagramOpen: async (plan: DatagramPlan): Promise<[id: number, port: number]> => {
      const { address, port = 0, echo = false, group, peer } = plan;
      const type = address.includes(':') ? 'udp6' : 'udp4';
      const socket = api().createSocket({ type, reuseAddr: group !== undefined });
      const open: Open = { socket, messages: [], errors: [] };
      socket.on('error', (error: NodeJS.ErrnoException) => open.errors.push(error.code ?? ''));
      socket.on('message', (bytes, sender) => {
        const digest = digestOf(bytes);
        const text = bytes.toString('latin1', 0, TEXT);
        open.messages.push({ length: bytes.length, digest, text, from: sender.address });
        if (echo) socket.send(bytes, sender.port, sender.address);
      });
      socket.bind({ address, port });
      await once(socket, 'listening');
      if (group !== undefined) socket.addMembership(group);
      if (peer !== undefined) {
        socket.connect(peer.port, peer.address);
        await once(socket, 'connect');
      }
      return [sockets.push(open) - 1, socket.address().port];
    },
    /** A piece of the pattern; 'sent', or the code of the error. */
    datagramSend: (id: number, bytes: number | string, port: number | null, address?: string) => {
      const message = typeof bytes === 'string' ? bytes : messageOf(bytes);
      return new Promise((resolve) => {
        const done = (error: NodeJS.ErrnoException | null) => resolve(error?.code ?? 'sent');
        const { socket } = sockets[id];
        if (port === null) socket.send(message, done);
        else socket.send(message, port, address, done);
      });
    },
    datagramMessages: (id: number) => sockets[id].messages,
    datagramErrors: (id: number) => sockets[id].errors,
    datagramClose: (id: number) => void sockets[id].socket.close(),
  };
}
