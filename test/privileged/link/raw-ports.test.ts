import { hasNamespaces } from '../../support/netns';
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
  settle,
  type Taken,
} from './support';

const EADDRINUSE = 98;
const EADDRNOTAVAIL = 99;

needs(hasNamespaces() && hasCommand('setpriv'), 'root, network namespaces, setpriv')(
  'ports of the raw link',
  () => {
    let bench: Bench;
    let link: Script;

    beforeAll(async () => {
      bench = await Bench.create();
    });

    afterAll(() => bench?.close());

    describe.each([
      { form: 'filter', via: [] as string[] },
      { form: 'md5', via: [] as string[] },
      { form: undefined, via: asNobody('net_raw') },
    ])('port guards: $form $via', ({ form, via }) => {
      beforeAll(async () => {
        link = await openRaw(bench.here, form === undefined ? {} : { guard: form }, via);
      });
      afterAll(() => link.end());

      test.each([0, 1])('are silent, and gone when released (family %#)', async (index) => {
        const place = bench.places[index];
        expect(await bench.provoke(place, 7000)).toContain(RESET);

        expect(await link.call('reserve', place.local, 7000)).toBe(0);
        await link.call('take');
        expect(await bench.provoke(place, 7000)).toEqual([]);
        await bench.send(place, 7000, { count: 20_000 });
        await settle();
        expect((await bench.peer.call<Taken>('take')).total).toBe(0);
        const counters = await link.call<Counters>('counters');
        const { total } = await link.call<Taken>('take');
        expect(total).toBeGreaterThan(PROVOCATIONS);
        // On a busy machine more are dropped, which is told only with the next that arrives.
        expect(total + counters.kernelDrops).toBeLessThanOrEqual(20_000 + PROVOCATIONS);

        await link.call('release', place.local, 7000);
        expect(await bench.provoke(place, 7000)).toContain(RESET);
        expect((await link.call<Taken>('take')).total).toBe(0);
      });

      test('at every address of one family do not touch the other', async () => {
        const [four, six] = bench.places;
        expect(await link.call('reserve', '0.0.0.0', 7001)).toBe(0);
        expect(await bench.provoke(four, 7001)).toEqual([]);
        expect(await bench.provoke(six, 7001)).toContain(RESET);
        expect(await link.call('reserve', '::', 7001)).toBe(0);
        expect(await bench.provoke(six, 7001)).toEqual([]);
        await link.call('release', '0.0.0.0', 7001);
        await link.call('release', '::', 7001);
      });
    });

    describe('ports that the kernel uses', () => {
      let kernel: Script;
      beforeAll(async () => {
        link = await openRaw(bench.here);
        kernel = linkChild(bench.here);
      });
      afterAll(() => Promise.all([link.end(), kernel.end()]));

      test('listeners', async () => {
        await kernel.call('kernelListen', '0.0.0.0', 7100);
        expect(await link.call('reserve', bench.pair.a.address4, 7100)).toBe(EADDRINUSE);
        expect(await link.call('reserve', '0.0.0.0', 7100)).toBe(EADDRINUSE);
        expect(await link.call('reserve', '::', 7100)).toBe(0);
        await link.call('release', '::', 7100);
      });

      test('connections and their TIME-WAIT', async () => {
        const client = linkChild(bench.pair.b.namespace);
        await client.call('kernelConnect', bench.pair.a.address4, 7100);
        await kernel.call('kernelEnd');
        await client.call('kernelClose');
        await until(
          () => bench.here.run('ss', '-Htan', 'sport', '=', ':7100'),
          ({ stdout }) => stdout.includes('TIME-WAIT') && !stdout.includes('LISTEN'),
        );
        expect(await link.call('reserve', bench.pair.a.address4, 7100)).toBe(EADDRINUSE);
        await client.end();
      });

      test('a port that is guarded cannot be used by the kernel', async () => {
        expect(await link.call('reserve', '0.0.0.0', 7101)).toBe(0);
        const listening = kernel.call('kernelListen', bench.pair.a.address4, 7101);
        await expect(listening).rejects.toMatchObject({ code: 'EADDRINUSE' });
        await link.call('release', '0.0.0.0', 7101);
        await kernel.call('kernelListen', bench.pair.a.address4, 7101);
      });

      test('addresses that are not ours', async () => {
        expect(await link.call('reserve', '10.9.0.77', 7102)).toBe(EADDRNOTAVAIL);
      });
    });

    describe('ephemeral ports', () => {
      beforeAll(async () => {
        link = await openRaw(bench.here, { ports: { block: 64, max: 100 } });
      });
      afterAll(() => link.end());

      test("come in blocks, beside the kernel's own, and grow up to the limit", async () => {
        expect((await link.call<Counters>('counters')).guards).toBe(0);
        const ports = await link.call<number[]>('ephemeral', 4);
        expect(ports).toHaveLength(64);
        expect(ports.every((port) => port > 60_999)).toBe(true);
        expect((await link.call<Counters>('counters')).guards).toBe(64);
        expect(await link.call('grow', 4)).toBe(true);
        expect(await link.call('grow', 4)).toBe(false);
        const more = await link.call<number[]>('ephemeral', 4);
        expect(more).toHaveLength(100);
        expect(more.slice(0, 64)).toEqual(ports);
        expect(new Set(more).size).toBe(100);
      });

      test('are silent and let in without a filter for each', async () => {
        const [port] = await link.call<number[]>('ephemeral', 4);
        const before = await link.call<Counters>('counters');
        await link.call('take');
        for (let i = 0; i < 10_000; i++) {
          // The calls are answered in order: only the last need be waited for.
          const done = [
            link.call('reserve', bench.pair.a.address4, port),
            link.call('release', bench.pair.a.address4, port),
          ];
          if (i % 1000 === 999) expect(await Promise.all(done)).toEqual([0, null]);
        }
        expect(await bench.provoke(bench.places[0], port)).toEqual([]);
        expect((await link.call<Taken>('take')).total).toBe(PROVOCATIONS);
        const after = await link.call<Counters>('counters');
        expect(after.filterAttached).toBe(before.filterAttached);
        expect(after.guards).toBe(before.guards);
      });

      test('leave out those that are taken', async () => {
        const kernel = linkChild(bench.here);
        await kernel.call('kernelListen', '0.0.0.0', 20_003);
        const small = await openRaw(bench.here, { ports: { range: [20_000, 20_007] } });
        const ports = await small.call<number[]>('ephemeral', 4);
        expect([...ports].sort()).toEqual([20_000, 20_001, 20_002, 20_004, 20_005, 20_006, 20_007]);
        expect(await small.call('grow', 4)).toBe(false);
        await Promise.all([small.end(), kernel.end()]);
      });
    });
  },
);
