import { Daemon } from '../../interop/support/daemon';
import { type Namespace, NamespacePair, hasNamespaces } from '../../support/netns';
import type { Script } from '../../support/script';
import { hasCommand, needs } from '../../support/skip';
import type { Message } from './datagram-child';
import { type Counters, asNobody } from './support';

const CHILD = 'test/privileged/link/datagram-child.ts';
const FAMILIES = [4, 6] as const;
/** The longest that there is. */
const LONGEST = 65_507;

/** A process with datagram sockets: ours on the raw link, or the kernel's. */
class Side {
  private constructor(readonly script: Script) {}

  static async start(namespace: Namespace, raw?: object, via: string[] = []): Promise<Side> {
    const script = namespace.script(CHILD, { via });
    if (raw !== undefined) await script.call('openRaw', raw);
    return new Side(script);
  }

  /** A socket bound to a port, 0: any. */
  async socket(family: 4 | 6, { port = 0, at = '', echo = false } = {}): Promise<Socket> {
    const options = { type: `udp${family}`, ipv6Only: family === 6 };
    const id = await this.script.call<number>('create', options, echo);
    const bound = await this.script.call<number | string>('bind', id, port, at || undefined);
    return new Socket(this.script, id, bound);
  }

  async end(): Promise<void> {
    await this.script.end();
  }
}

class Socket {
  constructor(
    private readonly script: Script,
    private readonly id: number,
    /** Or what bind has failed with. */
    readonly port: number | string,
  ) {}

  call<T>(method: string, ...args: unknown[]): Promise<T> {
    return this.script.call<T>(method, this.id, ...args);
  }

  send(
    length: number,
    port: number | string | null = null,
    address?: string,
  ): Promise<string | null> {
    return this.call('send', length, port, address);
  }

  received(count: number): Promise<Message[]> {
    return this.call('received', count);
  }
}

needs(
  hasNamespaces() && hasCommand('setpriv') && hasCommand('socat'),
  'namespaces, setpriv, socat',
)('datagrams on the raw link', () => {
  let pair: NamespacePair;
  let ours: Side;
  let theirs: Side;
  /** The kernel's, on our host. */
  let beside: Side;
  const here = { 4: '10.9.0.1', 6: 'fd09::1' } as const;
  const there = { 4: '10.9.0.2', 6: 'fd09::2' } as const;
  const loopback = { 4: '127.0.0.1', 6: '::1' } as const;

  beforeAll(async () => {
    pair = await NamespacePair.create();
    [ours, theirs, beside] = await Promise.all([
      Side.start(pair.a.namespace, {}),
      Side.start(pair.b.namespace),
      Side.start(pair.a.namespace),
    ]);
  });
  afterAll(() => pair?.close());

  test('need no descriptor before there is a socket', async () => {
    const before = await ours.script.call<number>('descriptors');
    const socket = await ours.socket(4);
    // The socket for UDP, and the guard.
    expect(await ours.script.call('descriptors')).toBe(before + 2);
    await socket.call('close');
    expect(await ours.script.call('descriptors')).toBe(before + 1);
  });

  test.each(FAMILIES)('of every size are echoed by the kernel, IPv%i', async (family) => {
    const echo = await theirs.socket(family, { echo: true });
    const own = await beside.socket(family, { echo: true });
    const socket = await ours.socket(family);
    const sizes = [0, 1, 1452, 1473, 3000, LONGEST];
    for (const size of sizes) {
      // One after the other: two of the longest are more than a receive buffer holds.
      const done = 2 * sizes.indexOf(size);
      expect(await socket.send(size, echo.port, there[family])).toBeNull();
      await socket.received(done + 1);
      expect(await socket.send(size, own.port, loopback[family])).toBeNull();
      await socket.received(done + 2);
    }
    const messages = await socket.received(2 * sizes.length);
    expect(messages.every(({ intact }) => intact)).toBe(true);
    const lengths = (from: string) =>
      messages.filter(({ address }) => address === from).map(({ length }) => length);
    expect(lengths(there[family])).toEqual(sizes);
    expect(lengths(loopback[family])).toEqual(sizes);
  });

  test.each(FAMILIES)('come to us of every size, and are answered, IPv%i', async (family) => {
    const echo = await ours.socket(family, { echo: true });
    for (const [side, to] of [
      [theirs, here[family]],
      [beside, loopback[family]],
      [beside, here[family]],
    ] as const) {
      const socket = await side.socket(family);
      const sizes = [0, 1473, LONGEST];
      for (const size of sizes) {
        expect(await socket.send(size, echo.port, to)).toBeNull();
        await socket.received(sizes.indexOf(size) + 1);
      }
      const messages = await socket.received(sizes.length);
      expect(messages.map(({ length, intact }) => [length, intact])).toEqual(
        sizes.map((size) => [size, true]),
      );
      expect(await socket.call('errors')).toEqual([]);
    }
  });

  test('pass through socat', async () => {
    const command = ['socat', '-d', '-d', 'UDP4-RECVFROM:7001,fork', 'EXEC:cat'];
    const socat = await Daemon.start(pair.b.namespace, command, /starting|receiving|listening/i);
    const socket = await ours.socket(4);
    expect(await socket.send(1400, 7001, there[4])).toBeNull();
    expect(await socket.received(1)).toMatchObject([{ length: 1400, intact: true, port: 7001 }]);
    await socat.stop('SIGKILL');
  });

  test.each(FAMILIES)('for closed ports are refused both ways, IPv%i', async (family) => {
    const socket = await ours.socket(family);
    const peer = await theirs.socket(family);
    const closed = await theirs.socket(family);
    await closed.call('close');
    await socket.call('connect', closed.port, there[family]);
    await socket.send(10);
    expect(await socket.call('failed')).toEqual(['ECONNREFUSED']);
    // Our port is silent while it is ours, and the kernel's when it isn't.
    const silent = await ours.socket(family);
    await peer.call('connect', silent.port, here[family]);
    await peer.send(10);
    await silent.received(1);
    await silent.call('close');
    expect(await peer.call('errors')).toEqual([]);
    await peer.send(10);
    expect(await peer.call('failed')).toEqual(['ECONNREFUSED']);
  });

  test('for all hosts go out and come in, once', async () => {
    const peer = await theirs.socket(4, { port: 7100 });
    const neighbor = await beside.socket(4, { port: 7101 });
    const [one, two] = [await ours.socket(4), await ours.socket(4)];
    expect(await one.send(100, 7100, '10.9.0.255')).toBe('EACCES');
    await one.call('set', 'setBroadcast', true);
    expect(await one.send(100, 7100, '10.9.0.255')).toBeNull();
    expect(await one.send(100, 7101, '10.9.0.255')).toBeNull();
    expect(await one.send(3000, 7100, '10.9.0.255')).toBeNull();
    expect(await one.send(101, two.port, '10.9.0.255')).toBeNull();
    expect((await peer.received(2)).map(({ length }) => length)).toEqual([100, 3000]);
    expect(await neighbor.received(1)).toMatchObject([{ length: 100, address: here[4] }]);
    await peer.call('set', 'setBroadcast', true);
    await peer.send(102, two.port, '10.9.0.255');
    const lengths = (await two.received(2)).map(({ length }) => length);
    expect(lengths).toEqual([101, 102]);
  });

  test.each([
    [4, '239.1.2.3'],
    [6, 'ff15::1:2:3'],
    [6, 'ff02::1:2:3'],
  ] as const)('for a group go out and come in, once: IPv%i %s', async (family, group) => {
    const at = family === 4 ? here[4] : '::%va';
    const from = family === 4 ? there[4] : '::%vb';
    const members = [await ours.socket(family), await ours.socket(family)];
    const neighbor = await beside.socket(family);
    const peer = await theirs.socket(family);
    await members[0].call('join', group, family === 4 ? at : here[6]);
    await neighbor.call('join', group, at);
    await peer.call('join', group, from);
    await peer.call('set', 'setMulticastInterface', from);
    const { stdout } = await pair.a.namespace.run('ip', 'maddr', 'show', 'dev', 'va');
    expect(stdout).toContain(group);
    await members[1].call('set', 'setMulticastInterface', here[family]);
    for (const { port } of [peer, neighbor, members[0]]) {
      expect(await members[1].send(1000, port, group)).toBeNull();
    }
    expect(await peer.received(1)).toMatchObject([{ length: 1000, port: members[1].port }]);
    expect(await neighbor.received(1)).toMatchObject([{ length: 1000 }]);
    await peer.send(2000, members[0].port, group);
    const lengths = (await members[0].received(2)).map(({ length }) => length);
    expect(lengths).toEqual([1000, 2000]);
    await members[0].call('leave', group);
    await neighbor.call('leave', group, at);
    const after = await pair.a.namespace.run('ip', 'maddr', 'show', 'dev', 'va');
    expect(after.stdout).not.toContain(group);
  });

  test('for a group come to socat, and from it', async () => {
    const option = `ip-add-membership=239.7.7.7:${there[4]}`;
    const command = ['socat', '-u', '-d', '-d', `UDP4-RECV:7200,${option}`, '-'];
    const socat = await Daemon.start(pair.b.namespace, command, /starting data transfer/);
    const socket = await ours.socket(4, { port: 7201 });
    await socket.call('set', 'setMulticastInterface', here[4]);
    expect(await socket.send(48, 7200, '239.7.7.7')).toBeNull();
    await socat.printed(/^07>ELSZa/m);
    await socat.stop('SIGKILL');
    await socket.call('join', '239.7.7.8', here[4]);
    const to = `UDP4-DATAGRAM:239.7.7.8:7201,ip-multicast-if=${there[4]}`;
    await pair.b.namespace.run('sh', '-c', `printf 0123456789 | socat -u - ${to}`);
    expect(await socket.received(1)).toMatchObject([{ length: 10, address: there[4] }]);
  });

  test('have ports that are nobody else’s', async () => {
    const kernels = await beside.socket(4, { port: 7300 });
    expect((await ours.socket(4, { port: 7300 })).port).toBe('EADDRINUSE');
    await kernels.call('close');
    const socket = await ours.socket(4, { port: 7300 });
    expect(socket.port).toBe(7300);
    expect((await beside.socket(4, { port: 7300 })).port).toBe('EADDRINUSE');
    // The same number of the other family, and of TCP, is another port.
    expect((await beside.socket(6, { port: 7300 })).port).toBe(7300);
    await socket.call('close');
    expect((await beside.socket(4, { port: 7300 })).port).toBe(7300);
    // An ephemeral one is any of many.
    const ports = [];
    for (let i = 0; i < 4; i++) ports.push(Number((await ours.socket(4)).port));
    expect(Math.max(...ports) - Math.min(...ports)).toBeGreaterThan(100);
  });

  test('need no more rights than TCP', async () => {
    const nobody = await Side.start(pair.a.namespace, {}, asNobody('net_raw'));
    expect((await nobody.socket(4, { port: 69 })).port).toBe('EACCES');
    const socket = await nobody.socket(4);
    const echo = await theirs.socket(4, { echo: true });
    expect(await socket.send(5000, echo.port, there[4])).toBeNull();
    expect(await socket.received(1)).toMatchObject([{ length: 5000, intact: true }]);
    await nobody.end();
  });

  test('that an interface is too slow for are dropped and counted', async () => {
    const shape = ['tbf', 'rate', '8mbit', 'burst', '4k', 'limit', '100m'];
    await pair.a.namespace.run('tc', 'qdisc', 'add', 'dev', 'va', 'root', ...shape);
    const slow = await Side.start(pair.a.namespace, {});
    const socket = await slow.socket(4);
    const { refused, grown } = await socket.call<{ refused: number; grown: number }>(
      'flood',
      ...[3000, 32_000, 7400, there[4]],
    );
    expect(refused).toBeGreaterThan(1500);
    expect(grown).toBeLessThan(16 << 20);
    const { queued, queueFull } = await slow.script.call<Counters>('counters');
    expect(queued).toBeGreaterThan(0);
    expect(queueFull).toBeLessThan(1000);
    await slow.end();
    await pair.a.namespace.run('tc', 'qdisc', 'del', 'dev', 'va', 'root');
  });

  test('leave nothing out', async () => {
    const counters = await ours.script.call<Counters>('counters');
    expect(counters).toMatchObject({ kernelDrops: 0, badChecksum: 0, unbuildable: 0 });
    expect(counters).toMatchObject({ sendEMSGSIZE: 0, sendErrors: 0, receiveErrors: 0 });
  });
});
