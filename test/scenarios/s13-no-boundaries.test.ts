import { pattern } from '../support/segments';
import { brief, connectPair, type End, type Scene, sleep, tell } from './support';

const FULL = 1448;

/** Payload lengths of the segments that the client sends from now on, with their times. */
function sentSince({ network }: Scene, since: number): string[] {
  const segments = network.trace.segments({ from: 'client', data: true, since });
  return segments.map(({ time, length }) => `${time - since} ms: ${length}`);
}

async function write(near: End, count: number, apart: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    near.socket.write(String(i % 10));
    if (apart > 0) await sleep(apart);
  }
}

describe('S13: no boundary is kept', () => {
  test('small writes that wait for an acknowledgment become one segment (Nagle)', () =>
    tell({}, async (scene) => {
      const { network } = scene;
      const { near, far } = await connectPair(scene);
      const began = network.now;
      await write(near, 50, 1);
      await far.has(50);
      // The first alone; the acknowledgment of each lets go what has gathered for 20 ms.
      expect(sentSince(scene, began)).toEqual(['0 ms: 1', '20 ms: 19', '40 ms: 20', '60 ms: 10']);
      expect(far.received.toString()).toBe('0123456789'.repeat(5));
    }));

  test('as soon as they fill a segment it leaves', () =>
    tell({}, async (scene) => {
      const { network } = scene;
      const { near, far } = await connectPair(scene);
      const began = network.now;
      near.socket.write('x');
      await sleep(1);
      for (let i = 0; i < 5; i++) {
        near.socket.write(pattern(500));
        await sleep(1);
      }
      await far.has(2501);
      expect(sentSince(scene, began)).toEqual(['0 ms: 1', `3 ms: ${FULL}`, '20 ms: 1052']);
    }));

  test('Nagle can be switched off: each write is a segment', () =>
    tell({}, async (scene) => {
      const { network } = scene;
      const { near, far } = await connectPair(scene);
      near.socket.setNoDelay(true);
      const began = network.now;
      await write(near, 10, 1);
      await far.has(10);
      const expected = Array.from({ length: 10 }, (_, i) => `${i} ms: 1`);
      expect(sentSince(scene, began)).toEqual(expected);
      near.socket.setNoDelay(false);
      await sleep(1000);
      const again = network.now;
      await write(near, 10, 1);
      await sleep(100);
      expect(sentSince(scene, again)).toEqual(['0 ms: 1', '20 ms: 9']);
    }));

  test('switching it off lets go what was waiting', () =>
    tell({}, async (scene) => {
      const { network } = scene;
      const { near, far } = await connectPair(scene);
      const began = network.now;
      await write(near, 5, 1);
      near.socket.setNoDelay();
      await far.has(5);
      expect(sentSince(scene, began)).toEqual(['0 ms: 1', '5 ms: 4']);
    }));

  test('what is written in one turn of the event loop leaves together, the last with PSH', () =>
    tell({}, async (scene) => {
      const { network } = scene;
      const { near, far } = await connectPair(scene);
      const began = network.now;
      for (let i = 0; i < 40; i++) near.socket.write(pattern(100));
      await far.has(4000);
      expect(sentSince(scene, began)).toEqual([`0 ms: ${FULL}`, `0 ms: ${FULL}`, '0 ms: 1104']);
      expect(network.trace.segments({ data: true }).at(-1)?.flags).toBe('P.');
    }));

  test('one large write becomes many segments', () =>
    tell({}, async (scene) => {
      const { network } = scene;
      const { near, far } = await connectPair(scene);
      const bytes = pattern(100_000);
      let pieces = 0;
      far.socket.on('data', () => pieces++);
      near.socket.write(bytes);
      await far.has(100_000);
      const segments = network.trace.segments({ from: 'client', data: true });
      expect(segments.map(({ length }) => length)).toEqual([...Array(69).fill(FULL), 88]);
      expect(segments.at(-1)?.flags).toBe('P.');
      expect(far.received.equals(bytes)).toBe(true);
      // The reader sees neither the write nor the segments.
      expect(pieces).toBeGreaterThan(1);
    }));

  test('the end of the stream is no boundary either: FIN rides on the last bytes', () =>
    tell({}, async (scene) => {
      const { network } = scene;
      const { near, far } = await connectPair(scene);
      const began = network.now;
      near.socket.write(pattern(FULL));
      near.socket.end('the end');
      await far.sees('end');
      expect(
        network.trace.segments({ from: 'client', since: began, data: true }).map(brief),
      ).toEqual([`${began} client . 1:1449 ack 1`, `${began} client FP. 1449:1456 ack 1`]);
      far.socket.end();
    }));
});
