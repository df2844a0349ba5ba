import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { hasCommand, needs } from '../support/skip';
import { transfer, WAYS } from './support/transfer';
import { canWire, FAMILIES, type Wire, WIRE_NEEDS, WIRES } from './support/wires';

const BYTES = 1 << 20;

describe.each(WIRES)('a capture of our own, $name', ({ open }) => {
  needs(canWire() && hasCommand('tshark'), `${WIRE_NEEDS}, tshark`)('as tshark reads it', () => {
    let folder: string;
    let file: string;
    let wire: Wire;

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
    });

    afterAll(async () => {
      await wire?.close();
      rmSync(folder, { recursive: true });
    });

    /** Lines that tshark prints for the packets that the filter lets through. */
    async function read(filter: string, ...fields: string[]): Promise<string[]> {
      const which = fields.flatMap((field) => ['-e', field]);
      const how = ['-o', 'ip.check_checksum:TRUE', '-T', 'fields', ...which];
      // What the kernel sends to us has no full sum, only that of the pseudo-header.
      if (filter.includes('tcp.checksum')) how.push('-o', 'tcp.check_checksum:TRUE');
      const { stdout } = await wire.oursIn.run('tshark', '-r', file, '-Y', filter, ...how);
      return stdout.split('\n').filter((line) => line !== '');
    }

    test('it has every packet, and none is malformed', async () => {
      const { link } = await wire.ours.counters();
      expect(link.captureDropped).toBe(0);
      expect(await read('tcp', 'frame.number')).toHaveLength(link.captured);
      expect(await read('_ws.malformed || !tcp', 'frame.number')).toEqual([]);
    });

    test('all checksums of what we sent are right', async () => {
      for (const family of FAMILIES) {
        const from = `${family === 4 ? 'ip' : 'ipv6'}.src == ${wire.ourAddress[family]}`;
        const sent = 'frame.packet_flags_direction == 2';
        const bad = 'tcp.checksum.status == 0';
        expect(await read(`${from} && ${sent}`, 'frame.number')).not.toEqual([]);
        expect(await read(`${from} && ${sent} && ${bad}`, 'frame.number')).toEqual([]);
      }
      expect(await read('ip.checksum.status == 0', 'frame.number')).toEqual([]);
    });

    test('the analysis of sequence numbers finds nothing that is not explained', async () => {
      const { link, TcpRetransSegs } = await wire.ours.counters();
      const named = (names: string[]) => names.map((name) => `tcp.analysis.${name}`).join(' || ');
      const sent = 'frame.packet_flags_direction == 2';
      const found = (names: string[], direction: string) =>
        read(`${direction} && (${named(names)})`, 'frame.number', '_ws.col.Info');
      const LATE = [
        'out_of_order',
        'retransmission',
        'fast_retransmission',
        'spurious_retransmission',
      ];
      expect(await found(['lost_segment'], sent)).toEqual([]);
      // By its distance in time tshark takes some of what is sent again for out of order.
      expect((await found(LATE, sent)).length).toBeLessThanOrEqual(TcpRetransSegs);
      // What comes to us may be missing where the kernel had no room for it; and of two segments
      // that it sends on different processors either may come first.
      const device = `/sys/class/net/${wire.device}/statistics/tx_dropped`;
      const { stdout } = await wire.kernelIn.run('cat', device);
      if (link.kernelDrops + Number(stdout) > 0) return;
      expect(await found(['ack_lost_segment'], `!(${sent})`)).toEqual([]);
      const holes = await found(['lost_segment'], `!(${sent})`);
      const late = await found(LATE, `!(${sent})`);
      expect(late.length).toBeGreaterThanOrEqual(holes.length);
    });

    test('no warning and no error, but for windows that are full and what was lost', async () => {
      // A RST of ours: what we sent twice was acknowledged twice, and the connection was over.
      const { TcpOutRsts, TcpRetransSegs } = await wire.ours.counters();
      expect(TcpOutRsts).toBeLessThanOrEqual(TcpRetransSegs);
      const sent = 'frame.packet_flags_direction == 2';
      // D-SACK is the answer to what was sent again and had arrived before.
      const again = '!tcp.analysis.flags && !tcp.options.sack.dsack';
      const known = `${again} && !(tcp.flags.reset == 1 && ${sent})`;
      const filter = `_ws.expert.severity >= 0x600000 && ${known}`;
      expect([...new Set(await read(filter, '_ws.expert.message'))]).toEqual([]);
    });
  });
});
