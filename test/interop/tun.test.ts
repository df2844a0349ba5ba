import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { hasCommand, needs } from '../support/skip';
import { transfer, WAYS } from './support/transfer';
import { canWire, FAMILIES, TUN, type Wire, WIRE_NEEDS } from './support/wires';

const BYTES = (process.env.NETLAND_NIGHTLY === '1' ? 128 : 4) << 20;

const CHECKED = ['ip', 'tcp', 'udp'].flatMap((name) => ['-o', `${name}.check_checksum:TRUE`]);
const WRONG = [
  '_ws.malformed',
  ...['ip', 'tcp', 'udp', 'icmp', 'icmpv6'].map((name) => `${name}.checksum.status == 0`),
].join(' || ');

needs(canWire() && hasCommand('tshark'), `${WIRE_NEEDS}, tshark`)(
  'super-segments and unfinished checksums over a TUN',
  () => {
    let folder: string;
    let file: string;
    let wire: Wire;

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), `netland-tun-${process.pid}-`));
      file = join(folder, 'all.pcapng');
      wire = await TUN.open({ capture: file, tcp: { ecn: 1 } });
      await wire.kernelIn.run('sysctl', '-qw', 'net.ipv4.tcp_ecn=1');
    });

    afterAll(async () => {
      await wire?.close();
      rmSync(folder, { recursive: true });
    });

    describe.each(FAMILIES)('IPv%d', (family) => {
      test.each(WAYS)('%s, few packets for many bytes', async (way) => {
        const before = await wire.ours.counters();
        await transfer(wire, family, way, BYTES);
        const after = await wire.ours.counters();
        const toUs = way === 'kernel to us';
        const counter = toUs ? 'received' : 'sent';
        const packets = after.link[counter] - before.link[counter];
        expect(packets).toBeLessThan(BYTES / 4000);
        for (const trouble of ['badChecksum', 'sendErrors', 'truncated', 'badTransportHeader']) {
          expect([trouble, after.link[trouble]]).toEqual([trouble, 0]);
        }
        // Segments are counted, not packets.
        const segments = after.TcpOutSegs - before.TcpOutSegs;
        if (!toUs) expect(segments).toBeGreaterThan(BYTES / 1500);
      });

      test.each(WAYS)('%s, while the MTU changes', async (way) => {
        const device = wire.device;
        const done = transfer(wire, family, way, 4 * BYTES);
        for (const mtu of [9000, 1280, 1500, 1400, 65_535, 1500]) {
          await wire.kernelIn.run('ip', 'link', 'set', device, 'mtu', String(mtu));
        }
        await done;
      });
    });

    test('ECN was agreed on, in both directions', async () => {
      const filter = 'tcp.flags.syn == 0 && tcp.len > 0 && ip.dsfield.ecn == 2';
      for (const source of Object.values({ ...wire.ourAddress, ...wire.kernelAddress })) {
        const of = source.includes(':')
          ? `ipv6.src == ${source} && ${filter.replace('ip.dsfield', 'ipv6.tclass')}`
          : `ip.src == ${source} && ${filter}`;
        expect((await dissect('-Y', of)).length).toBeGreaterThan(0);
      }
    });

    test('tshark finds nothing malformed and no wrong checksum in our capture', async () => {
      expect(await dissect('-Y', WRONG)).toEqual([]);
      expect(
        (await dissect('-Y', 'frame.len > 30000 && tcp.checksum.status == 1')).length,
      ).toBeGreaterThan(0);
    });

    test('what a hostile neighbour writes there does no harm', async () => {
      const address = wire.ourAddress[4];
      const post = await wire.ours.post({ address });
      const file = join(__dirname, 'support/hostile.py');
      const before = await wire.ours.counters();
      const hostile = ['python3', file, wire.device, wire.kernelAddress[4], address];
      const { stdout } = await wire.kernelIn.run(...hostile, String(post.port), '6000', '7');
      expect(Number(stdout)).toBeGreaterThan(200);
      await transfer(wire, 4, 'kernel to us', 1 << 20);
      const after = await wire.ours.counters();
      expect(after.link.received - before.link.received).toBeGreaterThan(200);
      expect(after.UdpInErrors).toBeGreaterThan(before.UdpInErrors);
      await post.close();
    });

    async function dissect(...words: string[]): Promise<string[]> {
      const { stdout } = await wire.oursIn.run('tshark', '-r', file, ...CHECKED, ...words);
      return stdout.split('\n').filter((line) => line !== '');
    }
  },
);
