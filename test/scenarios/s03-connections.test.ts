import type { Socket } from '../../lib';
import { pattern } from '../support/segments';
import { connectPair, End, type Scene, sleep, tell } from './support';

/** The ends of a host's connections, as `ss -tan` lists them. */
function endsOf(host: Scene['server']): string[] {
  return host
    .connections()
    .filter(({ state }) => state === 'ESTABLISHED')
    .map((c) => `${c.localAddress}:${c.localPort} ${c.remoteAddress}:${c.remotePort}`)
    .sort();
}

describe('S3: endpoints', () => {
  const address = '192.3.4.16';

  test('an endpoint is address and port: 192.3.4.16:80', () =>
    tell({ server: { address }, client: { localPortRange: [40_000, 40_000] } }, async (scene) => {
      const { near, far } = await connectPair(scene);
      expect(endsOf(scene.client)).toEqual(['10.0.0.1:40000 192.3.4.16:80']);
      expect(endsOf(scene.server)).toEqual(['192.3.4.16:80 10.0.0.1:40000']);
      const { socket } = near;
      expect(socket.address()).toEqual({ address: '10.0.0.1', family: 'IPv4', port: 40_000 });
      expect(`${socket.remoteAddress}:${socket.remotePort}`).toBe('192.3.4.16:80');
      expect(`${far.socket.localAddress}:${far.socket.localPort}`).toBe('192.3.4.16:80');
    }));

  const TWO_PORTS = { localPortRange: [40_000, 40_001] as const };

  test('two endpoints are one connection; another port at either end is another', () =>
    tell({ server: { address }, client: TWO_PORTS }, async (scene) => {
      const { network, client, server } = scene;
      const heard: string[] = [];
      const listen = (port: number) =>
        server.net
          .createServer((socket: Socket) => {
            const { localPort, remotePort } = socket;
            socket.on('data', (piece) => heard.push(`${localPort} from ${remotePort}: ${piece}`));
          })
          .listen(port);
      listen(80);
      listen(81);
      await sleep(0);
      const open = (port: number) =>
        new End(network, client.net.connect({ host: server.address, port }));
      const all = [open(80), open(80), open(81), open(81)];
      for (const end of all) await end.sees('connect');
      const pairs = [80, 81].flatMap((port) => [40_000, 40_001].map((local) => [local, port]));
      for (const { socket } of all) socket.write(`I am ${socket.localPort} ${socket.remotePort}`);
      await sleep(100);
      expect(endsOf(server)).toEqual(
        pairs.map(([local, port]) => `192.3.4.16:${port} 10.0.0.1:${local}`),
      );
      expect(heard.sort()).toEqual(
        pairs.map(([local, port]) => `${port} from ${local}: I am ${local} ${port}`),
      );

      // The fifth would be one of the first two again.
      const again = open(80);
      await again.sees('close');
      expect(again.events).toEqual(['EADDRNOTAVAIL', 'close']);
      expect(network.trace.segments({ from: 'client', flags: 'S' })).toHaveLength(4);
      for (const { socket } of all) socket.end();
    }));
});

describe('S3: full duplex', () => {
  test('both send at the same time, at the full rate of the path', () =>
    tell({ link: { rate: 10_000_000 } }, async (scene) => {
      const { network } = scene;
      const { near, far } = await connectPair(scene);
      const began = network.now;
      const bytes = [pattern(500_000), pattern(500_000, 1)];
      near.socket.write(bytes[0]);
      far.socket.write(bytes[1]);
      await Promise.all([near.has(500_000), far.has(500_000)]);
      expect(far.received.equals(bytes[0])).toBe(true);
      expect(near.received.equals(bytes[1])).toBe(true);
      // One after the other the two would need 800 ms at least.
      expect(network.now - began).toBeLessThan(700);
      const during = { data: true, since: began + 100, until: began + 300 };
      expect(network.trace.segments({ ...during, from: 'client' }).length).toBeGreaterThan(50);
      expect(network.trace.segments({ ...during, from: 'server' }).length).toBeGreaterThan(50);
    }));

  test('each direction has buffers of its own: one is full, the other flows', () =>
    tell({}, async (scene) => {
      const { client, server } = scene;
      const { near, far } = await connectPair(scene);
      far.socket.pause();
      near.socket.write(Buffer.alloc(20_000_000));
      await sleep(5000);
      const [full] = server.connections().filter(({ state }) => state === 'ESTABLISHED');
      const [stuck] = client.connections();
      expect(full.recvQ).toBeGreaterThan(50_000);
      expect(stuck.sendQ).toBeGreaterThan(50_000);
      const before = far.received.length;

      const bytes = pattern(1_000_000);
      far.socket.write(bytes);
      await near.has(bytes.length);
      expect(near.received.equals(bytes)).toBe(true);
      expect(far.received.length).toBe(before);
      expect(client.connections()[0]).toMatchObject({ recvQ: 0, sendQ: stuck.sendQ });
      near.socket.resetAndDestroy();
    }));
});
