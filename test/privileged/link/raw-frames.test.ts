import { rawLink } from '../../../lib/link/raw';
import { hasNamespaces, NamespacePair } from '../../support/netns';
import type { Script } from '../../support/script';
import { needs } from '../../support/skip';
import type { Counters } from './support';

const CHILD = 'test/privileged/link/frames-child.ts';
/** Of 256 KiB. */
const CHUNKS = 16;
const BYTES = CHUNKS * 256 * 1024;
const BEHIND = '10.50.0.1';

test('send is raw or packet', () => {
  expect(() => rawLink({ send: 'packet' })).not.toThrow();
  expect(() => rawLink({ send: 'frames' as 'packet' })).toThrow(
    expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
  );
});

needs(hasNamespaces(), 'root, network namespaces')('a raw link that sends frames', () => {
  let pair: NamespacePair;
  let host: Script;
  let kernel: Script;

  beforeAll(async () => {
    pair = await NamespacePair.create();
    kernel = pair.b.namespace.script(CHILD);
    await kernel.call('listen', 80);
    await kernel.call('echo', 'udp4', 7);
    await kernel.call('echo', 'udp6', 7);
    await pair.b.namespace.run('ip', 'addr', 'add', `${BEHIND}/32`, 'dev', 'lo');
    await pair.a.namespace.run('ip', 'route', 'add', BEHIND, 'via', pair.b.address4);
    host = pair.a.namespace.script(CHILD);
    await host.call('open', { send: 'packet' });
    await host.call('listen', 80);
  });
  afterAll(() => pair?.close());

  const counters = () => host.call<Counters>('counters');
  const counted = async (work: () => Promise<void>): Promise<Counters> => {
    const before = await counters();
    await work();
    const after = await counters();
    return Object.fromEntries(
      Object.entries(after).map(([name, value]) => [name, value - (before[name] ?? 0)]),
    );
  };

  async function transfer(from: Script, to: string): Promise<void> {
    await from.call('connect', to, 80);
    await from.call('send', CHUNKS);
    await arrives(from);
  }

  async function arrives(from: Script): Promise<void> {
    const [sent, got] = await from.call<[string, string]>('end');
    expect(got).toBe(sent);
  }

  test.each(['address4', 'address6'] as const)('bulk both ways, and datagrams (%s)', async (of) => {
    const { a, b } = pair;
    await a.namespace.run('ip', 'neigh', 'flush', 'dev', 'va');
    const out = await counted(() => transfer(host, b[of]));
    // The kernel finds the neighbour for what comes first.
    expect(out.viaRawSocket).toBeGreaterThan(0);
    expect(out.superSegments).toBeGreaterThan(BYTES / 65_536 / 2);
    expect(out.viaPacketSocket).toBeLessThan(BYTES / 1448 / 2);
    expect(out.sendErrors + out.sendEMSGSIZE).toBe(0);
    const back = await counted(() => transfer(kernel, a[of]));
    expect(back.viaPacketSocket).toBeGreaterThan(0);
    const datagrams = await counted(async () => {
      expect(await host.call('ask', b[of], 7, 1000)).toBe(1000);
      // In fragments.
      expect(await host.call('ask', b[of], 7, 5000)).toBe(5000);
    });
    expect(datagrams.viaPacketSocket + datagrams.viaRawSocket).toBeGreaterThanOrEqual(2);
    expect(datagrams.superSegments).toBe(0);
  });

  test('through a gateway', async () => {
    const out = await counted(() => transfer(host, BEHIND));
    expect(out.superSegments).toBeGreaterThan(0);
  });

  test('a stale neighbour is confirmed by the kernel', async () => {
    const { a, b } = pair;
    const words = ['dev', 'va', 'nud', 'stale'];
    await a.namespace.run('ip', 'neigh', 'change', b.address4, ...words);
    const out = await counted(() => transfer(host, b.address4));
    expect(out.viaRawSocket).toBe(1);
    expect(out.superSegments).toBeGreaterThan(0);
    const { stdout } = await a.namespace.run('ip', 'neigh', 'show', b.address4);
    expect(stdout).toMatch(/DELAY|PROBE|REACHABLE/);
  });

  test('over loopback nothing leaves in frames', async () => {
    const local = pair.a.namespace.script(CHILD);
    await local.call('listen', 81);
    const out = await counted(async () => {
      await host.call('connect', '127.0.0.1', 81);
      await host.call('send', CHUNKS);
      await arrives(host);
    });
    expect(out.viaPacketSocket).toBe(0);
    expect(out.viaRawSocket).toBeGreaterThan(0);
    await local.kill();
  });

  test("the neighbour's hardware address changes in mid-transfer", async () => {
    const { a, b } = pair;
    await b.namespace.run('sysctl', '-qw', 'net.ipv4.conf.vb.arp_notify=1');
    await host.call('connect', b.address4, 80);
    await host.call('send', CHUNKS);
    await b.namespace.run('ip', 'link', 'set', 'vb', 'address', '02:00:5e:10:00:42');
    const out = await counted(async () => {
      await host.call('send', CHUNKS);
      await arrives(host);
    });
    expect(out.superSegments).toBeGreaterThan(0);
    const { stdout } = await a.namespace.run('ip', 'neigh', 'show', b.address4);
    expect(stdout).toContain('02:00:5e:10:00:42');
  });

  test('the kernel resolves a forgotten neighbour, super-segments cut', async () => {
    const { a, b } = pair;
    await host.call('connect', b.address4, 80);
    await host.call('send', 1);
    await a.namespace.run('ip', 'neigh', 'flush', 'dev', 'va');
    const out = await counted(async () => {
      await host.call('send', CHUNKS);
      await arrives(host);
    });
    expect(out.viaRawSocket).toBeGreaterThan(0);
    expect(out.sent).toBeGreaterThan(out.viaRawSocket + out.viaPacketSocket);
    expect(out.sendEMSGSIZE).toBe(0);
    expect(out.superSegments).toBeGreaterThan(0);
  });

  test("the interface's MTU and its being down are respected", async () => {
    const { a, b } = pair;
    await a.namespace.run('ip', 'link', 'set', 'va', 'mtu', '1300');
    const out = await counted(() => transfer(host, b.address4));
    expect(out.superSegments).toBeGreaterThan(0);
    await a.namespace.run('ip', 'link', 'set', 'va', 'down');
    await expect(host.call('connect', b.address4, 80)).rejects.toThrow('ENETUNREACH');
    await a.namespace.run('ip', 'link', 'set', 'va', 'up', 'mtu', '1500');
    await a.namespace.run('ip', 'route', 'replace', BEHIND, 'via', b.address4);
    await transfer(host, BEHIND);
  });

  test('an interface that is deleted ends nothing', async () => {
    const local = pair.a.namespace.script(CHILD);
    await local.call('listen', 82);
    await host.call('connect', pair.b.address4, 80);
    await pair.a.namespace.run('ip', 'link', 'del', 'va');
    await host.call('connect', '127.0.0.1', 82);
    await host.call('send', 1);
    await arrives(host);
    await local.kill();
  });
});
