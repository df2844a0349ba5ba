import * as dgram from 'node:dgram';
import { Stack } from '../../../lib/stack';
import { tunLink } from '../../../lib/link/tun';
import { serve } from '../../support/rpc';

type Api = Pick<typeof dgram, 'createSocket'>;
type Family = 4 | 6;

let stack: Stack | null = null;
/** Ours where there is a stack, else the kernel's. */
const api = (): Api => (stack === null ? dgram : (stack.dgram as unknown as Api));
const HUGE = 4 * 1024 * 1024;

function content(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[i] = i * 7 + (i >> 8) + length;
  return bytes;
}

serve({
  open: async (hostAddresses: string[], addresses: string[], via: string[]) => {
    const routes = [
      { to: '0.0.0.0/0', via: via[0] },
      { to: '::/0', via: via[1] },
    ];
    const link = tunLink({ name: 'nl0', hostAddresses });
    stack = await Stack.open({ link, addresses, routes });
  },
  counters: () => stack?.counters,
  /** A socket that sends back what it gets, to the address where it is. */
  echo: (family: Family, address: string, port: number) =>
    new Promise<void>((resolve) => {
      const socket = api().createSocket(`udp${family}`);
      socket.on('message', (bytes, { port: to, address: at }) => socket.send(bytes, to, at));
      socket.bind(port, address, () => {
        socket.setRecvBufferSize(HUGE);
        socket.setSendBufferSize(HUGE);
        resolve();
      });
    }),
  /** Sends datagrams of these lengths to an echo, one by one; those that don't come back. */
  exchange: async (family: Family, address: string, port: number, lengths: number[]) => {
    const socket = api().createSocket(`udp${family}`);
    await new Promise<void>((resolve) => socket.connect(port, address, resolve));
    socket.setRecvBufferSize(HUGE);
    socket.setSendBufferSize(HUGE);
    const lost: number[] = [];
    for (const length of lengths) {
      const sent = content(length);
      const isBack = await new Promise<boolean>((resolve) => {
        const timer = setTimeout(resolve, 2000, false);
        socket.once('message', (bytes) => {
          clearTimeout(timer);
          resolve(bytes.equals(sent));
        });
        socket.send(sent);
      });
      if (!isBack) lost.push(length);
    }
    socket.close();
    return lost;
  },
  /** Sends to a port that is closed: the code of the error. */
  refused: (family: Family, address: string, port: number) =>
    new Promise<string | undefined>((resolve) => {
      const socket = api().createSocket(`udp${family}`);
      socket.on('error', (error: NodeJS.ErrnoException) => {
        resolve(error.code);
        socket.close();
      });
      socket.connect(port, address, () => socket.send('anybody?'));
    }),
  /** Joins a group until `leave`. */
  join: async (family: Family, group: string) => {
    const socket = api().createSocket(`udp${family}`);
    await new Promise<void>((resolve) => socket.bind(0, resolve));
    socket.addMembership(group);
  },
});
