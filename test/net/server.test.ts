import { Stack } from '../../lib/stack';
import type { Socket } from '../../lib/net/socket';
import { closePair, connected, describeBoth, listen, nextError, once } from '../support/net-apis';

describeBoth('a server', (api) => {
  it('says where it listens', async () => {
    const server = api.net.createServer();
    expect(server.listening).toBe(false);
    expect(server.address()).toBeNull();
    const listening = once(server, 'listening');
    expect(server.listen({ port: 0, host: '127.0.0.1', backlog: 5 })).toBe(server);
    await listening;
    expect(server.listening).toBe(true);
    expect(server.address()).toEqual({
      address: '127.0.0.1',
      family: 'IPv4',
      port: expect.any(Number),
    });
    await once(server.close(), 'close');
    expect(server.address()).toBeNull();
  });

  it.each<[string, unknown[]]>([
    ['listen(port, host, backlog, callback)', [0, '127.0.0.1', 10]],
    ['listen(port, host, callback)', [0, '127.0.0.1']],
    ['listen(port, backlog, callback)', [0, 10]],
    ['listen(port, callback)', [0]],
    ['listen(callback)', []],
    ['listen(null, callback)', [null]],
    ['listen(undefined, callback)', [undefined]],
    ['listen(port as text, callback)', ['0']],
    ['listen({ port }, callback)', [{ port: 0 }]],
    ['listen({ port: undefined }, callback)', [{ port: undefined }]],
    ['listen({ port, host: localhost }, callback)', [{ port: 0, host: 'localhost' }]],
    ['listen({ port, exclusive }, callback)', [{ port: 0, exclusive: true }]],
  ])('takes %s', async (_title, args) => {
    const server = api.net.createServer();
    await new Promise<void>((done) => {
      Reflect.apply(server.listen, server, [...args, done]);
    });
    expect(server.address()?.port).toBeGreaterThan(0);
    await once(server.close(), 'close');
  });

  it('leaves IPv4 out when it is told to', async () => {
    const server = api.net.createServer();
    server.listen({ port: 0, host: '::', ipv6Only: true });
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    expect(await nextError(api.net.connect(port, '127.0.0.1'))).toMatchObject({
      code: 'ECONNREFUSED',
    });
    await once(server.close(), 'close');
  });

  it('finds its port in use', async () => {
    const server = api.net.createServer();
    const port = await listen(server);
    const other = api.net.createServer();
    const failed = nextError(other);
    expect(other.listen(port, '127.0.0.1')).toBe(other);
    const error = await failed;
    expect({ ...error }).toEqual({
      code: 'EADDRINUSE',
      errno: -98,
      syscall: 'listen',
      address: '127.0.0.1',
      port,
    });
    expect(error.message).toBe(`listen EADDRINUSE: address already in use 127.0.0.1:${port}`);
    expect(other.listening).toBe(false);
    await once(server.close(), 'close');
    other.listen(port, '127.0.0.1');
    await once(other, 'listening');
    await once(other.close(), 'close');
  });

  it('cannot listen where it is not', async () => {
    const server = api.net.createServer();
    const failed = nextError(server);
    server.listen(0, '192.0.2.77');
    const error = await failed;
    expect({ ...error }).toEqual({
      code: 'EADDRNOTAVAIL',
      errno: -99,
      syscall: 'listen',
      address: '192.0.2.77',
    });
    expect(error.message).toBe('listen EADDRNOTAVAIL: address not available 192.0.2.77');
  });

  it('cannot listen on a name that nobody knows', async () => {
    const server = api.net.createServer();
    const failed = nextError(server);
    server.listen(0, 'no-such-host.invalid');
    expect(await failed).toMatchObject({ syscall: 'getaddrinfo' });
    expect(server.listening).toBe(false);
  });

  it('listens again at once where a connection was just closed', async () => {
    const pair = await connected(api);
    const closed = Promise.all([once(pair.client, 'close'), once(pair.peer, 'close')]);
    pair.peer.end();
    pair.client.resume();
    pair.peer.resume();
    await closed;
    await once(pair.server.close(), 'close');
    pair.server.listen(pair.port, '127.0.0.1');
    await once(pair.server, 'listening');
    await once(pair.server.close(), 'close');
  });

  it('closes without harm to its connections, and tells when the last has ended', async () => {
    const pair = await connected(api);
    let closed = false;
    pair.server.close(() => (closed = true));
    expect(pair.server.listening).toBe(false);
    expect(await nextError(api.net.connect(pair.port, '127.0.0.1'))).toMatchObject({
      code: 'ECONNREFUSED',
    });
    const data = once(pair.peer, 'data');
    pair.client.write('still here');
    expect(String((await data)[0])).toBe('still here');
    expect(closed).toBe(false);
    const gone = once(pair.server, 'close');
    pair.client.end();
    pair.client.resume();
    await gone;
    expect(closed).toBe(true);
  });

  it('gives an error to the callback when it was not running', async () => {
    const error = await new Promise((done) => api.net.createServer().close(done));
    expect(error).toMatchObject({
      code: 'ERR_SERVER_NOT_RUNNING',
      message: 'Server is not running.',
    });
  });

  it('gives no error to the callback when it was', async () => {
    const server = api.net.createServer();
    await listen(server);
    expect(await new Promise((done) => server.close(done))).toBeUndefined();
  });

  it('counts its connections', async () => {
    const pair = await connected(api);
    const count = () =>
      new Promise((done) => pair.server.getConnections((_error, number) => done(number)));
    expect(await count()).toBe(1);
    expect(pair.peer.server).toBe(pair.server);
    pair.peer.destroy();
    expect(await count()).toBe(0);
    await closePair(pair);
  });

  it('drops what is too many', async () => {
    const pair = await connected(api);
    pair.server.maxConnections = 1;
    const dropped = once(pair.server, 'drop');
    const second = api.net.connect(pair.port, '127.0.0.1');
    const closed = once(second.resume(), 'close');
    second.on('error', () => undefined);
    const [info] = await dropped;
    expect(info).toEqual({
      localAddress: '127.0.0.1',
      localPort: pair.port,
      localFamily: 'IPv4',
      remoteAddress: '127.0.0.1',
      remotePort: expect.any(Number),
      remoteFamily: 'IPv4',
    });
    await closed;
    await closePair(pair);
  });

  it('reads nothing from a new connection when it is told not to', async () => {
    const pair = await connected(api, { pauseOnConnect: true });
    pair.client.write('hello');
    for (let turn = 0; turn < 50; turn++) await new Promise((done) => setImmediate(done));
    expect(pair.peer.bytesRead).toBe(0);
    expect(pair.peer.isPaused()).toBe(true);
    const data = once(pair.peer, 'data');
    pair.peer.resume();
    expect(String((await data)[0])).toBe('hello');
    await closePair(pair);
  });

  it('gives its connections a high water mark', async () => {
    const pair = await connected(api, { highWaterMark: 1234 });
    expect(pair.peer.readableHighWaterMark).toBe(1234);
    expect(pair.peer.writableHighWaterMark).toBe(1234);
    await closePair(pair);
  });

  it('closes by its signal', async () => {
    const controller = new AbortController();
    const server = api.net.createServer();
    server.listen({ port: 0, host: '127.0.0.1', signal: controller.signal });
    await once(server, 'listening');
    const closed = once(server, 'close');
    controller.abort();
    await closed;
    expect(server.listening).toBe(false);
  });

  it('is closed at the end of its scope', async () => {
    const server = api.net.createServer();
    await listen(server);
    {
      await using scoped = server;
      expect(scoped.listening).toBe(true);
    }
    expect(server.listening).toBe(false);
  });

  it('gives a listener and options in each order that node:net takes', async () => {
    const sockets: Socket[] = [];
    const take = (socket: Socket) => void sockets.push(socket);
    for (const server of [
      api.net.createServer(take),
      api.net.createServer({}, take),
      new api.net.Server(take),
      api.net.Server({ allowHalfOpen: true }, take),
    ]) {
      const port = await listen(server);
      const client = api.net.connect(port, '127.0.0.1');
      await once(server, 'connection');
      client.destroy();
      sockets.at(-1)?.destroy();
      await once(server.close(), 'close');
    }
    expect(sockets.map((socket) => socket.allowHalfOpen)).toEqual([false, false, false, true]);
  });
});

describe('listen({ reusePort })', () => {
  it('shares a port among servers that all ask for it', async () => {
    const stack = await Stack.open();
    const servers = [0, 1, 2].map(() => stack.net.createServer((socket) => socket.end()));
    const counts = servers.map((server) => {
      const count = { connections: 0 };
      server.on('connection', () => count.connections++);
      return count;
    });
    servers[0].listen({ port: 8000, host: '127.0.0.1', reusePort: true });
    await once(servers[0], 'listening');
    for (const server of servers.slice(1)) {
      server.listen({ port: 8000, host: '127.0.0.1', reusePort: true });
      await once(server, 'listening');
    }
    const clients = Array.from({ length: 60 }, () => stack.net.connect(8000, '127.0.0.1').resume());
    await Promise.all(clients.map((client) => once(client, 'close')));
    const shares = counts.map(({ connections }) => connections);
    expect(shares.reduce((sum, share) => sum + share)).toBe(60);
    for (const share of shares) expect(share).toBeGreaterThan(5);
    const stranger = stack.net.createServer();
    const failed = nextError(stranger);
    stranger.listen(8000, '127.0.0.1');
    expect(await failed).toMatchObject({ code: 'EADDRINUSE' });
    stack.destroy();
  });
});
