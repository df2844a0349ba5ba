import { Direction, Flag, Option, Word } from '../../lib/core/segment/layout';
import type { Net } from '../../lib/net/net';
import type { ConnectionOptions } from '../../lib/net/types';
import { Stack } from '../../lib/stack';
import { Bench } from '../support/bench';
import { nextError, once } from '../support/net-apis';

/** What of each segment sent the options show in, by the port that it goes to. */
class Watch {
  readonly segments: Record<string, number>[] = [];

  readonly trace = (words: Int32Array, base: number): void => {
    if (words[base + Word.Direction] !== (Direction.Out as number)) return;
    const flags = words[base + Word.Flags];
    this.segments.push({
      to: words[base + Word.DestinationPort],
      ttl: words[base + Word.HopLimit],
      tos: words[base + Word.TrafficClass],
      length: words[base + Word.PayloadLength],
      syn: flags & Flag.SYN,
      mss: (words[base + Word.Options] & Option.Mss) !== 0 ? words[base + Word.Mss] : 0,
      wnd: words[base + Word.Window],
    });
  };

  to(port: number): Record<string, number>[] {
    return this.segments.filter(({ to }) => to === port);
  }
}

const OPTIONS: ConnectionOptions = {
  ttl: 7,
  typeOfService: 0x28,
  maxSegment: 500,
  recvBufferSize: 5000,
  sendBufferSize: 4000,
  userTimeout: 1234,
};

/** A stack with a server, a connection to it, and the segments of both. */
async function pair(serverOptions: ConnectionOptions, clientOptions: ConnectionOptions) {
  const watch = new Watch();
  const stack = await Stack.open({ trace: watch.trace });
  const server = stack.net.createServer(serverOptions).listen(7, '127.0.0.1');
  const accepted = once(server, 'connection');
  const client = stack.net.connect({ port: 7, host: '127.0.0.1', ...clientOptions });
  const [[peer]] = await Promise.all([accepted, once(client, 'connect')]);
  return { watch, stack, client, peer: peer as typeof client };
}

describe('options of a connection', () => {
  it('hold from the SYN on where connect has them', async () => {
    const { watch, stack, client, peer } = await pair({}, OPTIONS);
    client.end('x');
    await once(peer.resume(), 'end');
    const sent = watch.to(7);
    expect(sent.length).toBeGreaterThan(2);
    for (const segment of sent) expect(segment).toMatchObject({ ttl: 7, tos: 0x28 });
    expect(sent[0]).toMatchObject({ mss: 500, wnd: 5000 });
    expect(client.getTypeOfService()).toBe(0x28);
    expect(client.getSendBufferSize()).toBe(4000);
    expect(client.getRecvBufferSize()).toBe(5000);
    expect(client.getUserTimeout()).toBe(1234);
    expect(peer.getTypeOfService()).toBe(0);
    stack.destroy();
  });

  it('hold from the SYN+ACK on where the server has them', async () => {
    const { watch, stack, client, peer } = await pair(OPTIONS, {});
    peer.end('x');
    await once(client.resume(), 'end');
    const sent = watch.segments.filter(({ to }) => to !== 7);
    expect(sent.length).toBeGreaterThan(1);
    for (const segment of sent) expect(segment).toMatchObject({ ttl: 7, tos: 0x28 });
    // A window of whole segments.
    expect(sent[0]).toMatchObject({ mss: 500, wnd: 10 * (500 - 12) });
    expect(peer.getSendBufferSize()).toBe(4000);
    expect(peer.getUserTimeout()).toBe(1234);
    expect(client.getTypeOfService()).toBe(0);
    stack.destroy();
  });

  it('may be given to the constructor, and are told before there is one', async () => {
    const stack = await Stack.open();
    const socket = new stack.net.Socket({ typeOfService: 8, userTimeout: 5 });
    expect(socket.getTypeOfService()).toBe(8);
    expect(socket.getUserTimeout()).toBe(5);
    expect(socket.getSendBufferSize()).toBeUndefined();
    expect(socket.setSendBufferSize(9999).getSendBufferSize()).toBe(9999);
    expect(socket.setRecvBufferSize(8888).getRecvBufferSize()).toBe(8888);
    const server = stack.net.createServer().listen(7, '127.0.0.1');
    socket.connect(7, '127.0.0.1');
    await once(socket, 'connect');
    expect(socket.getTypeOfService()).toBe(8);
    expect(socket.getSendBufferSize()).toBe(9999);
    server.close();
    stack.destroy();
  });

  it('may be changed while it lives', async () => {
    const { watch, stack, client, peer } = await pair({}, {});
    client.setTTL(9).setTypeOfService(0xff);
    watch.segments.length = 0;
    client.write('x');
    await once(peer.resume(), 'data');
    expect(watch.to(7)[0]).toMatchObject({ ttl: 9, tos: 0xfc, length: 1 });
    stack.destroy();
  });

  it('corked, only full segments leave until it is cleared', async () => {
    const { watch, stack, client, peer } = await pair({}, { cork: true, maxSegment: 1000 });
    let got = 0;
    peer.on('data', (piece: Buffer) => (got += piece.length));
    const full = 1000 - 12;
    client.write(Buffer.alloc(full + 5));
    await once(peer, 'data');
    expect(got).toBe(full);
    client.setCork(false);
    await once(peer, 'data');
    expect(watch.to(7).map(({ length }) => length)).toEqual(expect.arrayContaining([full, 5]));
    stack.destroy();
  });
});

describe('giving up', () => {
  it('after the user timeout (RFC 9293 §3.8.3)', async () => {
    const bench = await Bench.open();
    const { client } = await bench.connect({ userTimeout: 60_000 });
    client.setUserTimeout(5000);
    const failed = nextError(client.resume());
    bench.cable.cut = true;
    client.write('into the void');
    await bench.clock.advance(4900);
    expect(client.destroyed).toBe(false);
    await bench.clock.advance(5000);
    expect(await failed).toMatchObject({ code: 'ETIMEDOUT' });
    await bench.close();
  });

  it('after so many SYNs', async () => {
    const bench = await Bench.open({ tcp: { synLinearTimeouts: 0 } });
    bench.cable.cut = true;
    const client = bench.near.net.connect({ port: 7, host: '10.0.0.2', synRetries: 2 });
    const failed = nextError(client);
    await bench.clock.advance(1000 + 2000 + 4000 - 1);
    expect(client.connecting).toBe(true);
    await bench.clock.advance(2);
    expect(await failed).toMatchObject({ code: 'ETIMEDOUT', syscall: 'connect' });
    await bench.close();
  });

  it.each([
    ['options', { keepAliveInterval: 3000, keepAliveCount: 2 }, null],
    ['arguments', {}, [true, 5000, 3000, 2]],
    ['an object', {}, [{ enable: true, initialDelay: 5000, interval: 3000, count: 2 }]],
  ])('after so many keepalive probes, by %s', async (_how, options, args) => {
    const bench = await Bench.open();
    const alive = { keepAlive: true, keepAliveInitialDelay: 5000 };
    const { client } = await bench.connect({ ...(args === null ? alive : {}), ...options });
    if (args !== null) expect(Reflect.apply(client.setKeepAlive, client, args)).toBe(client);
    const failed = nextError(client.resume());
    bench.cable.cut = true;
    await bench.clock.advance(5000 + 2 * 3000 - 10);
    expect(client.destroyed).toBe(false);
    await bench.clock.advance(20);
    expect(await failed).toMatchObject({ code: 'ETIMEDOUT' });
    await bench.close();
  });
});

describe('bad values', () => {
  const TYPE = { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' };
  const RANGE = { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' };
  const cases: readonly (readonly [keyof ConnectionOptions, unknown, object])[] = [
    ['typeOfService', '16', TYPE],
    ['typeOfService', 256, RANGE],
    ['typeOfService', -1, RANGE],
    ['typeOfService', 1.5, RANGE],
    ['ttl', 0, RANGE],
    ['ttl', 256, RANGE],
    ['userTimeout', -1, RANGE],
    ['userTimeout', 2 ** 31, RANGE],
    ['userTimeout', null, TYPE],
    ['maxSegment', 87, RANGE],
    ['maxSegment', 32_768, RANGE],
    ['synRetries', 0, RANGE],
    ['synRetries', 128, RANGE],
    ['sendBufferSize', 2047, RANGE],
    ['recvBufferSize', 1023, RANGE],
    ['recvBufferSize', NaN, RANGE],
    ['cork', 1, TYPE],
    ['keepAliveInitialDelay', 'x', TYPE],
    ['keepAliveInterval', {}, TYPE],
    ['keepAliveCount', 128, RANGE],
    ['keepAliveCount', -1, RANGE],
  ];
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.open();
  });
  afterAll(() => stack.destroy());

  const ways: Record<string, (net: Net, options: object) => unknown> = {
    connect: (net, options) => net.connect({ port: 7, host: '127.0.0.1', ...options }),
    'new Socket': (net, options) => new net.Socket(options),
    createServer: (net, options) => net.createServer(options),
  };
  it.each(cases)('%s: %j', (name, value, error) => {
    for (const way of Object.values(ways)) {
      expect(() => way(stack.net, { [name]: value })).toThrow(
        expect.objectContaining({
          ...error,
          message: expect.stringContaining(`"options.${name}"`) as string,
        }) as Error,
      );
    }
  });

  it('a setter names its argument, and a bad one changes nothing', () => {
    const socket = new stack.net.Socket();
    expect(() => socket.setTypeOfService(256)).toThrow(
      'The value of "tos" is out of range. It must be >= 0 && <= 255. Received 256',
    );
    expect(() => socket.setTTL('1' as never)).toThrow('The "ttl" argument must be of type number');
    expect(() => socket.setKeepAlive(true, 1000, 1000, 500)).toThrow('"count"');
    expect(socket.getTypeOfService()).toBe(0);
  });
});
