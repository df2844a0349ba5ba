import { hasNamespaces, Namespace } from '../../support/netns';
import type { Script } from '../../support/script';
import { hasCommand, needs } from '../../support/skip';
import { until } from '../../support/until';
import {
  asNobody,
  Bench,
  type Counters,
  linkChild,
  openRaw,
  PROVOCATIONS,
  RESET,
  type Taken,
} from './support';

const EACCES = 13;
const EADDRNOTAVAIL = 99;
const ENETUNREACH = 101;

needs(hasNamespaces() && hasCommand('setpriv'), 'root, network namespaces, setpriv')(
  'the host as the raw link sees it',
  () => {
    let bench: Bench;
    let link: Script;

    beforeAll(async () => {
      bench = await Bench.create();
    });

    afterAll(() => bench?.close());

    describe('addresses and routes', () => {
      beforeAll(async () => {
        link = await openRaw(bench.here);
      });
      afterAll(() => link.end());

      test("are the host's", async () => {
        expect(await link.call('isLocal', '10.9.0.1')).toBe(true);
        expect(await link.call('isLocal', '127.3.2.1')).toBe(true);
        expect(await link.call('isLocal', '::1')).toBe(true);
        expect(await link.call('isLocal', 'fd09::1')).toBe(true);
        expect(await link.call('isLocal', '10.9.0.2')).toBe(false);
        expect(await link.call('isLocal', '224.0.0.1')).toBe(false);
        expect(await link.call('isLocal', '10.9.0.255')).toBe(false);
        expect(await link.call('route', '10.9.0.2')).toEqual({ source: '10.9.0.1', mtu: 1500 });
        expect(await link.call('route', 'fd09::2')).toEqual({ source: 'fd09::1', mtu: 1500 });
        expect(await link.call('route', '127.0.0.1')).toEqual({ source: '127.0.0.1', mtu: 65_535 });
        expect(await link.call('route', '::1')).toEqual({ source: '::1', mtu: 65_536 });
        expect(await link.call('route', '10.9.0.2', '10.9.0.99')).toBe(EADDRNOTAVAIL);
        expect(await link.call('route', '192.0.2.1')).toBe(ENETUNREACH);
        expect(await link.call('route', '2001:db8::1')).toBe(ENETUNREACH);
      });

      test('count changes, a link that goes down among them', async () => {
        const changes = async () => (await link.call<Counters>('counters')).hostChanges;
        const before = await changes();
        await bench.here.run('ip', 'link', 'add', 'ca0', 'type', 'veth', 'peer', 'name', 'ca1');
        await bench.here.run('ip', 'link', 'set', 'ca0', 'up');
        await until(changes, (count) => count > before);
        await bench.here.run('ip', 'link', 'set', 'va', 'down');
        expect(await link.call('route', '10.9.0.2')).toBe(ENETUNREACH);
        const ends = { source: '10.9.0.1', destination: '10.9.0.2', sourcePort: 1 };
        await link.call('send', { ...ends, destinationPort: 2, flags: 2 });
        expect((await link.call<Counters>('counters')).sendENETUNREACH).toBe(1);
        await bench.here.run('ip', 'link', 'del', 'ca0');
        await bench.here.run('ip', 'link', 'set', 'va', 'up');
        await bench.here.run('ip', 'addr', 'replace', 'fd09::1/64', 'dev', 'va', 'nodad');
        expect(await link.call('route', '10.9.0.2')).toEqual({ source: '10.9.0.1', mtu: 1500 });
      });

      test('follow changes at once', async () => {
        expect(await link.call('isLocal', '10.9.0.12')).toBe(false);
        await bench.here.run('ip', 'addr', 'add', '10.9.0.12/24', 'dev', 'va');
        expect(await link.call('isLocal', '10.9.0.12')).toBe(true);
        const from = await link.call('route', '10.9.0.2', '10.9.0.12');
        expect(from).toEqual({ source: '10.9.0.12', mtu: 1500 });
        await bench.here.run(
          'ip',
          'route',
          'add',
          '192.0.2.0/24',
          'via',
          '10.9.0.2',
          'mtu',
          '1300',
        );
        const route = await link.call('route', '192.0.2.1');
        expect(route).toEqual({ source: '10.9.0.1', mtu: 1300 });
        await bench.here.run('ip', 'route', 'del', '192.0.2.0/24');
        await bench.here.run('ip', 'addr', 'del', '10.9.0.12/24', 'dev', 'va');
        expect(await link.call('isLocal', '10.9.0.12')).toBe(false);
        expect(await link.call('route', '192.0.2.1')).toBe(ENETUNREACH);
      });
    });

    describe('permissions', () => {
      test('without CAP_NET_RAW opening is refused, with the remedy', async () => {
        const script = linkChild(bench.here, { via: asNobody() });
        await expect(script.call('openRaw', {})).rejects.toMatchObject({
          code: 'EPERM',
          errno: -1,
          syscall: 'socket',
          message: expect.stringMatching(/CAP_NET_RAW.*setcap cap_net_raw,cap_net_admin\+ep/),
        });
        await script.end();
      });

      test('without CAP_NET_ADMIN the filter form is refused, with the remedy', async () => {
        const script = linkChild(bench.here, { via: asNobody('net_raw') });
        await expect(script.call('openRaw', { guard: 'filter' })).rejects.toMatchObject({
          code: 'EPERM',
          syscall: 'setsockopt',
          message: expect.stringContaining('CAP_NET_ADMIN'),
        });
        await script.end();
      });

      test('without CAP_NET_BIND_SERVICE low ports are refused', async () => {
        link = await openRaw(bench.here, {}, asNobody('net_raw'));
        expect(await link.call('reserve', '0.0.0.0', 80)).toBe(EACCES);
        await link.end();
      });

      test('an interface that is not there', async () => {
        const script = linkChild(bench.here);
        const opening = script.call('openRaw', { device: 'nowhere0' });
        await expect(opening).rejects.toMatchObject({ code: 'ENODEV' });
        await script.end();
      });
    });

    describe('a host without', () => {
      test.each([
        ['IPv6', ['sysctl', '-qw', 'net.ipv6.conf.all.disable_ipv6=1'], '10.9.9.9'],
        ['loopback', ['ip', 'link', 'set', 'lo', 'down'], '10.9.9.9'],
      ])('%s', async (_what, command, address) => {
        const other = await Namespace.create();
        try {
          await other.run('ip', 'link', 'add', 'va', 'type', 'veth', 'peer', 'name', 'vb');
          await other.run('ip', 'addr', 'add', `${address}/24`, 'dev', 'va');
          await other.run(...command);
          const script = await openRaw(other);
          expect(await script.call('reserve', address, 7000)).toBe(0);
          expect(await script.call('isLocal', address)).toBe(true);
          expect(await script.call('route', '2001:db8::1')).toBe(EADDRNOTAVAIL);
        } finally {
          await other.close();
        }
      });
    });

    describe('one interface alone', () => {
      test('guards and listens there', async () => {
        link = await openRaw(bench.here, { device: 'lo' });
        expect(await link.call('reserve', '0.0.0.0', 7500)).toBe(0);
        expect(await bench.provoke(bench.places[0], 7500)).toContain(RESET);
        expect((await link.call<Taken>('take')).total).toBe(0);
        await link.end();
        link = await openRaw(bench.here, { device: 'va' });
        expect(await link.call('reserve', '0.0.0.0', 7500)).toBe(0);
        expect(await bench.provoke(bench.places[0], 7500)).toEqual([]);
        expect((await link.call<Taken>('take')).total).toBe(PROVOCATIONS);
        expect(await link.call('route', '10.9.0.2')).toEqual({ source: '10.9.0.1', mtu: 1500 });
        await link.end();
      });
    });
  },
);
