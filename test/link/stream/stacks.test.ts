import { createHash } from 'node:crypto';
import dgram from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';
import { Duplex, duplexPair } from 'node:stream';
import fc from 'fast-check';
import { Stack } from '../../../lib/stack';
import { streamLink } from '../../../lib/link/stream';
import type { Socket } from '../../../lib/net/socket';
import { pattern } from '../../support/segments';

type Pair = readonly [Duplex, Duplex];

/** A pair whose chunks are cut and joined anyhow on their way. */
function chopped(): Pair {
  const [a, left] = duplexPair();
  const [right, b] = duplexPair();
  for (const [from, to] of [
    [left, right],
    [right, left],
  ]) {
    let size = 1;
    from.on('data', (chunk: Buffer) => {
      for (let at = 0; at < chunk.length; at += size) {
        size = ((size * 7919) % 3001) + 1;
        to.write(chunk.subarray(at, at + size));
      }
      if (!to.writableNeedDrain) return;
      from.pause();
      to.once('drain', () => from.resume());
    });
    from.on('end', () => to.end());
    from.on('error', () => undefined);
  }
  return [a, b];
}

async function sockets(): Promise<Pair> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  const [peer] = (await once(server, 'connection')) as [net.Socket];
  server.close();
  return [client, peer];
}

/**
 * UDP as a stream of messages: each datagram is one. That nobody was there for the last one, once
 * the other end is closed, is no matter of the next: it is lost as others are.
 */
function datagrams(socket: dgram.Socket): Duplex {
  const stream = new Duplex({
    objectMode: true,
    read: () => undefined,
    write: (message: Buffer, _encoding, done) => socket.send(message, () => done()),
    destroy: (error, done) => socket.close(() => done(error)),
  });
  socket.on('error', () => undefined);
  socket.on('message', (message) => stream.push(message));
  return stream;
}

async function datagramPair(): Promise<Pair> {
  const ends = [dgram.createSocket('udp4'), dgram.createSocket('udp4')];
  for (const end of ends) {
    end.bind(0, '127.0.0.1');
    await once(end, 'listening');
  }
  const ports = ends.map((end) => end.address().port);
  ends[0].connect(ports[1], '127.0.0.1');
  ends[1].connect(ports[0], '127.0.0.1');
  await Promise.all(ends.map((end) => once(end, 'connect')));
  return [datagrams(ends[0]), datagrams(ends[1])];
}

const KINDS: [string, () => Pair | Promise<Pair>][] = [
  ['a pair of byte streams', () => duplexPair()],
  ['a pair of byte streams that cuts everything', chopped],
  ['a pair of streams of messages', () => duplexPair({ objectMode: true })],
  ['a connection of the kernel’s', sockets],
  ['datagrams of the kernel’s', datagramPair],
];

const FAMILIES = [
  ['IPv4', '10.0.0.1/24', '10.0.0.2/24'],
  ['IPv6 alone', 'fd00::1/64', 'fd00::2/64'],
] as const;

async function stacks([near, far]: Pair, [, a, b]: readonly string[] = FAMILIES[1]) {
  const client = await Stack.open({ link: streamLink(near), addresses: [a] });
  const server = await Stack.open({ link: streamLink(far), addresses: [b] });
  return { client, server, host: b.split('/')[0] };
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** Sends the bytes, and digests what comes until the end. */
async function exchange(socket: Socket, bytes: Uint8Array): Promise<string> {
  socket.end(bytes);
  const hash = createHash('sha256');
  for await (const chunk of socket) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

describe.each(KINDS)('two stacks over %s', (_, make) => {
  test.each(FAMILIES)('%s: 1 MiB each way, unchanged', async (...family) => {
    const { client, server, host } = await stacks(await make(), family);
    const listener = server.net.createServer({ allowHalfOpen: true }).listen(80, host);
    await once(listener, 'listening');
    const up = pattern(1024 * 1024);
    const down = pattern(1024 * 1024, 77);
    const socket = client.net.connect({ port: 80, host, allowHalfOpen: true });
    const [peer] = (await once(listener, 'connection')) as [Socket];
    const digests = await Promise.all([exchange(socket, up), exchange(peer, down)]);
    expect(digests).toEqual([sha256(down), sha256(up)]);
    listener.close();
    await Promise.all([client.close(), server.close()]);
    expect(client.counters.link).toMatchObject({ dropped: 0, tooBig: 0, invalid: 0 });
    await Promise.all([client.closed, server.closed]);
  });
});

describe('the end of the stream', () => {
  test('a stack that closes is an end to the other one', async () => {
    const [near, far] = duplexPair();
    const { client, server } = await stacks([near, far]);
    const ends = Promise.all([once(near, 'close'), once(far, 'close')]);
    await client.close();
    expect(await client.closed).toBeNull();
    expect(await server.closed).toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
    await ends;
  });

  /** A pair one of whose ends is destroyed after so many writes. */
  function fragile(writes: number, error?: Error): Pair {
    const [near, far] = duplexPair({ objectMode: true });
    const write = near._write.bind(near);
    let left = writes;
    near._write = (...args) => {
      if (left-- > 0) write(...args);
      else near.destroy(error);
    };
    return [near, far];
  }

  test('destroyed after any number of packets: both stacks end, sockets too', async () => {
    const talk = (socket: Socket) => {
      socket.on('error', () => undefined);
      socket.end(pattern(30_000));
      socket.resume();
      return new Promise((resolve) => socket.once('close', resolve));
    };
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 60 }), fc.boolean(), async (writes, fails) => {
        const error = fails ? new Error('the tunnel has collapsed') : undefined;
        const [near, far] = fragile(writes, error);
        const { client, server, host } = await stacks([near, far]);
        const listener = server.net.createServer({ allowHalfOpen: true }).listen(80, host);
        listener.on('error', () => undefined);
        const peers: Promise<unknown>[] = [];
        listener.on('connection', (peer: Socket) => peers.push(talk(peer)));
        await once(listener, 'listening');
        await talk(client.net.connect({ port: 80, host, allowHalfOpen: true }));
        // When all was said before.
        near.destroy(error);
        far.destroy();
        const [mine, theirs] = await Promise.all([client.closed, server.closed]);
        if (fails) expect(mine).toBe(error);
        else expect(mine).toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
        expect(theirs).toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
        await Promise.all(peers);
      }),
      { numRuns: 40 },
    );
  });

  test('hostile bytes: the stack is down and its sockets have ENETDOWN', async () => {
    const [near, far] = duplexPair();
    const stack = await Stack.open({ link: streamLink(near), addresses: ['fd00::1/64'] });
    const socket = stack.net.connect(80, 'fd00::2');
    const failed = once(socket, 'error');
    far.write('SSH-2.0-OpenSSH_9.2p1\r\n');
    expect(await failed).toMatchObject([{ code: 'ENETDOWN', cause: { code: 'EPROTO' } }]);
    expect(await stack.closed).toMatchObject({
      message:
        'read EPROTO: protocol error, no IP packet at byte 0 of the stream: it begins with 0x53',
    });
  });
});

test('a reader that sleeps stops the writer at the other end', async () => {
  const { client, server, host } = await stacks(duplexPair());
  const listener = server.net.createServer({ pauseOnConnect: true }).listen(80, host);
  await once(listener, 'listening');
  const socket = client.net.connect(80, host);
  const [peer] = (await once(listener, 'connection')) as [Socket];
  let written = 0;
  let received = 0;
  const chunk = pattern(100_000);
  while (socket.write(chunk) || written === 0) written += chunk.length;
  written += chunk.length;
  socket.end();
  for await (const bytes of peer) received += (bytes as Buffer).length;
  expect(received).toBe(written);
  expect(server.counters.link.dropped + client.counters.link.dropped).toBe(0);
  socket.destroy();
  listener.close();
  await Promise.all([client.close(), server.close()]);
});
