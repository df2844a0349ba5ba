import { describeBoth, listen, nextError, once } from '../support/net-apis';

describeBoth('a connection that fails', (api) => {
  it('is refused at a closed port', async () => {
    const server = api.net.createServer();
    const port = await listen(server);
    await once(server.close(), 'close');
    const client = api.net.connect(port, '127.0.0.1');
    const closed = once(client, 'close');
    const error = await nextError(client);
    expect({ ...error }).toEqual({
      errno: -111,
      code: 'ECONNREFUSED',
      syscall: 'connect',
      address: '127.0.0.1',
      port,
    });
    expect(error.message).toBe(`connect ECONNREFUSED 127.0.0.1:${port}`);
    expect(await closed).toEqual([true]);
  });

  it('is refused at port 0', async () => {
    const error = await nextError(api.net.connect(0, '127.0.0.1'));
    expect({ ...error }).toEqual({
      errno: -111,
      code: 'ECONNREFUSED',
      syscall: 'connect',
      address: '127.0.0.1',
    });
    expect(error.message).toBe('connect ECONNREFUSED 127.0.0.1');
  });

  it('tells its own end when the program has chosen it', async () => {
    const server = api.net.createServer();
    const port = await listen(server);
    await once(server.close(), 'close');
    const localPort = 20_000 + (process.pid % 10_000);
    const options = { port, host: '127.0.0.1', localAddress: '127.0.0.2', localPort };
    const error = await nextError(api.net.connect(options));
    expect({ ...error }).toMatchObject({
      code: 'ECONNREFUSED',
      localAddress: '127.0.0.2',
      localPort,
    });
    expect(error.message).toBe(
      `connect ECONNREFUSED 127.0.0.1:${port} - Local (127.0.0.2:${localPort})`,
    );
  });

  it.each([
    ['an address that is not ours', '192.0.2.77', 'EADDRNOTAVAIL', -99],
    ['an address of the other family', '::1', 'EINVAL', -22],
  ])('cannot start from %s', async (_title, localAddress, code, errno) => {
    const error = await nextError(api.net.connect({ port: 80, host: '127.0.0.1', localAddress }));
    expect({ ...error }).toEqual({ errno, code, syscall: 'bind', address: localAddress });
    expect(error.message).toBe(`bind ${code} ${localAddress}`);
  });

  it('cannot start from a port in use', async () => {
    const server = api.net.createServer();
    const port = await listen(server);
    const options = { port: 80, host: '127.0.0.1', localAddress: '127.0.0.1', localPort: port };
    const error = await nextError(api.net.connect(options));
    expect({ ...error }).toEqual({
      errno: -98,
      code: 'EADDRINUSE',
      syscall: 'bind',
      address: '127.0.0.1',
      port,
    });
    await once(server.close(), 'close');
  });

  it('cannot leave from loopback', async () => {
    const options = { port: 80, host: '192.0.2.1', localAddress: '127.0.0.1' };
    const error = await nextError(api.net.connect(options));
    expect({ ...error }).toEqual({
      errno: -22,
      code: 'EINVAL',
      syscall: 'connect',
      address: '192.0.2.1',
      port: 80,
    });
    expect(error.message).toMatch(/^connect EINVAL 192\.0\.2\.1:80 - Local \(127\.0\.0\.1:\d+\)$/);
  });

  it('finds no such host', async () => {
    const client = api.net.connect(80, 'no-such-host.invalid');
    const error = (await nextError(client)) as NodeJS.ErrnoException & { hostname: string };
    expect(['ENOTFOUND', 'EAI_AGAIN']).toContain(error.code);
    expect(error).toMatchObject({ syscall: 'getaddrinfo', hostname: 'no-such-host.invalid' });
  });

  it('does not connect twice at once', async () => {
    const server = api.net.createServer();
    const port = await listen(server);
    const client = api.net.connect(port, '127.0.0.1');
    client.connect(port, '127.0.0.1');
    expect(await nextError(client)).toMatchObject({ code: 'EALREADY', syscall: 'connect' });
    await once(server.close(), 'close');
  });
});
