import { hasNamespaces, hasTun, NamespacePair } from '../support/netns';
import { needs } from '../support/skip';
import { openRouted } from './support/routed';
import { Side } from './support/side';
import { transfer } from './support/transfer';
import { FAMILIES, type Wire } from './support/wires';

const BYTES = 1 << 20;
/** What the router's cable takes; less than it and its peer have announced. */
const NARROW = 1300;

/** Our stack behind a TUN; the kernel there is the router on the way to another kernel. */
async function openTun(offload: boolean): Promise<Wire> {
  const pair = await NamespacePair.create();
  const { a, b } = pair;
  const tun = { name: 'nl0', offload, hostAddresses: ['10.78.0.1/24', 'fd78::1/64'] };
  const addresses = ['10.78.0.2/24', 'fd78::2/64'];
  const forward = ['net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'];
  await a.namespace.run('sysctl', '-qw', ...forward);
  await a.namespace.run('ip', 'link', 'set', a.device, 'mtu', String(NARROW));
  await b.namespace.run('ip', 'route', 'add', '10.78.0.0/24', 'via', a.address4);
  await b.namespace.run('ip', 'route', 'add', 'fd78::/64', 'via', a.address6);
  const [ours, kernel] = await Promise.all([
    Side.start(a.namespace, { link: 'tun', tun, addresses, trace: true }),
    Side.start(b.namespace, { link: 'kernel' }),
  ]);
  return {
    ours,
    kernel,
    oursIn: a.namespace,
    kernelIn: b.namespace,
    device: b.device,
    ourAddress: { 4: '10.78.0.2', 6: 'fd78::2' },
    kernelAddress: { 4: b.address4, 6: b.address6 },
    close: () => pair.close(),
  };
}

/** Our stack on a host's own addresses, the router another host. */
async function openRaw(): Promise<Wire> {
  const wire = await openRouted({ trace: true });
  await wire.router.run('ip', 'link', 'set', wire.far, 'mtu', String(NARROW));
  return wire;
}

const WIRES = [
  ['raw', openRaw, false],
  ['TUN', () => openTun(true), true],
  ['TUN without offload', () => openTun(false), false],
] as const;

needs(hasNamespaces() && hasTun(), 'root, namespaces and /dev/net/tun')(
  'a path that is narrow in the middle',
  () => {
    describe.each(WIRES)('%s', (_, open, together) => {
      let wire: Wire;

      beforeAll(async () => {
        wire = await open();
      });

      afterAll(() => wire.close());

      test.each(FAMILIES)('IPv%d: the kernel says so, and we send what fits', async (family) => {
        await wire.ours.forget();
        await transfer(wire, family, 'us to kernel', BYTES);
        const from = `${wire.ourAddress[family]}.`;
        const lengths = (await wire.ours.trace())
          .filter((line) => line.split(' ')[1].startsWith(from) && line.includes('length'))
          .map((line) => Number(/, length (\d+)/.exec(line)?.[1]));
        const overhead = (family === 4 ? 20 : 40) + 20 + 12;
        if (together) {
          // Super-segments, of whole segments.
          expect(Math.max(...lengths)).toBeGreaterThan(2 * NARROW);
        } else {
          // The first flight is too large, and nothing after it.
          expect(Math.max(...lengths)).toBe(1500 - overhead);
          expect(Math.max(...lengths.slice(40))).toBe(NARROW - overhead);
        }
        const counters = await wire.ours.counters();
        const told = family === 4 ? counters.IcmpInDestUnreachs : counters.Icmp6InPktTooBigs;
        expect(told).toBeGreaterThan(0);
        expect(told).toBeLessThanOrEqual(20);
        // The next connection knows it, and says so.
        await wire.ours.forget();
        await transfer(wire, family, 'us to kernel', BYTES);
        const [syn] = await wire.ours.trace();
        expect(syn).toContain(`mss ${NARROW - overhead + 12}`);
        const after = await wire.ours.counters();
        expect(family === 4 ? after.IcmpInDestUnreachs : after.Icmp6InPktTooBigs).toBe(told);
      });
    });
  },
);
