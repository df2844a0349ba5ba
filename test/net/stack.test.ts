import { memoryLink } from '../../lib/link/memory';
import { Stack } from '../../lib/stack';
import { closePair, connected, netlandApi, nextError, once, readAll } from '../support/net-apis';
import { settle } from '../support/manual-clock';

function odd(value: unknown): never {
  return value as never;
}

describe('Stack.open', () => {
  it.each([
    ['options that are none', 5, 'ERR_INVALID_ARG_TYPE'],
    ['a name that there is not', { adresses: [] }, 'ERR_INVALID_ARG_VALUE'],
    ['a link that is none', { link: 'raw' }, 'ERR_INVALID_ARG_TYPE'],
    ['addresses that are no list', { addresses: '10.0.0.1/8' }, 'ERR_INVALID_ARG_TYPE'],
    ['an address that is none', { addresses: ['10.0.0.1000/8'] }, 'ERR_INVALID_ARG_VALUE'],
    ['routes that are no list', { routes: {} }, 'ERR_INVALID_ARG_TYPE'],
    ['a route that is none', { routes: [{ to: '10.0.0.1/8', via: 'x' }] }, 'ERR_INVALID_ARG_VALUE'],
    ['a port range that is none', { localPortRange: [2000, 1000] }, 'ERR_INVALID_ARG_VALUE'],
    ['a port range of text', { localPortRange: '1-2' }, 'ERR_INVALID_ARG_TYPE'],
    ['ports beyond the last', { localPortRange: [60_000, 70_000] }, 'ERR_OUT_OF_RANGE'],
    ['a negative time', { exitTimeout: -1 }, 'ERR_OUT_OF_RANGE'],
    ['a time as text', { exitTimeout: '1' }, 'ERR_INVALID_ARG_TYPE'],
    ['an option that objects have', { toString: 1 }, 'ERR_INVALID_ARG_VALUE'],
    ['settings that are none', { tcp: 5 }, 'ERR_INVALID_ARG_TYPE'],
    ['no settings', { tcp: null }, 'ERR_INVALID_ARG_TYPE'],
    ['a list of settings', { tcp: [] }, 'ERR_INVALID_ARG_TYPE'],
    ['a setting as text', { tcp: { msl: '5' } }, 'ERR_INVALID_ARG_TYPE'],
    ['a setting out of range', { tcp: { msl: 0 } }, 'ERR_OUT_OF_RANGE'],
    ['a setting that is no number', { tcp: { msl: NaN } }, 'ERR_OUT_OF_RANGE'],
    ['a setting that objects have', { tcp: { constructor: 5 } }, 'ERR_OUT_OF_RANGE'],
    ['a trace that cannot be called', { trace: true }, 'ERR_INVALID_ARG_TYPE'],
  ])('refuses %s', async (_title, options, code) => {
    await expect(Stack.open(odd(options))).rejects.toMatchObject({ code });
  });

  it('refuses a TCP setting that there is not, or that is out of range', async () => {
    await expect(Stack.open({ tcp: odd({ nagle: 1 }) })).rejects.toThrow('"nagle"');
    await expect(Stack.open({ tcp: { msl: 0 } })).rejects.toThrow(RangeError);
  });

  it('lets two stacks of one memory link talk to each other', async () => {
    const link = memoryLink();
    await using one = await Stack.open({ link, addresses: ['10.0.0.1/24', 'fd00::1/64'] });
    await using other = await Stack.open({ link, addresses: ['10.0.0.2/24', 'fd00::2/64'] });
    const server = other.net.createServer((peer) => peer.end(`you are ${peer.remoteAddress}`));
    server.listen(7);
    await once(server, 'listening');
    expect(String(await readAll(one.net.connect(7, '10.0.0.2')))).toBe('you are ::ffff:10.0.0.1');
    expect(String(await readAll(one.net.connect(7, 'fd00::2')))).toBe('you are fd00::1');
    await once(server.close(), 'close');
  });

  it('knows ports by the names of their services', async () => {
    await using stack = await Stack.open();
    const server = stack.net.createServer((peer) => peer.end());
    server.listen({ port: 'redis', host: '127.0.0.1' });
    await once(server, 'listening');
    expect(server.address()).toMatchObject({ port: 6379 });
    for (const connect of [
      () => stack.net.connect({ port: 'redis', host: '127.0.0.1' }),
      () => stack.net.connect('redis', '127.0.0.1'),
    ]) {
      const client = connect();
      await once(client, 'connect');
      expect(client.remotePort).toBe(6379);
      await readAll(client);
    }
    // UDP's, and none at all.
    for (const port of ['tftp', 'no-such-service']) {
      const bad = expect.objectContaining({ code: 'ERR_SOCKET_BAD_PORT' }) as Error;
      expect(() => stack.net.connect({ port })).toThrow(bad);
      expect(() => stack.net.createServer().listen({ port })).toThrow(bad);
    }
    await once(server.close(), 'close');
  });

  it('has no way to a family without an address', async () => {
    await using stack = await Stack.open({ addresses: ['10.0.0.1/24'] });
    const error = await nextError(stack.net.connect(80, '2001:db8::1'));
    expect({ ...error }).toEqual({
      code: 'ENETUNREACH',
      errno: -101,
      syscall: 'connect',
      address: '2001:db8::1',
      port: 80,
    });
    expect(error.message).toBe('connect ENETUNREACH 2001:db8::1:80 - Local (:::0)');
  });

  it('counts, and gives copies of its counters', async () => {
    await using stack = await Stack.open();
    const before = stack.counters;
    expect(before).toMatchObject({ TcpActiveOpens: 0, TcpInSegs: 0, link: expect.anything() });
    await nextError(stack.net.connect(9, '127.0.0.1'));
    expect(before.TcpActiveOpens).toBe(0);
    expect(stack.counters).toMatchObject({ TcpActiveOpens: 1, TcpAttemptFails: 1, TcpInSegs: 2 });
    expect(stack.linkName).toMatch(/^memory/);
  });

  it('tells its segments', async () => {
    const states: (number | null)[] = [];
    await using stack = await Stack.open({ trace: (_words, _base, state) => states.push(state) });
    await nextError(stack.net.connect(9, '127.0.0.1'));
    expect(states.length).toBe(4);
  });
});

describe('a stack that was closed', () => {
  it('refuses to connect and to listen, and closes again without harm', async () => {
    const stack = await Stack.open();
    const { net } = stack;
    await stack.close();
    await stack.close();
    stack.destroy();
    expect(await stack.closed).toBeNull();
    expect(await nextError(net.connect(7, '127.0.0.1'))).toMatchObject({
      code: 'ERR_SOCKET_CLOSED',
      message: 'The stack is closed',
    });
    expect(await nextError(net.createServer().listen(7))).toMatchObject({
      code: 'ERR_SOCKET_CLOSED',
    });
    expect(stack.counters.TcpActiveOpens).toBe(0);
  });

  it('has refused what a lookup was still under way for', async () => {
    const stack = await Stack.open();
    const socket = stack.net.connect(7, 'localhost');
    const server = stack.net.createServer().listen(7, 'localhost');
    const failed = [socket, server].map((emitter) => nextError(emitter));
    stack.destroy(new Error('enough'));
    expect(await failed[0]).toMatchObject({ message: 'enough' });
    expect(await failed[1]).toMatchObject({ code: 'ERR_SOCKET_CLOSED' });
  });

  it('refuses a timeout that is none', async () => {
    await using stack = await Stack.open();
    await expect(stack.close({ timeout: -1 })).rejects.toMatchObject({ code: 'ERR_OUT_OF_RANGE' });
    await expect(stack.close({ timeout: odd('1') })).rejects.toThrow(TypeError);
  });

  it('has delivered everything first', async () => {
    const link = memoryLink({ mtu: 1500 });
    const one = await Stack.open({ link, addresses: ['10.0.0.1/24'] });
    const other = await Stack.open({ link, addresses: ['10.0.0.2/24'] });
    const server = other.net.createServer().listen(7, '10.0.0.2');
    const accepted = once(server, 'connection');
    const client = one.net.connect(7, '10.0.0.2').resume();
    await once(client, 'connect');
    const [peer] = (await accepted) as [typeof client];
    const received = readAll(peer);
    client.write(Buffer.alloc(5_000_000, 1));
    await one.close();
    expect((await received).length).toBe(5_000_000);
    await other.close();
  });

  it('leaves everything when it is destroyed, with the error that is given', async () => {
    const api = netlandApi();
    await api.open();
    const pair = await connected(api);
    const failed = Promise.all([pair.client, pair.peer, pair.server].map(nextError));
    await api.close(new Error('enough'));
    expect((await failed).map((error) => error.message)).toEqual(['enough', 'enough', 'enough']);
    await settle();
    expect(pair.server.listening).toBe(false);
    expect(pair.client.destroyed).toBe(true);
  });
});

describe('ports', () => {
  it('are used up, and given back', async () => {
    await using stack = await Stack.open({ localPortRange: [40_000, 40_003] });
    const server = stack.net.createServer((peer) => {
      peer.resume().on('error', () => undefined);
    });
    server.listen(7, '127.0.0.1');
    await once(server, 'listening');
    const clients = [];
    for (let i = 0; i < 4; i++) {
      const client = stack.net.connect(7, '127.0.0.1');
      await once(client, 'connect');
      clients.push(client);
    }
    const ports = clients.map((client) => client.localPort);
    expect([...ports].sort()).toEqual([40_000, 40_001, 40_002, 40_003]);
    const error = await nextError(stack.net.connect(7, '127.0.0.1'));
    expect({ ...error }).toEqual({
      code: 'EADDRNOTAVAIL',
      errno: -99,
      syscall: 'connect',
      address: '127.0.0.1',
      port: 7,
    });
    const gone = once(clients[2], 'close');
    clients[2].resetAndDestroy();
    await gone;
    const again = stack.net.connect(7, '127.0.0.1');
    await once(again, 'connect');
    expect(again.localPort).toBe(ports[2]);
    for (const client of [...clients, again]) client.resetAndDestroy();
    await once(server.close(), 'close');
  });

  it('of the same number may be used towards different peers', async () => {
    await using stack = await Stack.open();
    const api = { ...netlandApi(), net: stack.net };
    const one = await connected(api, {}, { localPort: 5000, localAddress: '127.0.0.1' });
    const two = await connected(api, {}, { localPort: 5000, localAddress: '127.0.0.2' });
    expect([one.client.localPort, two.client.localPort]).toEqual([5000, 5000]);
    await closePair(one);
    await closePair(two);
  });
});
