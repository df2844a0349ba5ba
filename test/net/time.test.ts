import { Bench } from '../support/bench';
import { settle } from '../support/manual-clock';
import { nextError, once } from '../support/net-apis';

describe('setTimeout of a socket', () => {
  it('tells that nothing came or went for so long, and leaves the socket open', async () => {
    const bench = await Bench.open();
    const { client } = await bench.connect();
    let timeouts = 0;
    client.setTimeout(1000).on('timeout', () => timeouts++);
    await bench.clock.advance(999);
    expect(timeouts).toBe(0);
    await bench.clock.advance(1);
    expect(timeouts).toBe(1);
    expect(client.destroyed).toBe(false);
    await bench.clock.advance(5000);
    expect(timeouts).toBe(1);
    await bench.close();
  });

  it('starts anew with what is written and what is read', async () => {
    const bench = await Bench.open();
    const { client, peer } = await bench.connect();
    let timeouts = 0;
    client.resume().setTimeout(1000, () => timeouts++);
    await bench.clock.advance(900);
    client.write('x');
    await bench.clock.advance(900);
    peer.write('y');
    await settle();
    await bench.clock.advance(900);
    expect(timeouts).toBe(0);
    await bench.clock.advance(101);
    expect(timeouts).toBe(1);
    client.write('x');
    await bench.clock.advance(1001);
    expect(timeouts).toBe(1);
    await bench.close();
  });

  it('is switched off with 0 and with the end of the socket', async () => {
    const bench = await Bench.open();
    const { client, peer } = await bench.connect();
    const fail = () => {
      throw new Error('no timeout was due');
    };
    client.setTimeout(1000, fail).setTimeout(0);
    peer.setTimeout(1000, fail).destroy();
    await bench.clock.advance(5000);
    expect(client.timeout).toBe(0);
    await bench.close();
  });

  it('also limits the time to connect', async () => {
    const bench = await Bench.open();
    const client = bench.near.net.connect({ port: 7, host: '10.0.0.99', timeout: 3000 });
    const timedOut = once(client, 'timeout');
    await bench.clock.advance(3000);
    await timedOut;
    expect(client.connecting).toBe(true);
    client.destroy();
    await bench.close();
  });
});

describe('a connection that nobody answers', () => {
  it('is given up with ETIMEDOUT', async () => {
    const bench = await Bench.open();
    const client = bench.near.net.connect(7, '10.0.0.99');
    const failed = nextError(client);
    await bench.clock.advance(300_000);
    expect({ ...(await failed) }).toEqual({
      code: 'ETIMEDOUT',
      errno: -110,
      syscall: 'connect',
      address: '10.0.0.99',
      port: 7,
    });
    await bench.close();
  });

  it('gets ETIMEDOUT when the wire is cut while data is under way', async () => {
    const bench = await Bench.open();
    const { client } = await bench.connect();
    const failed = nextError(client.resume());
    bench.cable.cut = true;
    client.write('into the void');
    await bench.clock.advance(2_000_000);
    expect(await failed).toMatchObject({
      message: 'read ETIMEDOUT',
      code: 'ETIMEDOUT',
      errno: -110,
      syscall: 'read',
    });
    await bench.close();
  });

  it('is found out by keepalive, and not without', async () => {
    const bench = await Bench.open();
    const { client, peer } = await bench.connect({
      keepAlive: true,
      keepAliveInitialDelay: 10_000,
    });
    const failed = nextError(client.resume());
    bench.cable.cut = true;
    await bench.clock.advance(10_000 + 10 * 75_000 + 1000);
    expect(await failed).toMatchObject({ code: 'ETIMEDOUT', syscall: 'read' });
    expect(peer.destroyed).toBe(false);
    await bench.close();
  });
});

describe('a name with several addresses', () => {
  const lookup = ((_name: string, _options: object, callback: (...a: unknown[]) => void) =>
    callback(null, [
      { address: '10.0.0.98', family: 4 },
      { address: 'fd00::1', family: 6 },
      { address: '10.0.0.99', family: 4 },
      { address: '10.0.0.2', family: 4 },
    ])) as never;

  it('is tried through, each for its time; what has no way is left out', async () => {
    const bench = await Bench.open();
    bench.far.net.createServer().listen(7, '10.0.0.2');
    const client = bench.near.net.connect({ port: 7, host: 'many.example', lookup });
    const log: unknown[] = [];
    for (const event of ['connectionAttempt', 'connectionAttemptTimeout', 'connect']) {
      client.on(event, (address) => log.push([event, address, bench.clock.now() / 1000]));
    }
    await bench.clock.advance(1000);
    expect(log).toEqual([
      ['connectionAttempt', '10.0.0.98', 0],
      ['connectionAttemptTimeout', '10.0.0.98', 250],
      ['connectionAttempt', '10.0.0.99', 250],
      ['connectionAttemptTimeout', '10.0.0.99', 500],
      ['connectionAttempt', '10.0.0.2', 500],
      ['connect', undefined, 500],
    ]);
    expect(client.remoteAddress).toBe('10.0.0.2');
    expect(client.autoSelectFamilyAttemptedAddresses).toEqual([
      '10.0.0.98:7',
      '10.0.0.99:7',
      '10.0.0.2:7',
    ]);
    await bench.close();
  });

  it('fails with all that went wrong', async () => {
    const bench = await Bench.open();
    const client = bench.near.net.connect({
      port: 7,
      host: 'many.example',
      lookup,
      autoSelectFamilyAttemptTimeout: 100,
    });
    const failed = nextError(client);
    await bench.clock.advance(200);
    expect(await failed).toMatchObject({
      name: 'AggregateError',
      code: 'ECONNREFUSED',
      errors: [{ code: 'ECONNREFUSED', address: '10.0.0.2' }],
    });
    await bench.close();
  });

  it('is tried at its first address alone when that is asked for', async () => {
    const bench = await Bench.open({ tcp: { synRetries: 1 } });
    const client = bench.near.net.connect({
      port: 7,
      host: 'many.example',
      lookup,
      autoSelectFamily: false,
    });
    const failed = nextError(client);
    await bench.clock.advance(60_000);
    expect(await failed).toMatchObject({ code: 'ETIMEDOUT', address: '10.0.0.98' });
    await bench.close();
  });
});

describe('closing a stack', () => {
  it('waits for a peer that is slow, and then resets', async () => {
    const bench = await Bench.open();
    const { client, peer } = await bench.connect();
    peer.allowHalfOpen = true;
    const failed = nextError(peer);
    const closed = bench.near.close({ timeout: 2000 });
    let done = false;
    void closed.then(() => (done = true));
    await bench.clock.advance(1999);
    expect(done).toBe(false);
    expect(client.writableFinished).toBe(true);
    await bench.clock.advance(1);
    await closed;
    expect(client.destroyed).toBe(true);
    peer.write('is anybody there?');
    expect(await failed).toMatchObject({ code: expect.stringMatching(/^(EPIPE|ECONNRESET)$/) });
    await bench.close();
  });

  it('gives ECONNABORTED to a socket whose data never arrived', async () => {
    const bench = await Bench.open();
    const { client } = await bench.connect();
    bench.cable.cut = true;
    client.write('lost');
    const failed = nextError(client);
    const closed = bench.near.close({ timeout: 100 });
    await bench.clock.advance(100);
    await closed;
    expect(await failed).toMatchObject({ code: 'ECONNABORTED', syscall: 'read' });
    await bench.close();
  });

  it('does not wait for TIME-WAIT', async () => {
    const bench = await Bench.open();
    const { client } = await bench.connect();
    client.resume();
    await bench.near.close();
    expect(bench.clock.now()).toBe(0);
    expect(client.destroyed).toBe(true);
    expect(bench.near.counters.TcpExtTW).toBe(1);
    await bench.close();
  });

  it('ends what is being connected', async () => {
    const bench = await Bench.open();
    const client = bench.near.net.connect(7, '10.0.0.99');
    const failed = nextError(client);
    await settle();
    await bench.near.close();
    expect(await failed).toMatchObject({ code: 'ECONNABORTED', syscall: 'connect' });
    await bench.close();
  });
});
