import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { hasCommand, needs } from '../support/skip';
import { transfer, WAYS } from './support/transfer';
import { canWire, FAMILIES, type Wire, WIRE_NEEDS, WIRES } from './support/wires';

const BYTES = process.env.NETLAND_NIGHTLY === '1' ? 1 << 20 : 300_000;

/** What tshark names a retransmission, of whichever kind it takes it for. */
const LATE = [
  'tcp.analysis.out_of_order',
  'tcp.analysis.retransmission',
  'tcp.analysis.fast_retransmission',
  'tcp.analysis.spurious_retransmission',
] as const;

const FIELDS = [
  'frame.number',
  'frame.protocols',
  'frame.packet_flags_direction',
  'ip.src',
  'ipv6.src',
  'ip.checksum.status',
  'tcp.checksum.status',
  'tcp.flags.reset',
  'tcp.options.sack.dsack',
  'tcp.analysis.flags',
  'tcp.analysis.lost_segment',
  'tcp.analysis.ack_lost_segment',
  ...LATE,
  '_ws.malformed',
  '_ws.expert.severity',
  '_ws.expert.message',
] as const;

type Field = (typeof FIELDS)[number];
type Packet = Record<Field, string>;

/** `frame.packet_flags_direction`, and a `checksum.status`, as `-T fields` prints them. */
const isSent = (packet: Packet) => Number(packet['frame.packet_flags_direction']) === 2;
const isBad = (status: string) => status !== '' && Number(status) === 0;
const WARNING = 0x600000;

describe.each(WIRES)('a capture of our own, $name', ({ open }) => {
  needs(canWire() && hasCommand('tshark'), `${WIRE_NEEDS}, tshark`)('as tshark reads it', () => {
    let folder: string;
    let file: string;
    let wire: Wire;
    let packets: Packet[];
    /** Where tshark has checked the sums of TCP: the kernel sends us but its pseudo-header's. */
    let summed: Packet[];

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), `netland-capture-${process.pid}-`));
      file = join(folder, 'all.pcapng');
      wire = await open({ capture: file });
      for (const family of FAMILIES) {
        for (const way of WAYS) {
          await transfer(wire, family, way, BYTES, 'ours');
          await transfer(wire, family, way, BYTES, 'kernel');
        }
        const port = await wire.kernel.shortServe(wire.kernelAddress[family]);
        await wire.ours.shortRun(wire.kernelAddress[family], port, 20);
      }
      [packets, summed] = await Promise.all([dissect(), dissect('tcp.check_checksum:TRUE')]);
    });

    afterAll(async () => {
      await wire?.close();
      rmSync(folder, { recursive: true });
    });

    /** What tshark makes of each packet, by field; one that doesn't apply is empty. */
    async function dissect(...preferences: string[]): Promise<Packet[]> {
      const which = FIELDS.flatMap((field) => ['-e', field]);
      const how = ['-o', 'ip.check_checksum:TRUE', ...preferences.flatMap((one) => ['-o', one])];
      const command = ['tshark', '-r', file, ...how, '-T', 'fields', ...which];
      const { stdout } = await wire.oursIn.run(...command);
      const lines = stdout.split('\n').filter((line) => line !== '');
      return lines.map((line) => {
        const values = line.split('\t');
        return Object.fromEntries(FIELDS.map((field, i) => [field, values[i] ?? ''])) as Packet;
      });
    }

    const numbers = (some: Packet[]) => some.map((packet) => packet['frame.number']);

    test('it has every packet, and none is malformed', async () => {
      const { link } = await wire.ours.counters();
      expect(link.captureDropped).toBe(0);
      expect(packets).toHaveLength(link.captured);
      const has = (packet: Packet, protocol: string) =>
        packet['frame.protocols'].split(':').includes(protocol);
      // A TUN brings what the kernel tells all of its neighbours, too.
      const isKnown = (packet: Packet) =>
        has(packet, 'tcp') || (!isSent(packet) && has(packet, 'icmpv6'));
      const odd = packets.filter((packet) => packet['_ws.malformed'] !== '' || !isKnown(packet));
      expect(numbers(odd)).toEqual([]);
    });

    test('all checksums of what we sent are right', () => {
      for (const family of FAMILIES) {
        const source = family === 4 ? 'ip.src' : 'ipv6.src';
        const address = wire.ourAddress[family];
        const sent = summed.filter((packet) => isSent(packet) && packet[source] === address);
        expect(sent).not.toEqual([]);
        expect(numbers(sent.filter((packet) => isBad(packet['tcp.checksum.status'])))).toEqual([]);
      }
      expect(numbers(summed.filter((packet) => isBad(packet['ip.checksum.status'])))).toEqual([]);
    });

    test('the analysis of sequence numbers finds nothing that is not explained', async () => {
      const { link, TcpRetransSegs } = await wire.ours.counters();
      const sent = packets.filter(isSent);
      const came = packets.filter((packet) => !isSent(packet));
      const found = (some: Packet[], ...names: Field[]) =>
        numbers(some.filter((packet) => names.some((name) => packet[name] !== '')));
      expect(found(sent, 'tcp.analysis.lost_segment')).toEqual([]);
      // By its distance in time tshark takes some of what is sent again for out of order.
      expect(found(sent, ...LATE).length).toBeLessThanOrEqual(TcpRetransSegs);
      // What comes to us may be missing where the kernel had no room for it; and of two segments
      // that it sends on different processors either may come first.
      const device = `/sys/class/net/${wire.device}/statistics/tx_dropped`;
      const { stdout } = await wire.kernelIn.run('cat', device);
      if (link.kernelDrops + Number(stdout) > 0) return;
      expect(found(came, 'tcp.analysis.ack_lost_segment')).toEqual([]);
      const holes = found(came, 'tcp.analysis.lost_segment');
      expect(found(came, ...LATE).length).toBeGreaterThanOrEqual(holes.length);
    });

    test('no warning and no error, but for windows that are full and what was lost', async () => {
      // A RST of ours: what we sent twice was acknowledged twice, and the connection was over.
      const { TcpOutRsts, TcpRetransSegs } = await wire.ours.counters();
      expect(TcpOutRsts).toBeLessThanOrEqual(TcpRetransSegs);
      const isGrave = (packet: Packet) =>
        packet['_ws.expert.severity'].split(',').some((severity) => Number(severity) >= WARNING);
      const isKnown = (packet: Packet) =>
        packet['tcp.analysis.flags'] !== '' ||
        // D-SACK is the answer to what was sent again and had arrived before.
        packet['tcp.options.sack.dsack'] !== '' ||
        (packet['tcp.flags.reset'] === '1' && isSent(packet));
      const grave = packets.filter((packet) => isGrave(packet) && !isKnown(packet));
      expect(grave.map((packet) => packet['_ws.expert.message'])).toEqual([]);
    });
  });
});
