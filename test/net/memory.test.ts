import { once as onceEvent } from 'node:events';
import type { Socket } from '../../lib/net/socket';
import { Stack } from '../../lib/stack';
import { collectGarbage } from '../support/collect';
import { settle } from '../support/manual-clock';
import { closePair, connected, listen, netlandApi, once } from '../support/net-apis';

const MIB = 1024 * 1024;

describe('memory', () => {
  const api = netlandApi();
  beforeAll(() => api.open());
  afterAll(() => api.close());

  it('holds little of 100 MB on their way to a reader that pauses again and again', async () => {
    const pair = await connected(api, { pauseOnConnect: true });
    const { client, peer } = pair;
    const total = 100_000_000;
    const piece = Buffer.alloc(100_000);
    let written = 0;
    let underWay = 0;
    const writing = (async () => {
      for (; written < total; written += piece.length) {
        piece.fill((written / piece.length) & 0xff);
        if (!client.write(piece)) await onceEvent(client, 'drain');
      }
      client.end();
    })();
    let wrong = 0;
    let received = 0;
    peer.on('data', (data: Buffer) => {
      for (let i = 0; i < data.length; i += 997) {
        if (data[i] !== (Math.floor((received + i) / piece.length) & 0xff)) wrong++;
      }
      received += data.length;
      if (Math.floor(received / (4 * MIB)) === Math.floor((received - data.length) / (4 * MIB)))
        return;
      peer.pause();
      // Twenty turns without a reader: the writer must come to rest.
      void settle().then(() => {
        underWay = Math.max(underWay, client.bytesWritten - received);
        peer.resume();
      });
    });
    const ended = once(peer, 'end');
    peer.resume();
    await Promise.all([writing, ended]);
    expect({ received, wrong }).toEqual({ received: total, wrong: 0 });
    expect(underWay).toBeGreaterThan(0);
    // What tcp_wmem and tcp_rmem allow, 4 and 6 MiB, and what is on its way through the streams.
    expect(underWay).toBeLessThan(11 * MIB);
    await closePair(pair);
  });

  it('holds no more than the buffers while nobody reads', async () => {
    await collectGarbage();
    const before = process.memoryUsage().arrayBuffers;
    const pair = await connected(api, { pauseOnConnect: true });
    while (pair.client.write(Buffer.alloc(65_536))) await settle(1);
    await settle();
    await collectGarbage();
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(32 * MIB);
    await closePair(pair);
  });

  it('is given back by sockets that are closed', async () => {
    const server = api.net.createServer();
    const port = await listen(server);
    const seen: WeakRef<Socket>[] = [];
    for (let i = 0; i < 50; i++) await connectOnce(i, seen);
    await once(server.close(), 'close');
    await collectGarbage();
    const alive = seen.filter((reference) => reference.deref() !== undefined).length;
    expect(seen.length).toBe(100);
    // The last ones may still be held by what the test itself has awaited.
    expect(alive).toBeLessThan(5);

    async function connectOnce(i: number, into: WeakRef<Socket>[]): Promise<void> {
      const accepted = once(server, 'connection');
      const client = api.net.connect(port, '127.0.0.1');
      const [[peer]] = (await Promise.all([accepted, once(client, 'connect')])) as [
        [Socket],
        unknown,
      ];
      into.push(new WeakRef(client), new WeakRef(peer));
      client.setTimeout(1_000_000);
      peer.resume().on('error', () => undefined);
      const gone = Promise.all([once(peer, 'close'), once(client, 'close')]);
      client.write(Buffer.alloc(10_000));
      if (i % 2 === 0) client.resume().end();
      else client.resetAndDestroy();
      await gone;
    }
  });

  it('is given back by a stack that is closed', async () => {
    const stacks: WeakRef<Stack>[] = [];
    for (let i = 0; i < 5; i++) {
      const stack = await Stack.open();
      stack.net.createServer().listen(7, '127.0.0.1');
      stacks.push(new WeakRef(stack));
      await stack.close();
    }
    await collectGarbage();
    expect(stacks.filter((reference) => reference.deref() !== undefined).length).toBeLessThan(2);
  });

  it('suffices for many connections at once', async () => {
    const server = api.net.createServer((peer) => peer.pipe(peer));
    const port = await listen(server);
    const answers: Promise<unknown>[] = [];
    for (let i = 0; i < 1000; i++) {
      const client = api.net.connect(port, '127.0.0.1');
      let text = '';
      client.on('data', (data: Buffer) => (text += data.toString()));
      answers.push(once(client, 'close').then(() => text));
      client.end(`number ${i}`);
    }
    expect(await Promise.all(answers)).toEqual(
      Array.from({ length: 1000 }, (_, i) => `number ${i}`),
    );
    await once(server.close(), 'close');
  });
});
