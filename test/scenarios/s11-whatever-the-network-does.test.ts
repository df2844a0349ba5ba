import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { LinkOptions } from '../../lib/testing';
import { pattern } from '../support/segments';
import { connectPair, type Scene, sleep, states, tell } from './support';

/** Everything at once, both ways. */
const TROUBLE: LinkOptions = {
  delay: 10,
  jitter: 5,
  loss: 0.03,
  duplicate: 0.03,
  reorder: { probability: 0.05 },
  corrupt: 0.01,
};

/** Each kind of it has happened. */
function expectTrouble({ cable }: Scene): void {
  const [up, down] = Object.values(cable.counters);
  for (const kind of ['duplicated', 'reordered', 'corrupted'] as const) {
    expect(up[kind] + down[kind]).toBeGreaterThan(0);
  }
  for (const { lost } of [up, down]) expect(lost.lost).toBeGreaterThan(0);
}

describe('S11: in order, without loss, without duplicates', () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])('whatever the network does, seed %d', (seed) =>
    tell({ seed, link: TROUBLE }, async (scene) => {
      const { client, server } = scene;
      const { near, far } = await connectPair(scene, { family: seed % 2 === 0 ? 4 : 6 });
      const [up, down] = [pattern(400_000, 1), pattern(300_000, 2)];
      near.socket.end(up);
      far.socket.end(down);
      await Promise.all([near.sees('close'), far.sees('close')]);
      expect(far.received.equals(up)).toBe(true);
      expect(near.received.equals(down)).toBe(true);
      expect([...near.events].sort()).toEqual(['close', 'connect', 'end', 'finish']);
      expect([...far.events].sort()).toEqual(['close', 'end', 'finish']);
      expectTrouble(scene);
      expect(client.counters.TcpRetransSegs).toBeGreaterThan(0);
      expect(server.counters.TcpExtTCPOFOQueue).toBeGreaterThan(0);
      await sleep(200_000);
      expect([...states(client), ...states(server)]).toEqual([]);
    }),
  );

  test('pieces of every size, written one by one', () =>
    tell({ seed: 9, link: TROUBLE }, async (scene) => {
      const { near, far } = await connectPair(scene);
      const bytes = pattern(200_000);
      for (let at = 0, size = 1; at < bytes.length; at += size, size = (size * 7) % 5003) {
        const piece = bytes.subarray(at, at + size);
        if (near.socket.write(piece)) continue;
        await new Promise((resolve) => near.socket.once('drain', resolve));
      }
      near.socket.end();
      await far.sees('end');
      expect(far.received.equals(bytes)).toBe(true);
      expectTrouble(scene);
      far.socket.end();
    }));

  test('node:http, one connection for all requests', () =>
    tell({ seed: 10, link: TROUBLE }, async (scene) => {
      const { client, server } = scene;
      const web = http.createServer((request, response) => {
        const chunks: Buffer[] = [];
        request.on('data', (chunk: Buffer) => chunks.push(chunk));
        request.on('end', () => response.end(Buffer.concat(chunks).reverse()));
      });
      const listener = server.net.createServer((socket) => web.emit('connection', socket));
      await new Promise<void>((resolve) => listener.listen(80, resolve));
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
      Object.assign(agent, { createConnection: client.net.createConnection });
      const { port } = listener.address() as AddressInfo;
      for (let i = 0; i < 5; i++) {
        const body = pattern(60_000, i);
        const answer = await post({ agent, host: server.address, port }, Buffer.from(body));
        expect(answer.equals(Buffer.from(body).reverse())).toBe(true);
      }
      expect(client.counters.TcpActiveOpens).toBe(1);
      expectTrouble(scene);
      agent.destroy();
    }));
});

function post(options: http.RequestOptions, body: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const request = http.request({ ...options, method: 'POST' }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve(Buffer.concat(chunks)));
    });
    request.on('error', reject);
    request.end(body);
  });
}
