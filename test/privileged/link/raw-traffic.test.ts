import { icmpError } from '../../../lib/codec/build-icmp';
import { Checksum, Flag } from '../../../lib/core/segment/layout';
import { forge } from '../../scenarios/support';
import { address } from '../../support/lab';
import { hasNamespaces, type Namespace } from '../../support/netns';
import type { Script } from '../../support/script';
import { hasCommand, needs } from '../../support/skip';
import { until } from '../../support/until';
import {
  asNobody,
  Bench,
  type Counters,
  linkChild,
  openRaw,
  PacketSender,
  type Place,
  RESET,
  type Taken,
  taken,
} from './support';

needs(
  hasNamespaces() && hasCommand('setpriv') && hasCommand('python3'),
  'root, network namespaces, setpriv, python3',
)('traffic of the raw link', () => {
  let bench: Bench;
  let link: Script;

  beforeAll(async () => {
    bench = await Bench.create();
  });

  afterAll(() => bench?.close());

  describe('what comes in', () => {
    beforeAll(async () => {
      link = await openRaw(bench.here);
      await bench.here.run('ip', 'addr', 'add', '10.9.0.11/24', 'dev', 'va');
      await bench.here.run('ip', 'addr', 'add', 'fd09::11/64', 'dev', 'va', 'nodad');
    });
    afterAll(() => link.end());

    test('only segments to our ports, at our addresses', async () => {
      const [four, six] = bench.places;
      await link.call('reserve', four.local, 7200);
      await link.call('reserve', six.local, 7200);
      await link.call('ephemeral', 4);
      await link.call('take');
      for (const place of [four, six]) {
        await bench.send(place, 7199, { count: 500 });
        await bench.send(place, 7201, { count: 500 });
      }
      // Our port at an address where it isn't ours: the kernel answers there, and only it.
      const other = [
        { local: '10.9.0.11', remote: four.remote },
        { local: 'fd09::11', remote: six.remote },
      ];
      for (const place of other) {
        expect(await bench.provoke(place, 7200)).toContain(RESET);
      }
      let counters = await link.call<Counters>('counters');
      expect((await link.call<Taken>('take')).total).toBe(0);
      expect(counters).toMatchObject({ received: 0, foreign: 0, kernelDrops: 0 });

      for (const place of [four, six]) {
        await bench.send(place, 7200, { count: 500 });
      }
      expect((await taken(link, 1000)).total).toBe(1000);
      counters = await link.call<Counters>('counters');
      expect(counters).toMatchObject({ received: 1000, foreign: 0 });
    });

    afterAll(async () => {
      await bench.here.run('ip', 'addr', 'del', '10.9.0.11/24', 'dev', 'va');
      await bench.here.run('ip', 'addr', 'del', 'fd09::11/64', 'dev', 'va');
    });

    test('in batches, described and with the IP header', async () => {
      const [four, six] = bench.places;
      for (const place of [four, six]) {
        await bench.send(place, 7200, {
          flags: Flag.ACK | Flag.PSH,
          sequence: 77,
          hopLimit: 33,
          trafficClass: 0xb9,
          length: 100,
        });
      }
      const { seen } = await taken(link, 2);
      expect(seen.map(({ header, ...rest }) => ({ ...rest, header: header.slice(0, 4) }))).toEqual(
        [four, six].map((place) => ({
          source: place.remote,
          sourcePort: 5555,
          destination: place.local,
          destinationPort: 7200,
          flags: Flag.ACK | Flag.PSH,
          length: 100,
          checksum: Checksum.Verified,
          interface: expect.any(Number),
          hopLimit: 33,
          trafficClass: 0xb9,
          header: place === four ? '45b9' : '6b90',
        })),
      );
      expect(seen[0].interface).toBeGreaterThan(1);
    });

    describe('ICMP', () => {
      /** Port unreachable, from the peer, about a segment of ours. */
      function unreachable({ local, remote }: Place, sourcePort: number): Uint8Array {
        const segment = forge({ from: local, to: remote, sourcePort, sequence: 77 }).bytes();
        const kind = local.includes(':') ? { type: 1, code: 4 } : { type: 3, code: 3 };
        return icmpError(address(remote), segment, kind);
      }

      let sender: PacketSender;
      const tell = (place: Place, packets: readonly Uint8Array[], times?: number) =>
        sender.send(place.local, packets, times);

      beforeAll(async () => {
        sender = await PacketSender.start(bench.pair.b.namespace);
      });
      afterAll(() => sender.stop());
      beforeEach(() => link.call('take'));

      test('errors about our ports, and nothing else', async () => {
        const before = await link.call<Counters>('counters');
        for (const place of bench.places) {
          const [ours, foreign] = [unreachable(place, 7200), unreachable(place, 7201)];
          const six = place.local.includes(':');
          const quoted = six ? 48 : 28;
          const spoiled = (at: number, value: number) =>
            ours.map((byte, i) => (i === at ? value : byte));
          const about = {
            udp: spoiled(quoted + (six ? 6 : 9), 17),
            another: spoiled(quoted + (six ? 23 : 15), 99),
            echo: spoiled(six ? 40 : 20, six ? 128 : 8),
            redirect: spoiled(six ? 40 : 20, six ? 137 : 5),
          };
          await tell(place, [foreign, about.udp, about.echo, about.redirect], 50);
          await tell(place, [about.another, ours]);
        }
        const { seen } = await taken(link, 2);
        expect(seen).toEqual(
          bench.places.map((place) =>
            expect.objectContaining({
              source: place.remote,
              sourcePort: 50000,
              destination: place.local,
              destinationPort: 7200,
              checksum: Checksum.Verified,
              interface: expect.any(Number),
              hopLimit: 64,
            }),
          ),
        );
        const after = await link.call<Counters>('counters');
        // The quote of somebody else's comes as far as our own look at it; in IPv6 the kernel has
        // seen that its checksum is wrong.
        expect(after.foreign - before.foreign).toBe(1);
      });

      test('a forged one teaches the kernel no MTU of a path', async () => {
        for (const place of bench.places) {
          const six = place.local.includes(':');
          const segment = forge({ from: place.local, to: place.remote, sourcePort: 9 }).bytes();
          const kind = six ? { type: 2, code: 0, mtu: 1300 } : { type: 3, code: 4, mtu: 600 };
          await tell(place, [icmpError(address(place.remote), segment, kind)]);
          await tell(place, [unreachable(place, 7200)]);
          await taken(link, 1);
          const { stdout } = await bench.here.run('ip', 'route', 'get', place.remote);
          expect(stdout).not.toContain('mtu');
        }
      });

      test('cut off and spoiled ones do no harm', async () => {
        for (const place of bench.places) {
          const ours = unreachable(place, 7200);
          const header = place.local.includes(':') ? 40 : 20;
          const packets = Array.from({ length: ours.length - header }, (_, i) => {
            const cut = ours.slice(0, header + i);
            if (header === 40) cut[5] = i;
            return cut;
          });
          for (let at = header; at < ours.length; at++) {
            packets.push(ours.map((byte, i) => (i === at ? byte ^ (1 << (at % 8)) : byte)));
          }
          await tell(place, packets);
          await link.call('take');
          await tell(place, [ours]);
          const { seen } = await taken(link, 1);
          expect(seen.at(-1)).toMatchObject({ destinationPort: 7200, checksum: 0 });
        }
      });

      test('a link that one of them closes hears no other', async () => {
        const other = await openRaw(bench.here);
        const [place] = bench.places;
        await other.call('reserve', place.local, 7201);
        await other.call('closeOnReceive');
        await tell(place, [unreachable(place, 7201)], 1000);
        const { batches } = await taken(other, 1);
        expect(batches).toBe(1);
        expect((await other.call<Taken>('take')).total).toBe(0);
        expect(await other.end()).toBe(0);
      });

      test('a flood of them holds up no segment', async () => {
        for (const place of bench.places) {
          const flood = tell(place, [unreachable(place, 7200)], 5000);
          await bench.send(place, 7200, { count: 200 });
          await flood;
          let arrived = 0;
          await until(
            async () => {
              const { seen } = await link.call<Taken>('take');
              return (arrived += seen.filter(({ flags }) => flags === Flag.SYN).length);
            },
            (count) => count >= 200,
          );
        }
      });
    });

    test('a host that throws loses nothing else', async () => {
      await link.call('throwOnce');
      for (let i = 0; i < 2; i++) {
        await bench.send(bench.places[0], 7200, { count: 10 });
        expect((await taken(link, 10)).total).toBe(10);
      }
    });
  });

  describe('what goes out', () => {
    beforeAll(async () => {
      link = await openRaw(bench.here);
    });
    afterAll(() => link.end());

    test('what cannot leave is counted and stops nothing', async () => {
      const send = (more: object) =>
        link.call('send', { sourcePort: 5556, destinationPort: 9, flags: Flag.SYN, ...more });
      await send({ source: '10.9.0.1', destination: '10.9.0.2', length: 1461 });
      await send({ source: '10.9.0.1', destination: '192.0.2.1' });
      await send({ source: 'fd09::1', destination: 'fd09::2', length: 1441 });
      await send({ source: 'fd09::1', destination: '2001:db8::1' });
      await send({ source: '10.9.0.1', destination: '10.9.0.2', length: 1460 });
      await send({ source: 'fd09::1', destination: 'fd09::2', length: 1440 });
      expect(await link.call('counters')).toMatchObject({
        sendEMSGSIZE: 2,
        sendENETUNREACH: 2,
        sent: 2,
      });
    });

    test('what netfilter refuses is counted', async () => {
      const rule = 'add table ip t; add chain ip t o { type filter hook output priority 0; };';
      const drop = 'add rule ip t o tcp dport 4444 drop';
      await bench.here.run('nft', `${rule} ${drop}`);
      const what = {
        flags: Flag.SYN,
        sourcePort: 5555,
        destinationPort: 4444,
        source: '10.9.0.1',
        destination: '10.9.0.2',
      };
      await link.call('send', { ...what, count: 3 });
      expect(await link.call('counters')).toMatchObject({ sendEPERM: 3 });
      await bench.here.run('nft', 'delete table ip t');
    });

    test('waits while the socket is full, in order, and says when there is room', async () => {
      const shape = (how: string, rate: string) => {
        const tbf = ['root', 'tbf', 'rate', rate, 'burst', '10k', 'limit', '100mb'];
        return bench.here.run('tc', 'qdisc', how, 'dev', 'va', ...tbf);
      };
      // The qdisc is served by any processor, each of which has a queue into the other end of the
      // veth: the order that packets leave in is that of their arrival only where there is one.
      const onOne = 'echo 1 > /sys/class/net/vb/queues/rx-0/rps_cpus || true';
      await bench.pair.b.namespace.run('sh', '-c', onOne);
      // What fills the socket would take 40 s.
      await shape('add', '1mbit');
      await link.end();
      // Without CAP_NET_ADMIN the socket's buffer is small.
      link = await openRaw(bench.here, {}, asNobody('net_raw'));
      await bench.peer.call('reserve', '0.0.0.0', 6666);
      await bench.peer.call('take');
      const before = (await bench.peer.call<Counters>('counters')).received;
      const what = {
        flags: Flag.SYN,
        sourcePort: 5555,
        destinationPort: 6666,
        source: '10.9.0.1',
        destination: '10.9.0.2',
      };
      expect(await link.call('send', { ...what, length: 1000, count: 5000 })).toBe(false);
      const during = await link.call<Counters>('counters');
      expect(during.queued).toBeGreaterThan(0);
      expect(during.sent).toBeLessThan(5000);
      await shape('change', '100mbit');
      await until(
        () => link.call<Taken>('take'),
        ({ writable }) => writable > 0,
      );
      const counters = await link.call<Counters>('counters');
      expect(counters.sent + counters.queueFull).toBe(5000);
      await until(
        () => bench.peer.call<Counters>('counters'),
        ({ received }) => received - before >= counters.sent,
      );
      // Sequence numbers count up (bytes 4 to 7 behind the IP header).
      const { seen } = await bench.peer.call<Taken>('take');
      const sequences = seen.map((each) => parseInt(each.header.slice(48, 56), 16));
      expect(sequences).toHaveLength(counters.sent);
      expect(sequences).toEqual([...sequences].sort((a, b) => a - b));
      await bench.here.run('tc', 'qdisc', 'del', 'dev', 'va', 'root');
      await bench.peer.call('release', '0.0.0.0', 6666);
    });
  });

  describe('from a kernel that sends', () => {
    beforeEach(async () => {
      link = await openRaw(bench.here);
      await link.call('sink');
    });
    afterEach(async () => {
      await link.end();
    });

    async function flow(
      to: string,
      from: Namespace,
    ): Promise<{ counters: Counters; longest: number }> {
      expect(await link.call('reserve', to, 7300)).toBe(0);
      const client = linkChild(from);
      await client.call('kernelConnect', to, 7300);
      const bytes = 4 << 20;
      const digest = await client.call('kernelSend', bytes);
      await until(
        () => link.call<{ bytes: number }>('sunk'),
        (sunk) => sunk.bytes === bytes,
      );
      expect(await link.call('sunk')).toEqual({ bytes, digest });
      await client.end();
      const { longest } = await link.call<Taken>('take');
      return { counters: await link.call<Counters>('counters'), longest };
    }

    test.each([0, 1])(
      'super-packets and partial checksums over veth (family %#)',
      async (index) => {
        const result = await flow(bench.places[index].local, bench.pair.b.namespace);
        expect(result.longest).toBeGreaterThan(10_000);
        expect(result.counters.partialChecksum).toBeGreaterThan(0);
        expect(result.counters['partialChecksum.va']).toBe(result.counters.partialChecksum);
        expect(result.counters.badChecksum).toBe(0);
      },
    );

    test.each(['127.0.0.1', '::1', '10.9.0.1'])('over loopback to %s', async (address) => {
      const result = await flow(address, bench.pair.a.namespace);
      expect(result.longest).toBeGreaterThan(30_000);
      expect(result.counters.partialChecksum).toBeGreaterThan(0);
    });

    test('what a GRO receiver has put together, its checksums complete on the wire', async () => {
      const { a, b } = bench.pair;
      const off = ['tx', 'off', 'tso', 'off', 'gso', 'off'];
      await b.namespace.run('ethtool', '-K', 'vb', ...off);
      await a.namespace.run('ethtool', '-K', 'va', 'gro', 'on');
      const result = await flow(bench.places[0].local, b.namespace);
      expect(result.longest).toBeGreaterThan(1500);
      expect(result.counters['partialChecksum.va']).toBeGreaterThan(0);
      await a.namespace.run('ethtool', '-K', 'va', 'gro', 'off');
      await link.end();
      link = await openRaw(a.namespace);
      await link.call('sink');
      const plain = await flow(bench.places[0].local, b.namespace);
      expect(plain.longest).toBeLessThanOrEqual(1500);
      expect(plain.counters.partialChecksum).toBe(0);
      await b.namespace.run('ethtool', '-K', 'vb', 'tx', 'on', 'tso', 'on', 'gso', 'on');
    });

    test('partial checksums only from the interfaces that may have them', async () => {
      await link.end();
      link = await openRaw(bench.here, { partialChecksums: ['lo'] });
      await link.call('reserve', '0.0.0.0', 7400);
      const client = linkChild(bench.pair.b.namespace);
      client.call('kernelConnect', bench.pair.a.address4, 7400).catch(() => undefined);
      await until(
        () => link.call<Counters>('counters'),
        ({ partialRefused }) => partialRefused > 0,
      );
      const { seen } = await link.call<Taken>('take');
      expect(seen[0].checksum).toBe(Checksum.Bad);
      await client.kill();
    });
  });
});
