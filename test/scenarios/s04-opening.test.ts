import type { Socket, Syn } from '../../lib';
import { type Host, Network } from '../../lib/testing';
import type { SegmentView } from '../../lib/testing/segment-view';
import { brief, connectPair, End, type Scene, sleep, states, tell } from './support';

/** A server on port 80 that keeps the ends of all that it accepts. */
function serve({ network, server }: Scene): End[] {
  const accepted: End[] = [];
  server.net.createServer((socket: Socket) => accepted.push(new End(network, socket))).listen(80);
  return accepted;
}

function connect({ network, client, server }: Scene): End {
  return new End(network, client.net.connect({ host: server.address, port: 80 }));
}

/** The client has one port: its connections to a server are on the same pair of endpoints. */
const ONE_PORT = { client: { localPortRange: [40_000, 40_000] as const } };

describe('S4: three segments open a connection', () => {
  test('each end goes from state to state', () =>
    tell({}, async (scene) => {
      const { network, client, server } = scene;
      const accepted = serve(scene);
      const near = connect(scene);
      await sleep(5);
      expect([states(client), states(server)]).toEqual([['SYN-SENT'], []]);
      expect(server.connections().map(({ state }) => state)).toEqual(['LISTEN']);
      await sleep(10);
      expect([states(client), states(server)]).toEqual([['SYN-SENT'], ['SYN-RECEIVED']]);
      await sleep(10);
      expect([states(client), states(server)]).toEqual([['ESTABLISHED'], ['SYN-RECEIVED']]);
      expect([near.events, accepted]).toEqual([['connect'], []]);
      await sleep(10);
      expect([states(client), states(server)]).toEqual([['ESTABLISHED'], ['ESTABLISHED']]);
      expect(accepted).toHaveLength(1);
      const segments = network.trace.segments();
      expect(segments.map((s) => `${brief(s)}: ${s.state}, then ${s.stateAfter}`)).toEqual([
        '0 client S 0:0: SYN-SENT, then SYN-RECEIVED',
        '10 server S. 0:0 ack 1: SYN-RECEIVED, then ESTABLISHED',
        '20 client . 1:1 ack 1: ESTABLISHED, then ESTABLISHED',
      ]);
      expect(client.counters.TcpActiveOpens).toBe(1);
      expect(server.counters.TcpPassiveOpens).toBe(1);
      near.socket.end();
    }));

  test('SYN and SYN+ACK carry no data, however early it was written; the third segment may', () =>
    tell({}, async (scene) => {
      const { network, server, cable } = scene;
      const accepted = serve(scene);
      const near = connect(scene);
      near.socket.write('written before there is a connection');
      // What is lost is an acknowledgment without data: the data behind it does as well.
      cable.set({ filter: ({ flags }) => flags !== '.' }, { from: 'client' });
      await sleep(29);
      expect(states(server)).toEqual(['SYN-RECEIVED']);
      await sleep(1);
      expect(states(server)).toEqual(['ESTABLISHED']);
      expect(accepted[0].received.toString()).toBe('written before there is a connection');
      const segments = network.trace.segments({ lost: false, until: 20 });
      expect(segments.map(brief)).toEqual([
        '0 client S 0:0',
        '10 server S. 0:0 ack 1',
        '20 client P. 1:37 ack 1',
      ]);
      near.socket.end();
    }));

  test('every segment after the first SYN has ACK set', () =>
    tell({}, async (scene) => {
      const { near, far } = await connectPair(scene);
      near.socket.write('question');
      far.socket.write('answer');
      await Promise.all([near.has(6), far.has(8)]);
      near.socket.end();
      far.socket.end();
      await Promise.all([near.sees('close'), far.sees('close')]);
      const all = scene.network.trace.segments();
      expect(all.length).toBeGreaterThan(6);
      expect(all.map(({ ack }) => ack !== undefined)).toEqual([
        false,
        ...Array<boolean>(all.length - 1).fill(true),
      ]);
    }));

  test('two active opens that cross are one connection', () =>
    tell({}, async ({ network, client, server }) => {
      const open = (from: typeof client, to: typeof client, localPort: number, port: number) =>
        new End(network, from.net.connect({ host: to.address, port, localPort }));
      const near = open(client, server, 5000, 6000);
      const far = open(server, client, 6000, 5000);
      await sleep(15);
      expect([states(client), states(server)]).toEqual([['SYN-RECEIVED'], ['SYN-RECEIVED']]);
      await Promise.all([near.sees('connect'), far.sees('connect')]);
      expect([states(client), states(server)]).toEqual([['ESTABLISHED'], ['ESTABLISHED']]);
      near.socket.end('from the one');
      far.socket.end('from the other');
      await Promise.all([near.sees('close'), far.sees('close')]);
      expect(`${far.received}, ${near.received}`).toBe('from the one, from the other');
      expect(network.trace.segments({ until: 10 }).map(brief)).toEqual([
        '0 client S 0:0',
        '0 server S 0:0',
        '10 server S. 0:0 ack 1',
        '10 client S. 0:0 ack 1',
      ]);
    }));
});

describe('S4: the initial sequence number', () => {
  /** Those of the client's connections, in their order. */
  function numbers({ network }: Scene): number[] {
    const syns = network.trace.segments({ from: 'client', flags: 'S', absolute: true });
    return syns.map(({ seq }) => seq);
  }

  test('of one connection says nothing of another’s', () =>
    tell({}, async (scene) => {
      serve(scene);
      const all = Array.from({ length: 100 }, () => connect(scene));
      for (const end of all) await end.sees('connect');
      const isns = numbers(scene).sort((a, b) => a - b);
      expect(isns).toHaveLength(100);
      // 100 random numbers leave gaps of very different sizes, and none of half the circle.
      const gaps = isns.map((isn, i) => (isns[(i + 1) % 100] - isn + 2 ** 32) % 2 ** 32);
      expect(new Set(gaps).size).toBe(100);
      expect(Math.min(...gaps)).toBeLessThan(2 ** 32 / 1000);
      expect(Math.max(...gaps)).toBeLessThan(2 ** 29);
      for (const { socket } of all) socket.end();
    }));

  test('of one pair of endpoints follows a clock of 4 µs', () =>
    tell({ ...ONE_PORT, client: { ...ONE_PORT.client, tcp: { msl: 1000 } } }, async (scene) => {
      const accepted = serve(scene);
      for (let i = 0; i < 3; i++) {
        const near = connect(scene);
        await near.sees('connect');
        near.socket.end();
        await near.sees('close');
        await sleep(10_000);
      }
      expect(accepted).toHaveLength(3);
      const isns = numbers(scene);
      const times = scene.network.trace.segments({ from: 'client', flags: 'S' });
      for (const i of [1, 2]) {
        const passed = (times[i].time - times[i - 1].time) * 250;
        expect((isns[i] - isns[i - 1] + 2 ** 32) % 2 ** 32).toBe(passed);
      }
    }));

  test('is another one on another network, and the same for the same seed', async () => {
    const first = async (seed: number) => {
      let isn = 0;
      await tell({ seed, ...ONE_PORT }, async (scene) => {
        const { near } = await connectPair(scene);
        [isn] = numbers(scene);
        near.socket.end();
      });
      return isn;
    };
    expect(await first(1)).toBe(await first(1));
    expect(await first(1)).not.toBe(await first(2));
  });
});

describe('S4: why three', () => {
  /** Holds the first segment that is meant back for so many ms. */
  function holding(ms: number, which: (segment: SegmentView) => boolean) {
    let held = false;
    return (segment: SegmentView): number | void => {
      if (held || !which(segment)) return;
      held = true;
      return ms;
    };
  }

  test('a delayed old SYN opens no connection at a server, and costs it little', () =>
    tell(ONE_PORT, async (scene) => {
      const { network, client, server, cable } = scene;
      const accepted = serve(scene);
      cable.set({ filter: holding(5000, ({ flags }) => flags === 'S') }, { from: 'client' });
      const near = connect(scene);
      await sleep(500);
      // The program has given up long before.
      near.socket.destroy();
      await sleep(4500 + 15);
      expect([states(client), states(server)]).toEqual([[], ['SYN-RECEIVED']]);
      await sleep(20);
      expect(states(server)).toEqual([]);

      const segments = network.trace.segments();
      expect(segments.map((s) => `${brief(s)}: ${s.state}, then ${s.stateAfter}`)).toEqual([
        '0 client S 0:0: SYN-SENT, then SYN-RECEIVED',
        '5010 server S. 0:0 ack 1: SYN-RECEIVED, then CLOSED',
        // Nobody has asked for that, says the client.
        '5020 client R 1:1: CLOSED, then LISTEN',
      ]);
      await sleep(60_000);
      expect(accepted).toEqual([]);
      expect(network.trace.segments()).toHaveLength(3);
      expect(server.counters).toMatchObject({ TcpPassiveOpens: 0, TcpExtEmbryonicRsts: 1 });
      // One row of integers while it lasted: no connection, no buffers.
      expect(server.core.tcp.unfinished).toBe(0);
    }));

  test('one that comes amid a new handshake is told from the new one', () =>
    tell(ONE_PORT, async (scene) => {
      const { network, client, server, cable } = scene;
      const accepted = serve(scene);
      cable.set({ filter: holding(4990, ({ flags }) => flags === 'S') }, { from: 'client' });
      const old = connect(scene);
      await sleep(500);
      old.socket.destroy();
      await sleep(4495);
      // From the same port, so that its SYN arrives 5 ms behind the old one.
      const near = connect(scene);
      near.socket.write('new');
      await near.sees('connect');
      await sleep(100);

      const [answer] = network.trace.segments({ from: 'server', flags: 'S.' });
      expect(answer).toMatchObject({ time: 5000, stateAfter: 'SYN-SENT' });
      // It acknowledges a number that the client has not sent this time.
      expect(answer.ack).not.toBe(1);
      const [reset] = network.trace.segments({ from: 'client', flags: 'R' });
      expect(reset).toMatchObject({ time: 5010, state: 'SYN-SENT', seq: answer.ack });
      // The server is free again, and the client, which has learnt that it was not, asks once more.
      expect(near.at('connect')).toBe(5032);
      expect(network.trace.segments({ retransmission: true, until: 5032 }).map(brief)).toEqual([
        '5012 client S 0:0',
      ]);
      expect(accepted.map(({ received }) => received.toString())).toEqual(['new']);
      expect([states(client), states(server)]).toEqual([['ESTABLISHED'], ['ESTABLISHED']]);
      expect(server.counters).toMatchObject({ TcpPassiveOpens: 1, TcpExtEmbryonicRsts: 1 });
      near.socket.end();
    }));

  test('an old third segment does not complete a new handshake: it is refused', () =>
    tell(ONE_PORT, async (scene) => {
      const { network, client, server, cable } = scene;
      const accepted = serve(scene);
      const isThird = ({ flags }: SegmentView) => flags === '.';
      cable.set({ filter: holding(2995, isThird) }, { from: 'client' });
      connect(scene);
      await sleep(25);
      // The client forgets it all; to the server's next SYN+ACK it answers with RST.
      client.reboot();
      await sleep(2975);
      expect(states(server)).toEqual([]);

      const near = connect(scene);
      await sleep(24);
      expect([states(client), states(server)]).toEqual([['ESTABLISHED'], ['SYN-RECEIVED']]);
      await sleep(2);
      // Now the old one has come.
      expect(states(server)).toEqual(['SYN-RECEIVED']);
      expect(accepted).toEqual([]);
      const refusals = network.trace.segments({ from: 'server', having: 'R' });
      expect(refusals.map(({ time, state }) => `${time} ${state}`)).toEqual(['3025 SYN-RECEIVED']);
      await sleep(10);
      expect([states(client), states(server)]).toEqual([['ESTABLISHED'], ['ESTABLISHED']]);
      near.socket.write('all is well');
      await sleep(100);
      expect(accepted.map(({ received }) => received.toString())).toEqual(['all is well']);
      near.socket.end();
    }));
});

describe('S4: a server that asks somebody else before it answers', () => {
  /** A third host behind a router, for which the server answers. */
  async function tellOfThree(
    story: (scene: Scene, third: Host, near: () => End) => Promise<void>,
  ): Promise<void> {
    const network = new Network({});
    const router = network.router('router');
    const [client, server, third] = ['client', 'server', 'third'].map((name) => network.host(name));
    const [cable] = [client, server, third].map((host) =>
      network.link(host, router, { delay: 10 }),
    );
    try {
      await network.run(async () => {
        const front = server.net.createServer((socket) => socket.resume()).listen(80);
        front.on('syn', (syn: Syn) => {
          const { signal } = syn;
          const upstream = server.net.connect({ port: 80, host: third.address, signal });
          upstream.on('connect', () => syn.accept(() => upstream.end()));
          upstream.on('error', (error) => void syn.reject(error));
        });
        const near = () => new End(network, client.net.connect(80, server.address));
        await story({ network, client, server, cable }, third, near);
        front.close();
      });
    } finally {
      await network.close();
    }
  }

  test('connects when the other does, and asks once for a SYN that is sent again', () =>
    tellOfThree(async ({ network, server }, third, near) => {
      const back = third.net.createServer((socket) => socket.end().resume()).listen(80);
      third.pause();
      const end = near();
      await sleep(1500);
      third.resume();
      await end.sees('connect');
      // The client has asked at 0 and 1 s; the answer is one to what the third has said at 1.5 s.
      expect(network.trace.segments({ from: 'client', flags: 'S' })).toHaveLength(2);
      expect(network.trace.segments({ from: 'server', flags: 'S' })[0]?.time).toBe(20);
      const [answer] = network.trace.segments({ from: 'server', flags: 'S.' });
      expect(answer.time).toBe(1520);
      expect(end.at('connect')).toBe(1540);
      end.socket.end();
      await end.sees('close');
      expect(server.counters.TcpPassiveOpens).toBe(1);
      back.close();
    }));

  test('refuses as the other does', () =>
    tellOfThree(async ({ server }, _third, near) => {
      const end = near();
      await end.sees('close');
      expect(end.events).toEqual(['ECONNREFUSED', 'close']);
      expect(end.at('close')).toBe(80);
      expect(states(server)).toEqual([]);
    }));

  test('stops asking when the client has given up', () =>
    tellOfThree(async ({ server }, third, near) => {
      third.crash();
      const end = near();
      await sleep(3000);
      expect(states(server).sort()).toEqual(['SYN-RECEIVED', 'SYN-SENT']);
      end.socket.destroy();
      // As others are, the handshake is forgotten after 63 s.
      await sleep(61_000);
      expect(states(server)).toEqual([]);
    }));
});
