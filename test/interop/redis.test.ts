import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';

import { hasCommand, needs } from '../support/skip';
import { hasNamespaces } from '../support/netns';
import { Daemon } from './support/daemon';
import { segmentsOf, Sniffer } from './support/sniffer';
import { until } from '../support/until';
import { FAMILIES, RAW_VETH, type Wire } from './support/wires';

const PORT = 6378;

/** `Flags [S.]` of a segment: 'S.'. */
function flagsOf(segment: string): string {
  return /Flags \[(.*?)\]/.exec(segment)?.[1] ?? '';
}

/** What one side has sent, in its order: the two sides' segments may cross on the way. */
function sentTo(port: 'client' | 'server', segments: readonly string[]): string[] {
  const toServer = new RegExp(`> [^ ]+\\.${PORT}: `);
  return segments.filter((segment) => toServer.test(segment) === (port === 'server'));
}

/** Without what is sent again, as it is on a slow machine. */
function once(segments: readonly string[]): string[] {
  const heads = segments.map((segment) => segment.split(', win ')[0]);
  return segments.filter((_, index) => heads.indexOf(heads[index]) === index);
}

/** Both have sent their FIN, and the last one is acknowledged. */
function isOver(segments: readonly string[]): boolean {
  const flags = once(segments).map(flagsOf);
  return flags.filter((each) => each.startsWith('F')).length === 2 && flags.at(-1) === '.';
}

needs(
  hasNamespaces() && hasCommand('redis-server') && hasCommand('tcpdump'),
  'root, network namespaces, redis-server and tcpdump',
)('the experiment of the capture: a real Redis server on port 6378', () => {
  let wire: Wire;
  let redis: Daemon;
  let folder: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), `netland-redis-${process.pid}-`));
    wire = await RAW_VETH.open({ dump: true, trace: true });
    const { kernelAddress } = wire;
    const where = ['--port', String(PORT), '--bind', kernelAddress[4], kernelAddress[6]];
    const how = ['--save', '', '--appendonly', 'no', '--protected-mode', 'no', '--dir', folder];
    const command = ['redis-server', ...where, ...how];
    redis = await Daemon.start(wire.kernelIn, command, /Ready to accept connections/);
  });

  afterAll(async () => {
    await redis?.stop();
    await wire?.close();
    rmSync(folder, { recursive: true });
  });

  /** TIME-WAIT entries of the kernel on the peer's side. */
  async function kernelTimeWaits(): Promise<string> {
    return (await wire.kernelIn.run('ss', '-Htan', 'state', 'time-wait')).stdout.trim();
  }

  /** Waits for the end; what passed at our link, which is the same as at the peer's interface. */
  async function bothSaw(sniffer: Sniffer): Promise<string[]> {
    const split = (segments: string[]) => [sentTo('server', segments), sentTo('client', segments)];
    const { own } = await until(
      async () => ({ own: await wire.ours.dump(), peers: sniffer.segments() }),
      (seen) => isOver(seen.own) && isDeepStrictEqual(split(seen.own), split(seen.peers)),
    );
    return own;
  }

  describe.each(FAMILIES)('IPv%d', (family) => {
    test('PING, and we close first', async () => {
      const { ours, kernelIn, device, kernelAddress } = wire;
      await ours.forget();
      const file = join(folder, `peer${family}.pcap`);
      const watched = await Sniffer.start(kernelIn, device, `tcp port ${PORT}`, file);

      const end = await ours.connect(kernelAddress[family], PORT, { end: 'told' });
      await end.opened();
      await end.write('PING\r\n');
      await until(
        () => end.report(),
        ({ text }) => text === '+PONG\r\n',
      );
      await end.end();
      const report = await end.closed();
      expect(report.events).toEqual(['connect', 'finish', 'end', 'close']);

      const own = once(await bothSaw(watched));
      // From the file that tcpdump has written, the same again.
      const peers = await watched.stop(isOver);
      const read = await kernelIn.run('tcpdump', '-n', '-S', '-X', '-r', file);
      expect(segmentsOf(read.stdout)).toEqual(peers);

      expect(own.slice(0, 3).map(flagsOf)).toEqual(['S', 'S.', '.']);
      const close = own
        .slice(own.findIndex((segment) => flagsOf(segment).startsWith('F')))
        .map(flagsOf);
      // The peer had nothing left to say: it may acknowledge our FIN with its own.
      expect([
        ['F.', 'F.', '.'],
        ['F.', '.', 'F.', '.'],
      ]).toContainEqual(close);
      const states = (await ours.trace()).map((line) => line.slice(line.lastIndexOf(' ') + 1));
      expect(states.slice(0, 3)).toEqual(['SYN-SENT', 'ESTABLISHED', 'ESTABLISHED']);
      expect(states.at(-1)).toBe('TIME-WAIT');
      expect(await kernelTimeWaits()).toBe('');
    });

    test('QUIT, and the server closes first', async () => {
      const { ours, kernelIn, device, kernelAddress } = wire;
      await ours.forget();
      const watched = await Sniffer.start(kernelIn, device, `tcp port ${PORT}`);
      const end = await ours.connect(kernelAddress[family], PORT, { end: 'peer' });
      await end.opened();
      await end.write('QUIT\r\n');
      const report = await end.closed();
      expect(report.text).toBe('+OK\r\n');
      expect(report.events).toEqual(['connect', 'end', 'finish', 'close']);

      await bothSaw(watched);
      await watched.stop(isOver);
      const closing = (await ours.trace()).find((line) => line.endsWith(' CLOSED'));
      expect(closing).toMatch(/Flags \[\.\]/);
      expect(await kernelTimeWaits()).toMatch(new RegExp(`:${PORT}\\s.*:${report.localPort}$`));
      await kernelIn.run('ss', '-K', 'state', 'time-wait');
    });
  });
});
