import { SlabTable } from '../../lib/core/memory/slabs';
import { SegmentBatch } from '../../lib/core/segment/batch';
import { Flag, Word } from '../../lib/core/segment/layout';
import { Driver } from '../../lib/driver/driver';
import type { Link, LinkContext, LinkHost, LinkPort } from '../../lib/link/link';
import { memoryLink } from '../../lib/link/memory';
import { Stack } from '../../lib/stack';
import { closePair, listen, nextError, once, readAll } from '../support/net-apis';
import { settle } from '../support/manual-clock';
import { pushSegment } from '../support/segments';
import { until } from '../support/until';

/** Another link, of which one can see each call and which can be made to say that it is full. */
class Watched implements Link {
  readonly kind = 'tun';
  readonly batches: number[] = [];
  readonly flags: number[] = [];
  full = false;
  closed = 0;
  host: LinkHost | null = null;
  referenced = false;

  constructor(private readonly inner: Link = memoryLink({ mtu: 1500 })) {}

  async open(context: LinkContext): Promise<LinkPort> {
    this.host = context.host;
    const port = await this.inner.open(context);
    return {
      name: 'watched0',
      mtu: port.mtu,
      gsoMax: port.gsoMax,
      counters: port.counters,
      transmit: (batch) => {
        this.batches.push(batch.count);
        for (let i = 0; i < batch.count; i++) {
          this.flags.push(batch.words[batch.base(i) + Word.Flags]);
        }
        return port.transmit(batch) && !this.full;
      },
      ref: () => {
        this.referenced = true;
        port.ref();
      },
      unref: () => {
        this.referenced = false;
        port.unref();
      },
      close: () => {
        this.closed++;
        port.close();
      },
    };
  }
}

async function twoStacks() {
  const cable = memoryLink({ mtu: 1500 });
  const link = new Watched(cable);
  const near = await Stack.open({ link, addresses: ['10.0.0.1/24', 'fd00::1/64'] });
  const far = await Stack.open({ link: cable, addresses: ['10.0.0.2/24', 'fd00::2/64'] });
  const server = far.net.createServer({ allowHalfOpen: true });
  server.listen(0, '10.0.0.2');
  await once(server, 'listening');
  const port = server.address()?.port ?? 0;
  const close = async () => {
    near.destroy();
    far.destroy();
    await settle();
  };
  return { link, near, far, server, port, close };
}

describe('the driver', () => {
  it('sends the writes of one turn with one call of the link', async () => {
    const { link, near, server, port, close } = await twoStacks();
    const accepted = once(server, 'connection');
    const client = near.net.connect({ port, host: '10.0.0.2', noDelay: true });
    await Promise.all([accepted, once(client, 'connect')]);
    await settle();
    link.batches.length = 0;
    for (let i = 0; i < 5; i++) client.write(Buffer.alloc(1448));
    await Promise.resolve();
    await settle(0);
    expect(link.batches).toEqual([5]);
    await close();
  });

  it('asks for no more from a link that is full, and goes on when it is not', async () => {
    const { link, near, server, port, close } = await twoStacks();
    const accepted = once(server, 'connection');
    const client = near.net.connect(port, '10.0.0.2');
    const [[peer]] = await Promise.all([accepted, once(client, 'connect')]);
    await settle();
    link.full = true;
    client.write('one');
    await settle();
    link.batches.length = 0;
    client.end('two');
    await settle();
    expect(link.batches).toEqual([]);
    link.full = false;
    link.host?.writable();
    expect(String(await readAll(peer as never))).toBe('onetwo');
    await close();
  });

  it('keeps what goes to its own addresses inside', async () => {
    const { link, near, close } = await twoStacks();
    const server = near.net.createServer((peer) => peer.end('inside')).listen(0);
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    link.batches.length = 0;
    for (const host of ['10.0.0.1', '127.0.0.1', '127.9.9.9', '::1', 'fd00::1', 'localhost']) {
      expect(String(await readAll(near.net.connect(port, host)))).toBe('inside');
    }
    expect(link.batches).toEqual([]);
    await close();
  });

  it('sends to both in one batch', async () => {
    const { near, server, port, close } = await twoStacks();
    server.on('connection', (peer) => peer.end('outside'));
    const own = near.net.createServer((peer) => peer.end('inside'));
    const ownPort = await listen(own);
    const answers = [];
    for (let i = 0; i < 10; i++) {
      answers.push(readAll(near.net.connect(ownPort, '127.0.0.1')));
      answers.push(readAll(near.net.connect(port, '10.0.0.2')));
    }
    expect((await Promise.all(answers)).join(' ').split(' ')).toEqual(
      Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? 'inside' : 'outside')),
    );
    await close();
  });

  it('holds the link while something is open', async () => {
    const { link, near, port, close } = await twoStacks();
    expect(link.referenced).toBe(false);
    const client = near.net.connect(port, '10.0.0.2');
    await settle();
    expect(link.referenced).toBe(true);
    client.unref();
    await settle();
    expect(link.referenced).toBe(false);
    client.ref();
    await settle();
    expect(link.referenced).toBe(true);
    const server = near.net.createServer().listen(0, '10.0.0.1');
    client.destroy();
    await settle();
    expect(link.referenced).toBe(true);
    server.unref();
    // The peer takes its time to acknowledge our FIN.
    await until(
      () => link.referenced,
      (held) => !held,
    );
    await close();
  });

  it('tells everyone when the link goes down', async () => {
    const { link, near, server, port, close } = await twoStacks();
    const accepted = once(server, 'connection');
    const client = near.net.connect(port, '10.0.0.2');
    await Promise.all([accepted, once(client, 'connect')]);
    const connecting = near.net.connect(port, '10.0.0.2');
    const own = near.net.createServer();
    await listen(own);
    const errors = [client, connecting, own].map((emitter) => nextError(emitter));
    const closed = [client, connecting, own].map((emitter) => once(emitter, 'close'));
    const cause = new Error('nl0 was deleted');
    link.host?.down(cause);
    expect(await Promise.all(errors)).toMatchObject([
      { code: 'ENETDOWN', errno: -100, syscall: 'read', cause },
      { code: 'ENETDOWN', errno: -100, syscall: 'connect', cause },
      { code: 'ENETDOWN', errno: -100, syscall: 'accept', cause },
    ]);
    await Promise.all(closed);
    expect(await near.closed).toBe(cause);
    expect(link.closed).toBe(1);
    const late = near.net.connect(port, '10.0.0.2');
    expect(await nextError(late)).toMatchObject({ code: 'ERR_SOCKET_CLOSED' });
    link.host?.receive(new SegmentBatch(1));
    link.host?.writable();
    link.host?.down(cause);
    expect(link.closed).toBe(1);
    await close();
  });

  it('resets everything when it is destroyed', async () => {
    const { link, near, server, port, close } = await twoStacks();
    const accepted = once(server, 'connection');
    const client = near.net.connect(port, '10.0.0.2');
    const [[peer]] = await Promise.all([accepted, once(client, 'connect')]);
    const failed = nextError((peer as typeof client).resume());
    const ended = once(client, 'close');
    near.destroy();
    expect(await ended).toEqual([false]);
    expect(await failed).toMatchObject({ code: 'ECONNRESET' });
    expect(link.flags.at(-1)! & Flag.RST).toBe(Flag.RST);
    expect(await near.closed).toBeNull();
    near.destroy();
    await near.close();
    expect(link.closed).toBe(1);
    await close();
  });

  it('closes the link when it cannot start on it', async () => {
    const link = new Watched();
    await expect(Driver.open({ link, tcp: { noSuch: 1 } as never })).rejects.toThrow(RangeError);
    expect(link.closed).toBe(1);
  });

  it('runs under fake timers', async () => {
    jest.useFakeTimers();
    try {
      const stack = await Stack.open();
      const pair = await connectedOn(stack);
      pair.client.end('hello');
      expect(String(await readAll(pair.peer))).toBe('hello');
      await closePair(pair);
      await stack.close();
    } finally {
      jest.useRealTimers();
    }
  });
});

async function connectedOn(stack: Stack) {
  const server = stack.net.createServer();
  const port = await listen(server);
  const accepted = once(server, 'connection');
  const client = stack.net.connect(port, '127.0.0.1');
  const [[peer]] = await Promise.all([accepted, once(client, 'connect')]);
  return { server, client, peer: peer as typeof client, port };
}

describe('what comes from outside', () => {
  it.each([
    ['10.0.0.1', '10.0.0.1', 'IPv4'],
    ['127.0.0.1', '10.0.0.1', 'IPv4'],
    ['10.0.0.2', '127.0.0.1', 'IPv4'],
    ['fd00::1', 'fd00::1', 'IPv6'],
    ['::1', 'fd00::1', 'IPv6'],
  ])('from %s to %s: is dropped, since nobody outside has such an address', async (from, to) => {
    const link = new Watched();
    const stack = await Stack.open({ link, addresses: ['10.0.0.1/24', 'fd00::1/64'] });
    const [good, bad] = [new SegmentBatch(1), new SegmentBatch(1)];
    const slabs = new SlabTable();
    const other = from.includes(':') ? 'fd00::2' : '10.0.0.2';
    const own = from.includes(':') ? 'fd00::1' : '10.0.0.1';
    pushSegment(good, slabs, { from: other, to: own, destinationPort: 9, flags: Flag.SYN });
    pushSegment(bad, slabs, { from, to, destinationPort: 9, flags: Flag.SYN });
    link.host?.receive(bad);
    expect(link.flags).toEqual([]);
    expect(stack.counters.NetlandMartianSources).toBe(1);
    link.host?.receive(good);
    expect(link.flags).toEqual([Flag.RST | Flag.ACK]);
    await stack.close();
  });
});
