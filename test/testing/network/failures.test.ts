import { once } from 'node:events';
import { Network, type Host } from '../../../lib/testing';

let network: Network;
let client: Host;
let server: Host;

beforeEach(() => {
  network = new Network();
  client = network.host('client');
  server = network.host('server');
});

afterEach(() => network.close());

function code(expected: string): Error {
  return expect.objectContaining({ code: expected }) as Error;
}

describe('what goes wrong is told by run', () => {
  const mine = new Error('mine');
  const throws = (): never => {
    throw mine;
  };

  test('where a filter throws as the program sends', async () => {
    const cable = network.link(client, server, { filter: throws });
    const failing = network.run(() => once(client.net.connect(7, server.address), 'connect'));
    await expect(failing).rejects.toBe(mine);
    cable.set({ filter: undefined });
    await expect(network.run(() => 'again')).resolves.toBe('again');
  });

  test('where a filter throws later on, in advance too', async () => {
    const cable = network.link(client, server, { delay: 5 });
    cable.set({ filter: throws }, { from: server });
    server.net.createServer().listen(7);
    const failing = network.run(() => once(client.net.connect(7, server.address), 'connect'));
    await expect(failing).rejects.toBe(mine);
    await expect(network.advance(10_000)).rejects.toBe(mine);
    cable.set({ filter: undefined });
    await network.advance(10_000);
    expect(client.connections()).toMatchObject([{ state: 'ESTABLISHED' }]);
  });

  test('where an invariant is broken as the program sends', async () => {
    network.link(client, server);
    server.net.createServer().listen(7);
    const failing = network.run(async () => {
      const socket = client.net.connect(7, server.address);
      await once(socket, 'connect');
      client.core.tcp.forEachConnection((c) => (c.sndNxt += 2));
      socket.write('data');
      await once(socket, 'data');
    });
    await expect(failing).rejects.toThrow(/^invariant broken/);
  });

  test('where the program fails while it holds time', async () => {
    const failing = network.run(async () => {
      void network.hold(new Promise(() => undefined));
      await null;
      throw mine;
    });
    await expect(failing).rejects.toBe(mine);
  });

  test('of its own program, not of one before', async () => {
    let fail: (error: Error) => void = () => undefined;
    const stuck = network.run(() => new Promise((_, reject) => (fail = reject)));
    await expect(stuck).rejects.toThrow(code('ERR_NETLAND_DEADLOCK'));
    const running = network.run(async () => {
      fail(mine);
      await new Promise((resolve) => setTimeout(resolve, 5));
      return network.now;
    });
    await expect(running).resolves.toBe(5);
  });

  test('where the network is closed meanwhile', async () => {
    const running = network.run(async () => {
      await network.close();
      await new Promise(() => undefined);
    });
    await expect(running).rejects.toThrow(code('ERR_NETLAND_CLOSED'));
    expect(() => network.host('late')).toThrow(code('ERR_NETLAND_CLOSED'));
    expect(() => network.router('late')).toThrow(code('ERR_NETLAND_CLOSED'));
    expect(() => network.link(client, server)).toThrow(code('ERR_NETLAND_CLOSED'));
    await expect(network.advance(1)).rejects.toThrow(code('ERR_NETLAND_CLOSED'));
  });
});

describe('arguments', () => {
  test.each([
    ['ERR_INVALID_ARG_TYPE', [null, [], { epoch: null }, { epoch: '5' }, { trace: null }]],
    ['ERR_INVALID_ARG_VALUE', [{ sede: 1 }, { trace: { lim: 65_536 } }]],
    ['ERR_OUT_OF_RANGE', [{ epoch: NaN }, { epoch: new Date(NaN) }, { epoch: 1e300 }]],
  ])('of a network: %s', (expected, values) => {
    for (const value of values as object[]) {
      expect(() => new Network(value)).toThrow(code(expected));
    }
  });

  test.each([
    ['ERR_INVALID_ARG_TYPE', [null, 5, { address: 5 }, { tcp: null }, { localPortRange: 5 }]],
    ['ERR_INVALID_ARG_TYPE', [{ clockRate: '1' }, { clockRate: null }]],
    ['ERR_INVALID_ARG_VALUE', [{ adress: '10.1.1.1' }, { address: 'x' }, { address: '::5' }]],
    ['ERR_INVALID_ARG_VALUE', [{ address: '127.0.0.1' }, { address: '255.255.255.255' }]],
    [
      'ERR_INVALID_ARG_VALUE',
      [{ address: '0.0.0.0' }, { address6: '::1' }, { address6: 'ff02::1' }],
    ],
    ['ERR_INVALID_ARG_VALUE', [{ localPortRange: [5, 1] }, { localPortRange: [1] }]],
    ['ERR_OUT_OF_RANGE', [{ tcp: { foo: 1 } }, { tcp: { msl: -1 } }, { clockRate: 0 }]],
  ])('of a host: %s', (expected, values) => {
    for (const value of values as object[]) {
      expect(() => network.host('other', value)).toThrow(code(expected));
    }
    // What was refused has left nothing behind.
    expect(network.host('other').address).toBe('10.0.0.3');
  });

  test('of run and advance', async () => {
    const run = (options: unknown) => network.run(() => 1, options as object);
    await expect(run(null)).rejects.toThrow(code('ERR_INVALID_ARG_TYPE'));
    await expect(run({ limits: 1 })).rejects.toThrow(code('ERR_INVALID_ARG_VALUE'));
    await expect(run({ limit: -1 })).rejects.toThrow(code('ERR_OUT_OF_RANGE'));
    await expect(run({ limit: Infinity })).resolves.toBe(1);
    await expect(network.advance(Infinity)).rejects.toThrow(code('ERR_OUT_OF_RANGE'));
    await expect(network.advance(NaN)).rejects.toThrow(code('ERR_OUT_OF_RANGE'));
    expect(network.now).toBe(0);
  });

  test.each([
    ['ERR_INVALID_ARG_TYPE', [null, 5, { from: 5 }, { since: '1' }, { absolute: 1 }]],
    ['ERR_INVALID_ARG_VALUE', [{ form: 'client' }, { flags: 'x' }]],
  ])('of a trace: %s', (expected, values) => {
    for (const value of values as object[]) {
      expect(() => network.trace.segments(value)).toThrow(code(expected));
      expect(() => network.trace.lines(value)).toThrow(code(expected));
    }
    expect(() => network.trace.lines({ data: true } as object)).toThrow(/has no "data"/);
    expect(() => network.trace.toPcapng({ hosts: 'client' } as object)).toThrow(/has no "hosts"/);
    const numbered = { host: 1 } as unknown as { host: string };
    expect(() => network.trace.toPcapng(numbered)).toThrow(code('ERR_INVALID_ARG_TYPE'));
  });

  test.each(['constructor', '__proto__', 'toString'])('a host may be called %s', (name) => {
    const cable = network.link(network.host(name), client, { from: { client: { delay: 5 } } });
    expect(Object.keys(cable.counters)).toEqual([name, 'client']);
  });
});
