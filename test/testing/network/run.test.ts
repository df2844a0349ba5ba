import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { Network } from '../../../lib/testing';

const HOUR = 3_600_000;

/** Two hosts, 20 ms apart; what the server is sent it sends back. */
function echoNetwork(options: ConstructorParameters<typeof Network>[0] = {}) {
  const network = new Network(options);
  const client = network.host('client');
  const server = network.host('server');
  const cable = network.link(client, server, { delay: 20 });
  server.net.createServer((socket) => socket.pipe(socket)).listen(7);
  return { network, client, server, cable };
}

describe('run', () => {
  test('takes virtual time for what takes time in a network, and gives the result', async () => {
    const { network, client, server } = echoNetwork();
    const result = await network.run(async () => {
      const socket = client.net.connect(7, server.address);
      await once(socket, 'connect');
      const connected = network.now;
      socket.write('hello');
      const [data] = (await once(socket, 'data')) as [Buffer];
      const answered = network.now;
      socket.end();
      await once(socket, 'close');
      return { connected, answered, data: data.toString() };
    });
    expect(result).toEqual({ connected: 40, answered: 80, data: 'hello' });
    await network.close();
  });

  test('goes on until the network has come to rest', async () => {
    const { network, client, server } = echoNetwork();
    let answered = 0;
    await network.run(() => {
      const socket = client.net.connect(7, server.address);
      socket.end('hello');
      socket.on('data', () => (answered = network.now));
    });
    expect(answered).toBe(80);
    expect(client.connections().map(({ state }) => state)).toEqual(['TIME-WAIT']);
    expect(network.now).toBeLessThan(1000);
    await network.advance(61_000);
    expect(client.connections()).toEqual([]);
    await network.close();
  });

  test("the program's timers and dates are on that time", async () => {
    const { network } = echoNetwork({ epoch: Date.UTC(2031, 5, 1) });
    const real = Date.now();
    const seen = await network.run(async () => {
      const start = Date.now();
      await new Promise((resolve) => setTimeout(resolve, 5 * HOUR));
      return [new Date(start).toISOString(), Date.now() - start];
    });
    expect(seen).toEqual(['2031-06-01T00:00:00.000Z', 5 * HOUR]);
    expect(network.now).toBe(5 * HOUR);
    expect(Date.now() - real).toBeLessThan(HOUR);
    await network.close();
  });

  test('waits for timeouts that the program leaves behind, not for intervals', async () => {
    const { network } = echoNetwork();
    const fired: number[] = [];
    let ticks = 0;
    const interval = await network.run(() => {
      setTimeout(() => fired.push(network.now), 3000);
      return setInterval(() => ticks++, 1000);
    });
    expect(fired).toEqual([3000]);
    const before = ticks;
    await network.advance(10_000);
    expect(ticks - before).toBe(10);
    clearInterval(interval);
    await network.advance(10_000);
    expect(ticks - before).toBe(10);
    await network.close();
  });

  test('rejects with what the program throws, at once or later', async () => {
    const { network } = echoNetwork();
    const failure = new Error('mine');
    const atOnce = network.run(() => {
      throw failure;
    });
    await expect(atOnce).rejects.toBe(failure);
    const later = network.run(async () => {
      await new Promise((resolve) => setTimeout(resolve, 10));
      throw failure;
    });
    await expect(later).rejects.toBe(failure);
    expect(network.now).toBe(10);
    await network.close();
  });

  test('a deadlock rejects, and says who waits for what', async () => {
    const { network, client, server } = echoNetwork({ seed: 3 });
    const waiting = network.run(async () => {
      const socket = client.net.connect(7, server.address);
      await once(socket, 'data');
    });
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_NETLAND_DEADLOCK' });
    const message = await waiting.catch((error: Error) => error.message);
    expect(message).toMatch(/nothing will happen any more, at 60 ms \(seed 3\)/);
    expect(message).toMatch(/client.*server.*ESTABLISHED.*data/);
    await network.close();
  });

  test('a program that goes on for ever is stopped at the limit', async () => {
    const { network, client, server } = echoNetwork();
    const endless = network.run(
      async () => {
        const socket = client.net.connect({ port: 7, host: server.address });
        for (;;) {
          socket.write('again');
          await once(socket, 'data');
        }
      },
      { limit: 1000 },
    );
    await expect(endless).rejects.toMatchObject({ code: 'ERR_NETLAND_TIME_LIMIT' });
    expect(network.now).toBe(1000);
    await network.close();
  });

  test('http, both ends in one process', async () => {
    const { network, client, server } = echoNetwork();
    const body = await network.run(async () => {
      const web = http.createServer((request, response) => response.end(`you want ${request.url}`));
      server.net.createServer((socket) => web.emit('connection', socket)).listen(80);
      return new Promise<string>((resolve, reject) => {
        const options = { host: server.address, path: '/x', createConnection: client.net.connect };
        const request = http.get(options as http.RequestOptions, (response) => {
          let text = '';
          response.on('data', (data) => (text += data));
          response.on('end', () => resolve(text));
        });
        request.on('error', reject);
      });
    });
    expect(body).toBe('you want /x');
    await network.close();
  });

  test('time stands still while it is held', async () => {
    const { network, client, server } = echoNetwork();
    const times = await network.run(async () => {
      const socket = client.net.connect(7, server.address);
      await once(socket, 'connect');
      const before = network.now;
      let turns = 0;
      await network.hold(
        new Promise<void>((resolve) => {
          const turn = () => (turns++ < 500 ? setImmediate(turn) : resolve());
          turn();
        }),
      );
      socket.destroy();
      return [before, network.now];
    });
    expect(times).toEqual([40, 40]);
    await network.close();
  });

  test('a filter that wakes the program does so at that time', async () => {
    const network = new Network();
    const [a, b] = [network.host('a'), network.host('b')];
    let seen: () => void = () => undefined;
    const third = new Promise<void>((resolve) => (seen = resolve));
    let count = 0;
    const filter = () => {
      if (++count === 3) seen();
    };
    network.link(a, b, { delay: 20, from: { a: { filter } } });
    b.net.createServer((socket) => socket.resume()).listen(7);
    const time = await network.run(async () => {
      const socket = a.net.connect(7, b.address);
      socket.on('error', () => undefined);
      socket.end(Buffer.alloc(100_000));
      await third;
      return network.now;
    });
    // After the SYN the third segment, as well as the second, leaves with the SYN+ACK.
    expect(time).toBe(40);
    await network.close();
  });

  test('one after the other only, and not inside of each other', async () => {
    const { network } = echoNetwork();
    const inner = network.run(async () => network.advance(10));
    await expect(inner).rejects.toMatchObject({ code: 'ERR_NETLAND_BUSY' });
    const first = network.run(() => 1);
    await expect(network.run(() => 2)).rejects.toMatchObject({ code: 'ERR_NETLAND_BUSY' });
    expect(await first).toBe(1);
    await network.close();
    await expect(network.run(() => 3)).rejects.toMatchObject({ code: 'ERR_NETLAND_CLOSED' });
  });
});

describe('the same seed', () => {
  async function life(seed: number): Promise<string> {
    const network = new Network({ seed });
    const client = network.host('client');
    const server = network.host('server');
    const impaired = { delay: 10, jitter: 5, loss: 0.05, duplicate: 0.02, corrupt: 0.02 };
    network.link(client, server, impaired);
    await network.run(async () => {
      server.net.createServer((socket) => socket.pipe(socket)).listen(7);
      const sockets = [1, 2, 3].map(() => client.net.connect(7, server.address6));
      for (const socket of sockets) socket.end(Buffer.alloc(50_000));
      await Promise.all(sockets.map((socket) => once(socket.resume(), 'close')));
    });
    const text = network.trace.toString();
    await network.close();
    return text;
  }

  test('gives the same run, another one another', async () => {
    const [first, second, other] = [await life(1), await life(1), await life(2)];
    expect(first.length).toBeGreaterThan(10_000);
    expect(second).toBe(first);
    expect(other).not.toBe(first);
  });
});

describe('what a network is made of', () => {
  test('hosts have addresses of their own', async () => {
    const network = new Network();
    const [a, b] = [network.host('a'), network.host('b', { address: '192.0.2.7' })];
    expect([a.address, a.address6]).toEqual(['10.0.0.1', 'fd00::1']);
    expect([b.address, b.address6]).toEqual(['192.0.2.7', 'fd00::2']);
    expect(network.host('c').address).toBe('10.0.0.2');
    expect(() => network.host('d', { address: '10.0.0.1' })).toThrow(/taken/);
    expect(() => network.host('a')).toThrow(/taken/);
    expect(() => network.host('two words')).toThrow(/one word/);
    expect(() => network.host('e', { address: 'fd00::9' })).toThrow(/IPv4/);
    await network.close();
  });

  test('a host talks to itself, and without a cable to nobody else', async () => {
    const network = new Network();
    const [alone, other] = [network.host('alone'), network.host('other')];
    await network.run(async () => {
      const server = alone.net.createServer((socket) => socket.end('me')).listen(0);
      const { port } = server.address() as AddressInfo;
      for (const host of ['127.0.0.1', '::1', alone.address, alone.address6]) {
        const [data] = (await once(alone.net.connect(port, host), 'data')) as [Buffer];
        expect(data.toString()).toBe('me');
      }
      const [error] = (await once(alone.net.connect(80, other.address), 'error')) as [Error];
      expect(error).toMatchObject({ code: 'ENETUNREACH', syscall: 'connect' });
    });
    await network.close();
  });

  test('a host has one cable, a router as many as it likes', async () => {
    const network = new Network();
    const [a, b, c] = ['a', 'b', 'c'].map((name) => network.host(name));
    const router = network.router('router');
    for (const host of [a, b, c]) network.link(host, router, { delay: 5 });
    expect(() => network.link(a, b)).toThrow(/router/);
    await network.run(async () => {
      b.net.createServer((socket) => socket.end('b')).listen(1);
      c.net.createServer((socket) => socket.end('c')).listen(1);
      for (const host of [b, c]) {
        const [data] = (await once(a.net.connect(1, host.address6), 'data')) as [Buffer];
        expect(data.toString()).toBe(host.name);
      }
    });
    await network.close();
  });

  test('bad options are refused', () => {
    const bad = (options: unknown) => () => new Network(options as object);
    expect(bad({ seed: -1 })).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
    expect(bad({ seed: 'x' })).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
    expect(bad({ sede: 1 })).toThrow(/has no "sede"/);
    expect(bad({ trace: 3 })).toThrow(/trace/);
    expect(bad(null)).toThrow(TypeError);
    const network = new Network();
    expect(() => network.host('h', { clockRate: 0 })).toThrow(RangeError);
  });
});
