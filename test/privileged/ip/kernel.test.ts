import { layFarCable } from '../../interop/support/routed';
import { Daemon } from '../../interop/support/daemon';
import { hasNamespaces, hasTun, Namespace } from '../../support/netns';
import type { Script } from '../../support/script';
import { hasCommand, needs } from '../../support/skip';

type Family = 4 | 6;
const CHILD = 'test/privileged/ip/datagrams-child.ts';
const OURS = { 4: '10.78.0.2', 6: 'fd78::2' } as const;
const ROUTER = { 4: '10.78.0.1', 6: 'fd78::1' } as const;
const FAR_SIDE = { 4: '10.10.0.1', 6: 'fd10::1' } as const;
const FAR = { 4: '10.10.0.2', 6: 'fd10::2' } as const;

/** Every length, or some, and all around where another fragment begins. */
function lengths(family: Family): number[] {
  const most = family === 4 ? 65_507 : 65_527;
  const step = process.env.NETLAND_NIGHTLY === '1' ? 1 : 4001;
  const some = Array.from({ length: Math.ceil(most / step) }, (_, i) => i * step);
  const full = family === 4 ? 1472 : 1452;
  return [...some, 1, full - 1, full, full + 1, full + 8, 2 * full, most - 1, most];
}

needs(
  hasNamespaces() && hasTun() && hasCommand('ping') && hasCommand('traceroute'),
  'root, network namespaces, /dev/net/tun, ping, traceroute',
)('a host on a TUN, and the kernel behind a router', () => {
  let router: Namespace;
  let far: Namespace;
  let ours: Script;
  let theirs: Script;

  beforeAll(async () => {
    [router, far] = await Promise.all([Namespace.create(), Namespace.create()]);
    await layFarCable(router, far);
    [ours, theirs] = [router.script(CHILD), far.script(CHILD)];
    const hostAddresses = [`${ROUTER[4]}/24`, `${ROUTER[6]}/64`];
    const addresses = [`${OURS[4]}/24`, `${OURS[6]}/64`, 'fe80::2/64'];
    await ours.call('open', hostAddresses, addresses, [ROUTER[4], ROUTER[6]]);
    await far.run('ip', 'route', 'add', '10.78.0.0/24', 'via', FAR_SIDE[4]);
    await far.run('ip', 'route', 'add', 'fd78::/64', 'via', FAR_SIDE[6]);
  });
  afterAll(() => Promise.all([router?.close(), far?.close()]));

  const counter = async (name: string) =>
    (await ours.call<Record<string, number>>('counters'))[name];

  describe.each<Family>([4, 6])('IPv%i', (family) => {
    test('ping, with packets of every kind of length', async () => {
      for (const size of [0, 56, 1472, 1473, 65_507]) {
        const command = ['ping', `-${family}`, '-n', '-c', '3', '-i', '0.01', '-w', '10'];
        const { stdout } = await far.run(...command, '-s', String(size), OURS[family]);
        expect(stdout).toMatch(/ packets transmitted, 3 received,/);
        expect(stdout).not.toMatch(/wrong data|DUP|errors/);
      }
    });

    test('ping -f: echo replies are not limited', async () => {
      const command = ['ping', `-${family}`, '-n', '-q', '-f', '-c', '300', '-w', '20'];
      const { stdout } = await far.run(...command, OURS[family]);
      expect(stdout).toMatch(/ packets transmitted, 300 received,/);
    });

    test.each<[string, string[]]>([
      ['UDP', []],
      ['ICMP', ['-I']],
    ])('traceroute by %s', async (_, method) => {
      const command = ['traceroute', `-${family}`, '-n', '-q', '1', '-w', '2', '-m', '4'];
      const { stdout } = await far.run(...command, ...method, OURS[family]);
      const hops = [...stdout.matchAll(/^ *\d+ +(\S+)/gm)].map(([, hop]) => hop);
      expect(hops).toEqual([FAR_SIDE[family], OURS[family]]);
    });

    test('a closed port: ECONNREFUSED, both ways', async () => {
      expect(await theirs.call('refused', family, OURS[family], 4)).toBe('ECONNREFUSED');
      expect(await ours.call('refused', family, FAR[family], 4)).toBe('ECONNREFUSED');
    });

    test('datagrams of every kind of length, from the kernel and to it', async () => {
      await ours.call('echo', family, OURS[family], 7);
      await theirs.call('echo', family, FAR[family], 7);
      const all = lengths(family);
      expect(await theirs.call('exchange', family, OURS[family], 7, all)).toEqual([]);
      expect(await ours.call('exchange', family, FAR[family], 7, all)).toEqual([]);
      const [oks, fails] = family === 4 ? ['IpReasmOKs', 'IpReasmFails'] : ['Ip6ReasmOKs', ''];
      expect(await counter(oks)).toBeGreaterThan(all.length);
      if (fails !== '') expect(await counter(fails)).toBe(0);
    });
  });

  test('joining a group is told to routers, in messages that tcpdump finds right', async () => {
    const command = ['tcpdump', '-l', '-n', '-vv', '-i', 'nl0', 'igmp or ip6'];
    const sniffer = await Daemon.start(router, command, /listening on/);
    await ours.call('join', 4, '239.1.2.3');
    await ours.call('join', 6, 'ff15::123');
    await sniffer.printed(/gaddr 239\.1\.2\.3 to_ex[^]*gaddr ff15::123 to_ex/);
    const output = await sniffer.stop();
    expect(output).toMatch(/ttl 1, .*proto IGMP \(2\), .*options \(RA\)/);
    expect(output).toMatch(/hlim 1, next-header Options \(0\).*\n? *fe80::2 > ff02::16: HBH/);
    expect(output).toMatch(/icmp6 sum ok/);
    expect(output).not.toMatch(/bad|wrong|cksum incorrect/);
  });
});
