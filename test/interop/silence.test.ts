import { hasCommand, needs } from '../support/skip';
import { Sniffer } from './support/sniffer';
import { until } from '../support/until';
import { canWire, FAMILIES, type Wire, WIRE_NEEDS, WIRES } from './support/wires';

const COUNT = 50;

const flagsOf = (segment: string): string => /Flags \[(.*?)\]/.exec(segment)?.[1] ?? '';

describe.each(WIRES)('the kernel of our host keeps out of it, $name', ({ open }) => {
  needs(canWire() && hasCommand('tcpdump'), `${WIRE_NEEDS}, tcpdump`)('as tcpdump sees', () => {
    let wire: Wire;

    beforeAll(async () => {
      wire = await open();
    });

    afterAll(() => wire.close());

    test.each(FAMILIES)(`no RST of its own in ${2 * COUNT} connections (IPv%d)`, async (family) => {
      const { ours, kernel, kernelIn, device, kernelAddress, ourAddress } = wire;
      const before = await ours.counters();
      const sniffer = await Sniffer.start(kernelIn, device, 'tcp');
      const theirs = await kernel.shortServe(kernelAddress[family]);
      expect((await ours.shortRun(kernelAddress[family], theirs, COUNT)).right).toBe(COUNT);
      const server = await ours.shortServe(ourAddress[family]);
      expect((await kernel.shortRun(ourAddress[family], server, COUNT)).right).toBe(COUNT);
      // A RST would follow at once what it answers; the last is the acknowledgment of a FIN.
      const fins = (segments: string[]) =>
        segments.filter((segment) => flagsOf(segment).includes('F')).length;
      await until(
        () => sniffer.segments(),
        (segments) => fins(segments) >= 4 * COUNT && flagsOf(segments.at(-1) ?? '') === '.',
      );
      await new Promise((resolve) => setTimeout(resolve, 100));
      const segments = await sniffer.stop(() => true);
      const opened = segments.filter((segment) => flagsOf(segment) === 'S').length;
      expect(opened).toBeGreaterThanOrEqual(2 * COUNT);
      // Ours has reason for one only where what we sent twice was acknowledged twice.
      const { TcpOutRsts, TcpRetransSegs } = await ours.counters();
      const own = TcpOutRsts - before.TcpOutRsts;
      expect(own).toBeLessThanOrEqual(TcpRetransSegs - before.TcpRetransSegs);
      const resets = segments.filter((segment) => flagsOf(segment).includes('R'));
      expect(resets.slice(own)).toEqual([]);
    });
  });
});
