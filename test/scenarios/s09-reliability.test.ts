import type { SegmentView } from '../../lib/testing/segment-view';
import { pattern } from '../support/segments';
import { brief, connectPair, End, RTO, sleep, states, tell } from './support';

/** Payload of a full segment: 1500 less headers (20, 20) and timestamps (12). */
const FULL = 1448;

/** A filter that loses the first `count` segments that it is asked about. */
function losing(count: number, which: (segment: SegmentView) => boolean) {
  let left = count;
  return (segment: SegmentView) => !which(segment) || left-- <= 0;
}

const isData = ({ length }: SegmentView) => length > 0;

describe('S9: the retransmission timer', () => {
  test('doubles from one loss to the next, and starts anew after an acknowledgment', () =>
    tell({}, async (scene) => {
      const { network, client, cable } = scene;
      const { near, far } = await connectPair(scene);
      const sent = network.now;
      cable.set({ filter: losing(3, isData) }, { from: 'client' });
      near.socket.write('lost three times');
      await far.has(16);
      // A probe, from which on the timeout runs.
      const first = [sent, sent + RTO, sent + 2 * RTO, sent + 4 * RTO];
      expect(network.now).toBe(sent + 4 * RTO + 10);
      await sleep(1000);

      const again = network.now;
      cable.set({ filter: losing(1, isData) }, { from: 'client' });
      near.socket.write('lost once');
      await far.has(25);
      const data = network.trace.segments({ from: 'client', data: true });
      expect(data.map(({ time }) => time)).toEqual([...first, again, again + RTO]);
      expect(data.map(({ lost }) => lost ?? 'arrived')).toEqual([
        ...['filter', 'filter', 'filter', 'arrived'],
        ...['filter', 'arrived'],
      ]);
      expect(client.counters).toMatchObject({
        TcpRetransSegs: 4,
        TcpExtTCPLossProbes: 2,
        TcpExtTCPTimeouts: 2,
      });
      expect(far.received.toString()).toBe('lost three timeslost once');
    }));

  test('has learned the round trip in the handshake', () =>
    tell({ link: { delay: 150 } }, async (scene) => {
      const { network, client, cable } = scene;
      const { near, far } = await connectPair(scene);
      cable.set({ filter: losing(2, isData) }, { from: 'client' });
      const sent = network.now;
      near.socket.write('lost');
      await far.has(4);
      // The handshake took 300 ms, and the first variation is half of that.
      const [, probe, again] = network.trace.segments({ from: 'client', data: true });
      expect(probe.time - sent).toBe(2 * 300 + 200);
      expect(again.time - probe.time).toBe(300 + Math.max(4 * 150, 200));
      expect(client.counters.TcpRetransSegs).toBe(2);
    }));

  test('is not needed where three duplicate acknowledgments tell of a loss', () =>
    tell({}, async (scene) => {
      const { network, client, server, cable } = scene;
      const { near, far } = await connectPair(scene);
      cable.set({ filter: losing(1, isData) }, { from: 'client' });
      const sent = network.now;
      const bytes = pattern(6 * FULL);
      near.socket.write(bytes);
      await far.has(bytes.length);
      const toClient = network.trace.segments({ from: 'server', since: sent });
      expect(toClient.slice(0, 4).map(({ ack }) => ack)).toEqual([1, 1, 1, 1]);
      const [again] = network.trace.segments({ from: 'client', retransmission: true });
      expect(brief(again)).toBe(`${sent + 20} client . 1:1449 ack 1`);
      expect(client.counters).toMatchObject({
        TcpExtTCPFastRetrans: 1,
        TcpExtTCPTimeouts: 0,
        TcpRetransSegs: 1,
      });
      expect(server.counters.TcpExtTCPOFOQueue).toBe(5);
      expect(far.received.equals(bytes)).toBe(true);
    }));
});

describe('S9: acknowledgments', () => {
  test('many segments are in flight, and the last acknowledgment speaks for all', () =>
    tell({}, async (scene) => {
      const { network, client, cable } = scene;
      const { near, far } = await connectPair(scene);
      // All that the server says is lost, but what acknowledges the tenth segment.
      cable.set({ filter: ({ relativeAck }) => relativeAck === 1 + 10 * FULL }, { from: 'server' });
      const sent = network.now;
      near.socket.write(pattern(10 * FULL));
      await far.has(10 * FULL);
      expect(network.now).toBe(sent + 10);
      expect(client.connections()[0].sendQ).toBe(10 * FULL);
      await sleep(1000);

      expect(client.connections()[0].sendQ).toBe(0);
      const data = network.trace.segments({ from: 'client', data: true });
      expect(data).toHaveLength(10);
      for (const [i, segment] of data.entries()) {
        expect(segment).toMatchObject({ time: sent, seq: 1 + i * FULL, length: FULL });
      }
      const acks = network.trace.segments({ from: 'server', since: sent });
      expect(acks.filter(({ lost }) => lost === undefined).map(brief)).toEqual([
        `${sent + 10} server . 1:1 ack ${1 + 10 * FULL}`,
      ]);
      expect(client.counters.TcpRetransSegs).toBe(0);
    }));

  test('how many may be in flight doubles with each round trip', () =>
    tell({}, async (scene) => {
      const { network } = scene;
      const { near, far } = await connectPair(scene);
      const sent = network.now;
      near.socket.write(pattern(70 * FULL));
      await far.has(70 * FULL);
      const at = (time: number) =>
        network.trace.segments({ from: 'client', data: true, since: time, until: time }).length;
      expect([at(sent), at(sent + 20), at(sent + 40)]).toEqual([10, 20, 40]);
    }));

  test('one waits 40 ms for data to ride on', () =>
    tell({}, async (scene) => {
      const { network } = scene;
      const { near, far } = await connectPair(scene);
      const sent = network.now;
      // Each answers at once, and so learns that acknowledgments need not be bare.
      for (let i = 1; i <= 3; i++) {
        near.socket.write('question');
        await far.has(8 * i);
        far.socket.write('answer');
        await near.has(6 * i);
      }
      await sleep(1000);
      const seen = network.trace.segments({ since: sent + 40 }).map(brief);
      expect(seen).toEqual([
        `${sent + 40} client P. 17:25 ack 13`,
        `${sent + 50} server P. 13:19 ack 25`,
        `${sent + 60 + 40} client . 25:25 ack 19`,
      ]);
    }));

  test('every second full segment has one, once it has begun and the window is open', () =>
    tell({ server: { tcp: { moderateReceiveBuffer: 0 } } }, async (scene) => {
      const { network, server } = scene;
      const { near, far } = await connectPair(scene);
      near.socket.write(pattern(60 * FULL));
      await far.has(60 * FULL);
      await sleep(1000);
      const acks = network.trace.segments({ from: 'server', flags: '.' }).map(({ ack }) => ack);
      const steps = acks.map((ack = 0, i) => (ack - (acks[i - 1] ?? 1)) / FULL);
      // The first 16 are acknowledged one by one, so that the sender finds its speed.
      expect(steps.slice(0, 16)).toEqual(Array(16).fill(1));
      expect(steps.slice(16)).toEqual(Array(22).fill(2));
      expect(server.counters.TcpExtDelayedACKs).toBe(0);
    }));
});

describe('S9: the size of a segment', () => {
  test('follows the path', () =>
    tell({ link: { mtu: 1280 } }, async (scene) => {
      const { near, far } = await connectPair(scene);
      near.socket.write(pattern(10_000));
      await far.has(10_000);
      const [first] = scene.network.trace.segments({ data: true });
      expect(first.length).toBe(1280 - 20 - 20 - 12);
    }));

  test('is half of what a peer with a small buffer can take at most', () =>
    tell({ server: { tcp: { receiveBuffer: 2000, moderateReceiveBuffer: 0 } } }, async (scene) => {
      const { network } = scene;
      const { near, far } = await connectPair(scene);
      near.socket.write(pattern(10_000));
      await far.has(10_000);
      const offered = network.trace.segments({ from: 'server' }).map(({ flags, window }) => {
        return flags === 'S.' ? window : window << 7;
      });
      const data = network.trace.segments({ data: true });
      expect(Math.max(...data.map(({ length }) => length))).toBe(Math.max(...offered) / 2);
      expect(far.received.equals(Buffer.from(pattern(10_000)))).toBe(true);
    }));
});

describe('S9: giving up', () => {
  test('after a probe, 15 timeouts and 925 s, where a round trip takes 0.2 ms', () =>
    tell({ link: { delay: 0.1 } }, async (scene) => {
      const { network, client, cable } = scene;
      const { near, far } = await connectPair(scene);
      cable.cut();
      const sent = network.now;
      near.socket.write('into the void');
      await near.sees('close');

      expect(near.events).toEqual(['connect', 'ETIMEDOUT', 'close']);
      const times = network.trace.segments({ from: 'client', data: true }).map(({ time }) => time);
      expect(times).toHaveLength(17);
      const waits = [...times.slice(1), near.at('ETIMEDOUT') ?? 0].map(
        (time, i) => time - times[i],
      );
      const doubling = Array.from({ length: 10 }, (_, i) => 200.2 * 2 ** i);
      for (const [i, wait] of [200.2, ...doubling, ...Array<number>(6).fill(120_000)].entries()) {
        expect(waits[i]).toBeCloseTo(wait, 6);
      }
      expect((near.at('ETIMEDOUT') ?? 0) - sent).toBeCloseTo(925_004.8, 6);
      expect(client.counters).toMatchObject({ TcpRetransSegs: 16, TcpExtTCPAbortOnTimeout: 1 });
      expect(states(client)).toEqual([]);
      // The other end knows nothing of it.
      expect(far.events).toEqual([]);
      expect(states(scene.server)).toEqual(['ESTABLISHED']);
    }));

  test('the limit can be changed (retries2)', () =>
    tell({ client: { tcp: { retries2: 3 } } }, async (scene) => {
      const { network, cable } = scene;
      const { near } = await connectPair(scene);
      cable.cut();
      const sent = network.now;
      near.socket.write('into the void');
      await near.sees('close');
      const [, ...again] = network.trace.segments({ from: 'client', data: true });
      expect(again.map(({ time }) => time - sent)).toEqual([1, 2, 4, 8].map((n) => n * RTO));
      expect(near.at('ETIMEDOUT')).toBe(sent + 16 * RTO);
    }));

  test('it is one of time: where the path is slow there are fewer retransmissions', () =>
    tell({ link: { delay: 500 }, client: { tcp: { retries2: 5 } } }, async (scene) => {
      const { network, cable } = scene;
      const { near } = await connectPair(scene);
      cable.cut();
      const sent = network.now;
      near.socket.write('into the void');
      await near.sees('close');
      // 5 retransmissions from 200 ms on take 12.6 s. The probe comes after 2 · 1 s + 0.2 s; the
      // first timeout is 1 s + 4 · 0.5 s.
      const [, ...again] = network.trace.segments({ from: 'client', data: true });
      expect(again.map(({ time }) => time - sent)).toEqual([2200, 5200, 11_200]);
      expect(near.at('ETIMEDOUT')).toBe(sent + 23_200);
    }));

  test.each([
    ['as it is', {}, [1, 2, 3, 4, 5, 7, 11, 19, 35, 67], 131],
    ['doubling from the start', { synLinearTimeouts: 0 }, [1, 3, 7, 15, 31, 63], 127],
    ['twice', { synLinearTimeouts: 0, synRetries: 2 }, [1, 3], 7],
  ])('a SYN that nobody answers: %s', (_, tcp, again, end) =>
    tell({ client: { tcp } }, async ({ network, client, server, cable }) => {
      cable.cut();
      const near = new End(network, client.net.connect({ port: 80, host: server.address }));
      await sleep(0);
      expect(states(client)).toEqual(['SYN-SENT']);
      await near.sees('close');
      expect(near.events).toEqual(['ETIMEDOUT', 'close']);
      expect(near.at('ETIMEDOUT')).toBe(end * 1000);
      const syns = network.trace.segments({ from: 'client' });
      expect(syns.map(({ time, flags }) => `${time} ${flags}`)).toEqual(
        [0, ...again].map((seconds) => `${seconds * 1000} S`),
      );
      expect(states(client)).toEqual([]);
    }),
  );

  test('a SYN+ACK that nobody acknowledges is sent five times more, and forgotten', () =>
    tell({}, async ({ network, client, server, cable }) => {
      const listener = server.net.createServer();
      const accepted: unknown[] = [];
      listener.on('connection', (socket) => accepted.push(socket));
      await new Promise<void>((resolve) => listener.listen(80, resolve));
      client.net.connect({ port: 80, host: server.address }).on('error', () => undefined);
      await sleep(10);
      client.crash();
      await sleep(10 + 62_000);
      expect(states(server)).toEqual(['SYN-RECEIVED']);
      await sleep(1000);
      expect(states(server)).toEqual([]);
      const sent = network.trace.segments({ from: 'server' });
      expect(sent.map(({ time, flags }) => `${time} ${flags}`)).toEqual(
        [0, 1, 3, 7, 15, 31].map((seconds) => `${10 + seconds * 1000} S.`),
      );
      expect(accepted).toEqual([]);
      expect(cable.counters.server.sent).toBe(6);
    }));
});
