import { pattern } from '../support/segments';
import {
  brief,
  connect,
  connectPair,
  LIMIT,
  listen,
  RETRANSMISSIONS,
  sleep,
  states,
  tell,
} from './support';

describe("S21 (e): the peer's process is killed, or its host shut down", () => {
  test('FIN, and an orderly close', () =>
    tell({}, async (scene) => {
      const { network, client, server } = scene;
      const { near, far } = await connectPair(scene);
      far.socket.write('my last words');
      await sleep(100);
      const began = network.now;
      server.kill();
      await near.sees('end');
      expect(near.received.toString()).toBe('my last words');
      expect(network.now).toBe(began + 10);
      await sleep(1000);
      expect([states(client), states(server)]).toEqual([['CLOSE-WAIT'], ['FIN-WAIT-2']]);
      near.socket.end();
      await near.sees('close');
      await sleep(100);
      expect(near.events).toEqual(['connect', 'end', 'finish', 'close']);
      expect([states(client), states(server)]).toEqual([[], ['TIME-WAIT']]);
      expect(network.trace.segments({ since: began }).map(brief)).toEqual([
        `${began} server F. 14:14 ack 1`,
        `${began + 10 + 40} client . 1:1 ack 15`,
        `${began + 1010} client F. 1:1 ack 15`,
        `${began + 1020} server . 15:15 ack 2`,
      ]);
      // The killed program has heard nothing of it.
      expect(far.events).toEqual([]);
      expect([server.state, server.connections().length]).toEqual(['up', 1]);
      const refused = connect(scene);
      await refused.sees('close');
      expect(refused.events).toEqual(['ECONNREFUSED', 'close']);
    }));

  test('what it had written still arrives', () =>
    tell({ link: { rate: 1e6 }, server: { tcp: { sendBuffer: 400_000 } } }, async (scene) => {
      const { server } = scene;
      const { near, far } = await connectPair(scene);
      const bytes = pattern(200_000);
      far.socket.write(bytes);
      await sleep(50);
      server.kill();
      expect(near.received.length).toBeLessThan(10_000);
      await near.sees('end');
      expect(near.received.equals(bytes)).toBe(true);
      near.socket.end();
    }));

  test('RST, where it had not read all', () =>
    tell({}, async (scene) => {
      const { network, client, server } = scene;
      const { near, far } = await connectPair(scene);
      far.socket.pause();
      near.socket.write(pattern(300_000));
      await sleep(1000);
      const began = network.now;
      server.kill();
      await near.sees('close');
      expect(near.events).toEqual(['connect', 'ECONNRESET', 'close']);
      expect(near.at('ECONNRESET')).toBe(began + 10);
      expect(network.trace.segments({ from: 'server', since: began })[0].flags).toBe('R.');
      expect([states(client), states(server)]).toEqual([[], []]);
    }));

  test('who goes on writing is told that nobody reads it', () =>
    tell({}, async (scene) => {
      const { network, client, server } = scene;
      const { near } = await connectPair(scene);
      await sleep(100);
      server.kill();
      const began = network.now;
      near.socket.write('still talking');
      await sleep(100);
      expect(near.events).toEqual(['connect', 'end']);
      expect(network.trace.segments({ from: 'server', since: began }).map(brief)).toEqual([
        `${began} server F. 1:1 ack 1`,
        // In answer to the data, and to the acknowledgment of FIN.
        `${began + 10} server R 1:1`,
        `${began + 21} server R 2:2`,
      ]);
      expect([states(client), states(server)]).toEqual([[], []]);
      near.socket.write('anybody?');
      await near.sees('close');
      expect(near.events).toEqual(['connect', 'end', 'EPIPE', 'close']);
    }));

  test('a host that is shut down closes in order, and is off when all is said', () =>
    tell({}, async (scene) => {
      const { network, client, server } = scene;
      const { near } = await connectPair(scene);
      await sleep(100);
      const began = network.now;
      server.shutdown();
      await near.sees('end');
      near.socket.end();
      await near.sees('close');
      expect(near.events).toEqual(['connect', 'end', 'finish', 'close']);
      expect(server.state).toBe('up');
      await sleep(20);
      expect([server.state, states(client)]).toEqual(['off', []]);
      expect(network.trace.segments({ since: began }).map(brief)).toEqual([
        `${began} server F. 1:1 ack 1`,
        `${began + 10} client F. 1:1 ack 2`,
        `${began + 20} server . 2:2 ack 2`,
      ]);
      const late = connect(scene);
      await late.sees('close');
      expect(late.events).toEqual(['ETIMEDOUT', 'close']);
    }));
});

describe('S21 (f): ports', () => {
  test('the port is closed: ECONNREFUSED', () =>
    tell({}, async (scene) => {
      const { network, client, server } = scene;
      const near = connect(scene, 81);
      await near.sees('close');
      expect(near.events).toEqual(['ECONNREFUSED', 'close']);
      expect(near.at('ECONNREFUSED')).toBe(20);
      expect(network.trace.segments().map(brief)).toEqual([
        '0 client S 0:0',
        '10 server R. 0:0 ack 1',
      ]);
      expect(client.counters.TcpAttemptFails).toBe(1);
      expect([states(client), states(server)]).toEqual([[], []]);
    }));

  test('a filter rejects an established one: RST, ECONNRESET', () =>
    tell({}, async (scene) => {
      const { network, client, server } = scene;
      const { near, far } = await connectPair(scene);
      await sleep(100);
      server.block(80, 'reject');
      const began = network.now;
      near.socket.write('blocked?');
      await near.sees('close');
      expect(near.events).toEqual(['connect', 'ECONNRESET', 'close']);
      expect(near.at('ECONNRESET')).toBe(began + 20);
      expect(network.trace.segments({ since: began }).map(brief)).toEqual([
        `${began} client P. 1:9 ack 1`,
        `${began + 10} server R 1:1`,
      ]);
      // Behind the filter nobody knows; what is sent from there is answered by the client.
      expect([states(client), states(server), far.events]).toEqual([[], ['ESTABLISHED'], []]);
      server.unblock(80);
      far.socket.write('are you there?');
      await far.sees('close');
      expect(far.events).toEqual(['ECONNRESET', 'close']);
    }));

  test('connecting to a rejected port: ECONNREFUSED, though somebody listens', () =>
    tell({}, async (scene) => {
      const accepted = await listen(scene);
      scene.server.block(80, 'reject');
      const near = connect(scene);
      await near.sees('close');
      expect(near.events).toEqual(['ECONNREFUSED', 'close']);
      expect(near.at('ECONNREFUSED')).toBe(20);
      expect(accepted).toEqual([]);
    }));

  test('a filter drops an established one: silence, and ETIMEDOUT', () =>
    tell({}, async (scene) => {
      const { network, client, server } = scene;
      const { near, far } = await connectPair(scene);
      await sleep(100);
      server.block(80, 'drop');
      const began = network.now;
      near.socket.write('blocked?');
      await near.sees('close');
      expect(near.events).toEqual(['connect', 'ETIMEDOUT', 'close']);
      expect(near.at('ETIMEDOUT')).toBe(began + LIMIT);
      const sent = network.trace.segments({ since: began });
      expect(sent.map(({ time }) => time - began)).toEqual([0, ...RETRANSMISSIONS]);
      for (const { lost, lostAt } of sent) expect([lost, lostAt]).toEqual(['firewall', 'server']);
      expect([states(client), states(server), far.events]).toEqual([[], ['ESTABLISHED'], []]);
    }));

  test('connecting to a dropped port: ETIMEDOUT; one that opens in time answers', () =>
    tell({}, async (scene) => {
      const { network, server } = scene;
      const accepted = await listen(scene);
      server.block(80, 'drop');
      const near = connect(scene);
      await near.sees('close');
      expect(near.events).toEqual(['ETIMEDOUT', 'close']);
      expect(near.at('ETIMEDOUT')).toBe(131_000);
      const began = network.now;
      const again = connect(scene);
      await sleep(2500);
      server.unblock(80);
      await again.sees('connect');
      expect(network.now).toBe(began + 3020);
      await sleep(100);
      expect(accepted).toHaveLength(1);
    }));

  test('a listener that closes leaves its accepted connections alive', () =>
    tell({}, async (scene) => {
      const { client, server } = scene;
      const { near, far, listener } = await connectPair(scene);
      let closed = false;
      listener.close(() => (closed = true));
      await sleep(100);
      const refused = connect(scene);
      await refused.sees('close');
      expect(refused.events).toEqual(['ECONNREFUSED', 'close']);
      expect(server.connections().map(({ state }) => state)).toEqual(['ESTABLISHED']);
      near.socket.write('still open?');
      await far.has(11);
      far.socket.write('yes');
      await near.has(3);
      expect([near.events, far.events, closed]).toEqual([['connect'], [], false]);
      near.socket.end();
      far.socket.end();
      await Promise.all([near.sees('close'), far.sees('close')]);
      expect(closed).toBe(true);
      await sleep(100);
      expect([states(client), states(server)]).toEqual([['TIME-WAIT'], ['TIME-WAIT']]);
    }));
});
