import { openRouted, type RoutedWire } from '../../interop/support/routed';
import { Side } from '../../interop/support/side';
import { FAMILIES, type Family } from '../../interop/support/wires';
import type { StackCounters } from '../../../lib/stack';
import { needs } from '../../support/skip';
import { until } from '../../support/until';
import { canTell, connectPair, filter, has, NEEDS } from './support';

/** What gives up soon: after less than a second when connected. */
const HASTY = { retries2: 1 };

/** How the router's kernel says that it has no way, and what a program is told of it. */
const TOLD = { 4: 'EHOSTUNREACH', 6: 'ENETUNREACH' } as const;

const unreachables = (counters: StackCounters): Readonly<Record<Family, number>> => ({
  4: counters.IcmpInDestUnreachs,
  6: counters.Icmp6InDestUnreachs,
});

needs(canTell(), NEEDS)('S21 (c) against the kernel, through a router', () => {
  let wire: RoutedWire;

  beforeAll(async () => {
    wire = await openRouted();
  });

  afterAll(() => wire.close());

  /** The router has no way to the kernel's host any more; the result mends it. */
  async function breakRoute(family: Family): Promise<() => Promise<unknown>> {
    const change = (how: 'add' | 'del') =>
      wire.router.run('ip', `-${family}`, 'route', how, 'unreachable', wire.kernelAddress[family]);
    await change('add');
    return () => change('del');
  }

  /** Waits for more ICMP than that. */
  const tells = (side: Side, family: Family, before: number) =>
    until(
      async () => unreachables(await side.counters())[family],
      (count) => count > before,
    );

  test.each(FAMILIES)('IPv%d: unreachable is a soft error, and the cut heals', async (family) => {
    const { ours, kernels } = await connectPair(wire, { family });
    const before = unreachables(await wire.ours.counters())[family];
    const mend = await breakRoute(family);
    await ours.write('is there a way?');
    await tells(wire.ours, family, before);
    const refused = await wire.ours.connect(wire.kernelAddress[family], 9, {});
    expect((await refused.closed()).events).toEqual([TOLD[family], 'close']);
    expect((await ours.report()).events).toEqual(['connect']);
    await mend();
    await has(kernels, 15);
    expect((await kernels.report()).text).toBe('is there a way?');
    await ours.end();
    await kernels.end();
    expect((await ours.closed()).events).toEqual(['connect', 'finish', 'end', 'close']);
  });

  test('who gives up is told why', async () => {
    const hasty = await Side.start(wire.oursIn, { link: 'raw', tcp: HASTY });
    const pairs = await Promise.all(
      FAMILIES.map((family) => connectPair(wire, { family, side: hasty })),
    );
    const mends = await Promise.all(FAMILIES.map(breakRoute));
    for (const { ours } of pairs) await ours.write('is there a way?');
    const reports = await Promise.all(pairs.map(({ ours }) => ours.closed()));
    expect(reports.map(({ events }) => events)).toEqual(
      FAMILIES.map((family) => ['connect', TOLD[family], 'close']),
    );
    for (const mend of mends) await mend();
    const { IcmpInDestUnreachs, Icmp6InDestUnreachs } = await hasty.counters();
    expect(Math.min(IcmpInDestUnreachs, Icmp6InDestUnreachs)).toBeGreaterThan(1);
  });

  test.each(FAMILIES)('(f) IPv%d: a port that a filter rejects by ICMP', async (family) => {
    const { ours, kernels, port } = await connectPair(wire, { family });
    const before = unreachables(await wire.ours.counters())[family];
    const rule = `tcp dport ${port} reject with icmpx type port-unreachable`;
    const lift = await filter(wire.kernelIn, 'input', rule);
    await ours.write('blocked?');
    await tells(wire.ours, family, before);
    const refused = await wire.ours.connect(wire.kernelAddress[family], port, {});
    expect((await refused.closed()).events).toEqual(['ECONNREFUSED', 'close']);
    await lift();
    await has(kernels, 8);
    expect((await ours.report()).events).toEqual(['connect']);
  });
});
