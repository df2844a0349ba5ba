import { once } from 'node:events';
import type { Socket } from '../../../lib';
import { Network, type Host } from '../../../lib/testing';

/** Two hosts, 20 ms apart, and a connection between them. */
class Pair {
  readonly network = new Network();
  readonly client = this.network.host('client');
  readonly server = this.network.host('server');
  readonly cable = this.network.link(this.client, this.server, { delay: 20 });
  /** What has happened to whom, and when (ms). */
  readonly log: [who: string, what: string, when: number][] = [];
  near!: Socket;
  far!: Socket;

  async connect(): Promise<void> {
    const { client, server } = this;
    await this.network.run(async () => {
      const listener = server.net.createServer().listen(7);
      this.near = client.net.connect(7, server.address);
      [this.far] = (await once(listener, 'connection')) as [Socket];
      this.watch('client', this.near);
      this.watch('server', this.far);
    });
  }

  watch(who: string, socket: Socket): void {
    const note = (what: string) => this.log.push([who, what, this.network.now]);
    socket.on('data', (data: Buffer) => note(`data ${data.length}`));
    socket.on('end', () => note('end'));
    socket.on('error', (error: NodeJS.ErrnoException) => note(String(error.code)));
    socket.on('close', () => note('close'));
  }

  states(host: Host): string[] {
    return host.connections().map(({ state }) => state);
  }
}

let pair: Pair;

beforeEach(async () => {
  pair = new Pair();
  await pair.connect();
});

afterEach(async () => {
  await pair.network.close();
});

test('a crash is silent, to the peer and to the program', async () => {
  const { network, server, near, log } = pair;
  server.crash();
  expect(server.state).toBe('crashed');
  near.write('x');
  await network.advance(10_000);
  expect(log).toEqual([]);
  expect(near.destroyed).toBe(false);
});

test('a host that has rebooted remembers nothing and works again, by the same net', async () => {
  const { network, client, server, near, far, log } = pair;
  const { createServer } = server.net;
  server.crash();
  await network.advance(1000);
  server.reboot();
  expect([server.state, server.connections()]).toEqual(['up', []]);
  near.write('x');
  const start = network.now;
  await network.advance(1000);
  expect(log).toEqual([
    ['client', 'ECONNRESET', start + 40],
    ['client', 'close', start + 40],
  ]);
  await network.run(async () => {
    createServer((socket) => socket.end('again')).listen(7);
    const [data] = (await once(client.net.connect(7, server.address), 'data')) as [Buffer];
    expect(data.toString()).toBe('again');
  });
  // What the program of before still holds is dead.
  far.write('y');
  await network.advance(1000);
  expect(log).toHaveLength(2);
});

test('a running host that reboots has crashed', async () => {
  const { network, server, near, log } = pair;
  server.reboot();
  near.write('x');
  await network.advance(1000);
  expect(log.map(([, what]) => what)).toEqual(['ECONNRESET', 'close']);
});

test('a killed program ends its connections and hears nothing of it', async () => {
  const { network, client, server, near, log } = pair;
  const start = network.now;
  server.kill();
  await network.advance(100);
  expect(log).toEqual([
    ['client', 'end', start + 20],
    ['client', 'close', start + 20],
  ]);
  expect(near.destroyed).toBe(true);
  expect(server.state).toBe('up');
  await network.run(async () => {
    const [error] = (await once(client.net.connect(7, server.address), 'error')) as [Error];
    expect(error).toMatchObject({ code: 'ECONNREFUSED' });
  });
});

test('a killed program that has not read everything resets', async () => {
  const { network, server, near, far, log } = pair;
  far.removeAllListeners('data');
  far.pause();
  near.write(Buffer.alloc(200_000));
  await network.advance(1000);
  server.kill();
  await network.advance(1000);
  expect(log.map(([who, what]) => [who, what])).toEqual([
    ['client', 'ECONNRESET'],
    ['client', 'close'],
  ]);
});

test('what a killed program was about to connect is given up', async () => {
  const { network, client, server, cable } = pair;
  cable.cut();
  const pending = client.net.connect({ port: 7, host: server.address, timeout: 100 });
  let called = 0;
  for (const event of ['connect', 'error', 'timeout', 'close']) pending.on(event, () => called++);
  await network.advance(10);
  client.kill();
  cable.heal();
  await network.advance(300_000);
  expect(called).toBe(0);
  expect(client.connections()).toEqual([]);
});

test('a host that shuts down closes in order and is off when all is said', async () => {
  const { network, client, server, near, log } = pair;
  near.on('end', () => near.end());
  const start = network.now;
  server.shutdown();
  expect(server.state).toBe('up');
  await network.advance(1000);
  expect(log.slice(0, 2)).toEqual([
    ['client', 'end', start + 20],
    ['client', 'close', start + 20],
  ]);
  expect(server.state).toBe('off');
  expect(pair.states(client)).toEqual([]);
});

test('a host that shuts down does not wait for ever', async () => {
  const { network, server, cable } = pair;
  cable.cut();
  server.shutdown();
  await network.advance(59_999);
  expect(server.state).toBe('up');
  await network.advance(1);
  expect(server.state).toBe('off');
  server.reboot();
  expect(server.state).toBe('up');
});

test('one that is shut down while it stands still is off when it has gone on', async () => {
  const { network, server, near, log } = pair;
  near.on('end', () => near.end());
  server.pause();
  server.shutdown();
  await network.advance(1000);
  expect(server.state).toBe('paused');
  expect(log).toEqual([]);
  server.resume();
  await network.advance(1000);
  expect(server.state).toBe('off');
  expect(log.map(([, what]) => what)).toEqual(['end', 'close']);
});

test('a host that stands still goes on where it was', async () => {
  const { network, server, near, log } = pair;
  server.pause();
  expect(server.state).toBe('paused');
  near.write('hello');
  await network.advance(100);
  expect(log).toEqual([]);
  const start = network.now;
  server.resume();
  await network.advance(1000);
  expect(log).toEqual([['server', 'data 5', start]]);
});

test('what a host that stands still has to retransmit leaves when it goes on', async () => {
  const { network, client, near, cable } = pair;
  cable.cut();
  near.write('hello');
  await network.advance(1);
  client.pause();
  const sent = client.counters.TcpRetransSegs;
  await network.advance(5000);
  expect(client.counters.TcpRetransSegs).toBe(sent);
  client.resume();
  await network.advance(0);
  expect(client.counters.TcpRetransSegs).toBe(sent + 1);
});

test("a clock that runs fast makes a host's timers short", async () => {
  const { network, client, near, cable } = pair;
  cable.cut();
  client.clockRate = 10;
  near.write('x');
  const start = network.now;
  await network.advance(1000);
  const times = network.trace
    .segments({ from: 'client' })
    .filter(({ length, time }) => length === 1 && time >= start)
    .map(({ time }) => time - start);
  // RTO: 200 ms and what the round trip takes, at ten times the speed.
  expect(times[0]).toBe(0);
  expect(times[1]).toBeGreaterThan(20);
  expect(times[1]).toBeLessThan(50);
  // A probe first, from which on the timeout runs, and doubles.
  expect(times[2] - times[1]).toBeCloseTo(times[1], 0);
  expect(times[3] - times[2]).toBeCloseTo(2 * times[1], 0);
});

test('a firewall drops or rejects what comes to a port, over reboots too', async () => {
  const { network, client, server, near, log } = pair;
  server.block(7, 'reject');
  const start = network.now;
  near.write('x');
  await network.advance(100);
  expect(log).toEqual([
    ['client', 'ECONNRESET', start + 40],
    ['client', 'close', start + 40],
  ]);
  server.reboot();
  await network.run(async () => {
    server.net.createServer().listen(7);
    const [error] = (await once(client.net.connect(7, server.address), 'error')) as [Error];
    expect(error).toMatchObject({ code: 'ECONNREFUSED' });
  });
  for (const address of [server.address, server.address6]) {
    server.block(7, 'unreachable');
    await network.run(async () => {
      const [error] = (await once(client.net.connect(7, address), 'error')) as [Error];
      expect(error).toMatchObject({ code: 'ECONNREFUSED' });
    });
  }
  expect(client.counters).toMatchObject({ IcmpInDestUnreachs: 1, Icmp6InDestUnreachs: 1 });
  server.unblock(7);
  await network.run(() => once(client.net.connect(7, server.address), 'connect'));
  expect(() => server.block(70_000, 'drop')).toThrow(RangeError);
  expect(() => server.block(7, 'forget' as 'drop')).toThrow(TypeError);
});
