/** A host that the test starts in a namespace: the kernel's, or a stack's on a raw link. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import * as kernelDgram from 'node:dgram';
import * as kernelNet from 'node:net';
import { rawLink, Stack } from '../../../lib/index';
import type { RawLinkOptions } from '../../../lib/link/raw';
import { serve } from '../../support/rpc';

let stack: Stack | null = null;
let net: typeof kernelNet = kernelNet;
let dgram: typeof kernelDgram = kernelDgram;
let socket: kernelNet.Socket;
let sent = createHash('sha256');

/** Bytes that aren't the same at any two places of a segment's length. */
const chunk = Buffer.alloc(256 * 1024, 0).map((_, index) => (index * 2654435761) >>> 24);

serve({
  async open(options: RawLinkOptions) {
    stack = await Stack.open({ link: rawLink(options) });
    net = stack.net as unknown as typeof kernelNet;
    dgram = stack.dgram as unknown as typeof kernelDgram;
  },

  counters: () => stack?.counters.link,

  close: () => stack?.close({ timeout: 0 }),

  /** A server that says the digest of what it has got when it has all. */
  async listen(port: number) {
    const server = net.createServer({ allowHalfOpen: true }, (peer) => {
      const hash = createHash('sha256');
      peer.on('data', (data) => hash.update(data));
      peer.on('end', () => peer.end(hash.digest('hex')));
      peer.on('error', () => undefined);
    });
    server.listen(port);
    await once(server, 'listening');
  },

  async connect(host: string, port: number) {
    sent = createHash('sha256');
    socket = net.connect({ host, port, allowHalfOpen: true });
    await once(socket, 'connect');
  },

  /** Sends so many chunks. */
  async send(chunks: number) {
    for (let i = 0; i < chunks; i++) {
      sent.update(chunk);
      if (!socket.write(chunk)) await once(socket, 'drain');
    }
  },

  /** Ends; the digests of what was sent, and of what the server has got. */
  async end() {
    socket.end();
    let answer = '';
    for await (const data of socket) answer += String(data);
    return [sent.digest('hex'), answer];
  },

  /** Echoes datagrams. */
  async echo(family: 'udp4' | 'udp6', port: number) {
    const echoing = dgram.createSocket({ type: family, reuseAddr: true });
    echoing.on('message', (message, from) => echoing.send(message, from.port, from.address));
    echoing.bind(port);
    await once(echoing, 'listening');
  },

  /** The answer to a datagram of that length: its length. */
  async ask(host: string, port: number, bytes: number) {
    const asking = dgram.createSocket(host.includes(':') ? 'udp6' : 'udp4');
    asking.send(Buffer.alloc(bytes), port, host);
    const [message] = (await once(asking, 'message')) as [Buffer];
    asking.close();
    return message.length;
  },
});
