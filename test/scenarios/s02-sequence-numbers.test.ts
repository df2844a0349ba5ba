import { pattern } from '../support/segments';
import { brief, connectPair, End, type Scene, sleep, tell } from './support';

describe('S2: every byte has a number', () => {
  test('100 bytes at 301 are followed by 401; 200 at 501 are acknowledged with 701', () =>
    tell({}, async (scene) => {
      const { near, far } = await connectPair(scene);
      let sent = 0;
      for (const length of [300, 100, 100, 200]) {
        near.socket.write(pattern(length, sent));
        sent += length;
        await far.has(sent);
        await sleep(1000);
      }
      const data = scene.network.trace.segments({ from: 'client', data: true });
      expect(data.map(({ seq, length }) => [seq, length])).toEqual([
        [1, 300],
        [301, 100],
        [401, 100],
        [501, 200],
      ]);
      const acks = scene.network.trace.segments({ from: 'server', flags: '.' });
      expect(acks.map(({ ack, length }) => [ack, length])).toEqual([
        [301, 0],
        [401, 0],
        [501, 0],
        [701, 0],
      ]);
      expect(far.received.length).toBe(700);
    }));

  test('SYN and FIN use one each, an empty acknowledgment none', () =>
    tell({}, async (scene) => {
      const { near, far } = await connectPair(scene);
      near.socket.write('five!');
      await far.has(5);
      await sleep(1000);
      near.socket.end();
      await far.sees('end');
      await sleep(1000);
      far.socket.end();
      await near.sees('close');
      expect(scene.network.trace.segments().map(brief)).toEqual([
        '0 client S 0:0',
        '10 server S. 0:0 ack 1',
        // The same number as the data that follows.
        '20 client . 1:1 ack 1',
        '30 client P. 1:6 ack 1',
        '40 server . 1:1 ack 6',
        '1040 client F. 6:6 ack 1',
        '1090 server . 1:1 ack 7',
        '2050 server F. 1:1 ack 7',
        '2060 client . 7:7 ack 2',
      ]);
    }));
});

/** µs for each initial sequence number (RFC 9293 §3.4.1). */
const STEP = 4;
const MODULUS = 2 ** 32;

/**
 * Waits until the client's next connection from port 40000 will have so many numbers left before
 * they begin anew. They follow a clock that takes 4.77 hours for all.
 */
async function waitForWrap({ network, client, server }: Scene, left: number): Promise<void> {
  const refused = client.net.connect({ port: 79, host: server.address, localPort: 40_000 });
  await new Promise((resolve) => refused.on('error', resolve));
  const [syn] = network.trace.segments({ port: 79, flags: 'S', absolute: true });
  const passed = ((network.now - syn.time) * 1000) / STEP;
  const wait = (2 * MODULUS - left - syn.seq - passed) % MODULUS;
  await sleep((wait * STEP) / 1000);
}

describe('S2: modulo 2^32', () => {
  test('a transfer goes on across the wrap, lost and late segments too', () =>
    tell({ seed: 3 }, async (scene) => {
      const { network, client, server, cable } = scene;
      await waitForWrap(scene, 100_000);
      cable.set({ loss: 0.02, jitter: 5 });
      const listener = server.net.createServer();
      const accepted = new Promise<End>((resolve) => {
        listener.on('connection', (socket) => resolve(new End(network, socket)));
      });
      listener.listen(79);
      const to = { port: 79, host: server.address, localPort: 40_000 };
      const began = network.now;
      const near = new End(network, client.net.connect(to));
      const bytes = pattern(300_000);
      near.socket.end(bytes);
      const far = await accepted;
      await far.sees('end');
      expect(far.received.equals(bytes)).toBe(true);
      await near.sees('close');

      const sent = { from: 'client', data: true, since: began };
      const absolute = network.trace.segments({ ...sent, absolute: true });
      expect(absolute[0].seq).toBeGreaterThan(MODULUS - 110_000);
      const highest = Math.max(
        ...network.trace.segments(sent).map(({ seq, length }) => seq + length),
      );
      expect(highest).toBe(300_001);
      expect(Math.min(...absolute.map(({ seq }) => seq))).toBeLessThan(1460);
      expect(client.counters.TcpRetransSegs).toBeGreaterThan(0);
    }));
});
