import { execFileSync } from 'node:child_process';
import * as nodeDgram from 'node:dgram';
import { resolve } from 'node:path';
import type { Dgram } from '../../lib/dgram/dgram';
import type { Socket } from '../../lib/dgram/socket';
import type { RemoteInfo } from '../../lib/dgram/types';
import { memoryLink } from '../../lib/link/memory';
import type { Link, LinkHost } from '../../lib/link/link';
import { Stack } from '../../lib/stack';
import { Network } from '../../lib/testing';
import { bound, closeAll, receive } from '../support/dgram-apis';
import { nextError, once } from '../support/net-apis';

const GROUP = '239.1.2.3';

/** A socket on every address of a stack. */
async function everywhere(stack: Stack, port = 0): Promise<Socket> {
  const socket = stack.dgram.createSocket({ type: 'udp4', reuseAddr: true });
  await new Promise<void>((done) => socket.bind(port, done));
  return socket;
}

/** A link that takes nothing while it is blocked. */
class Valve {
  blocked = false;
  sent = 0;
  private host: LinkHost | null = null;

  readonly link: Link = {
    kind: 'stream',
    open: (context) => {
      this.host = context.host;
      return Promise.resolve({
        name: 'valve',
        mtu: 1500,
        gsoMax: 0,
        counters: { sent: 0, received: 0 },
        transmit: (batch) => {
          this.sent += batch.count;
          return !this.blocked;
        },
        ref: () => undefined,
        unref: () => undefined,
        close: () => undefined,
      });
    },
  };

  open(): void {
    this.blocked = false;
    this.host?.writable();
  }

  fail(error: Error): void {
    this.host?.down(error);
  }
}

const turn = (): Promise<void> => new Promise((done) => setImmediate(done));

describe('datagrams to many', () => {
  it('reach every stack that is in the group, from each of them', async () => {
    const link = memoryLink();
    const stacks = await Promise.all(
      ['10.0.0.1/24', '10.0.0.2/24', '10.0.0.3/24'].map((address) =>
        Stack.open({ link, addresses: [address] }),
      ),
    );
    const sockets = await Promise.all(stacks.map((stack) => everywhere(stack, 5000)));
    const [a, b, stranger] = sockets;
    a.addMembership(GROUP);
    b.addMembership(GROUP, '10.0.0.2');
    const seen: string[] = [];
    const all = new Promise<void>((done) => {
      for (const [i, socket] of sockets.entries()) {
        socket.on('message', (message, sender) => {
          seen.push(`${i + 1} has ${message.toString()} from ${sender.address}`);
          if (seen.length === 6) done();
        });
      }
    });
    for (const socket of sockets) socket.send('x', 5000, GROUP);
    await all;
    await turn();
    expect(seen.sort()).toEqual(
      ['1', '2'].flatMap((to) => ['1', '2', '3'].map((n) => `${to} has x from 10.0.0.${n}`)),
    );
    stranger.setMulticastTTL(0);
    stranger.send('inside', 5000, GROUP);
    a.setMulticastLoopback(false);
    a.dropMembership(GROUP);
    const last = receive(b);
    a.send('last', 5000, GROUP);
    expect((await last)[0].text).toBe('last');
    expect(seen).toHaveLength(7);
    for (const stack of stacks) stack.destroy();
  });

  it('reach all hosts of a network, if the program has asked for that', async () => {
    const link = memoryLink();
    const stacks = await Promise.all(
      ['10.0.0.1/24', '10.0.0.2/24', '10.0.0.3/24', '10.9.0.1/24'].map((address) =>
        Stack.open({ link, addresses: [address] }),
      ),
    );
    const sockets = await Promise.all(stacks.map((stack) => everywhere(stack, 5000)));
    const [a] = sockets;
    const refused = await new Promise((done) => a.send('x', 5000, '10.0.0.255', done));
    expect(refused).toMatchObject({ message: 'send EACCES 10.0.0.255:5000' });
    a.setBroadcast(true);
    const near = sockets.slice(0, 3).map((socket) => receive(socket, 2));
    const far = receive(sockets[3]);
    a.send('network', 5000, '10.0.0.255');
    a.send('link', 5000, '255.255.255.255');
    for (const all of near)
      expect((await all).map(({ text }) => text)).toEqual(['network', 'link']);
    expect((await far)[0].text).toBe('link');
    for (const stack of stacks) stack.destroy();
  });

  it('stop nobody when each is answered with another', async () => {
    await using stack = await Stack.open({ addresses: ['10.0.0.1/24'] });
    const sockets = [await everywhere(stack, 5000), await everywhere(stack, 5000)];
    let count = 0;
    for (const socket of sockets) {
      socket.addMembership(GROUP);
      socket.on('message', () => {
        count++;
        socket.send('again', 5000, GROUP);
        socket.send('and again', 5000, GROUP);
      });
    }
    sockets[0].send('first', 5000, GROUP);
    for (let i = 0; i < 20; i++) await turn();
    expect(count).toBeGreaterThan(20);
    expect(stack.counters.UdpRcvbufErrors).toBeGreaterThan(0);
    stack.destroy();
  });
});

describe('a link that is slower than the program', () => {
  it('fills two send buffers; what is more is refused, all else leaves in the end', async () => {
    const valve = new Valve();
    valve.blocked = true;
    await using stack = await Stack.open({ link: valve.link, addresses: ['10.0.0.1/24'] });
    const socket = await everywhere(stack);
    socket.setSendBufferSize(50_000);
    const results = { sent: 0, refused: 0 };
    let last: unknown = null;
    for (let i = 0; i < 1000; i++) {
      socket.send(Buffer.alloc(1000), 7, '10.0.0.2', (error) => {
        if (error === null) results.sent++;
        else results.refused++;
        last = error ?? last;
      });
    }
    await turn();
    expect(last).toMatchObject({ message: 'send ENOBUFS 10.0.0.2:7', syscall: 'send', port: 7 });
    // 1000 bytes count as 2304: the buffer has room for 44, and a first 44 have left.
    const inStack = results.sent;
    expect(inStack).toBe(88);
    expect(socket.getSendQueueCount()).toBe(44);
    expect(socket.getSendQueueSize()).toBe(44_000);
    expect(results.refused).toBe(1000 - inStack - 44);
    expect(stack.counters.UdpSndbufErrors).toBeGreaterThanOrEqual(results.refused);
    valve.open();
    for (let i = 0; i < 10 && socket.getSendQueueCount() > 0; i++) {
      await turn();
      valve.open();
    }
    await turn();
    expect(results.sent).toBe(1000 - results.refused);
    expect(valve.sent).toBe(results.sent);
  });

  it('is waited for by close(), which loses nothing; a closed socket cancels', async () => {
    const valve = new Valve();
    valve.blocked = true;
    const stack = await Stack.open({ link: valve.link, addresses: ['10.0.0.1/24'] });
    const [socket, other] = [await everywhere(stack), await everywhere(stack)];
    for (const each of [socket, other]) each.setSendBufferSize(5000);
    for (let i = 0; i < 64 + 5; i++) socket.send(Buffer.alloc(1000), 7, '10.0.0.2');
    await turn();
    for (let i = 0; i < 8; i++) socket.send(Buffer.alloc(1000), 7, '10.0.0.2');
    expect(socket.getSendQueueCount()).toBeGreaterThan(0);
    const results: unknown[] = [];
    for (let i = 0; i < 8; i++)
      other.send(Buffer.alloc(1000), 7, '10.0.0.2', (e) => results.push(e));
    other.close();
    await turn();
    expect(results).toContainEqual(expect.objectContaining({ code: 'ECANCELED', syscall: 'send' }));
    const closed = stack.close();
    const gone = once(socket, 'close');
    await turn();
    expect(socket.getSendQueueCount()).toBeGreaterThan(0);
    valve.open();
    await Promise.all([closed, gone]);
    expect(socket.getSendQueueCount()).toBe(0);
    expect(valve.sent).toBe(stack.counters.UdpOutDatagrams);
  });
});

describe('a reader that is slower than the link', () => {
  it('loses what the receive buffer has no room for, counted', async () => {
    await using stack = await Stack.open();
    const [a, b] = [await bound(stack), await bound(stack)];
    b.setRecvBufferSize(20_000);
    const seen: Buffer[] = [];
    b.on('message', (message) => seen.push(message));
    for (let i = 0; i < 60; i++) a.send(Buffer.alloc(1000), b.address().port);
    for (let i = 0; i < 5; i++) await turn();
    expect(seen.length).toBe(17);
    expect(stack.counters).toMatchObject({ UdpInDatagrams: 17, UdpRcvbufErrors: 43 });
    await closeAll(a, b);
  });
});

describe('a burst', () => {
  it('is told whole before the next turn', async () => {
    await using stack = await Stack.open();
    const [a, b] = [await bound(stack), await bound(stack)];
    const seen: number[] = [];
    b.on('message', (message) => {
      if (seen.push(message[0]) === 50) a.close();
    });
    for (let i = 0; i < 200; i++) a.send(Buffer.of(i), b.address().port);
    await turn();
    await turn();
    expect(seen).toEqual(Array.from({ length: 200 }, (_, i) => i));
    await closeAll(b);
  });
});

test('the example', () => {
  const example = resolve(__dirname, '../../examples/udp-echo.mjs');
  const printed = execFileSync(process.execPath, [example], { encoding: 'utf8' });
  expect(printed).toBe('hello from 10.0.0.2:7\n');
});

describe('a stack that ends', () => {
  it.each([
    ['destroy(error)', (stack: Stack) => stack.destroy(new Error('enough')), 'enough'],
    ['destroy()', (stack: Stack) => stack.destroy(), null],
  ])('by %s closes its sockets', async (_title, end, message) => {
    const stack = await Stack.open();
    const socket = await bound(stack);
    const seen: unknown[] = [];
    socket.on('error', (error) => seen.push(error.message));
    socket.on('close', () => seen.push('close'));
    const closed = once(socket, 'close');
    end(stack);
    await closed;
    expect(seen).toEqual(message === null ? ['close'] : [message, 'close']);
    expect(() => socket.send('x', 5)).toThrow('Not running');
    const late = stack.dgram.createSocket('udp4');
    late.bind();
    expect(await nextError(late)).toMatchObject({ code: 'ERR_SOCKET_CLOSED' });
  });

  it('because its link is gone tells that', async () => {
    const valve = new Valve();
    const stack = await Stack.open({ link: valve.link, addresses: ['10.0.0.1/24'] });
    const socket = await everywhere(stack);
    const error = nextError(socket);
    const cause = new Error('unplugged');
    valve.fail(cause);
    expect(await error).toMatchObject({ message: 'recvmsg ENETDOWN', code: 'ENETDOWN', cause });
    expect(await stack.closed).toBe(cause);
  });
});

describe('the class', () => {
  it('is called with and without new, and has the names of services for ports', async () => {
    await using stack = await Stack.open();
    const { Socket: Class } = stack.dgram;
    const server = new Class('udp4');
    expect(server).toBeInstanceOf(Class);
    expect(Class({ type: 'udp6' })).toBeInstanceOf(Class);
    await new Promise<void>((done) => server.bind('tftp', '127.0.0.1', done));
    expect(server.address().port).toBe(69);
    const all = receive(server, 2);
    const client = stack.dgram.createSocket('udp4');
    client.send('sent', 'tftp', '127.0.0.1', () => {
      client.connect('tftp', () => client.send('connected'));
    });
    expect((await all).map(({ text }) => text)).toEqual(['sent', 'connected']);
    // TCP's, and none at all.
    for (const name of ['redis', 'no-such-service']) {
      expect(() => client.bind({ port: name })).toThrow('Socket is already bound');
      const code = 'ERR_SOCKET_BAD_PORT';
      const other = stack.dgram.createSocket('udp4');
      for (const call of [() => other.bind(name), () => other.send('x', name)]) {
        expect(call).toThrow(expect.objectContaining({ code }) as Error);
      }
    }
    stack.destroy();
  });
});

/** What a call throws, as what a program can see of it; null when it throws nothing. */
function thrown(dgram: Dgram, call: (dgram: Dgram) => unknown): object | null {
  try {
    call(dgram);
    return null;
  } catch (error) {
    const { name, code, message } = error as NodeJS.ErrnoException;
    return { name, code, message };
  }
}

/** Anything, where a type would refuse it. */
function odd(value: unknown): never {
  return value as never;
}

/** A call on a socket that isn't bound, and whose errors nobody wants. */
function on(call: (socket: Socket) => unknown): (dgram: Dgram) => unknown {
  return (dgram) => {
    const socket = dgram.createSocket('udp4').on('error', () => undefined);
    try {
      call(socket);
    } finally {
      setImmediate(() => socket.close());
    }
  };
}

const CALLS: readonly ((dgram: Dgram) => unknown)[] = [
  ...[null, 'udp', 4, {}, { type: 'x' }, { type: 'udp4', lookup: 5 }].map(
    (type) => (dgram: Dgram) => dgram.createSocket(odd(type)),
  ),
  ...[{ recvBufferSize: 'x' }, { sendBufferSize: -1 }, { signal: 5 }, { signal: {} }].map(
    (more) => (dgram: Dgram) => dgram.createSocket(odd({ type: 'udp4', ...more })),
  ),
  ...[0, 70_000, -1, 1.5, 'x', null, undefined, {}, NaN].flatMap((port) => [
    on((socket) => socket.send('x', odd(port))),
    on((socket) => socket.connect(odd(port))),
  ]),
  ...[undefined, null, 5, {}, [5], ['x', null], new ArrayBuffer(3)].map((bytes) =>
    on((socket) => socket.send(odd(bytes), 5)),
  ),
  on((socket) => socket.send('abc', 4, 1, 5)),
  on((socket) => socket.send('abc', 1, 3, 5)),
  on((socket) => socket.send('abc', -1, 1, 5)),
  on((socket) => socket.send(odd(5), 0, 1, 5)),
  on((socket) => socket.send('x', 5, odd(5))),
  on((socket) => socket.sendto('x', odd('0'), 1, 5, '127.0.0.1')),
  on((socket) => socket.connect(5, odd(5))),
  on((socket) => socket.bind({ address: odd(5) })),
  on((socket) => socket.disconnect()),
  on((socket) => socket.remoteAddress()),
  on((socket) => socket.address()),
  on((socket) => socket.setTTL(odd('1'))),
  on((socket) => socket.setMulticastTTL(odd(null))),
  on((socket) => socket.setMulticastTTL(1)),
  on((socket) => socket.setMulticastInterface(odd(1))),
  on((socket) => socket.addSourceSpecificMembership(odd(1), '232.0.0.1')),
  on((socket) => socket.dropSourceSpecificMembership('10.0.0.1', odd(undefined))),
  on((socket) => socket.setRecvBufferSize(-1)),
  on((socket) => socket.setSendBufferSize(odd('1'))),
  on((socket) => socket.setSendBufferSize(1.5)),
  on((socket) => socket.getRecvBufferSize()),
];

describe('bad input', () => {
  it('is told as node:dgram tells it', async () => {
    await using stack = await Stack.open();
    const ours = CALLS.map((call) => thrown(stack.dgram, call));
    const nodes = CALLS.map((call) => thrown(nodeDgram as unknown as Dgram, call));
    const text = (all: (object | null)[]) => all.map((one, i) => `${i}: ${JSON.stringify(one)}`);
    expect(text(ours)).toEqual(text(nodes));
    expect(ours.filter((one) => one !== null).length).toBeGreaterThan(40);
    await turn();
  });

  it.each([
    ['a descriptor', { fd: 3 }, 'ERR_INVALID_ARG_VALUE'],
    ['a port that there is not', { port: 65_536 }, 'ERR_SOCKET_BAD_PORT'],
    ['a port that is none', -1, 'ERR_SOCKET_BAD_PORT'],
  ])('is %s to bind to', async (_title, port, code) => {
    await using stack = await Stack.open();
    const bad = expect.objectContaining({ code }) as Error;
    expect(() => stack.dgram.createSocket('udp4').bind(odd(port))).toThrow(bad);
  });
});

describe('a simulated host', () => {
  it('has node:dgram, in virtual time', async () => {
    await using network = new Network({ seed: 1 });
    const [a, b] = [network.host('a'), network.host('b')];
    network.link(a, b, { delay: 20 });
    const seen: [string, number, RemoteInfo][] = [];
    await network.run(async () => {
      const server = b.dgram.createSocket('udp4');
      server.on('message', (message, sender) => {
        seen.push([message.toString(), network.now, sender]);
        server.send(`${message.toString()}, too`, sender.port, sender.address);
      });
      await new Promise<void>((done) => server.bind(53, done));
      const client = a.dgram.createSocket('udp4');
      const answers = receive(client, 3);
      for (const text of ['x', 'y', 'z']) client.send(text, 'domain', b.address);
      for (const { text, sender } of await answers) seen.push([text, network.now, sender]);
      await closeAll(server, client);
    });
    expect(seen.map(([text, at]) => [text, Math.round(at)])).toEqual([
      ['x', 20],
      ['y', 20],
      ['z', 20],
      ['x, too', 40],
      ['y, too', 40],
      ['z, too', 40],
    ]);
    expect(seen[3][2]).toMatchObject({ address: b.address, port: 53, size: 6 });
  });
});
