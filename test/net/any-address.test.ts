import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { memoryLink, Stack } from '../../lib/index';
import type { Link, RemoteInfo, Server, Socket, Syn } from '../../lib/index';
import type { LinkPort } from '../../lib/link/link';

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((done) => setTimeout(done, 1));
}

const ADDRESSES = ['10.0.0.1/24', 'fd00::1/64'];

/** A host, and a tunnel's far end, which is everybody else to it. */
async function tunnel(): Promise<{ host: Stack; far: Stack }> {
  const link = memoryLink();
  const host = await Stack.open({ link, addresses: ADDRESSES, tcp: { rtoInitial: 20 } });
  const far = await Stack.open({ link, addresses: ['192.0.2.1/32'], anyAddress: true });
  return { host, far };
}

async function listening(server: Server): Promise<Server> {
  await once(server, 'listening');
  return server;
}

/** A server that says where the peer believes to be. */
function teller(stack: Stack): Server {
  return stack.net.createServer((socket) => {
    socket.end(`${socket.localAddress} ${socket.localPort}`);
  });
}

function ask(stack: Stack, host: string, port: number): Promise<string> {
  return text(stack.net.connect({ host, port }));
}

describe('a stack with any address', () => {
  let host: Stack;
  let far: Stack;

  beforeEach(async () => {
    ({ host, far } = await tunnel());
  });

  afterEach(() => {
    host.destroy();
    far.destroy();
  });

  it.each([
    ['8.8.8.8', 53],
    ['2001:db8::1', 443],
    ['10.0.0.77', 1],
    ['192.0.2.1', 65_535],
    ['fe80::1', 80],
  ])('takes connections to %s on any port', async (address, port) => {
    await listening(teller(far).listen({ anyPort: true, host: address.includes(':') ? '::' : '' }));
    const shown = address.includes(':') ? address : `::ffff:${address}`;
    expect(await ask(host, address, port)).toBe(`${shown} ${port}`);
  });

  it('has nobody where no server listens, and resets', async () => {
    await listening(teller(far).listen(80));
    const client = host.net.connect(81, '8.8.8.8');
    const [error] = (await once(client, 'error')) as [Error];
    expect(error).toMatchObject({ code: 'ECONNREFUSED', address: '8.8.8.8', port: 81 });
    expect(await ask(host, '8.8.8.8', 80)).toBe('::ffff:8.8.8.8 80');
  });

  it('prefers the server on the port', async () => {
    const options = [
      { port: 80, host: '8.8.8.8' },
      { port: 81, host: '0.0.0.0' },
      { anyPort: true, host: '8.8.8.8' },
      { anyPort: true, host: '::', ipv6Only: true },
    ];
    const asked = [
      ['8.8.8.8', 80],
      ['9.9.9.9', 81],
      ['8.8.8.8', 82],
      ['2001:db8::1', 81],
    ] as const;
    const servers = options.map((option, index) =>
      far.net.createServer((socket) => void socket.end(`${index}`)).listen(option),
    );
    await Promise.all(servers.map(listening));
    const answers = await Promise.all(asked.map(([address, port]) => ask(host, address, port)));
    expect(answers).toEqual(['0', '1', '2', '3']);
    for (const server of servers.slice(0, 2)) server.close();
    expect(await ask(host, '8.8.8.8', 80)).toBe('2');
    await expect(ask(host, '9.9.9.9', 80)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('lets one server have all ports of an address, and others theirs', async () => {
    const server = await listening(teller(far).listen({ anyPort: true }));
    expect(server.address()).toEqual({ address: '::', family: 'IPv6', port: 0 });
    expect(far.connections()[0]).toMatchObject({ state: 'LISTEN', localPort: 0 });
    const second = far.net.createServer().listen({ anyPort: true, host: '8.8.8.8' });
    const [error] = (await once(second, 'error')) as [Error];
    expect(error).toMatchObject({ code: 'EADDRINUSE', address: '8.8.8.8' });
    await listening(far.net.createServer().listen(80));
    server.close();
    await once(server, 'close');
    await listening(second.listen({ anyPort: true, host: '8.8.8.8' }));
  });

  it('comes from any address that it is told to', async () => {
    const server = await listening(
      host.net.createServer((socket) => void socket.end(socket.remoteAddress)).listen(80),
    );
    for (const localAddress of ['8.8.8.8', '2001:db8::1']) {
      const to = localAddress.includes(':') ? 'fd00::1' : '10.0.0.1';
      const client = far.net.connect({ port: 80, host: to, localAddress, localPort: 443 });
      expect(await text(client)).toBe(localAddress.includes(':') ? localAddress : '::ffff:8.8.8.8');
    }
    server.close();
  });

  it('keeps its loopback and its own addresses inside', async () => {
    await listening(teller(far).listen({ anyPort: true }));
    expect(await ask(far, '127.0.0.1', 7)).toBe('::ffff:127.0.0.1 7');
    expect(await ask(far, '192.0.2.1', 7)).toBe('::ffff:192.0.2.1 7');
    const mixed = far.net.connect({ host: '192.0.2.1', port: 7, localAddress: '8.8.8.8' });
    const [error] = (await once(mixed, 'error')) as [Error];
    expect(error).toMatchObject({ code: 'EINVAL' });
  });

  it('takes a program’s connections to what is on the wire, not its own server', async () => {
    await listening(teller(far).listen({ anyPort: true }));
    await listening(host.net.createServer((socket) => void socket.end('host')).listen(7));
    expect(await ask(far, '10.0.0.1', 7)).toBe('host');
  });

  it.each<[object, string, RegExp]>([
    [{ anyPort: true, port: 80 }, 'ERR_INVALID_ARG_VALUE', /together with anyPort/],
    [{ anyPort: 1 }, 'ERR_INVALID_ARG_TYPE', /boolean/],
  ])('does not listen on %j', (options, code, message) => {
    const listen = (): Server => far.net.createServer().listen(options);
    expect(listen).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  });

  it('leaves nothing of a port behind when its connections are gone', async () => {
    const server = far.net.createServer((socket) => void socket.on('error', () => undefined));
    await listening(server.listen({ anyPort: true }));
    for (let round = 0; round < 3; round++) {
      const clients: Socket[] = [];
      for (let port = 1000; port < 1030; port++) clients.push(host.net.connect(port, '8.8.8.8'));
      await Promise.all(clients.map((client) => once(client, 'connect')));
      expect(far.connections()).toHaveLength(31);
      for (const client of clients) client.resetAndDestroy();
      while (far.connections().length > 1) await new Promise((done) => setImmediate(done));
    }
  });
});

/** The next SYN that a server is asked about. */
async function nextSyn(server: Server): Promise<Syn> {
  const [syn] = (await once(server, 'syn')) as [Syn];
  return syn;
}

describe("server.on('syn')", () => {
  let host: Stack;
  let far: Stack;
  let server: Server;

  beforeEach(async () => {
    ({ host, far } = await tunnel());
    server = await listening(far.net.createServer().listen({ anyPort: true, backlog: 3 }));
  });

  afterEach(() => {
    host.destroy();
    far.destroy();
  });

  it.each(['8.8.8.8', '2001:db8::1'])('says who asks for whom: %s', async (address) => {
    const client = host.net.connect(443, address).on('error', () => undefined);
    const syn = await nextSyn(server);
    const own = address.includes(':') ? 'fd00::1' : '10.0.0.1';
    expect({ ...syn }).toEqual({
      remoteAddress: own,
      remotePort: expect.any(Number),
      localAddress: address,
      localPort: 443,
      family: address.includes(':') ? 'IPv6' : 'IPv4',
    });
    expect(client.connecting).toBe(true);
    expect(far.connections().map(({ state }) => state)).toEqual(['LISTEN', 'SYN-RECEIVED']);
  });

  it('accepts later, and gives the connection to who has accepted it', async () => {
    const order: string[] = [];
    server.on('connection', () => order.push('connection'));
    const client = host.net.connect(80, '8.8.8.8');
    const syn = await nextSyn(server);
    await new Promise((done) => setImmediate(done));
    expect(client.connecting).toBe(true);
    const accepted = new Promise<Socket>((done) => {
      const taken = syn.accept((socket) => {
        order.push('accepted');
        done(socket);
      });
      expect(taken).toBe(true);
    });
    await once(client, 'connect');
    (await accepted).end('hello');
    expect(await text(client)).toBe('hello');
    expect(order).toEqual(['accepted', 'connection']);
    expect([syn.accept(), syn.drop(), syn.reject('reset')]).toEqual([false, false, false]);
    expect(syn.signal.aborted).toBe(false);
  });

  it('rejects as a closed port does', async () => {
    const client = host.net.connect(80, '8.8.8.8');
    const syn = await nextSyn(server);
    expect(syn.reject('reset')).toBe(true);
    const [error] = (await once(client, 'error')) as [Error];
    expect(error).toMatchObject({ code: 'ECONNREFUSED', address: '8.8.8.8', port: 80 });
    expect([syn.accept(), syn.signal.aborted]).toEqual([false, false]);
  });

  it.each([
    ['8.8.8.8', 'unreachable', 'EHOSTUNREACH'],
    ['2001:db8::1', 'unreachable', 'EHOSTUNREACH'],
    ['8.8.8.8', { code: 'EHOSTUNREACH' }, 'EHOSTUNREACH'],
    ['8.8.8.8', { code: 'ENETUNREACH' }, 'ENETUNREACH'],
    ['2001:db8::1', { code: 'ENETUNREACH' }, 'ENETUNREACH'],
    ['8.8.8.8', { code: 'EACCES' }, 'EHOSTUNREACH'],
    ['2001:db8::1', { code: 'EACCES' }, 'EACCES'],
    ['8.8.8.8', { code: 'ECONNREFUSED' }, 'ECONNREFUSED'],
    ['2001:db8::1', { code: 'EMFILE' }, 'ECONNREFUSED'],
    ['8.8.8.8', {}, 'ECONNREFUSED'],
  ])('rejects for %s: %j is %s for the peer', async (address, how, code) => {
    const client = host.net.connect(80, address);
    const syn = await nextSyn(server);
    const why = typeof how === 'string' ? 'unreachable' : Object.assign(new Error('no'), how);
    expect(syn.reject(why)).toBe(true);
    const [error] = (await once(client, 'error')) as [Error];
    expect(error).toMatchObject({ code, address, port: 80 });
    expect(far.connections()).toHaveLength(1);
  });

  it('rejects with nothing what has timed out', async () => {
    const client = host.net.connect(80, '8.8.8.8').on('error', () => undefined);
    const syn = await nextSyn(server);
    expect(syn.reject(Object.assign(new Error('no'), { code: 'ETIMEDOUT' }))).toBe(true);
    expect((await nextSyn(server)).remotePort).toBe(syn.remotePort);
    expect(client.connecting).toBe(true);
  });

  it('drops: the peer asks again, and is asked about again', async () => {
    const client = host.net.connect(80, '8.8.8.8');
    const syn = await nextSyn(server);
    expect(syn.drop()).toBe(true);
    const again = await nextSyn(server);
    expect(again.remotePort).toBe(syn.remotePort);
    again.accept();
    await once(client, 'connect');
  });

  it('asks while somebody listens', async () => {
    const first = host.net.connect(80, '8.8.8.8');
    await once(first, 'connect');
    server.once('syn', (syn: Syn) => syn.reject('reset'));
    await once(host.net.connect(80, '8.8.8.8'), 'error');
    await once(host.net.connect(80, '8.8.8.8'), 'connect');
    expect(server.listenerCount('syn')).toBe(0);
  });

  it('accepts those that nobody has heard of when the listener is removed', async () => {
    const heard: Syn[] = [];
    server.on('syn', (syn: Syn) => {
      heard.push(syn);
      server.removeAllListeners('syn');
    });
    const clients = [host.net.connect(80, '8.8.8.8'), host.net.connect(80, '9.9.9.9')];
    await Promise.race(clients.map((client) => once(client, 'connect')));
    expect(heard).toHaveLength(1);
    expect(clients.filter((client) => client.connecting)).toHaveLength(1);
    heard[0].accept();
    await Promise.all(clients.map(async (client) => client.connecting && once(client, 'connect')));
  });

  it('holds no more than the backlog says, and asks for others when there is room', async () => {
    const heard: Syn[] = [];
    server.on('syn', (syn: Syn) => void heard.push(syn));
    const ports = Array.from({ length: 20 }, (_, index) => 1000 + index);
    for (const port of ports) host.net.connect(port, '8.8.8.8').on('error', () => undefined);
    await until(() => far.counters.TcpExtListenDrops === 17);
    expect(heard.map(({ localPort }) => localPort)).toEqual(ports.slice(0, 3));
    for (const syn of heard) syn.reject('reset');
    await until(() => heard.length === 6);
    expect(far.counters.TcpExtSyncookiesSent).toBe(0);
  });

  it('says when the server is closed, or the stack', async () => {
    for (const close of [() => server.close(), () => far.destroy()]) {
      const client = host.net.connect(80, '8.8.8.8').on('error', () => undefined);
      const syn = await nextSyn(server);
      const { signal } = syn;
      const aborted = once(signal, 'abort');
      close();
      await aborted;
      expect([syn.accept(), syn.reject('reset'), syn.drop()]).toEqual([false, false, false]);
      expect(client.connecting).toBe(true);
      client.destroy();
      if (!server.listening) await listening(server.listen({ anyPort: true })).catch(() => 0);
    }
  });

  it('says when the peer does not answer', async () => {
    server.close();
    far.destroy();
    const link = memoryLink();
    far = await Stack.open({ link, anyAddress: true, tcp: { synackRetries: 1, rtoInitial: 20 } });
    server = await listening(far.net.createServer().listen({ anyPort: true }));
    host.destroy();
    host = await Stack.open({ link, addresses: ADDRESSES });
    host.net.connect(80, '8.8.8.8').on('error', () => undefined);
    const syn = await nextSyn(server);
    host.destroy();
    const { signal } = syn;
    syn.accept(() => expect('connected').toBe(''));
    await once(signal, 'abort');
    expect(syn.signal.aborted).toBe(true);
  });

  it('counts those beyond maxConnections as gone', async () => {
    server.maxConnections = 0;
    const client = host.net.connect(80, '8.8.8.8').on('error', () => undefined);
    const syn = await nextSyn(server);
    const { signal } = syn;
    syn.accept();
    await once(server, 'drop');
    expect(signal.aborted).toBe(true);
    client.destroy();
  });

  it.each<[string, unknown]>([
    ['accept', 1],
    ['reject', undefined],
    ['reject', 'refuse'],
  ])('does not take %s(%j)', async (method, argument) => {
    host.net.connect(80, '8.8.8.8').on('error', () => undefined);
    const syn = (await nextSyn(server)) as unknown as Record<string, (value: unknown) => void>;
    expect(() => syn[method](argument)).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^ERR_INVALID_ARG_/) }),
    );
    expect(syn.drop(0)).toBe(true);
  });
});

describe('a datagram socket on any port', () => {
  it.each(['8.8.8.8', '2001:db8::1'])(
    'learns that %s was meant, and answers as that',
    async (to) => {
      const { host, far } = await tunnel();
      const type = to.includes(':') ? 'udp6' : 'udp4';
      const any = far.dgram.createSocket(type);
      await new Promise<void>((done) => any.bind({ anyPort: true }, done));
      expect(any.address().port).toBe(0);
      any.on('message', (message: Buffer, sender) => {
        any.reply(`${message} for ${sender.localAddress} ${sender.localPort}`, sender);
      });
      const client = host.dgram.createSocket(type);
      client.connect(53, to);
      await once(client, 'connect');
      client.send('who');
      const [answer, sender] = (await once(client, 'message')) as [Buffer, RemoteInfo];
      expect(`${answer}`).toBe(`who for ${to} 53`);
      expect(sender).toMatchObject({ address: to, port: 53 });
      expect(sender).not.toHaveProperty('localPort');
      const own = { address: to, port: 53, family: 'IPv4', size: 0 } as const;
      const failed = new Promise((done) => any.reply('x', own, done));
      expect(await failed).toMatchObject({ code: 'EINVAL' });
      expect(() => any.bind({ anyPort: true, port: 1 })).toThrow();
      host.destroy();
      far.destroy();
    },
  );

  it('leaves a flow to the socket that is bound and connected so', async () => {
    const { host, far } = await tunnel();
    const any = far.dgram.createSocket('udp4');
    await new Promise<void>((done) => any.bind({ anyPort: true }, done));
    const heard: string[] = [];
    any.on('message', (message: Buffer, sender) => {
      heard.push(`any ${message}`);
      const { address = '', port } = sender;
      const flow = far.dgram.createSocket({ type: 'udp4', reuseAddr: true });
      flow.bind(sender.localPort ?? 0, sender.localAddress);
      flow.connect(port, address, () => flow.send('connected'));
      flow.on('message', (next: Buffer) => {
        heard.push(`flow ${next}`);
        flow.send(next);
      });
    });
    const clients = ['one', 'two'].map((name) => ({
      name,
      socket: host.dgram.createSocket('udp4'),
    }));
    for (const { name, socket } of clients) {
      await new Promise<void>((done) => socket.connect(53, '8.8.8.8', () => done()));
      socket.send(name);
      await once(socket, 'message');
    }
    for (const { name, socket } of clients) {
      socket.send(`${name} again`);
      expect(`${((await once(socket, 'message')) as [Buffer])[0]}`).toBe(`${name} again`);
    }
    expect(heard).toEqual(['any one', 'any two', 'flow one again', 'flow two again']);
    host.destroy();
    far.destroy();
  });

  it('can be asked for in one way', async () => {
    await using stack = await Stack.open();
    const socket = stack.dgram.createSocket('udp4');
    const wrong = { code: 'ERR_INVALID_ARG_VALUE' };
    expect(() => socket.bind({ anyPort: true, port: 1 })).toThrow(expect.objectContaining(wrong));
    socket.bind(0);
    await once(socket, 'listening');
    const sender = { address: '127.0.0.1', port: 1, localAddress: '127.0.0.1', localPort: 1 };
    const failed = new Promise((done) => {
      socket.reply('x', { ...sender, family: 'IPv4', size: 0 }, done);
    });
    expect(await failed).toMatchObject({ code: 'EINVAL', syscall: 'send' });
    socket.close();
  });
});

describe('any address', () => {
  it('is not for a raw link, which has the host’s', async () => {
    let closed = 0;
    const port = { mtu: 1500, paths: {}, close: () => void closed++ };
    const link: Link = { kind: 'raw', open: async () => port as unknown as LinkPort };
    const wrong = { code: 'ERR_INVALID_ARG_VALUE', message: expect.stringMatching(/anyAddress/) };
    await expect(Stack.open({ link, anyAddress: true })).rejects.toMatchObject(wrong);
    expect(closed).toBe(1);
  });

  it('is yes or no', async () => {
    const wrong = { anyAddress: 'yes' } as object;
    await expect(Stack.open(wrong)).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' });
  });

  it('leaves what nobody has undeliverable where no stack takes it', async () => {
    const link = memoryLink();
    await using host = await Stack.open({ link, addresses: ADDRESSES, tcp: { synRetries: 1 } });
    host.net.connect(80, '8.8.8.8').on('error', () => undefined);
    while (host.counters.link.undeliverable === 0) await new Promise((done) => setImmediate(done));
    host.destroy();
  });
});
