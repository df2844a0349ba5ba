import { pattern } from '../support/segments';
import { connectPair, sleep, tell } from './support';

const FULL = 1448;
const BUFFER = 65_536;

/** Server with a buffer of 64 KiB. */
const SMALL = { server: { tcp: { receiveBuffer: BUFFER } } };

describe('S14: urgent data', () => {
  test('a program that is busy with other data learns of an interrupt at once', () =>
    tell(SMALL, async (scene) => {
      const { network } = scene;
      const { near, far } = await connectPair(scene);
      // The reader is slow: what was written fills all that there is.
      far.socket.pause();
      near.socket.write(pattern(400_000));
      await sleep(2000);
      const told: string[] = [];
      far.socket.on('urgentPending', () => told.push(`pending at ${far.socket.bytesRead}`));
      far.socket.on('urgent', (byte: number) => told.push(`byte ${byte}`));
      const before = far.socket.bytesRead;
      near.socket.sendUrgent(3);
      near.socket.write('goes on');
      // The window is closed: the pointer comes with a probe.
      await sleep(60_000);
      expect(told[0]).toBe(`pending at ${before}`);
      const [probe] = network.trace.segments({ from: 'client', having: 'U' });
      expect(probe).toMatchObject({ length: 0, urgent: 65_535 });
      far.socket.resume();
      await far.has(400_007);
      expect(told.at(-1)).toBe('byte 3');
      expect(far.received.subarray(400_000).toString()).toBe('goes on');
      expect(Buffer.compare(far.received.subarray(0, 400_000), pattern(400_000))).toBe(0);
    }));

  test.each([4, 6] as const)('IPv%d: out of band, and in line with a mark', (family) =>
    tell({}, async (scene) => {
      const { network } = scene;
      const { near, far } = await connectPair(scene, { family });
      const bytes: number[] = [];
      far.socket.on('urgent', (byte: number) => bytes.push(byte));
      near.socket.sendUrgent('stop!');
      await far.has(4);
      expect([far.received.toString(), bytes]).toEqual(['stop', [33]]);
      const [segment] = network.trace.segments({ from: 'client', having: 'U' });
      expect(segment).toMatchObject({ flags: 'P.U', length: 5, urgent: 5 });

      near.socket.setOobInline();
      const pieces: string[] = [];
      near.socket.on('data', (piece: Buffer) => {
        pieces.push(`${piece.toString()}${near.socket.atMark ? ' |' : ''}`);
      });
      far.socket.sendUrgent('and go?');
      far.socket.write(' on');
      await sleep(1000);
      expect(pieces).toEqual(['and go |', '? on']);
    }),
  );

  test('what is lost is sent again with its pointer', () =>
    tell({}, async (scene) => {
      const { cable, network } = scene;
      const { near, far } = await connectPair(scene);
      const bytes: number[] = [];
      far.socket.on('urgent', (byte: number) => bytes.push(byte));
      cable.set({ loss: 1 }, { from: 'client' });
      near.socket.sendUrgent('x!');
      await sleep(100);
      cable.set({ loss: 0 }, { from: 'client' });
      await far.has(1);
      expect(bytes).toEqual([33]);
      const urgent = network.trace.segments({ from: 'client', having: 'U' });
      expect(urgent.length).toBeGreaterThanOrEqual(2);
      for (const segment of urgent) expect(segment).toMatchObject({ length: 2, urgent: 2 });
    }));
});

describe('S14: PSH', () => {
  test('marks the end of each write; the program gets it without waiting for more', () =>
    tell({}, async (scene) => {
      const { network } = scene;
      const { near, far } = await connectPair(scene);
      for (const size of [1, FULL, FULL + 1]) {
        const had = far.received.length;
        const from = network.now;
        near.socket.write(pattern(size));
        await far.has(had + size);
        // One way, and not a millisecond more.
        expect(network.now - from).toBeCloseTo(10, 6);
        const sent = network.trace.segments({ from: 'client', data: true, since: from });
        expect(sent.at(-1)?.flags).toBe('P.');
        expect(sent).toHaveLength(Math.ceil(size / FULL));
        await sleep(500);
      }
    }));

  test('a large write: the last segment has it, and where the congestion window ends a burst', () =>
    tell({}, async (scene) => {
      const { network } = scene;
      const { near, far } = await connectPair(scene);
      near.socket.write(pattern(100_000));
      await far.has(100_000);
      const data = network.trace.segments({ from: 'client', data: true });
      const pushed = data.filter(({ flags }) => flags.includes('P'));
      expect(data.at(-1)?.flags).toBe('P.');
      expect(pushed.length).toBeGreaterThan(1);
      expect(pushed.length).toBeLessThanOrEqual(data.length / 2);
    }));
});
