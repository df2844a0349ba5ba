import { Flag, Word } from '../../lib/core/segment/layout';
import { pattern } from '../support/segments';
import { connectPair, End, intercept, sleep, tell } from './support';

const IPV4 = 20;
const IPV6 = 40;
const TCP = 20;
/** With padding. */
const TIMESTAMPS = 12;
const BYTES = 200_000;

const MTUS = [1280, 1500, 9000];
const CASES = MTUS.flatMap((mtu) => [
  { mtu, family: 4 as const, header: IPV4 },
  { mtu, family: 6 as const, header: IPV6 },
]);

describe('S15: maximum segment size', () => {
  test.each(CASES)('MTU $mtu, IPv$family: announced and used', ({ mtu, family, header }) =>
    tell({ link: { mtu } }, async (scene) => {
      const { network, cable } = scene;
      const { near, far } = await connectPair(scene, { family });
      near.socket.end(pattern(BYTES, 1));
      far.socket.end(pattern(BYTES, 2));
      await Promise.all([near.has(BYTES), far.has(BYTES)]);
      const [syn, synAck] = network.trace.segments({ having: 'S' });
      expect([syn.flags, syn.mss]).toEqual(['S', mtu - header - TCP]);
      expect([synAck.flags, synAck.mss]).toEqual(['S.', mtu - header - TCP]);
      for (const from of ['client', 'server']) {
        const data = network.trace.segments({ from, data: true });
        const largest = mtu - header - TCP - TIMESTAMPS;
        expect(Math.max(...data.map(({ length }) => length))).toBe(largest);
        // Full ones, but for the last.
        expect(data).toHaveLength(Math.ceil(BYTES / largest));
        expect(cable.counters[from].lost).toEqual({});
      }
    }),
  );

  test('without timestamps their room is used too', () =>
    tell({ client: { tcp: { timestamps: 0 } } }, async (scene) => {
      const { near, far } = await connectPair(scene);
      near.socket.write(pattern(10_000));
      await far.has(10_000);
      const [first] = scene.network.trace.segments({ data: true });
      expect(first.length).toBe(1460);
      expect(first.timestamps).toBeUndefined();
    }));

  test.each([4, 6] as const)('each keeps to what the other announced (IPv%d)', (family) =>
    // The paths of the two ends begin with cables of different sizes.
    tell({}, async ({ network }) => {
      const header = family === 4 ? IPV4 : IPV6;
      const [one, other] = [network.host('one'), network.host('other')];
      const router = network.router('router');
      const [small, large] = [
        network.link(one, router, { mtu: 1280, delay: 5 }),
        network.link(router, other, { mtu: 9000, delay: 5 }),
      ];
      const accepted: End[] = [];
      const host = family === 4 ? other.address : other.address6;
      const listener = other.net.createServer((socket) => {
        accepted.push(new End(network, socket));
        socket.end(pattern(BYTES));
      });
      await new Promise<void>((resolve) => listener.listen({ port: 80, host }, resolve));
      const near = new End(network, one.net.connect({ port: 80, host }));
      near.socket.end(pattern(BYTES));
      await near.has(BYTES);
      await sleep(100);
      expect(accepted[0].received).toHaveLength(BYTES);
      const [syn, synAck] = network.trace.segments({ having: 'S' });
      expect([syn.mss, synAck.mss]).toEqual([1280 - header - TCP, 9000 - header - TCP]);
      for (const from of ['one', 'other']) {
        const lengths = network.trace.segments({ from, data: true }).map(({ length }) => length);
        expect(Math.max(...lengths)).toBe(1280 - header - TCP - TIMESTAMPS);
      }
      for (const cable of [small, large]) {
        for (const { lost } of Object.values(cable.counters)) expect(lost).toEqual({});
      }
    }),
  );

  test.each([
    [4, 536],
    [6, 1220],
  ] as const)('a peer that announces none takes what every host takes (IPv%d: %d)', (family, mss) =>
    tell({}, async (scene) => {
      const { network, server } = scene;
      // The client's SYN comes without options.
      intercept(server, (packet) => {
        if ((packet.words[Word.Flags] & Flag.SYN) !== 0) packet.words[Word.Options] = 0;
        return [packet];
      });
      const { near, far } = await connectPair(scene, { family });
      far.socket.write(pattern(10_000));
      await near.has(10_000);
      const [first] = network.trace.segments({ from: 'server', data: true });
      expect(first.length).toBe(mss);
    }),
  );
});
