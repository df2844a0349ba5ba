import { tell, connectPair } from './support';
import { pattern } from '../support/segments';

const RATE = 10e6;
const BYTES = 2_000_000;
/** Of a full segment with its headers, and of its payload. */
const PACKET = 1500;
const PAYLOAD = 1448;
const ASK = { tcp: { ecn: 1 } };

/** 10 Mbit/s, 40 ms there and back, a queue that marks from half of what fits the path. */
const NARROW = {
  delay: 20,
  from: { client: { rate: RATE, queue: 200_000, ecn: { threshold: 25_000 } } },
};

describe('ECN (RFC 3168): a queue that marks instead of dropping', () => {
  test.each([4, 6] as const)('IPv%d: the link stays full, and nothing is lost', (family) =>
    tell({ link: NARROW, client: ASK }, async (scene) => {
      const { client, server, cable, network } = scene;
      const { near, far } = await connectPair(scene, { family });
      // Past the slow start, whose burst finds the first marks a round trip late.
      near.socket.write(pattern(BYTES));
      await far.has(BYTES / 4);
      const from = network.now;
      await far.has(BYTES);
      const seconds = (network.now - from) / 1000;
      const wire = ((0.75 * BYTES) / PAYLOAD) * (family === 4 ? PACKET : PACKET + 20);
      expect((wire * 8) / seconds).toBeGreaterThan(0.93 * RATE);
      expect(cable.counters.client.lost).toEqual({});
      expect(cable.counters.client.marked).toBeGreaterThan(5);
      expect(client.counters.TcpRetransSegs).toBe(0);
      expect(server.counters.IpExtInCEPkts).toBe(cable.counters.client.marked);
      expect(client.counters.TcpExtTCPDeliveredCE).toBeGreaterThan(0);
      const echoes = network.trace.segments({ from: 'server', having: 'E' });
      const answers = network.trace.segments({ from: 'client', having: 'W' });
      expect(echoes.length).toBeGreaterThanOrEqual(answers.length - 1);
    }),
  );

  test('without ECN the same queue loses', () =>
    tell({ link: NARROW }, async (scene) => {
      const { near, far } = await connectPair(scene);
      near.socket.write(pattern(BYTES / 4));
      await far.has(BYTES / 4);
      expect(scene.cable.counters.client.marked).toBe(0);
      expect(scene.cable.counters.client.lost.queue).toBeGreaterThan(0);
      expect(scene.client.counters.TcpRetransSegs).toBeGreaterThan(0);
    }));
});
