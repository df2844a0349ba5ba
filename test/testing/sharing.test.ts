import type { CongestionController } from '../../lib';
import { Network } from '../../lib/testing';

type Control = 'cubic' | 'reno' | CongestionController;

/** Mbit/s of each upload through one bottleneck, for `seconds` after the first three. */
async function shares(controls: readonly Control[], seconds: number, tcp = {}): Promise<number[]> {
  const network = new Network({ seed: 3, trace: false });
  const server = network.host('server');
  const router = network.router('router');
  network.link(router, server, { rate: 10e6, delay: 10, queue: 50_000 });
  const received = controls.map(() => 0);
  const clients = controls.map((congestionControl, i) => {
    const client = network.host(`client${i}`, { congestionControl, tcp });
    network.link(client, router, { delay: 5 });
    return client;
  });
  const taken = await network.run(async () => {
    const sockets = clients.map((client, i) => {
      const sink = server.net.createServer((socket) => {
        socket.on('data', (data: Buffer) => (received[i] += data.length));
      });
      sink.listen(1000 + i);
      const socket = client.net.connect(1000 + i, server.address);
      const more = () => void socket.write(Buffer.alloc(3_000_000));
      socket.on('drain', more);
      more();
      return socket;
    });
    await new Promise((later) => setTimeout(later, 3000));
    const before = [...received];
    await new Promise((later) => setTimeout(later, seconds * 1000));
    const after = [...received];
    for (const socket of sockets) socket.destroy();
    return after.map((bytes, i) => bytes - before[i]);
  });
  await network.close();
  return taken.map((bytes) => (bytes * 8) / seconds / 1e6);
}

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

describe('one bottleneck', () => {
  it('is shared by two of CUBIC', async () => {
    const both = await shares(['cubic', 'cubic'], 10);
    expect(sum(both)).toBeGreaterThan(8.5);
    // Jain's index.
    expect(sum(both) ** 2 / (2 * sum(both.map((x) => x * x)))).toBeGreaterThan(0.9);
  });

  it('is not taken by CUBIC from Reno, where round trips are short', async () => {
    const [cubic, reno] = await shares(['cubic', 'reno'], 10);
    expect(cubic + reno).toBeGreaterThan(8.5);
    expect(reno).toBeGreaterThan(2);
    expect(cubic).toBeGreaterThan(2);
  });

  it('is filled by one that is paced', async () => {
    const [paced] = await shares(['cubic'], 3, { pacing: 1 });
    expect(paced).toBeGreaterThan(8.5);
  });
});

describe('pacing', () => {
  /** When segments of data leave the client, ms. */
  async function times(tcp: object): Promise<number[]> {
    const network = new Network({ seed: 1, trace: true });
    const client = network.host('client', { tcp });
    const server = network.host('server');
    network.link(client, server, { delay: 50 });
    await network.run(async () => {
      const served = new Promise<void>((done) => {
        server.net.createServer((socket) => socket.resume().on('end', done)).listen(7);
      });
      client.net.connect(7, server.address).end(Buffer.alloc(14_480));
      await served;
    });
    const data = network.trace
      .segments()
      .filter(({ from, length }) => from === 'client' && length > 0);
    return data.map(({ time }) => time - data[0].time);
  }

  it('spreads the first window over half of a round trip', async () => {
    expect(await times({})).toEqual(new Array(10).fill(0));
    const spread = await times({ pacing: 1 });
    expect(spread).toHaveLength(10);
    expect(spread[9]).toBeGreaterThan(39);
    expect(spread[9]).toBeLessThan(41);
  });
});
