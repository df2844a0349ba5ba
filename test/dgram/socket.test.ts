import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { SendCallback } from '../../lib/dgram/types';
import { bound, closeAll, describeDgram, receive } from '../support/dgram-apis';
import { nextError, once } from '../support/net-apis';

/** What a `send` calls back with. */
function told(send: (callback: SendCallback) => void): Promise<unknown[]> {
  return new Promise((resolve) => send((...args) => resolve(args)));
}

function caught(call: () => unknown): Error {
  try {
    call();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}

describeDgram('datagrams', (api) => {
  it('keep their boundaries, the empty one too, and tell who has sent them', async () => {
    const [a, b] = [await bound(api), await bound(api)];
    const all = receive(b, 4);
    const { port } = b.address();
    a.send('one', port, '127.0.0.1');
    a.send(Buffer.from('xtwox'), 1, 3, port, '127.0.0.1');
    a.send(['thr', new Uint8Array([0x65]), new DataView(new Uint8Array([0x65]).buffer)], port);
    a.send('', port);
    const sender = { address: '127.0.0.1', family: 'IPv4', port: a.address().port };
    expect(await all).toEqual([
      { text: 'one', sender: { ...sender, size: 3 } },
      { text: 'two', sender: { ...sender, size: 3 } },
      { text: 'three', sender: { ...sender, size: 5 } },
      { text: '', sender: { ...sender, size: 0 } },
    ]);
    await closeAll(a, b);
  });

  it.each([
    ['udp4', 65_507],
    ['udp6', 65_508],
  ] as const)('of %s are as long as a packet: %d bytes', async (type, longest) => {
    const socket = await bound(api, type);
    const [address, { port }] = [type === 'udp4' ? '127.0.0.1' : '::1', socket.address()];
    const message = once(socket, 'message');
    const bytes = Buffer.alloc(longest, 'abc');
    expect(await told((then) => socket.send(bytes, port, address, then))).toEqual([null, longest]);
    expect((await message)[0]).toEqual(bytes);
    const over = Buffer.alloc(type === 'udp4' ? longest + 1 : 70_000);
    const [error] = await told((then) => socket.send(over, port, address, then));
    const text = `send EMSGSIZE ${address}:${port}`;
    expect(error).toMatchObject({
      message: text,
      code: 'EMSGSIZE',
      syscall: 'send',
      address,
      port,
    });
    await closeAll(socket);
  });

  it('go by the first send that binds, in the order of the calls', async () => {
    const server = await bound(api);
    const { port } = server.address();
    const client = api.dgram.createSocket('udp4');
    const all = receive(server, 3);
    const order: string[] = [];
    client.on('listening', () => order.push('listening'));
    for (const name of ['a', 'b', 'c']) client.send(name, port, () => order.push(name));
    order.push('returned');
    expect((await all).map(({ text }) => text)).toEqual(['a', 'b', 'c']);
    expect(order).toEqual(['returned', 'listening', 'a', 'b', 'c']);
    await closeAll(server, client);
  });

  it('reach who waits for each with a promise', async () => {
    const [a, b] = [await bound(api), await bound(api)];
    for (const text of ['1', '2', '3']) a.send(text, b.address().port);
    const seen: string[] = [];
    const rest = async (turns: number) => {
      for (let i = 0; i < turns; i++) await Promise.resolve();
    };
    for (let i = 0; i < 3; i++) {
      const [message] = (await once(b, 'message')) as [Buffer];
      seen.push(message.toString());
      await rest(20);
    }
    expect(seen).toEqual(['1', '2', '3']);
    await closeAll(a, b);
  });

  it("come in the context in which the socket was made; callbacks in the call's", async () => {
    const context = new AsyncLocalStorage<string>();
    const seen: Record<string, string | undefined> = {};
    const note = (name: string) => () => {
      seen[name] = context.getStore();
    };
    const a = context.run('made', () => api.dgram.createSocket('udp4', note('message')));
    const listening = once(a, 'listening');
    context.run('bound', () => a.bind(0, '127.0.0.1', note('listening')));
    await listening;
    const message = once(a, 'message');
    context.run('sent', () => a.send('x', a.address().port, '127.0.0.1', note('sent')));
    await message;
    const closed = once(a, 'close');
    context.run('closed', () => a.close(note('closed')));
    await closed;
    expect(seen).toEqual({ message: 'made', listening: 'bound', sent: 'sent', closed: 'closed' });
  });

  it('go by names, which lookup may find; what it fails with is told', async () => {
    const server = await bound(api);
    const { port } = server.address();
    const asked: unknown[] = [];
    const client = api.dgram.createSocket({
      type: 'udp4',
      lookup: (name, family, callback) => {
        asked.push([name, family]);
        if (name === 'server.test') callback(null, '127.0.0.1', 4);
        else if (name === '0.0.0.0') callback(null, name, 4);
        else if (name === 'odd.test') callback(null, 'x', 4);
        else callback(new Error(`no ${name}`), '', 0);
      },
    });
    const all = receive(server);
    client.send('x', port, 'server.test');
    expect((await all)[0].text).toBe('x');
    expect(asked).toEqual([
      ['0.0.0.0', 4],
      ['server.test', 4],
    ]);
    expect(await told((then) => client.send('x', port, 'no.test', then))).toEqual([
      new Error('no no.test'),
    ]);
    client.send('x', port, 'no.test');
    expect(await nextError(client)).toEqual(new Error('no no.test'));
    const [odd] = await told((then) => client.send('x', port, 'odd.test', then));
    expect(odd).toMatchObject({ message: `send EINVAL odd.test:${port}`, code: 'EINVAL' });
    await closeAll(server, client);
  });

  it('of IPv4 come to a socket of IPv6, unless it is for that alone', async () => {
    const six = api.dgram.createSocket('udp6');
    await new Promise<void>((done) => six.bind(0, done));
    const four = await bound(api);
    const all = receive(six);
    four.send('x', six.address().port, '127.0.0.1');
    expect((await all)[0].sender).toMatchObject({ address: '::ffff:127.0.0.1', family: 'IPv6' });
    const only = api.dgram.createSocket({ type: 'udp6', ipv6Only: true });
    await new Promise<void>((done) => only.bind(0, done));
    const { port } = only.address();
    const again = api.dgram.createSocket('udp4');
    await new Promise<void>((done) => again.bind({ port, address: '0.0.0.0' }, done));
    await closeAll(six, four, only, again);
  });

  it('may be for several sockets on one endpoint', async () => {
    const first = await bound(api, { type: 'udp4', reuseAddr: true });
    const { port } = first.address();
    const second = await bound(api, { type: 'udp4', reuseAddr: true }, port);
    const third = api.dgram.createSocket('udp4');
    third.bind(port, '127.0.0.1');
    const error = await nextError(third);
    expect(error).toMatchObject({ message: `bind EADDRINUSE 127.0.0.1:${port}`, port });
    await closeAll(first, second, third);
  });
});

describeDgram('a peer', (api) => {
  it('gets what is sent, and only from it does something come', async () => {
    const [a, b, stranger] = [await bound(api), await bound(api), await bound(api)];
    const { port } = b.address();
    await new Promise<void>((done) => a.connect(port, '127.0.0.1', () => done()));
    expect(a.remoteAddress()).toEqual({ address: '127.0.0.1', family: 'IPv4', port });
    const all = receive(b, 3);
    a.send('one');
    a.send('xtwo', 1, 3);
    expect(await told((then) => a.send(['thr', 'ee'], then))).toEqual([null, 5]);
    expect((await all).map(({ text }) => text)).toEqual(['one', 'two', 'three']);
    const answer = receive(a);
    stranger.send('no', a.address().port);
    b.send('yes', a.address().port);
    expect((await answer)[0].text).toBe('yes');
    expect(() => a.send('x', port)).not.toThrow(); // as an offset
    expect(() => a.send('x', 0, 1, port, '127.0.0.1')).toThrow('Already connected');
    expect(() => a.connect(port)).toThrow('Already connected');
    a.disconnect();
    expect(() => a.disconnect()).toThrow('Not connected');
    expect(() => a.remoteAddress()).toThrow('Not connected');
    await closeAll(a, b, stranger);
  });

  it("is taken by a socket that isn't bound", async () => {
    const server = await bound(api);
    const { port } = server.address();
    const client = api.dgram.createSocket('udp4');
    const order: string[] = [];
    client.on('listening', () => order.push('listening'));
    client.on('connect', () => order.push('connect'));
    client.connect(port, () => order.push('callback'));
    order.push('returned');
    await once(client, 'connect');
    expect(order).toEqual(['returned', 'listening', 'connect', 'callback']);
    expect(client.remoteAddress().port).toBe(port);
    await closeAll(server, client);
  });

  it.each([
    ['udp4', '::1'],
    ['udp6', '127.0.0.1'],
  ] as const)('of %s can’t be of the other family', async (type, address) => {
    const socket = api.dgram.createSocket(type);
    const error = await new Promise((resolve) => socket.connect(9, address, resolve));
    expect(error).toMatchObject({ message: `connect EINVAL ${address}:9`, syscall: 'connect' });
    socket.connect(9, address);
    expect(await nextError(socket)).toMatchObject({ code: 'EINVAL', address, port: 9 });
    await closeAll(socket);
  });
});

describeDgram('a closed port', (api) => {
  it.each([
    ['udp4', '127.0.0.1'],
    ['udp6', '::1'],
  ] as const)('of %s is told to who has a peer, once', async (type, address) => {
    const closed = await bound(api, type);
    const { port } = closed.address();
    await closeAll(closed);
    const socket = await bound(api, type);
    await new Promise<void>((done) => socket.connect(port, address, () => done()));
    const error = nextError(socket);
    socket.send('x');
    const told1 = { message: 'recvmsg ECONNREFUSED', code: 'ECONNREFUSED', syscall: 'recvmsg' };
    expect(await error).toMatchObject({ ...told1, errno: -111 });
    const again = nextError(socket);
    expect(await told((then) => socket.send('x', then))).toEqual([null, 1]);
    expect(await again).toMatchObject(told1);
    await closeAll(socket);
  });

  it('is not told to who has no peer', async () => {
    const closed = await bound(api);
    const { port } = closed.address();
    await closeAll(closed);
    const [socket, other] = [await bound(api), await bound(api)];
    const all = receive(other);
    socket.send('x', port);
    socket.send('y', other.address().port);
    expect((await all)[0].text).toBe('y');
    await new Promise((done) => setImmediate(done));
    await closeAll(socket, other);
  });
});

describeDgram('a group', (api) => {
  it('is joined once and left once; who is in it gets what is sent to it', async () => {
    const [a, b] = [await bound(api), api.dgram.createSocket('udp4')];
    await new Promise<void>((done) => b.bind(0, done));
    const group = '239.1.2.3';
    b.addMembership(group, '127.0.0.1');
    expect(() => b.addMembership(group, '127.0.0.1')).toThrow('addMembership EADDRINUSE');
    expect(() => b.addMembership(group, '192.0.2.1')).toThrow('addMembership ENODEV');
    expect(() => b.addMembership('10.0.0.1')).toThrow('addMembership EINVAL');
    expect(() => b.addMembership('ff02::1')).toThrow('addMembership ENOPROTOOPT');
    expect(() => b.dropMembership('239.9.9.9')).toThrow('dropMembership EADDRNOTAVAIL');
    expect(() => b.addMembership('')).toThrow('The "multicastAddress" argument must be specified');
    expect(() => b.addMembership('239.9.9.9', '::1')).toThrow('addMembership EINVAL');
    expect(() => b.addMembership('239.9.9.9', '')).toThrow('addMembership EINVAL');
    expect(() => b.addMembership('10.0.0.1', '192.0.2.1')).toThrow('addMembership EINVAL');
    expect(() => b.dropMembership(group, '192.0.2.1')).toThrow('dropMembership EADDRNOTAVAIL');
    expect(a.setMulticastTTL(0)).toBe(0);
    expect(a.setMulticastTTL(2 ** 32)).toBe(2 ** 32); // modulo that, as every number
    expect(() => a.setMulticastTTL(256)).toThrow('setMulticastTTL EINVAL');
    expect(() => a.setTTL(0)).toThrow('setTTL EINVAL');
    expect(() => a.setMulticastInterface('192.0.2.1')).toThrow('EADDRNOTAVAIL');
    expect(() => a.setMulticastInterface('::1')).toThrow('setMulticastInterface ENOPROTOOPT');
    a.setMulticastInterface('127.0.0.1');
    const all = receive(b);
    a.send('x', b.address().port, group);
    expect((await all)[0]).toMatchObject({ text: 'x', sender: { port: a.address().port } });
    expect(b.dropMembership(group, '127.0.0.1')).toBeUndefined();
    expect(() => b.dropMembership(group, '127.0.0.1')).toThrow('dropMembership EADDRNOTAVAIL');
    await closeAll(a, b);
  });

  it('is joined by a socket that is not bound, which binds it', async () => {
    const socket = api.dgram.createSocket('udp4');
    expect(() => socket.setBroadcast(true)).toThrow('setBroadcast EBADF');
    expect(() => socket.setTTL(1)).toThrow('setTTL EBADF');
    expect(() => socket.setTTL(0)).toThrow('setTTL EINVAL');
    expect(() => socket.setMulticastInterface('x')).toThrow('setMulticastInterface EINVAL');
    socket.addMembership('239.1.2.3', '127.0.0.1');
    expect(socket.address()).toMatchObject({ address: '0.0.0.0' });
    socket.setBroadcast(true);
    socket.bind(0);
    expect(await nextError(socket)).toMatchObject({ message: 'bind EINVAL 0.0.0.0' });
    await closeAll(socket);
  });
});

describeDgram('a group of one source', (api) => {
  it.each([
    ['239.1.2.3', '0'],
    ['0', '239.1.2.3'],
    ['10.0.0.1', '10.0.0.2'],
    ['::1', '239.1.2.3'],
  ])('is refused where an address is wrong: %s, %s', async (source, group) => {
    const socket = await bound(api);
    const refused = 'SourceSpecificMembership EINVAL';
    expect(() => socket.addSourceSpecificMembership(source, group)).toThrow(`add${refused}`);
    expect(() => socket.dropSourceSpecificMembership(source, group)).toThrow(`drop${refused}`);
    await closeAll(socket);
  });
});

describeDgram('what tools see', (api) => {
  it('is every socket, by the channel udp.socket', async () => {
    const seen: unknown[] = [];
    const note = (message: unknown) => seen.push(message);
    subscribe('udp.socket', note);
    const socket = api.dgram.createSocket('udp4');
    unsubscribe('udp.socket', note);
    await closeAll(socket, api.dgram.createSocket('udp4'));
    expect(seen).toEqual([{ socket }]);
    expect(socket.constructor).toBe(api.dgram.Socket);
  });

  it('of an error has its code', async () => {
    const socket = api.dgram.createSocket('udp4');
    const message = 'The "ttl" argument must be of type number. Received type string';
    const text = `TypeError [ERR_INVALID_ARG_TYPE]: ${message} ('${'a'.repeat(25)}...')`;
    const wrong = () => socket.setTTL('a'.repeat(29) as never);
    expect(wrong).toThrow(expect.objectContaining({ name: 'TypeError' }) as Error);
    expect(caught(wrong)).toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' });
    expect(Object.keys(caught(wrong))).toEqual(['code']);
    expect(String(caught(wrong))).toBe(text);
    const size = caught(() => socket.getRecvBufferSize());
    expect(Object.keys(size)).toEqual(['code', 'info', 'errno', 'syscall']);
    expect(String(size)).toMatch(/^SystemError \[ERR_SOCKET_BUFFER_SIZE\]: /);
    await closeAll(socket);
  });

  it.each([undefined, null, {}, 'udp5', 4])('is no socket of type %p', (type) => {
    expect(() => api.dgram.createSocket(type as never)).toThrow('Bad socket type specified');
  });
});

describeDgram('the life of a socket', (api) => {
  it('ends once, and nothing goes after that', async () => {
    const socket = await bound(api);
    const other = await bound(api);
    const seen: unknown[] = [];
    socket.on('message', () => seen.push('message'));
    other.send('x', socket.address().port);
    expect(socket.close(() => seen.push('callback'))).toBe(socket);
    socket.on('close', () => seen.push('close'));
    const not = { code: 'ERR_SOCKET_DGRAM_NOT_RUNNING', message: 'Not running' };
    for (const call of [
      () => socket.close(),
      () => socket.bind(),
      () => socket.send('x', 5),
      () => socket.address(),
      () => socket.addMembership('224.0.0.1'),
      () => socket.setMulticastInterface('0.0.0.0'),
    ]) {
      expect(call).toThrow(expect.objectContaining(not) as Error);
    }
    expect(socket.ref()).toBe(socket);
    expect(socket.unref()).toBe(socket);
    await once(socket, 'close');
    expect(seen).toEqual(['callback', 'close']);
    await closeAll(other);
  });

  it('ends by a signal, also by one that has been given before', async () => {
    const controller = new AbortController();
    const socket = await bound(api, { type: 'udp4', signal: controller.signal });
    const closed = once(socket, 'close');
    controller.abort();
    await closed;
    const late = api.dgram.createSocket({ type: 'udp4', signal: controller.signal });
    await once(late, 'close');
    expect(() => late.bind()).toThrow('Not running');
  });

  it('ends with a message, and the rest of them is not told', async () => {
    const [a, b] = [await bound(api), await bound(api)];
    const seen: string[] = [];
    b.on('message', (message) => {
      seen.push(message.toString());
      b.close();
    });
    for (const text of ['1', '2', '3']) a.send(text, b.address().port);
    await once(b, 'close');
    expect(seen).toEqual(['1']);
    await closeAll(a);
  });

  it('is bound once; what fails is told, and it may be tried again', async () => {
    const socket = api.dgram.createSocket('udp4');
    expect(() => socket.address()).toThrow('getsockname EBADF');
    socket.bind(5, '192.0.2.1', () => {
      throw new Error('called');
    });
    expect(await nextError(socket)).toMatchObject({
      message: 'bind EADDRNOTAVAIL 192.0.2.1:5',
      code: 'EADDRNOTAVAIL',
      syscall: 'bind',
      address: '192.0.2.1',
      port: 5,
    });
    socket.bind({ address: '127.0.0.1' });
    expect(() => socket.bind()).toThrow('Socket is already bound');
    await once(socket, 'listening');
    expect(() => socket.bind()).toThrow('Socket is already bound');
    expect(socket.address()).toMatchObject({ address: '127.0.0.1', family: 'IPv4' });
    await closeAll(socket);
  });

  it('has sizes of buffers, as Linux tells them', async () => {
    const socket = api.dgram.createSocket({ type: 'udp4', recvBufferSize: 10_000 });
    const message =
      'Could not get or set buffer size: uv_recv_buffer_size returned EBADF (bad file descriptor)';
    expect(() => socket.getRecvBufferSize()).toThrow(
      expect.objectContaining({ code: 'ERR_SOCKET_BUFFER_SIZE', message }) as Error,
    );
    await new Promise<void>((done) => socket.bind(0, '127.0.0.1', done));
    expect(socket.getRecvBufferSize()).toBe(20_000);
    socket.setSendBufferSize(30_000);
    expect(socket.getSendBufferSize()).toBe(60_000);
    expect(socket.setRecvBufferSize(1)).toBeUndefined();
    expect(socket.getRecvBufferSize()).toBe(2304);
    expect([socket.getSendQueueSize(), socket.getSendQueueCount()]).toEqual([0, 0]);
    await closeAll(socket);
  });

  it('can be awaited', async () => {
    const socket = await bound(api);
    let closed = false;
    socket.on('close', () => {
      closed = true;
    });
    await socket[Symbol.asyncDispose]();
    expect(closed).toBe(true);
    await socket[Symbol.asyncDispose]();
  });
});
