import { pattern } from '../support/segments';
import { brief, connectPair, intercept, sleep, states, tell } from './support';

/** Bytes before the payload: IPv4's header, TCP's, and timestamps. */
const HEADERS = 20 + 32;

describe('S10: a segment whose bits were flipped', () => {
  test('is dropped and counted, and the data arrives by retransmission', () =>
    tell({}, async (scene) => {
      const { network, client, server } = scene;
      const { near, far } = await connectPair(scene);
      let flips = 1;
      intercept(server, (packet) => {
        const bytes = packet.bytes();
        if (bytes.length > HEADERS && flips-- > 0) {
          bytes[HEADERS + 6] ^= 1;
          packet.spoil(bytes);
        }
        return [packet];
      });
      const sent = network.now;
      near.socket.write('owe 100 pounds');
      await sleep(219);
      expect(server.counters).toMatchObject({ TcpInCsumErrors: 1, TcpInErrs: 1 });
      expect(network.trace.segments({ from: 'server', since: sent })).toEqual([]);
      expect(far.received).toHaveLength(0);

      await far.has(14);
      expect(network.trace.segments({ from: 'client', data: true }).map(brief)).toEqual([
        `${sent} client P. 1:15 ack 1`,
        `${sent + 220} client P. 1:15 ack 1`,
      ]);
      expect(far.received.toString()).toBe('owe 100 pounds');
      expect(server.counters).toMatchObject({ TcpInCsumErrors: 1, TcpInErrs: 1 });
      expect(client.counters).toMatchObject({ TcpInCsumErrors: 0, TcpRetransSegs: 1 });
    }));

  test('does nothing at all, whichever bit it is', () =>
    tell({}, async (scene) => {
      const { client, server } = scene;
      const { near, far } = await connectPair(scene);
      let copies = 0;
      intercept(server, (packet) => {
        const bits = 8 * packet.bytes().length;
        copies = bits;
        return Array.from({ length: bits }, (_, bit) => {
          const copy = packet.copy();
          const bytes = packet.bytes();
          bytes[bit >> 3] ^= 0x80 >> (bit & 7);
          copy.spoil(bytes);
          return copy;
        });
      });
      const before = server.connections();
      near.socket.write('unheard');
      await sleep(100);
      expect(copies).toBe(8 * (HEADERS + 7));
      expect(server.connections()).toEqual(before);
      expect(far.received).toHaveLength(0);
      // Of the rest, IPv4's checksum and the lengths take care.
      expect(server.counters.TcpInCsumErrors).toBeGreaterThan(8 * (32 + 7) - 8);
      expect(server.counters.TcpInCsumErrors).toBeLessThanOrEqual(8 * (32 + 7));
      expect(client.connections()[0].sendQ).toBe(7);
      client.crash();
    }));

  test.each([4, 6] as const)('a tenth of all, both ways: each is noticed (IPv%d)', (family) =>
    tell({ seed: 10 + family, link: { corrupt: 0.1 } }, async (scene) => {
      const { network, client, server, cable } = scene;
      const { near, far } = await connectPair(scene, { family });
      const bytes = pattern(200_000);
      near.socket.end(bytes);
      far.socket.end(bytes);
      await Promise.all([near.sees('close'), far.sees('close')]);
      await sleep(200_000);
      expect([...states(client), ...states(server)]).toEqual([]);
      expect(far.received.equals(bytes)).toBe(true);
      expect(near.received.equals(bytes)).toBe(true);
      for (const [from, to] of [
        [client, server],
        [server, client],
      ]) {
        const spoilt = cable.counters[from.name].corrupted;
        const unreadable = network.trace.segments({ from: from.name, lost: true }).length;
        const { TcpInCsumErrors } = to.counters;
        expect(TcpInCsumErrors).toBeGreaterThan(10);
        // IPv6's header has no checksum: its hop limit or flow label may have been hit.
        if (family === 4) expect(TcpInCsumErrors + unreadable).toBe(spoilt);
        else expect(TcpInCsumErrors + unreadable).toBeLessThanOrEqual(spoilt);
      }
    }),
  );
});
