import { hasNamespaces, hasTun } from '../support/netns';
import { needs } from '../support/skip';
import { until } from '../support/until';
import { transfer, WAYS } from './support/transfer';
import { type Family, FAMILIES, RAW_LOOPBACK, RAW_VETH, TUN, type Wire } from './support/wires';

const BYTES = process.env.NETLAND_NIGHTLY === '1' ? 4 << 20 : 1 << 20;
const HEADERS: Readonly<Record<Family, number>> = { 4: 20, 6: 40 };
const TCP = 20;
const TIMESTAMPS = 12;

/** Checks what both have announced, and that no segment of ours was larger. */
async function checkSegments(wire: Wire, family: Family, ourMtu: number, kernelMtu: number) {
  const trace = await wire.ours.trace();
  const overhead = HEADERS[family] + TCP;
  const announced = (flags: string) => {
    const lines = trace.filter((line) => line.includes(`Flags [${flags}]`));
    return [...new Set(lines.map((line) => Number(/mss (\d+)/.exec(line)?.[1])))];
  };
  expect(announced('S')).toEqual([ourMtu - overhead]);
  expect(announced('S.')).toEqual([kernelMtu - overhead]);
  const path = Math.min(ourMtu, kernelMtu);
  const from = `${wire.ourAddress[family]}.`;
  const lengths = trace
    .filter((line) => line.split(' ')[1].startsWith(from))
    .map((line) => Number(/, length (\d+) /.exec(line)?.[1]));
  return { largest: Math.max(...lengths), full: path - overhead - TIMESTAMPS };
}

needs(hasNamespaces(), 'root and network namespaces')('MTU of a cable', () => {
  let wire: Wire;

  beforeAll(async () => {
    wire = await RAW_VETH.open({ trace: true });
  });

  afterAll(() => wire.close());

  test('a connection that there is takes what the cable does', async () => {
    const listener = await wire.kernel.listen(wire.kernelAddress[4], 0, { end: 'peer' });
    const ours = await wire.ours.connect(wire.kernelAddress[4], listener.port, { end: 'told' });
    const kernels = await listener.accepted(0);
    let written = 0;
    const largest = async (mtu: number) => {
      await wire.oursIn.run('ip', 'link', 'set', 'va', 'mtu', String(mtu));
      await wire.ours.forget();
      await ours.write('x'.repeat(50_000));
      written += 50_000;
      await until(
        () => kernels.report(),
        ({ received }) => received === written,
      );
      const lengths = (await wire.ours.trace()).map((line) => /, length (\d+) /.exec(line)?.[1]);
      return Math.max(...lengths.map(Number)) + HEADERS[4] + TCP + TIMESTAMPS;
    };
    expect(await largest(1500)).toBe(1500);
    expect(await largest(1300)).toBe(1300);
    expect(await largest(1500)).toBe(1500);
    await ours.end();
    await ours.closed();
    await listener.close();
  });

  // The last one: an end that can take more than the other.
  describe.each([
    [1280, 1280],
    [1500, 1500],
    [9000, 9000],
    [9000, 1500],
  ])('ours %d, the peer %d', (ourMtu, kernelMtu) => {
    beforeAll(async () => {
      await wire.oursIn.run('ip', 'link', 'set', 'va', 'mtu', String(ourMtu));
      await wire.kernelIn.run('ip', 'link', 'set', 'vb', 'mtu', String(kernelMtu));
    });

    describe.each(FAMILIES)('IPv%d', (family) => {
      test.each(WAYS)('%s', async (way) => {
        await wire.ours.forget();
        await transfer(wire, family, way, BYTES);
        const { largest, full } = await checkSegments(wire, family, ourMtu, kernelMtu);
        expect(largest).toBe(way === 'us to kernel' ? full : 0);
        expect((await wire.ours.counters()).link.sendEMSGSIZE).toBe(0);
      });
    });
  });
});

needs(hasNamespaces(), 'root and network namespaces')('MTU of loopback: 65536', () => {
  let wire: Wire;

  beforeAll(async () => {
    wire = await RAW_LOOPBACK.open({ trace: true });
  });

  afterAll(() => wire.close());

  describe.each(FAMILIES)('IPv%d', (family) => {
    test.each(WAYS)('%s', async (way) => {
      await wire.ours.forget();
      await transfer(wire, family, way, 8 * BYTES);
      const trace = await wire.ours.trace();
      const mss = trace.slice(0, 2).map((line) => Number(/mss (\d+)/.exec(line)?.[1]));
      // An IPv4 packet is of 65535 bytes at most.
      expect(mss).toEqual(family === 4 ? [65_495, 65_495] : [65_476, 65_476]);
      const largest = Math.max(
        ...trace.map((line) => Number(/, length (\d+) /.exec(line)?.[1] ?? 0)),
      );
      expect(largest).toBeGreaterThan(32_000);
      expect((await wire.ours.counters()).link.sendEMSGSIZE).toBe(0);
    });
  });
});

const TUN_NEEDS = 'root, namespaces and /dev/net/tun';

// Without offload, so that each segment is a packet.
needs(hasNamespaces() && hasTun(), TUN_NEEDS)('MTU of a TUN', () => {
  describe.each([1280, 9000, 65_535])('%d', (mtu) => {
    let wire: Wire;

    beforeAll(async () => {
      wire = await TUN.open({ trace: true, tunMtu: mtu, tunOffload: false });
    });

    afterAll(() => wire.close());

    describe.each(FAMILIES)('IPv%d', (family) => {
      test.each(WAYS)('%s', async (way) => {
        await wire.ours.forget();
        await transfer(wire, family, way, BYTES);
        const { largest, full } = await checkSegments(wire, family, mtu, mtu);
        expect(largest).toBe(way === 'us to kernel' ? full : 0);
      });
    });
  });
});
