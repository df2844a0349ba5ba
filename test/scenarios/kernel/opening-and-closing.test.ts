import { FAMILIES, type Wire } from '../../interop/support/wires';
import { needs } from '../../support/skip';
import {
  canTell,
  connectPair,
  flagsOf,
  has,
  kernelComesTo,
  kernelStates,
  NEEDS,
  openWire,
  sees,
  statesTo,
} from './support';

needs(canTell(), NEEDS)('against the kernel', () => {
  let wire: Wire;

  beforeAll(async () => {
    wire = await openWire();
  });

  afterAll(() => wire.close());

  beforeEach(() => wire.ours.forget());

  describe.each(FAMILIES)('IPv%d', (family) => {
    test('S4: three segments open a connection, ours to the kernel', async () => {
      const { port } = await connectPair(wire, { family });
      expect(await flagsOf(wire.ours, port)).toEqual(['ours S', 'kernel S.', 'ours .']);
      const states = await statesTo(wire.ours, port, 'ESTABLISHED');
      expect(states).toEqual(['SYN-SENT', 'ESTABLISHED']);
      expect(await kernelStates(wire, port)).toEqual(['ESTAB']);
    });

    test("S4: and the kernel's to ours", async () => {
      const { ours, kernel, ourAddress } = wire;
      const listener = await ours.listen(ourAddress[family], 0, { end: 'told' });
      const theirs = await kernel.connect(ourAddress[family], listener.port, { end: 'told' });
      const { localPort } = await theirs.opened();
      await listener.accepted(0);
      expect(await flagsOf(ours, localPort)).toEqual(['kernel S', 'ours S.', 'kernel .']);
      const states = await statesTo(ours, localPort, 'ESTABLISHED');
      expect(states).toEqual(['SYN-RECEIVED', 'ESTABLISHED']);
      expect(await kernelStates(wire, localPort)).toEqual(['ESTAB']);
    });

    test('S5: we close first, and wait', async () => {
      const { ours, kernels, port } = await connectPair(wire, { family });
      await ours.end();
      await sees(kernels, 'end');
      expect(await kernelStates(wire, port)).toEqual(['CLOSE-WAIT']);
      expect(await statesTo(wire.ours, port, 'FIN-WAIT-2')).toEqual([
        ...['SYN-SENT', 'ESTABLISHED', 'FIN-WAIT-1', 'FIN-WAIT-2'],
      ]);
      await kernels.end();
      expect((await ours.closed()).events).toEqual(['connect', 'finish', 'end', 'close']);
      expect((await kernels.closed()).events).toEqual(['connect', 'end', 'finish', 'close']);
      // The passive closer is through at once.
      await kernelComesTo(wire, port, []);
      expect((await statesTo(wire.ours, port, 'TIME-WAIT')).at(-2)).toBe('FIN-WAIT-2');
      expect((await flagsOf(wire.ours, port)).slice(3)).toEqual([
        ...['ours F.', 'kernel .', 'kernel F.', 'ours .'],
      ]);
    });

    test('S5: the kernel closes first, and waits', async () => {
      const { ours, kernels, port } = await connectPair(wire, { family });
      await kernels.end();
      await sees(ours, 'end');
      await kernelComesTo(wire, port, ['FIN-WAIT-2']);
      await ours.end();
      expect((await ours.closed()).events).toEqual(['connect', 'end', 'finish', 'close']);
      expect((await kernels.closed()).events).toEqual(['connect', 'finish', 'end', 'close']);
      await kernelComesTo(wire, port, ['TIME-WAIT']);
      expect(await statesTo(wire.ours, port, 'CLOSED')).toEqual([
        ...['SYN-SENT', 'ESTABLISHED', 'CLOSE-WAIT', 'LAST-ACK', 'CLOSED'],
      ]);
      expect((await flagsOf(wire.ours, port)).slice(3)).toEqual([
        ...['kernel F.', 'ours .', 'ours F.', 'kernel .'],
      ]);
    });

    test.each(['we', 'the kernel'])(
      'S5: %s closed, and still receives, for as long as the other likes',
      async (first) => {
        const { ours, kernels } = await connectPair(wire, { family });
        const [closer, other] = first === 'we' ? [ours, kernels] : [kernels, ours];
        await closer.end();
        await sees(other, 'end');
        for (let i = 1; i <= 3; i++) {
          await other.write('I am not done yet. ');
          await has(closer, 19 * i);
        }
        await other.end();
        const report = await closer.closed();
        expect(report.text).toBe('I am not done yet. '.repeat(3));
        expect(report.events).toEqual(['connect', 'finish', 'end', 'close']);
        expect((await other.closed()).events).toEqual(['connect', 'end', 'finish', 'close']);
      },
    );
  });
});
