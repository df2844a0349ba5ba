import { Errno } from '../../lib/core/errno';
import { ANY4 } from '../../lib/core/ip/address';
import { SocketOption } from '../../lib/core/socket/options';
import type { Host } from '../../lib/testing';
import { connectPair, End, type Scene, sleep, states, tell } from './support';

/** A server on port 80 that ends when the other has ended. */
function serve({ server }: Scene): void {
  server.net.createServer((socket) => socket.on('error', () => undefined).resume()).listen(80);
}

function connect({ network, client, server }: Scene): End {
  return new End(network, client.net.connect({ host: server.address, port: 80 }));
}

/** So many connections, one after another, which the client closes first. */
async function shortConnections(scene: Scene, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const near = connect(scene);
    await near.sees('connect');
    near.socket.end();
    await near.sees('close');
    const told = near.events.join();
    if (told !== 'connect,finish,end,close') throw new Error(`connection ${i}: ${told}`);
  }
}

const PORTS = { localPortRange: [20_000, 21_999] as const };

describe('S7: thousands of connections in TIME-WAIT', () => {
  test('use up the local ports, until 2 MSL are over: EADDRNOTAVAIL', () =>
    tell(
      { link: { delay: 0.5 }, client: { ...PORTS, tcp: { timestamps: 0 } }, trace: false },
      async (scene) => {
        const { network, client, server } = scene;
        serve(scene);
        await sleep(0);
        await shortConnections(scene, 1000);
        const half = network.now;
        await shortConnections(scene, 1000);
        await sleep(10);
        expect(states(server)).toEqual([]);

        // As `ss -tan` would list them.
        const list = client.connections();
        expect(list).toHaveLength(2000);
        const line = { state: 'TIME-WAIT', localAddress: '10.0.0.1', recvQ: 0, sendQ: 0 };
        const remote = { remoteAddress: '10.0.0.2', remotePort: 80 };
        const expected = { ...line, ...remote };
        const keys = Object.keys(expected) as (keyof typeof expected)[];
        const odd = list.filter((entry) => keys.some((key) => entry[key] !== expected[key]));
        expect(odd).toEqual([]);
        const ports = list.map(({ localPort }) => localPort).sort((a, b) => a - b);
        expect(ports).toEqual(Array.from({ length: 2000 }, (_, i) => 20_000 + i));

        const refused = connect(scene);
        await refused.sees('close');
        expect(refused.events).toEqual(['EADDRNOTAVAIL', 'close']);
        // Another endpoint is another matter.
        const other = new End(network, client.net.connect({ host: server.address, port: 81 }));
        await other.sees('close');
        expect(other.events).toEqual(['ECONNREFUSED', 'close']);

        // Those of the first half are over.
        await sleep(half + 60_000 - network.now);
        expect(client.connections()).toHaveLength(1000);
        // From now on one begins where another ends.
        await shortConnections(scene, 10);
        expect(client.connections()).toHaveLength(1000);
      },
    ));

  test('hold no buffer and no connection object, and are not waited for', () =>
    tell({ client: PORTS, trace: false }, async (scene) => {
      const { client } = scene;
      serve(scene);
      await sleep(0);
      const all = Array.from({ length: 2000 }, () => connect(scene));
      for (const end of all) await end.sees('connect');
      for (const { socket } of all) socket.end();
      for (const end of all) await end.sees('close');
      expect(states(client)).toEqual(Array(2000).fill('TIME-WAIT'));
      let connections = 0;
      client.core.tcp.forEachConnection(() => connections++);
      expect([connections, client.core.unfinished]).toEqual([0, 0]);
      // A row of 48 bytes for each, and what the table has in reserve.
      const { words } = client.core.tcp.timeWait.table;
      expect(words.byteLength).toBeLessThanOrEqual(2 * 48 * 2048);
    }));
});

describe('S7: safe reuse of the ports (RFC 6191)', () => {
  test('with timestamps a port serves again after a second, long before 2 MSL', () =>
    tell({ client: { localPortRange: [20_000, 20_000] } }, async (scene) => {
      const { network, client } = scene;
      serve(scene);
      await sleep(0);
      await shortConnections(scene, 1);
      const closed = network.now;
      const refused = connect(scene);
      await refused.sees('close');
      expect(refused.events).toEqual(['EADDRNOTAVAIL', 'close']);
      await sleep(closed + 1002 - network.now);
      for (let i = 1; i <= 10; i++) {
        await shortConnections(scene, 1);
        expect(client.counters.TcpExtTWRecycled).toBe(i);
        expect(states(client)).toEqual(['TIME-WAIT']);
        await sleep(1002);
      }
      // Timestamps go on from one connection to the next: that is what makes it safe.
      const syns = network.trace.segments({ from: 'client', flags: 'S' });
      const values = syns.map(({ timestamps }) => timestamps?.value ?? 0);
      const steps = values.slice(1).map((value, i) => (value - values[i]) >>> 0);
      const times = syns.slice(1).map(({ time }, i) => Math.round(time - syns[i].time));
      expect(syns).toHaveLength(11);
      expect(steps).toEqual(times);
    }));
});

describe('S7: address reuse', () => {
  /** bind(2) and listen(2) on port 80, below the API; 0 or -errno. */
  function listen(host: Host, reuseAddress: 0 | 1): number {
    const socket = host.socket(4, { ready: () => undefined });
    socket.setOption(SocketOption.ReuseAddress, reuseAddress);
    const bound = socket.bind(ANY4, 80);
    const result = bound < 0 ? bound : socket.listen(1);
    socket.close();
    host.flush();
    return result;
  }

  test('a server that has closed first can listen again at once, with SO_REUSEADDR alone', () =>
    tell({}, async (scene) => {
      const { server } = scene;
      const { near, far, listener } = await connectPair(scene);
      near.socket.on('end', () => near.socket.end());
      far.socket.end();
      await far.sees('close');
      listener.close();
      await sleep(100);
      expect(states(server)).toEqual(['TIME-WAIT']);
      expect(listen(server, 0)).toBe(-Errno.EADDRINUSE);
      expect(listen(server, 1)).toBe(0);
      // Servers of the API have it, as those of node:net.
      const again = await connectPair(scene);
      expect(states(server).sort()).toEqual(['ESTABLISHED', 'TIME-WAIT']);
      again.near.socket.end();
      again.far.socket.end();
    }));

  test('but two cannot listen at a time', () =>
    tell({}, async (scene) => {
      const { near } = await connectPair(scene);
      expect(listen(scene.server, 1)).toBe(-Errno.EADDRINUSE);
      const second = scene.server.net.createServer();
      const error = await new Promise((resolve) => second.on('error', resolve).listen(80));
      expect(error).toMatchObject({ code: 'EADDRINUSE', syscall: 'listen', port: 80 });
      near.socket.end();
    }));
});
