import type { Socket } from '../../lib';
import type { SegmentView } from '../../lib/testing/segment-view';
import { brief, connectPair, End, type Pair, type Scene, sleep, states, tell } from './support';

/** The client has one port: its connections to a server are on the same pair of endpoints. */
const ONE_PORT = { localPortRange: [40_000, 40_000] as const };

/** One end closes, then the other: at 1020 ms the first one is in TIME-WAIT. */
async function closeInOrder(
  { network, client }: Scene,
  { near, far }: Pair,
  first = client,
): Promise<void> {
  await sleep(1000 - network.now);
  const [one, other] = first === client ? [near, far] : [far, near];
  other.socket.on('end', () => other.socket.end());
  one.socket.end();
  await one.sees('close');
  expect(network.now).toBe(1020);
  expect(states(first)).toEqual(['TIME-WAIT']);
}

describe('S6: TIME-WAIT', () => {
  test.each([
    ['unless told otherwise', {}, 60],
    ['as RFC 9293 has it', { msl: 120_000 }, 240],
    ['short', { msl: 500 }, 1],
  ])('lasts 2 MSL: %s', (_, tcp, seconds) =>
    tell({ client: { tcp } }, async (scene) => {
      await closeInOrder(scene, await connectPair(scene));
      await sleep(seconds * 1000 - 0.001);
      expect(states(scene.client)).toEqual(['TIME-WAIT']);
      await sleep(0.001);
      expect(states(scene.client)).toEqual([]);
      expect(states(scene.server)).toEqual([]);
    }),
  );

  test('a repeated FIN is acknowledged again, and restarts the wait', () =>
    tell({}, async (scene) => {
      const { network, client, server, cable } = scene;
      const pair = await connectPair(scene);
      // Of the acknowledgments of the server's FIN the first two are lost.
      let lost = 0;
      const isLast = (s: SegmentView) => s.flags === '.' && s.relativeAck === 2;
      cable.set({ filter: (segment) => !isLast(segment) || lost++ >= 2 }, { from: client });
      await closeInOrder(scene, pair);
      await sleep(700);
      expect(states(server)).toEqual([]);
      expect(network.trace.segments({ since: 1011 }).map(brief)).toEqual([
        '1020 client . 2:2 ack 2',
        '1230 server F. 1:1 ack 2',
        '1240 client . 2:2 ack 2',
        '1450 server F. 1:1 ack 2',
        '1460 client . 2:2 ack 2',
      ]);
      await sleep(61_460 - network.now - 0.001);
      expect(states(client)).toEqual(['TIME-WAIT']);
      await sleep(0.001);
      expect(states(client)).toEqual([]);
    }));

  test('without it a lost last acknowledgment would be answered by RST', () =>
    tell({ client: { tcp: { msl: 1 } } }, async (scene) => {
      const { client, cable } = scene;
      const pair = await connectPair(scene);
      let lost = 0;
      const isLast = (s: SegmentView) => s.flags === '.' && s.relativeAck === 2;
      cable.set({ filter: (segment) => !isLast(segment) || lost++ > 0 }, { from: client });
      await closeInOrder(scene, pair);
      await sleep(300);
      // What the documentation warns of: the server doesn't learn that all has arrived.
      expect(scene.network.trace.segments({ from: 'client', flags: 'R' }).map(brief)).toEqual([
        '1240 client R 2:2',
      ]);
    }));
});

describe('S6: a segment of the old connection', () => {
  const OLD = 'old data, held by the network\n';

  /** The first data segment of the client is held for 5 s; it sends it again, all is well. */
  async function oldConnection(scene: Scene, closesFirst = scene.client): Promise<void> {
    const { network, client, cable } = scene;
    const pair = await connectPair(scene);
    let held = false;
    const hold = ({ length }: SegmentView) => {
      if (length === 0 || held) return true;
      held = true;
      return 5000;
    };
    cable.set({ filter: hold }, { from: client });
    pair.near.socket.write(OLD);
    await pair.far.has(OLD.length);
    expect(network.trace.segments({ data: true }).map(brief)).toEqual([
      '30 client P. 1:31 ack 1',
      '250 client P. 1:31 ack 1',
    ]);
    await closeInOrder(scene, pair, closesFirst);
    pair.listener.close();
  }

  /** A new connection between the same endpoints. */
  async function reconnect({ network, client, server }: Scene): Promise<[End, End]> {
    const listener = server.net.createServer({ allowHalfOpen: true });
    const accepted = new Promise<End>((resolve) => {
      listener.on('connection', (socket: Socket) => resolve(new End(network, socket)));
    });
    await new Promise<void>((resolve) => listener.listen(80, resolve));
    const near = new End(network, client.net.connect({ host: server.address, port: 80 }));
    await near.sees('connect');
    return [near, await accepted];
  }

  test('finds TIME-WAIT: it is answered, restarts nothing, and reaches nobody', () =>
    tell({}, async (scene) => {
      const { network, server } = scene;
      await oldConnection(scene, server);
      await sleep(10_000 - network.now);
      expect(network.trace.segments({ since: 1021 }).map(brief)).toEqual([
        '5040 server . 2:2 ack 32',
        // Of the client nothing is left.
        '5050 client R 32:32',
      ]);
      // Nor does a RST end it (RFC 1337).
      await sleep(61_020 - network.now - 0.001);
      expect(states(server)).toEqual(['TIME-WAIT']);
      await sleep(0.001);
      expect(states(server)).toEqual([]);
    }));

  test('does not enter a new connection on the same ports', () =>
    tell({ client: ONE_PORT }, async (scene) => {
      const { network, client, server } = scene;
      await oldConnection(scene);
      await sleep(3000 - network.now);
      // RFC 6191: timestamps tell the new segments from the old ones, so it needn't wait.
      const [near, far] = await reconnect(scene);
      expect(client.counters.TcpExtTWRecycled).toBe(1);
      near.socket.write('new data');
      await far.has(8);
      await sleep(5039.999 - network.now);
      expect(server.counters.TcpExtPAWSEstab).toBe(0);
      await sleep(0.001);
      // Here it comes: on the right ports, with a checksum that is right.
      expect(server.counters.TcpExtPAWSEstab).toBe(1);
      await sleep(1000);
      near.socket.end(', and more of it');
      await far.sees('end');
      expect(far.received.toString()).toBe('new data, and more of it');
      expect(network.trace.segments({ since: 5040, having: 'R' })).toEqual([]);
      far.socket.end();
      await near.sees('close');
      expect([near.events, far.events]).toEqual([
        ['connect', 'finish', 'end', 'close'],
        ['end', 'finish', 'close'],
      ]);
    }));

  test('without timestamps there is no new connection on the same ports before 2 MSL', () =>
    tell({ client: { ...ONE_PORT, tcp: { timestamps: 0 } } }, async (scene) => {
      const { network, client, server } = scene;
      await oldConnection(scene);
      const connect = () =>
        new End(network, client.net.connect({ host: server.address, port: 80 }));
      for (const time of [3000, 61_019]) {
        await sleep(time - network.now);
        const refused = connect();
        await refused.sees('close');
        expect(refused.events).toEqual(['EADDRNOTAVAIL', 'close']);
      }
      await sleep(1);
      const [near, far] = await reconnect(scene);
      near.socket.end('new data');
      await far.sees('end');
      expect(far.received.toString()).toBe('new data');
      far.socket.end();
    }));

  test('the server, too, takes a new connection in its TIME-WAIT, and nothing of the old one', () =>
    tell({ client: ONE_PORT }, async (scene) => {
      const { network, client, server } = scene;
      await oldConnection(scene, server);
      await sleep(3000 - network.now);
      expect([states(client), states(server)]).toEqual([[], ['TIME-WAIT']]);
      const [near, far] = await reconnect(scene);
      expect(server.counters.TcpExtTWRecycled).toBe(1);
      await sleep(6000 - network.now);
      expect(server.counters.TcpExtPAWSEstab).toBe(1);
      near.socket.end('new data');
      await far.sees('end');
      expect(far.received.toString()).toBe('new data');
      far.socket.end();
    }));
});
