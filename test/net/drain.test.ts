import type { Socket } from '../../lib/net/socket';
import { Network } from '../../lib/testing';
import { closePair, connected, describeBoth, listen, once } from '../support/net-apis';

/** More than TCP takes at once. */
const LARGE = 6_000_000;

/** Notes what happens, and what the writer's buffer holds meanwhile. */
function noting(socket: Socket) {
  const events: string[] = [];
  const note = (what: string): void => {
    expect(socket.bufferSize).toBe(socket.writableLength);
    events.push(`${what}: ${socket.writableLength} ${socket.writableNeedDrain}`);
  };
  socket.on('drain', () => note('drain'));
  return { events, note };
}

describeBoth('a socket that must wait', (api) => {
  it("tells by 'drain' when to go on, as often as write() says false", async () => {
    const pair = await connected(api);
    const { client, peer } = pair;
    let received = 0;
    peer.on('data', (data: Buffer) => (received += data.length));
    const { events, note } = noting(client);
    const written = new Promise<void>((resolve) => {
      client.once('drain', () => {
        expect(client.write(Buffer.alloc(LARGE), () => note('second'))).toBe(false);
        expect(client.writableLength).toBe(LARGE);
        expect(client.writableNeedDrain).toBe(true);
        client.once('drain', () => resolve());
      });
    });
    expect(client.write(Buffer.alloc(LARGE), () => note('first'))).toBe(false);
    expect(client.writableLength).toBe(LARGE);
    expect(client.writableNeedDrain).toBe(true);
    await written;
    await new Promise((resolve) => setImmediate(resolve));
    const [drained, , again] = events.filter((event) => !event.startsWith('first'));
    expect(events).toHaveLength(4);
    // Who waits is told before the one whose write it was.
    expect(drained).toBe('drain: 0 false');
    expect(again).toMatch(/^second: 0/);
    expect(client.bytesWritten).toBe(2 * LARGE);
    client.end();
    await once(peer, 'end');
    expect(received).toBe(2 * LARGE);
    await closePair(pair);
  });

  it('goes on without a word while there is room', async () => {
    const pair = await connected(api);
    const { client, peer } = pair;
    peer.resume();
    const { events } = noting(client);
    for (let i = 0; i < 10; i++) {
      expect(client.write(Buffer.alloc(1000))).toBe(true);
      expect(client.writableNeedDrain).toBe(false);
      expect(client.writableLength).toBe(0);
    }
    await new Promise((resolve) => setImmediate(resolve));
    expect(events).toEqual([]);
    await closePair(pair);
  });

  it('holds what is written before it is connected', async () => {
    const server = api.net.createServer((peer) => peer.resume());
    const port = await listen(server);
    const client = api.net.connect({ port, host: '127.0.0.1' });
    const { events } = noting(client);
    expect(client.write(Buffer.alloc(100))).toBe(true);
    expect(client.write(Buffer.alloc(LARGE))).toBe(false);
    expect(client.writableLength).toBe(LARGE + 100);
    expect(client.bytesWritten).toBe(LARGE + 100);
    await once(client, 'drain');
    expect(events).toEqual(['drain: 0 false']);
    client.end();
    await Promise.all([once(client.resume(), 'close'), once(server.close(), 'close')]);
  });

  it("says nothing more of 'drain' once it has ended", async () => {
    const pair = await connected(api);
    const { client, peer } = pair;
    peer.resume();
    const { events } = noting(client);
    expect(client.write(Buffer.alloc(LARGE))).toBe(false);
    client.end();
    expect(client.writableNeedDrain).toBe(false);
    await once(client, 'finish');
    expect(events).toEqual([]);
    expect(client.writableLength).toBe(0);
    await closePair(pair);
  });
});

test('with notsentLowat no more waits in the stack, beside what leaves at once', async () => {
  await using network = new Network({ seed: 1 });
  const [client, server] = [network.host('client'), network.host('server')];
  network.link(client, server, { delay: 20, rate: 1e6 });
  await network.run(async () => {
    const listening = server.net.createServer((peer) => peer.resume()).listen(7);
    await once(listening, 'listening');
    const socket = client.net.connect({ port: 7, host: server.address, notsentLowat: 4096 });
    await once(socket, 'connect');
    const unsent: number[] = [];
    for (let i = 0; i < 4; i++) {
      if (!socket.write(Buffer.alloc(50_000))) await once(socket, 'drain');
      // After the end of the turn, at which the stack sends.
      await new Promise((resolve) => setTimeout(resolve, 1));
      unsent.push(socket.tcpInfo()?.tcpi_notsent_bytes ?? 0);
    }
    expect(Math.max(...unsent)).toBeLessThanOrEqual(4096 + 1460);
    expect(Math.min(...unsent)).toBeGreaterThan(0);
    socket.end();
    await once(socket, 'close');
    await once(listening.close(), 'close');
  });
});
