import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packetLink } from '../../../lib/link/packet';
import { hasNamespaces, Namespace, NamespacePair } from '../../support/netns';
import type { Script } from '../../support/script';
import { hasCommand, needs } from '../../support/skip';
import { until } from '../../support/until';
import { asNobody } from './support';

const CHILD = 'test/privileged/link/packet-child.ts';
const HARDWARE = '02:00:5e:10:00:07';
const OURS = ['10.9.0.7/24', 'fd09::7/64'];
const FAMILIES = [
  ['10.9.0.7', '10.9.0.2'],
  ['fd09::7', 'fd09::2'],
] as const;
const BYTES = process.env.NETLAND_NIGHTLY === '1' ? 8_000_000 : 3_000_000;

const wrong = (options: object): unknown => {
  try {
    packetLink({ interface: 'va', ...options });
    return null;
  } catch (error) {
    return (error as { code: string }).code;
  }
};

test('options that make no sense', () => {
  expect(wrong({})).toBeNull();
  expect(wrong({ interface: 'a/b' })).toBe('ERR_INVALID_ARG_VALUE');
  expect(wrong({ hardwareAddress: '02:00:5e:10:00' })).toBe('ERR_INVALID_ARG_VALUE');
  expect(wrong({ hardwareAddress: '03:00:5e:10:00:01' })).toBe('ERR_INVALID_ARG_VALUE');
  expect(wrong({ hardwareAddress: '00:00:00:00:00:00' })).toBe('ERR_INVALID_ARG_VALUE');
  expect(wrong({ mtu: 67 })).toBe('ERR_OUT_OF_RANGE');
  expect(wrong({ offload: 1 })).toBe('ERR_INVALID_ARG_TYPE');
  expect(wrong({ mac: '02:00:5e:10:00:01' })).toBe('ERR_INVALID_ARG_VALUE');
});

const has = hasNamespaces() && ['setpriv', 'tcpdump', 'tshark', 'radvd', 'ping'].every(hasCommand);

needs(has, 'root, network namespaces, setpriv, tcpdump, tshark, radvd, ping')(
  'the packet link against the kernel',
  () => {
    let pair: NamespacePair;
    let host: Script;
    let kernel: Script;
    let directory: string;

    beforeAll(async () => {
      pair = await NamespacePair.create();
      directory = mkdtempSync(join(tmpdir(), 'netland-packet-'));
      kernel = pair.b.namespace.script(CHILD);
      await kernel.call('listen', 80);
      await kernel.call('echo', 'udp4', 7);
      await kernel.call('echo', 'udp6', 7);
    });
    afterAll(async () => {
      await pair?.close();
      rmSync(directory, { recursive: true, force: true });
    });

    beforeEach(() => {
      host = pair.a.namespace.script(CHILD);
    });
    afterEach(() => host.kill());

    const open = (link = {}, options = {}) =>
      host.call(
        'open',
        { interface: 'va', hardwareAddress: HARDWARE, ...link },
        {
          addresses: OURS,
          ...options,
        },
      );
    const neighbor = async (address: string) =>
      (await pair.b.namespace.run('ip', 'neigh', 'show', address)).stdout;

    test.each([true, false])('both resolve each other, and talk (offload: %s)', async (offload) => {
      const file = join(directory, `${offload}.pcap`);
      const words = [
        'tcpdump',
        '-Z',
        'root',
        '-U',
        '--immediate-mode',
        '-i',
        'vb',
        '-w',
        file,
        'ether',
        'src',
        HARDWARE,
      ];
      const [command, ...rest] = [...pair.b.namespace.via, ...words];
      const sniffer = spawn(command, rest, { stdio: ['ignore', 'ignore', 'pipe'] });
      await new Promise((resolve) => sniffer.stderr.once('data', resolve));
      await open({ offload });
      await host.call('listen', 80);
      await host.call('echo', 'udp4', 7);
      await host.call('echo', 'udp6', 7);
      for (const [ours, theirs] of FAMILIES) {
        const bytes = offload ? BYTES : BYTES / 10;
        expect(await host.call('send', theirs, 80, bytes)).toBe(bytes);
        expect(await kernel.call('send', ours, 80, bytes)).toBe(bytes);
        expect(await host.call('ask', theirs, 7, 5000)).toEqual([5000, theirs]);
        await pair.b.namespace.run(
          'ip',
          ours.includes(':') ? '-6' : '-4',
          'neigh',
          'flush',
          'dev',
          'vb',
        );
        expect(await kernel.call('ask', ours, 7, 5000)).toEqual([5000, ours]);
        expect(await neighbor(ours)).toMatch(new RegExp(`lladdr ${HARDWARE} .*REACHABLE`));
        expect(await host.call('refused', [theirs], 81)).toEqual(['ECONNREFUSED']);
        expect(await kernel.call('refused', [ours], 81)).toEqual(['ECONNREFUSED']);
      }
      type Counts = Record<string, number> & { link: Record<string, number> };
      const { link } = await host.call<Counts>('counters');
      // With offload a packet stands for many, both ways.
      if (offload) expect(link.received).toBeLessThan((4 * BYTES) / 1448 / 2);
      expect([link.kernelDrops, link.unbuildable, link.sendErrors]).toEqual([0, 0, 0]);
      await host.call('close');
      sniffer.kill();
      await new Promise((resolve) => sniffer.once('close', resolve));
      const bad = ['_ws.malformed', 'ip.checksum.status==0', 'icmpv6.checksum.status==0'];
      if (!offload) bad.push('tcp.checksum.status==0', 'udp.checksum.status==0');
      const checks = ['ip', 'tcp', 'udp'].flatMap((name) => ['-o', `${name}.check_checksum:TRUE`]);
      const read = (filter: string, ...more: string[]) => {
        const words = ['-r', file, ...checks, '-Y', filter, ...more];
        return execFileSync('tshark', words, { stdio: 'pipe' }).toString();
      };
      expect(read(bad.join(' || '))).toBe('');
      const names = ['arp.opcode', 'arp.isgratuitous', 'icmpv6.type'];
      const fields = names.flatMap((name) => ['-e', name]);
      const lines = read('arp || icmpv6', '-T', 'fields', ...fields).split('\n');
      expect(lines).toContainEqual(expect.stringMatching(/^2\t/));
      expect(lines).toContainEqual(expect.stringMatching(/^\d\t(1|True)\t/));
      expect(lines).toContainEqual(expect.stringMatching(/\t136$/));
    });

    test("the kernel's own address is not disturbed, and what is not ours not seen", async () => {
      await open({}, { addresses: ['10.9.0.7/24'] });
      expect(await kernel.call('ask', '10.9.0.2', 7, 1)).toEqual([1, '10.9.0.2']);
      await pair.b.namespace.run('ping', '-c', '2', '-i', '0.2', '10.9.0.1');
      const { link } = await host.call<{ link: Record<string, number> }>('counters');
      expect([link.foreign, link.otherProtocol]).toEqual([0, 0]);
      // Its ARP request was to all; nothing else was.
      expect(link.received).toBeLessThan(6);
    });

    test('a neighbour that comes back with another hardware address', async () => {
      await open();
      await host.call('echo', 'udp4', 7);
      expect(await host.call('ask', '10.9.0.2', 7, 1)).toEqual([1, '10.9.0.2']);
      await pair.b.namespace.run('ip', 'link', 'set', 'vb', 'address', '02:00:00:00:99:01');
      expect(await kernel.call('ask', '10.9.0.7', 7, 2)).toEqual([2, '10.9.0.7']);
      expect(await host.call('ask', '10.9.0.2', 7, 3)).toEqual([3, '10.9.0.2']);
    });

    test('nobody there: EHOSTUNREACH', async () => {
      await open();
      const errors = await host.call('refused', ['10.9.0.99', 'fd09::99'], 80);
      expect(errors).toEqual(['EHOSTUNREACH', 'EHOSTUNREACH']);
    });

    test('groups, both ways', async () => {
      await open();
      await host.call('echo', 'udp4', 9, '239.1.2.3');
      await kernel.call('echo', 'udp4', 9, '239.1.2.4', '10.9.0.2');
      expect(await kernel.call('ask', '239.1.2.3', 9, 3, '10.9.0.2')).toEqual([3, '10.9.0.7']);
      expect(await host.call('ask', '239.1.2.4', 9, 4)).toEqual([4, '10.9.0.2']);
    });

    test('another host has the address: IPv6 gives it up, and says so', async () => {
      await open({}, { addresses: ['fd09::2/64'] });
      await until(
        () => host.call<string[]>('addresses'),
        (addresses) => !addresses.includes('fd09::2/64'),
      );
      expect(await host.call('warnings')).toContain('NETLAND_DUPLICATE_ADDRESS');
    });

    test('an interface that is set down and up again, and is then deleted', async () => {
      await open();
      await host.call('echo', 'udp4', 7);
      const set = (state: string) => pair.a.namespace.run('ip', 'link', 'set', 'va', state);
      await set('down');
      const asked = host.call('ask', '10.9.0.2', 7, 1);
      await set('up');
      expect(await asked).toEqual([1, '10.9.0.2']);
    });

    describe('behind a router', () => {
      let far: Namespace;

      beforeAll(async () => {
        far = await Namespace.create();
        const { namespace: router } = pair.b;
        const run = (...words: string[]) => router.run(...words);
        await run(
          'ip',
          'link',
          'add',
          'vr',
          'type',
          'veth',
          'peer',
          'name',
          'vq',
          'netns',
          far.name,
        );
        await run('ip', 'addr', 'add', '10.8.0.1/24', 'dev', 'vr');
        await run('ip', 'addr', 'add', 'fd08::1/64', 'dev', 'vr', 'nodad');
        await run('ip', 'link', 'set', 'vr', 'up');
        await run('sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1');
        await far.run('ip', 'addr', 'add', '10.8.0.2/24', 'dev', 'vq');
        await far.run('ip', 'addr', 'add', 'fd08::2/64', 'dev', 'vq', 'nodad');
        await far.run('ip', 'link', 'set', 'vq', 'up');
        await far.run('ip', 'route', 'add', 'default', 'via', '10.8.0.1');
        await far.run('ip', 'route', 'add', 'default', 'via', 'fd08::1');
        const peer = far.script(CHILD);
        await peer.call('listen', 80);
        await peer.call('echo', 'udp6', 7);
      });
      afterAll(() => far?.close());

      test('by a route with a gateway', async () => {
        await open(
          {},
          {
            routes: [
              { to: '0.0.0.0/0', via: '10.9.0.2' },
              { to: '::/0', via: 'fd09::2' },
            ],
          },
        );
        expect(await host.call('send', '10.8.0.2', 80, 1_000_000)).toBe(1_000_000);
        expect(await host.call('send', 'fd08::2', 80, 1_000_000)).toBe(1_000_000);
      });

      test('that announces itself: an address and the way to everybody, from radvd', async () => {
        const config = join(directory, 'radvd.conf');
        writeFileSync(
          config,
          'interface vb { AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4;' +
            ' prefix 2001:db8:9::/64 { AdvOnLink on; AdvAutonomous on; }; };\n',
        );
        const { namespace } = pair.b;
        await namespace.run('ip', 'addr', 'add', '2001:db8:9::1/64', 'dev', 'vb', 'nodad');
        const pid = join(directory, 'radvd.pid');
        await namespace.run('radvd', '-C', config, '-p', pid, '-m', 'none');
        try {
          await open({ autoconf: true }, { addresses: [] });
          const made = '2001:db8:9::5eff:fe10:7/64';
          await until(
            () => host.call<string[]>('addresses'),
            (addresses) => addresses.includes(made),
          );
          expect(await host.call('ask', 'fd08::2', 7, 6)).toEqual([6, 'fd08::2']);
          expect(await host.call('send', 'fd08::2', 80, 1_000_000)).toBe(1_000_000);
        } finally {
          execFileSync('kill', [execFileSync('cat', [pid]).toString().trim()]);
        }
      });
    });

    test('what can go wrong when it is opened', async () => {
      await expect(open({ interface: 'nope' })).rejects.toMatchObject({ code: 'ENODEV' });
      await expect(open({ interface: 'lo' })).rejects.toMatchObject({ code: 'EPROTOTYPE' });
      const shown = await pair.a.namespace.run('cat', '/sys/class/net/va/address');
      const kernels = shown.stdout.trim();
      await expect(open({ hardwareAddress: kernels })).rejects.toMatchObject({
        code: 'EADDRINUSE',
      });
      const nobody = pair.a.namespace.script(CHILD, { via: asNobody() });
      const opened = nobody.call('open', { interface: 'va' }, { addresses: OURS });
      await expect(opened).rejects.toMatchObject({ code: 'EPERM' });
      await expect(opened).rejects.toThrow('CAP_NET_RAW');
    });

    test('an interface that is deleted ends the link', async () => {
      await open();
      const closed = host.call('closed');
      await pair.a.namespace.run('ip', 'link', 'del', 'va');
      expect(await closed).toContain('the device is gone');
    });
  },
);
