import { pattern } from '../support/segments';
import { brief, connectPair, type Scene, sleep, states, tell } from './support';

const HOUR = 3600_000;

/** Both ends' states, the client's first. */
function both({ client, server }: Scene): string {
  return [client, server].map((host) => states(host).join() || 'CLOSED').join(' ');
}

/** Segments from some time on, with the states of sender and receiver. */
function segmentsSince({ network }: Scene, since: number): string[] {
  return network.trace
    .segments({ since })
    .map((segment) => `${brief(segment)}: ${segment.state}, then ${segment.stateAfter}`);
}

describe('S5: four segments close a connection', () => {
  test('each end goes from state to state', () =>
    tell({}, async (scene) => {
      const { near, far } = await connectPair(scene);
      await sleep(1000 - scene.network.now);
      near.socket.end();
      await sleep(5);
      expect(both(scene)).toBe('FIN-WAIT-1 ESTABLISHED');
      await sleep(10);
      // The program has been told.
      expect(far.events).toEqual(['end']);
      expect(both(scene)).toBe('FIN-WAIT-1 CLOSE-WAIT');
      await sleep(10);
      // The acknowledgment waited for 1 ms in vain that it could ride on something.
      expect(both(scene)).toBe('FIN-WAIT-2 CLOSE-WAIT');
      await sleep(75);
      far.socket.end();
      await sleep(5);
      expect(both(scene)).toBe('FIN-WAIT-2 LAST-ACK');
      await sleep(10);
      expect(both(scene)).toBe('TIME-WAIT LAST-ACK');
      await sleep(10);
      // The passive closer reaches CLOSED first.
      expect(both(scene)).toBe('TIME-WAIT CLOSED');
      await sleep(59_980);
      expect(both(scene)).toBe('TIME-WAIT CLOSED');
      await sleep(10);
      expect(both(scene)).toBe('CLOSED CLOSED');
      expect(segmentsSince(scene, 1000)).toEqual([
        '1000 client F. 1:1 ack 1: FIN-WAIT-1, then CLOSE-WAIT',
        '1011 server . 1:1 ack 2: CLOSE-WAIT, then FIN-WAIT-2',
        '1100 server F. 1:1 ack 2: LAST-ACK, then TIME-WAIT',
        '1110 client . 2:2 ack 2: TIME-WAIT, then LISTEN',
      ]);
      expect(near.events).toEqual(['connect', 'finish', 'end', 'close']);
      expect(far.events).toEqual(['end', 'finish', 'close']);
    }));

  test('both close at once: CLOSING, and both wait', () =>
    tell({}, async (scene) => {
      const { near, far } = await connectPair(scene);
      await sleep(1000 - scene.network.now);
      near.socket.end();
      far.socket.end();
      await sleep(15);
      expect(both(scene)).toBe('CLOSING CLOSING');
      await sleep(10);
      expect(both(scene)).toBe('TIME-WAIT TIME-WAIT');
      expect(segmentsSince(scene, 1000)).toEqual([
        '1000 client F. 1:1 ack 1: FIN-WAIT-1, then CLOSING',
        '1000 server F. 1:1 ack 1: FIN-WAIT-1, then CLOSING',
        '1010 server . 2:2 ack 2: CLOSING, then TIME-WAIT',
        '1010 client . 2:2 ack 2: CLOSING, then TIME-WAIT',
      ]);
      expect(near.events).toEqual(['connect', 'finish', 'end', 'close']);
      expect(far.events).toEqual(['finish', 'end', 'close']);
    }));

  test('what was written before the end arrives before it, lost segments too', () =>
    tell({ link: { loss: 0.1 }, seed: 11 }, async (scene) => {
      const { near, far } = await connectPair(scene);
      const bytes = pattern(200_000);
      near.socket.end(bytes);
      await far.sees('end');
      expect(far.received.equals(bytes)).toBe(true);
      far.socket.end();
      await near.sees('close');
      expect(near.events).toEqual(['connect', 'finish', 'end', 'close']);
      expect(scene.client.counters.TcpRetransSegs).toBeGreaterThan(5);
    }));
});

describe('S5: half-close', () => {
  test('who has ended still receives, for as long as the other likes: that is why four', () =>
    tell({}, async (scene) => {
      const { network } = scene;
      const { near, far } = await connectPair(scene);
      near.socket.end('that is all from me');
      await far.sees('end');
      const pieces = Array.from({ length: 6 }, (_, i) => pattern(10_000, i));
      for (const piece of pieces) {
        far.socket.write(piece);
        await sleep(HOUR);
        expect(both(scene)).toBe('FIN-WAIT-2 CLOSE-WAIT');
      }
      expect(near.received.equals(Buffer.concat(pieces))).toBe(true);
      expect(near.events).toEqual(['connect', 'finish']);
      far.socket.end();
      await near.sees('close');
      expect(near.events).toEqual(['connect', 'finish', 'end', 'close']);
      // All that time the client has acknowledged, and sent nothing.
      const sent = network.trace.segments({ from: 'client', since: HOUR });
      expect(sent.length).toBeGreaterThan(5 * 3);
      expect(
        sent.every(({ seq, length, flags }) => seq === 21 && length === 0 && flags === '.'),
      ).toBe(true);
      expect(far.received.toString()).toBe('that is all from me');
    }));

  test('a program may write no more once it has ended', () =>
    tell({}, async (scene) => {
      const { near, far } = await connectPair(scene);
      near.socket.end();
      near.socket.write('too late');
      await near.sees('ERR_STREAM_WRITE_AFTER_END');
      await far.sees('end');
      expect(far.received).toHaveLength(0);
      far.socket.end();
    }));

  test('whose program is gone does not wait for ever: FIN-WAIT-2 ends after 60 s', () =>
    tell({}, async (scene) => {
      const { client } = scene;
      const { near, far } = await connectPair(scene);
      await sleep(1000 - scene.network.now);
      client.kill();
      await sleep(25);
      expect(both(scene)).toBe('FIN-WAIT-2 CLOSE-WAIT');
      expect(near.events).toEqual(['connect']);
      await sleep(59_000);
      expect(both(scene)).toBe('FIN-WAIT-2 CLOSE-WAIT');
      await sleep(2000);
      expect(both(scene)).toBe('CLOSED CLOSE-WAIT');
      // Who writes now learns that nobody is there.
      far.socket.write('hello?');
      await sleep(20);
      far.socket.write('anybody?');
      await far.sees('close');
      expect(far.events).toEqual(['end', 'EPIPE', 'close']);
      expect(scene.network.trace.segments({ from: 'client', having: 'R' })).toHaveLength(1);
    }));
});

describe('S5: why three segments close when one side has nothing left', () => {
  test('its acknowledgment and its FIN are one segment', () =>
    tell({}, async (scene) => {
      const { near, far } = await connectPair(scene);
      await sleep(1000 - scene.network.now);
      far.socket.on('end', () => far.socket.end());
      near.socket.end();
      await near.sees('close');
      await sleep(10);
      expect(both(scene)).toBe('TIME-WAIT CLOSED');
      expect(segmentsSince(scene, 1000)).toEqual([
        '1000 client F. 1:1 ack 1: FIN-WAIT-1, then CLOSE-WAIT',
        '1010 server F. 1:1 ack 2: LAST-ACK, then TIME-WAIT',
        '1020 client . 2:2 ack 2: TIME-WAIT, then LISTEN',
      ]);
    }));

  test('a last word rides on it, too', () =>
    tell({}, async (scene) => {
      const { near, far } = await connectPair(scene);
      await sleep(1000 - scene.network.now);
      far.socket.on('end', () => far.socket.end('bye'));
      near.socket.end('good-bye');
      await near.sees('close');
      await sleep(10);
      expect(near.received.toString()).toBe('bye');
      expect(segmentsSince(scene, 1000)).toEqual([
        '1000 client FP. 1:9 ack 1: FIN-WAIT-1, then CLOSE-WAIT',
        '1010 server FP. 1:4 ack 10: LAST-ACK, then TIME-WAIT',
        '1020 client . 10:10 ack 5: TIME-WAIT, then LISTEN',
      ]);
    }));

  test.each([
    ['nothing was said before: 1 ms', false, 1],
    ['in a dialogue: 40 ms', true, 40],
  ])('it waits for that no longer than an acknowledgment for data, %s', (_, talks, wait) =>
    tell({}, async (scene) => {
      const { near, far } = await connectPair(scene);
      if (talks) {
        near.socket.write('question');
        await far.has(8);
        far.socket.write('answer');
        await near.has(6);
      }
      await sleep(1000 - scene.network.now);
      far.socket.on('end', () => setTimeout(() => far.socket.end(), wait + 1));
      near.socket.end();
      await near.sees('close');
      const times = scene.network.trace.segments({ from: 'server', since: 1000 });
      expect(times.map(({ time, flags }) => `${time} ${flags}`)).toEqual([
        `${1010 + wait} .`,
        `${1010 + wait + 1} F.`,
      ]);
    }),
  );
});

describe('S5: lost segments of the close', () => {
  test.each([
    ['the first FIN', 'client', 'F.'],
    ['its acknowledgment', 'server', '.'],
    ['the second FIN', 'server', 'F.'],
  ])('%s', (_, from, flags) =>
    tell({}, async (scene) => {
      const { cable } = scene;
      const { near, far } = await connectPair(scene);
      await sleep(1000 - scene.network.now);
      let lost = 0;
      cable.set({ filter: (s) => s.flags !== flags || lost++ > 0 }, { from });
      near.socket.end();
      await far.sees('end');
      await sleep(50);
      far.socket.end();
      await Promise.all([near.sees('close'), far.sees('close')]);
      await sleep(10);
      expect(lost).toBeGreaterThan(0);
      expect(both(scene)).toBe('TIME-WAIT CLOSED');
      expect(near.events).toEqual(['connect', 'finish', 'end', 'close']);
      expect(far.events).toEqual(['end', 'finish', 'close']);
    }),
  );
});
