import { hasNamespaces } from '../support/netns';
import { needs } from '../support/skip';
import type { ShortRun } from './support/short-methods';
import { RAW_LOOPBACK, RAW_VETH, type Wire } from './support/wires';

jest.setTimeout(300_000);

const NIGHTLY = process.env.NETLAND_NIGHTLY === '1';

/** Ephemeral ports are guarded so many at a time. */
const BLOCK = 256;

/** What a connection that is over may leave behind: its TIME-WAIT entry, bytes. */
const REMAINS = 400;

needs(hasNamespaces(), 'root and network namespaces')('short connections in a row', () => {
  const PLACES = [
    { ...RAW_VETH, family: 4 as const, count: NIGHTLY ? 10_000 : 4000, nightly: false },
    { ...RAW_VETH, family: 6 as const, count: 10_000, nightly: true },
    { ...RAW_LOOPBACK, family: 4 as const, count: 10_000, nightly: true },
    { ...RAW_LOOPBACK, family: 6 as const, count: NIGHTLY ? 10_000 : 1000, nightly: false },
  ].filter(({ nightly }) => NIGHTLY || !nightly);

  // A stack for each, since what both families guard together is limited by the process's files.
  describe.each(PLACES)('$name, IPv$family, $count', ({ name, open, family, count }) => {
    let wire: Wire;

    beforeAll(async () => {
      wire = await open({}, { nodeArgs: ['--expose-gc'] });
    });

    afterAll(() => wire.close());

    function tell(what: string, { ms, ports, right }: ShortRun, grown: number): void {
      const rate = Math.round((right * 1000) / ms);
      const each = Math.round(grown / right);
      const outcome = `${rate} connections/s, ${ports} local ports, ${each} bytes kept each`;
      process.stdout.write(`${name}, IPv${family}, ${what}: ${outcome}\n`);
    }

    test('we connect', async () => {
      const { ours, kernel, kernelAddress } = wire;
      const host = kernelAddress[family];
      const port = await kernel.shortServe(host);
      await ours.shortRun(host, port, 300);
      const before = await ours.counters();
      const memory = await ours.memory();
      const run = await ours.shortRun(host, port, count);
      const grown = (await ours.memory()) - memory;
      const after = await ours.counters();
      tell('we connect', run, grown);

      expect(run.right).toBe(count);
      expect(await kernel.shortServed()).toMatchObject({ failed: 0 });
      const blocks = Math.ceil((after.link.guards - before.link.guards) / BLOCK);
      const attached = after.link.filterAttached - before.link.filterAttached;
      // To the socket of segments, and to that of ICMP.
      expect(attached).toBeLessThanOrEqual(2 * blocks);
      expect(grown).toBeLessThan(count * REMAINS + (2 << 20));
      expect(after.TcpCurrEstab).toBe(0);
    });

    test('we accept', async () => {
      const { ours, kernel, ourAddress } = wire;
      const host = ourAddress[family];
      const port = await ours.shortServe(host);
      await kernel.shortRun(host, port, 300);
      const before = await ours.counters();
      const memory = await ours.memory();
      const run = await kernel.shortRun(host, port, count);
      const grown = (await ours.memory()) - memory;
      const after = await ours.counters();
      tell('we accept', run, grown);

      expect(run.right).toBe(count);
      expect((await ours.shortServed()).failed).toBe(0);
      expect(after.link.guards).toBe(before.link.guards);
      expect(after.link.filterAttached).toBe(before.link.filterAttached);
      expect(grown).toBeLessThan(2 << 20);
    });
  });

  test("afterwards the kernel's own traffic does not reach us", async () => {
    const wire = await RAW_LOOPBACK.open();
    try {
      const { ours, kernel } = wire;
      const port = await kernel.shortServe('127.0.0.1');
      await ours.shortRun('127.0.0.1', port, 1000);
      const { received } = (await ours.counters()).link;
      expect((await kernel.shortRun('127.0.0.1', port, 100)).right).toBe(100);
      expect((await ours.counters()).link.received).toBe(received);
    } finally {
      await wire.close();
    }
  });
});
