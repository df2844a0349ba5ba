import { loadNative } from '../../../lib/link/native';
import { hasNamespaces, hasTun } from '../../support/netns';
import type { Script } from '../../support/script';
import { hasCommand, needs } from '../../support/skip';
import { until } from '../../support/until';
import { Bench, openRaw, PROVOCATIONS, RESET, type Taken, taken } from './support';

needs(
  hasNamespaces() && hasTun() && hasCommand('setpriv'),
  'root, network namespaces, /dev/net/tun, setpriv',
)('the life of native links', () => {
  let bench: Bench;

  beforeAll(async () => {
    expect(loadNative().reason).toBeNull();
    bench = await Bench.create();
  });
  afterAll(() => bench?.close());

  describe.each(['raw', 'tun'])('%s', (kind) => {
    const start = (life: string): Script =>
      bench.here.script('test/privileged/link/lifetime-child.ts', { args: [kind, life] });

    test.each(['unref', 'close'])('does not keep the process after %s', async (life) => {
      expect(await start(life).exited).toBe(0);
    });

    test('keeps it after ref', async () => {
      const script = start('ref');
      await until(
        () => script.stderr,
        (printed) => printed.includes('referenced'),
      );
      const outcome = await Promise.race([
        script.exited,
        new Promise((resolve) => setTimeout(resolve, 500, 'alive')),
      ]);
      expect(outcome).toBe('alive');
      await script.kill();
    });
  });

  describe('in worker threads', () => {
    let script: Script;
    beforeAll(() => {
      script = bench.here.script('test/privileged/link/worker-child.ts');
    });
    afterAll(() => script.kill());

    test.each(['terminate', 'exit', 'return', 'throw'])(
      'nothing is left behind after %s',
      async (end) => {
        // Each of them would fail if the port of the one before were still guarded.
        for (let i = 0; i < 3; i++) {
          const [before, after] = await script.call<number[]>('run', end);
          expect(after).toBeLessThanOrEqual(before);
        }
        const { stdout } = await bench.here.run('ip', '-o', 'link');
        expect(stdout).not.toContain('nlw');
      },
    );

    test('a worker that is terminated while segments pour in', async () => {
      const place = { local: '127.0.0.1', remote: '127.0.0.1' };
      for (let i = 0; i < 5; i++) {
        await script.call('start');
        const flood = await openRaw(bench.here);
        const ends = { source: place.remote, sourcePort: 5555, destination: place.local };
        const flooding = flood.call('send', {
          ...ends,
          destinationPort: 7700,
          flags: 2,
          count: 20_000,
        });
        await script.call('stop');
        await flooding;
        await flood.kill();
      }
      expect(await script.call<number[]>('run', 'terminate')).toHaveLength(2);
    });

    test('several links side by side', async () => {
      const [before, after] = await script.call<number[]>('here');
      expect(after).toBe(before);
    });
  });

  test('a killed process leaves nothing behind', async () => {
    const link = await openRaw(bench.here);
    const [place] = bench.places;
    await link.call('reserve', '0.0.0.0', 7600);
    expect(await bench.provoke(place, 7600)).toEqual([]);
    await link.kill();
    expect(await bench.provoke(place, 7600)).toContain(RESET);
  });

  test('a link that is closed by what it delivers', async () => {
    const link = await openRaw(bench.here);
    const [place] = bench.places;
    await link.call('reserve', place.local, 7601);
    await link.call('closeOnReceive');
    await bench.send(place, 7601, { count: 1000 });
    await taken(link, 1);
    // The guard went with the link.
    expect(await bench.provoke(place, 7601)).toContain(RESET);
    expect((await link.call<Taken>('take')).total).toBeLessThan(PROVOCATIONS);
    await link.call('close');
    expect(await link.end()).toBe(0);
  });
});
