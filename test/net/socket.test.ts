import type { Socket } from '../../lib/net/socket';
import {
  closePair,
  connected,
  describeBoth,
  listen,
  nextError,
  once,
  readAll,
} from '../support/net-apis';

const EVENTS = ['lookup', 'connect', 'ready', 'data', 'end', 'finish', 'timeout', 'error', 'close'];

/** Writes down the events of a socket as they come. */
function record(socket: Socket, log: string[] = []): string[] {
  for (const event of EVENTS) {
    socket.on(event, (first?: unknown) => {
      log.push(event === 'close' ? `close ${String(first)}` : event);
    });
  }
  return log;
}

describeBoth('a connection', (api) => {
  it('emits its events in this order on both sides', async () => {
    const peerLog: string[] = [];
    const peers: Promise<unknown>[] = [];
    const server = api.net.createServer((peer) => {
      record(peer, peerLog);
      peers.push(once(peer, 'close'));
      peer.end('bye');
    });
    const port = await listen(server);
    const client = api.net.connect(port, '127.0.0.1');
    const log = record(client);
    client.write('hello', () => log.push('written'));
    await once(client, 'close');
    await once(server.close(), 'close');
    await Promise.all(peers);
    expect(log.filter((event) => event !== 'written')).toEqual([
      'connect',
      'ready',
      'data',
      'end',
      'finish',
      'close false',
    ]);
    expect(log.indexOf('written')).toBeGreaterThanOrEqual(log.indexOf('connect'));
    expect(peerLog.slice(-2)).toEqual(['end', 'close false']);
    expect(peerLog).toContain('data');
  });

  it('can share its near port with another one, to another far end', async () => {
    const accept = (peer: Socket) => peer.on('error', () => undefined);
    const servers = [api.net.createServer(accept), api.net.createServer(accept)];
    const ports = [await listen(servers[0]), await listen(servers[1])];
    const first = api.net.connect({ port: ports[0], host: '127.0.0.1' });
    await once(first, 'connect');
    const { localPort } = first;
    first.resetAndDestroy();
    const clients = ports.map((port) => api.net.connect({ port, host: '127.0.0.1', localPort }));
    const ends = await Promise.all(
      clients.map(async (client) => {
        const outcome = await Promise.race([once(client, 'connect'), nextError(client)]);
        return outcome instanceof Error ? outcome.message : client.localPort;
      }),
    );
    expect(ends).toEqual([localPort, localPort]);
    for (const client of clients) client.resetAndDestroy();
    await Promise.all(servers.map((server) => once(server.close(), 'close')));
  });

  it('tells of the lookup when the host is a name', async () => {
    const server = api.net.createServer((peer) => peer.end()).listen(0);
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const client = api.net.connect({ port, host: 'localhost' }).resume();
    const [error, address, family, host] = await once(client, 'lookup');
    expect(error).toBeNull();
    expect([
      ['127.0.0.1', 4],
      ['::1', 6],
    ]).toContainEqual([address, family]);
    expect(host).toBe('localhost');
    await once(client, 'close');
    await once(server.close(), 'close');
  });

  it('has these properties before, during and after', async () => {
    const server = api.net.createServer((peer) => peer.end());
    const port = await listen(server);
    const socket = new api.net.Socket();
    expect(socket).toMatchObject({
      connecting: false,
      pending: true,
      destroyed: false,
      readyState: 'open',
      bytesRead: 0,
      bytesWritten: 0,
      allowHalfOpen: false,
    });
    expect(socket.remoteAddress).toBeUndefined();
    expect(socket.timeout).toBeUndefined();
    socket.connect(port, '127.0.0.1').resume();
    expect(socket).toMatchObject({ connecting: true, pending: true, readyState: 'opening' });
    expect(socket.address()).toEqual({});
    await once(socket, 'connect');
    expect(socket).toMatchObject({
      connecting: false,
      pending: false,
      readyState: 'open',
      remoteAddress: '127.0.0.1',
      remotePort: port,
      remoteFamily: 'IPv4',
      localAddress: '127.0.0.1',
      localFamily: 'IPv4',
    });
    expect(socket.address()).toEqual({
      address: '127.0.0.1',
      family: 'IPv4',
      port: socket.localPort,
    });
    await once(socket, 'close');
    expect(socket).toMatchObject({
      connecting: false,
      pending: true,
      destroyed: true,
      readyState: 'closed',
      remoteAddress: '127.0.0.1',
    });
    expect(socket.localAddress).toBeUndefined();
    expect(socket.address()).toEqual({});
    await once(server.close(), 'close');
  });

  it('carries bytes both ways and counts them', async () => {
    const pair = await connected(api);
    const text = 'äöü'.repeat(1000);
    pair.peer.pipe(pair.peer);
    pair.client.end(text, 'utf8');
    expect(pair.client.bytesWritten).toBe(Buffer.byteLength(text));
    const echoed = await readAll(pair.client);
    expect(echoed.toString()).toBe(text);
    expect(pair.client.bytesRead).toBe(echoed.length);
    expect(pair.peer.bytesRead).toBe(echoed.length);
    expect(pair.peer.bytesWritten).toBe(echoed.length);
    await closePair(pair);
  });

  it('carries 8 MiB both ways at once', async () => {
    const pair = await connected(api);
    const data = Buffer.alloc(8 * 1024 * 1024);
    for (let i = 0; i < data.length; i += 4) data.writeInt32LE(i, i);
    pair.client.end(data);
    pair.peer.end(data);
    const [one, other] = await Promise.all([readAll(pair.client), readAll(pair.peer)]);
    expect(one.equals(data)).toBe(true);
    expect(other.equals(data)).toBe(true);
    await closePair(pair);
  });

  it('takes what is written before it is connected, in order', async () => {
    const server = api.net.createServer();
    const port = await listen(server);
    const accepted = once(server, 'connection');
    const client = api.net.connect(port, '127.0.0.1');
    const before: boolean[] = [];
    client.on('connect', () => client.end('3'));
    client.write('1', () => before.push(client.connecting));
    client.write('2');
    const [peer] = (await accepted) as [Socket];
    expect((await readAll(peer)).toString()).toBe('123');
    expect(before).toEqual([false]);
    await once(server.close(), 'close');
  });

  it('sends what was written while corked', async () => {
    const pair = await connected(api);
    pair.client.cork();
    pair.client.write('a');
    pair.client.write(Buffer.from('b'));
    pair.client.write(new Uint8Array([99]));
    pair.client.uncork();
    pair.client.end();
    expect((await readAll(pair.peer)).toString()).toBe('abc');
    await closePair(pair);
  });

  it('lets the writer use its buffer again after the callback', async () => {
    const pair = await connected(api);
    const buffer = Buffer.alloc(100_000);
    for (let round = 1; round <= 20; round++) {
      buffer.fill(round);
      await new Promise((done) => pair.client.write(buffer, done));
    }
    pair.client.end();
    const received = await readAll(pair.peer);
    for (let round = 1; round <= 20; round++) {
      const piece = received.subarray((round - 1) * 100_000, round * 100_000);
      expect(piece.every((byte) => byte === round)).toBe(true);
    }
    await closePair(pair);
  });

  it('makes the writer wait for a reader that is slow, and drains', async () => {
    const pair = await connected(api);
    pair.peer.pause();
    let written = 0;
    while (pair.client.write(Buffer.alloc(65_536))) {
      written += 65_536;
      if (written > 256 * 1024 * 1024) throw new Error('the writer is never told to wait');
      await new Promise((done) => setImmediate(done));
    }
    expect(pair.client.writableNeedDrain).toBe(true);
    const drained = once(pair.client, 'drain');
    pair.peer.resume();
    await drained;
    expect(pair.client.writableLength).toBe(0);
    await closePair(pair);
  });

  it('binds its own end to what it is told', async () => {
    const server = api.net.createServer((peer) => peer.end());
    const port = await listen(server);
    const options = { port, host: '127.0.0.1', localAddress: '127.0.0.3' };
    const client = api.net.connect(options).resume();
    await once(client, 'connect');
    expect(client.localAddress).toBe('127.0.0.3');
    await once(client, 'close');
    await once(server.close(), 'close');
  });

  it('connects over IPv6 and shows mapped addresses on a dual-stack listener', async () => {
    const server = api.net.createServer((peer) => {
      peer.end(`${peer.remoteFamily} ${peer.remoteAddress}`);
    });
    server.listen(0);
    await once(server, 'listening');
    expect(server.address()).toMatchObject({ address: '::', family: 'IPv6' });
    const { port } = server.address() as { port: number };
    const six = await readAll(api.net.connect(port, '::1'));
    expect(six.toString()).toBe('IPv6 ::1');
    const four = await readAll(api.net.connect(port, '127.0.0.1'));
    expect(four.toString()).toBe('IPv6 ::ffff:127.0.0.1');
    await once(server.close(), 'close');
  });

  it('tells a bad lookup as an error', async () => {
    const lookup = (_host: string, _options: object, callback: (error: Error) => void) =>
      callback(Object.assign(new Error('no such thing'), { code: 'ENOTFOUND' }));
    const options = { port: 80, host: 'nowhere.invalid', lookup: lookup as never };
    const client = api.net.connect(options);
    expect(await nextError(client)).toMatchObject({ code: 'ENOTFOUND' });
  });

  it('uses the lookup that it is given', async () => {
    const server = api.net.createServer((peer) => peer.end('found'));
    const port = await listen(server);
    const lookup = ((
      _host: string,
      options: { all?: boolean },
      callback: (...a: unknown[]) => void,
    ) =>
      options.all
        ? callback(null, [{ address: '127.0.0.1', family: 4 }])
        : callback(null, '127.0.0.1', 4)) as never;
    const found = await readAll(api.net.connect({ port, host: 'some.name', lookup }));
    expect(found.toString()).toBe('found');
    await once(server.close(), 'close');
  });

  it('gives methods that return the socket', async () => {
    const pair = await connected(api);
    const { client } = pair;
    expect(client.ref()).toBe(client);
    expect(client.unref()).toBe(client);
    expect(client.setNoDelay()).toBe(client);
    expect(client.setNoDelay(false)).toBe(client);
    expect(client.setKeepAlive(true, 1000)).toBe(client);
    expect(client.setTimeout(1000)).toBe(client);
    expect(client.timeout).toBe(1000);
    expect(client.setTimeout(0)).toBe(client);
    expect(client.timeout).toBe(0);
    expect(client.resetAndDestroy()).toBe(client);
    await closePair(pair);
  });

  it('is made without new as well', () => {
    const socket = api.net.Socket();
    expect(socket).toBeInstanceOf(api.net.Socket);
    expect(socket.constructor.name).toBe('Socket');
    expect(api.net.Server()).toBeInstanceOf(api.net.Server);
    expect(api.net.connect(1, '127.0.0.1').on('error', () => undefined)).toBeInstanceOf(
      api.net.Socket,
    );
  });

  it('connects again after it was destroyed', async () => {
    const server = api.net.createServer((peer) => peer.resume());
    const port = await listen(server);
    const socket = api.net.connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.destroy();
    await once(socket, 'close');
    socket.connect(port, '127.0.0.1');
    await once(socket, 'connect');
    expect(socket.readyState).toBe('open');
    socket.end();
    await once(socket.resume(), 'close');
    await once(server.close(), 'close');
  });

  it('is destroyed at the end of its scope', async () => {
    const pair = await connected(api);
    {
      await using socket = pair.client;
      expect(socket.destroyed).toBe(false);
    }
    expect(pair.client.destroyed).toBe(true);
    await closePair(pair);
  });

  it('aborts by its signal, before and after it is connected', async () => {
    const aborted = api.net.connect({
      port: 1,
      host: '127.0.0.1',
      signal: AbortSignal.abort(),
    });
    expect(await nextError(aborted)).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR' });
    const controller = new AbortController();
    const pair = await connected(api, {}, { signal: controller.signal });
    const failed = nextError(pair.client);
    const closed = once(pair.client, 'close');
    controller.abort('enough');
    expect(await failed).toMatchObject({
      name: 'AbortError',
      code: 'ABORT_ERR',
      message: 'The operation was aborted',
      cause: 'enough',
    });
    expect(await closed).toEqual([true]);
    await closePair(pair);
  });
});

describeBoth('closing', (api) => {
  it('is half: the other side may go on sending', async () => {
    const pair = await connected(api, { allowHalfOpen: true });
    pair.client.end('question');
    expect((await readAll(pair.peer)).toString()).toBe('question');
    expect(pair.peer.readyState).toBe('writeOnly');
    expect(pair.client.readyState).toBe('readOnly');
    pair.peer.write('a slow ');
    await new Promise((done) => setImmediate(done));
    pair.peer.end('answer');
    expect((await readAll(pair.client)).toString()).toBe('a slow answer');
    await closePair(pair);
  });

  it('ends our side too unless half-open is allowed', async () => {
    const pair = await connected(api);
    const finished = once(pair.peer.resume(), 'finish');
    pair.client.end();
    await finished;
    await once(pair.client.resume(), 'close');
    await closePair(pair);
  });

  it('refuses a write after the end', async () => {
    const pair = await connected(api);
    pair.client.end();
    const failed = nextError(pair.client);
    const inCallback = new Promise((done) => pair.client.write('late', done));
    expect(await inCallback).toMatchObject({
      code: 'ERR_STREAM_WRITE_AFTER_END',
      message: 'write after end',
    });
    expect(await failed).toMatchObject({ code: 'ERR_STREAM_WRITE_AFTER_END' });
    await closePair(pair);
  });

  it('refuses a write after the end of both with EPIPE', async () => {
    const pair = await connected(api);
    pair.peer.end();
    await once(pair.client.resume(), 'close');
    const error = await new Promise((done) => pair.client.write('late', done));
    expect(error).toMatchObject({
      code: 'EPIPE',
      message: 'This socket has been ended by the other party',
    });
    await closePair(pair);
  });

  it('refuses a write on a destroyed socket', async () => {
    const pair = await connected(api);
    pair.client.destroy();
    await once(pair.client, 'close');
    const error = await new Promise((done) => pair.client.write('late', done));
    expect(error).toMatchObject({
      code: 'ERR_STREAM_DESTROYED',
      message: 'Cannot call write after a stream was destroyed',
    });
    await closePair(pair);
  });

  it('tells a write that came before the connection', async () => {
    const server = api.net.createServer();
    const port = await listen(server);
    const client = api.net.connect(port, '127.0.0.1');
    const errors = new Promise((done) => client.write('x', done));
    client.destroy();
    expect(client).toMatchObject({ connecting: false, destroyed: true, readyState: 'closed' });
    expect(await errors).toMatchObject({
      code: 'ERR_SOCKET_CLOSED_BEFORE_CONNECTION',
      message: 'Socket closed before the connection was established',
    });
    await once(server.close(), 'close');
  });

  it('refuses to write and to reset what was never connected', async () => {
    const writer = new api.net.Socket();
    const failed = nextError(writer);
    writer.write('x');
    expect(await failed).toMatchObject({ code: 'ERR_SOCKET_CLOSED', message: 'Socket is closed' });
    const resetter = new api.net.Socket();
    const refused = nextError(resetter);
    resetter.resetAndDestroy();
    expect(await refused).toMatchObject({ code: 'ERR_SOCKET_CLOSED' });
  });

  it('resets', async () => {
    const pair = await connected(api);
    const failed = nextError(pair.peer.resume());
    const closed = once(pair.peer, 'close');
    pair.client.resetAndDestroy();
    expect(await once(pair.client, 'close')).toEqual([false]);
    expect(await failed).toMatchObject({
      code: 'ECONNRESET',
      errno: -104,
      syscall: 'read',
      message: 'read ECONNRESET',
    });
    expect(await closed).toEqual([true]);
    await closePair(pair);
  });

  it('resets when data was left unread, as the kernel does', async () => {
    const pair = await connected(api, { pauseOnConnect: true });
    const failed = nextError(pair.client.resume());
    await new Promise((done) => pair.client.write('never read', done));
    for (let turn = 0; turn < 50; turn++) await new Promise((done) => setImmediate(done));
    pair.peer.destroy();
    expect(await failed).toMatchObject({ code: 'ECONNRESET', syscall: 'read' });
    await closePair(pair);
  });

  it('waits for what was written when it is destroyed soon', async () => {
    const pair = await connected(api);
    const data = Buffer.alloc(3_000_000, 7);
    pair.client.write(data);
    pair.client.destroySoon();
    expect((await readAll(pair.peer)).equals(data)).toBe(true);
    expect(pair.client.destroyed).toBe(true);
    await closePair(pair);
  });

  it('fails the writes that wait when it is destroyed', async () => {
    const pair = await connected(api, { pauseOnConnect: true });
    const codes: unknown[] = [];
    const note = (error?: NodeJS.ErrnoException | null) => codes.push(error?.code ?? 'written');
    pair.client.write(Buffer.alloc(64 * 1024 * 1024), () => undefined);
    pair.client.write('behind it', note);
    pair.client.destroy();
    await once(pair.client, 'close');
    expect(codes).toEqual(['ERR_STREAM_DESTROYED']);
    await closePair(pair);
  });
});
