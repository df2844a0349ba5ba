import type { TracedSegment } from '../../lib/testing/trace/segments';
import { pattern } from '../support/segments';
import { connectPair, End, type Scene, sleep, states, tell } from './support';

const BUFFER = 65_536;
const FULL = 1448;
/** The window scale of all hosts here: the largest receive buffer is 6 MiB. */
const SCALE = 7;

const windowOf = ({ flags, window }: TracedSegment) =>
  flags.includes('S') ? window : window << SCALE;

const intervals = (segments: TracedSegment[]) =>
  segments.slice(1).map(({ time }, i) => time - segments[i].time);

/** A server with a buffer of 64 KiB. */
const SMALL = { server: { tcp: { receiveBuffer: BUFFER } } };

/** A reader that doesn't read, and a sender that has filled all that there is; and how much. */
async function fill(scene: Scene, bytes: Uint8Array) {
  const pair = await connectPair(scene);
  pair.far.socket.pause();
  pair.near.socket.write(bytes);
  await sleep(500);
  const { ack = 0 } = scene.network.trace.segments({ from: 'server' }).at(-1) ?? {};
  return { ...pair, taken: ack - 1 };
}

describe('S12: a fast sender and a slow reader', () => {
  test('a closed window is probed, and what was held back leaves when it opens', () =>
    tell(SMALL, async (scene) => {
      const { network, client, server } = scene;
      const bytes = pattern(400_000);
      const { near, far, taken } = await fill(scene, bytes);
      const closed = network.trace.segments({ from: 'server' }).filter((s) => windowOf(s) === 0);
      // The reader's system holds what it can, and a unit of the window; the program the rest.
      const held = server.connections().find(({ state }) => state === 'ESTABLISHED')?.recvQ ?? 0;
      expect(held).toBeGreaterThan(0.9 * BUFFER);
      expect(held).toBeLessThan(BUFFER + (1 << SCALE));
      expect(held + far.socket.readableLength).toBe(taken);
      expect(client.connections()[0]).toMatchObject({
        state: 'ESTABLISHED',
        sendQ: 400_000 - taken,
      });

      await sleep(3600_000);
      const since = closed[0].time + 10;
      const probes = network.trace.segments({ from: 'client', since });
      for (const probe of probes)
        expect(probe).toMatchObject({ seq: taken, length: 0, flags: '.' });
      const waits = intervals(probes);
      const first = probes[0].time - since;
      expect(first).toBeGreaterThanOrEqual(220);
      expect(first).toBeLessThan(240);
      for (const [i, wait] of waits.entries()) {
        // From the answer on, which takes a round trip.
        expect(wait).toBeCloseTo(Math.min(2 ** (i + 1) * first, 120_000) + 20, 6);
      }
      expect(client.counters.TcpExtTCPWinProbe).toBe(probes.length);
      const answers = network.trace.segments({ from: 'server', since: since + 1 });
      expect(answers).toHaveLength(probes.length);
      for (const [i, answer] of answers.entries()) {
        expect(answer.time).toBeCloseTo(probes[i].time + 10, 6);
        expect([windowOf(answer), answer.ack]).toEqual([0, taken + 1]);
      }

      const opened = network.now;
      far.socket.resume();
      await far.has(400_000);
      expect(far.received.equals(bytes)).toBe(true);
      const [update] = network.trace.segments({ from: 'server', since: opened });
      expect(update.time).toBe(opened);
      expect(windowOf(update)).toBeGreaterThan(BUFFER / 2);
      const [next] = network.trace.segments({ from: 'client', data: true, since: opened });
      expect(next).toMatchObject({ time: opened + 10, seq: taken + 1, length: FULL });
      expect(network.now - opened).toBeLessThan(200);
      expect(server.counters).toMatchObject({
        TcpExtTCPZeroWindowDrop: 0,
        TcpExtTCPToZeroWindowAdv: 1,
        TcpExtTCPFromZeroWindowAdv: 1,
      });
      near.socket.end();
      far.socket.end();
    }));

  test('where the news of an open window is lost, the next probe brings it', () =>
    tell(SMALL, async (scene) => {
      const { network, cable } = scene;
      const { far, taken } = await fill(scene, pattern(200_000));
      await sleep(60_000);
      const probes = network.trace.segments({ from: 'client', data: false }).slice(-2);
      const next = probes[1].time + 2 * (probes[1].time - probes[0].time - 20) + 20;
      cable.cut();
      far.socket.resume();
      await sleep(20);
      cable.heal();
      await far.has(taken + 1);
      const data = network.trace.segments({ from: 'client', data: true }).at(-1);
      expect(data?.time).toBeCloseTo(next + 20, 6);
      await far.has(200_000);
    }));

  test('a reader that has crashed is given up after 15 probes without an answer', () =>
    tell(SMALL, async (scene) => {
      const { network, client, server } = scene;
      const { near, far } = await fill(scene, pattern(200_000));
      const crashed = network.now;
      server.crash();
      await near.sees('close');
      expect(near.events).toEqual(['connect', 'ETIMEDOUT', 'close']);
      const probes = network.trace.segments({ from: 'client', since: crashed });
      expect(probes).toHaveLength(15);
      const last = probes[14].time;
      expect(near.at('ETIMEDOUT')).toBeCloseTo(last + 120_000, 6);
      expect(states(client)).toEqual([]);
      expect(far.events).toEqual([]);
    }));

  test('it goes on byte for byte, however often the reader stops', () =>
    tell({ ...SMALL, seed: 3, link: { jitter: 5 } }, async (scene) => {
      const { server } = scene;
      const { near, far } = await connectPair(scene);
      const bytes = pattern(2_000_000);
      near.socket.end(bytes);
      while (far.at('end') === undefined) {
        far.socket.pause();
        await sleep(100);
        far.socket.resume();
        await sleep(2);
      }
      expect(far.received.equals(bytes)).toBe(true);
      expect(server.counters.TcpExtTCPZeroWindowDrop).toBe(0);
      far.socket.end();
    }));
});

describe('S12: no silly window', () => {
  test.each([
    ['with window scaling', 1],
    ['without', 0],
  ])('a reader that takes 100 bytes at a time gets full segments, %s', (_, windowScaling) =>
    tell({ server: { tcp: { receiveBuffer: 20_000, windowScaling } } }, async (scene) => {
      const { network, client, server } = scene;
      const nobody = { ready: () => undefined };
      const listener = server.socket(4, nobody);
      listener.bind(server.prefixes[0].address, 80);
      listener.listen(1);
      const near = new End(network, client.net.connect({ port: 80, host: server.address }));
      await near.sees('connect');
      await sleep(10);
      const socket = listener.accept();
      if (typeof socket === 'number') throw new Error('not accepted');
      const bytes = pattern(100_000);
      near.socket.write(bytes);
      await sleep(1000);

      const began = network.now;
      const pieces: Uint8Array[] = [];
      for (let read = 0; read < bytes.length; await sleep(1)) {
        server.enter();
        const piece = socket.take(100);
        if (typeof piece === 'number') continue;
        pieces.push(piece);
        read += piece.length;
      }
      expect(Buffer.concat(pieces).equals(bytes)).toBe(true);
      const data = network.trace.segments({ from: 'client', data: true, since: began });
      expect(data.length).toBeGreaterThan(40);
      for (const { length } of data.slice(0, -1)) expect(length).toBe(FULL);
      // What only tells of a window tells of a large one.
      const said = network.trace.segments({ from: 'server', since: began });
      const updates = said.filter(({ ack }, i) => i > 0 && ack === said[i - 1].ack);
      expect(updates.length).toBeGreaterThan(1);
      for (const one of updates) {
        expect(windowScaling ? windowOf(one) : one.window).toBeGreaterThanOrEqual(FULL);
      }
      near.socket.destroy();
      socket.close();
    }),
  );
});

/** How long it is looked at how fast data comes, once it has come to speed, ms. */
const LOOK = 500;

/**
 * The share of the link that arrives as payload, after `warm` ms of a connection that is full of
 * data, over 50 ms of cable in each direction.
 * @param rate bit/s
 */
async function shareOf(rate: number, warm: number, tcp: object = {}): Promise<number> {
  let share = 0;
  const link = { delay: 50, rate, queue: rate / 80 };
  await tell({ link, client: { tcp }, server: { tcp } }, async (scene) => {
    const { near, far } = await connectPair(scene);
    far.socket.removeAllListeners('data').resume();
    const piece = Buffer.alloc(500_000);
    const write = (): void => void (near.socket.write(piece) ? setImmediate(write) : 0);
    near.socket.on('drain', write);
    write();
    await sleep(warm);
    const before = far.socket.bytesRead;
    await sleep(LOOK);
    share = ((far.socket.bytesRead - before) * 8) / (LOOK / 1000) / rate;
    near.socket.destroy();
  });
  return share;
}

/** What headers leave of the link. */
const PAYLOAD = FULL / 1500;

describe('S12: windows that grow are no limit to a long path', () => {
  test('20 Mbit/s and 100 ms, with what buffers are at first (RFC 7323 §1.1)', async () => {
    expect(await shareOf(20_000_000, 2000)).toBeGreaterThan(0.99 * PAYLOAD);
    // As small as they are at first they would be one: 64 KiB in a round trip.
    const share = await shareOf(20_000_000, 1000, { moderateReceiveBuffer: 0 });
    expect(share).toBeLessThan(0.3);
  });

  if (process.env.NETLAND_NIGHTLY !== '1') return;
  describe('1 Gbit/s and 100 ms', () => {
    test.each([
      ['6 MiB in a round trip by default', {}, (6 * 2 ** 20 * 8) / 0.1 / 1e9],
      [
        'all of it with larger buffers',
        { receiveBufferMax: 2 ** 25, sendBufferMax: 2 ** 26 },
        PAYLOAD,
      ],
    ])(
      '%s',
      async (_, tcp, share) => {
        const reached = await shareOf(1_000_000_000, 3200, tcp);
        expect(reached).toBeGreaterThan(0.98 * share);
        expect(reached).toBeLessThan(1.02 * share);
      },
      300_000,
    );
  });
});
