/** A host that the test starts in a namespace: the kernel's, or a stack's on a packet link. */
import * as kernelDgram from 'node:dgram';
import { once } from 'node:events';
import * as kernelNet from 'node:net';
import type { AddressInfo } from 'node:net';
import { packetLink, Stack, type PacketLinkOptions, type StackOptions } from '../../../lib/index';
import { serve } from '../../support/rpc';

type Apis = { net: typeof kernelNet; dgram: typeof kernelDgram };

let stack: Stack | null = null;
let apis: Apis = { net: kernelNet, dgram: kernelDgram };
const warnings: string[] = [];
process.on('warning', (warning) => {
  const { code } = warning as { code?: string };
  if (code !== undefined) warnings.push(code);
});

const typeOf = (host: string): 'udp4' | 'udp6' => (host.includes(':') ? 'udp6' : 'udp4');

serve({
  async open(link: PacketLinkOptions, options: StackOptions) {
    stack = await Stack.open({ link: packetLink(link), ...options });
    apis = { net: stack.net, dgram: stack.dgram } as unknown as Apis;
  },

  addresses: () => stack?.addresses,
  warnings: () => warnings,
  counters: () => stack?.counters,

  /** What the stack has ended with, when it has. */
  closed: async () => {
    const error = await stack?.closed;
    return error === null ? null : String(error?.message);
  },

  close: () => stack?.close({ timeout: 0 }),

  /** A server that says how much it has got when it has all. */
  async listen(port: number) {
    const server = apis.net.createServer({ allowHalfOpen: true }, (socket) => {
      let bytes = 0;
      socket.on('data', (data) => (bytes += data.length));
      socket.on('end', () => socket.end(String(bytes)));
      socket.on('error', () => undefined);
    });
    server.listen(port);
    await once(server, 'listening');
  },

  /** Sends so much; what the server says then. */
  async send(host: string, port: number, bytes: number) {
    const socket = apis.net.connect({ host, port, allowHalfOpen: true });
    await once(socket, 'connect');
    const chunk = Buffer.alloc(256 * 1024);
    for (let left = bytes; left > 0; left -= chunk.length) {
      if (!socket.write(chunk.subarray(0, left))) await once(socket, 'drain');
    }
    socket.end();
    let answer = '';
    for await (const data of socket) answer += String(data);
    return Number(answer);
  },

  /** The codes of the errors that connections to these hosts end with. */
  refused: (hosts: readonly string[], port: number) =>
    Promise.all(
      hosts.map(async (host) => {
        const socket = apis.net.connect({ host, port });
        const [error] = (await once(socket, 'error')) as [{ code: string }];
        return error.code;
      }),
    ),

  /** Echoes datagrams, to a group too. */
  async echo(family: 'udp4' | 'udp6', port: number, group?: string, device?: string) {
    const socket = apis.dgram.createSocket({ type: family, reuseAddr: true });
    socket.on('message', (message, from) => socket.send(message, from.port, from.address));
    socket.bind(port);
    await once(socket, 'listening');
    if (group !== undefined) socket.addMembership(group, device);
  },

  /** The answer to a datagram of that length, sent again each 200 ms: its length, and whose. */
  async ask(host: string, port: number, bytes: number, device?: string) {
    const socket = apis.dgram.createSocket(typeOf(host));
    socket.bind(0);
    await once(socket, 'listening');
    if (device !== undefined) socket.setMulticastInterface(device);
    const send = () => socket.send(Buffer.alloc(bytes), port, host);
    const timer = setInterval(send, 200);
    send();
    const [message, from] = (await once(socket, 'message')) as [Buffer, AddressInfo];
    clearInterval(timer);
    socket.close();
    return [message.length, from.address.replace(/%.*/, '')];
  },
});
