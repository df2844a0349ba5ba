import { Flag } from '../../lib/core/segment/layout';
import type { Connection } from '../../lib/core/tcp/connection';
import type { Host } from '../../lib/testing';
import type { Fields } from '../support/segments';
import { brief, connectPair, End, forge, type Scene, sleep, states, tell } from './support';

const [ACK, FIN, RST, SYN] = [Flag.ACK, Flag.FIN, Flag.RST, Flag.SYN];

/** The only connection of a host. */
function connectionOf(host: Host): Connection {
  const all: Connection[] = [];
  host.core.tcp.forEachConnection((connection) => all.push(connection));
  if (all.length !== 1) throw new Error(`${host.name} has ${all.length} connections`);
  return all[0];
}

/** Something arrives at the client from the server's port 80, whoever has sent it. */
function arriveForged({ client, server }: Scene, fields: Fields): void {
  const from = { from: server.address, sourcePort: 80 };
  client.arrive(forge({ ...from, to: client.address, ...fields }));
}

describe('S16: a reset is sent', () => {
  const NOTHING = 'what belongs to no connection';
  test.each([
    [`SYN`, { flags: SYN, sequence: 1000 }, 'Flags [R.], seq 0, ack 1001'],
    [`FIN`, { flags: FIN, sequence: 1000 }, 'Flags [R.], seq 0, ack 1001'],
    [
      `data`,
      { flags: 0, sequence: 1000, payload: [Buffer.alloc(9)] },
      'Flags [R.], seq 0, ack 1009',
    ],
    [`ACK`, { flags: ACK, sequence: 1000, acknowledgment: 5000 }, 'Flags [R], seq 5000'],
    [
      `data and ACK`,
      { sequence: 1, acknowledgment: 7, payload: [Buffer.alloc(9)] },
      'Flags [R], seq 7',
    ],
  ])(`in answer to ${NOTHING}, with numbers that fit: %s`, (_, fields, expected) =>
    tell({}, async (scene) => {
      arriveForged(scene, fields);
      await sleep(100);
      const { trace } = scene.network;
      expect(trace.segments()).toHaveLength(1);
      const [answer] = trace.lines({ absolute: true, from: 'client' });
      expect(answer).toContain(`client.50000 > server.80: ${expected}, `);
      expect(scene.client.counters).toMatchObject({ TcpInSegs: 1, TcpOutRsts: 1 });
      // The server has none either, and is silent.
      expect(scene.server.counters).toMatchObject({ TcpInSegs: 1, TcpOutRsts: 0 });
    }),
  );

  test('by a program that wants no more: resetAndDestroy', () =>
    tell({}, async (scene) => {
      const { network, client, server } = scene;
      const { near, far } = await connectPair(scene);
      near.socket.write('half a ');
      await sleep(100);
      const began = network.now;
      near.socket.resetAndDestroy();
      await far.sees('close');
      await sleep(100);
      expect(network.trace.segments({ since: began }).map(brief)).toEqual([
        `${began} client R. 8:8 ack 1`,
      ]);
      expect(near.events).toEqual(['connect', 'close']);
      expect(far.events).toEqual(['ECONNRESET', 'close']);
      expect(far.at('ECONNRESET')).toBe(began + 10);
      expect([...states(client), ...states(server)]).toEqual([]);
    }));

  test('where data was left unread', () =>
    tell({}, async (scene) => {
      const { network, client, server } = scene;
      const { near, far } = await connectPair(scene);
      far.socket.pause();
      near.socket.write(Buffer.alloc(300_000));
      await sleep(200);
      const began = network.now;
      far.socket.destroy();
      await near.sees('close');
      expect(near.events).toEqual(['connect', 'ECONNRESET', 'close']);
      expect(near.at('ECONNRESET')).toBe(began + 10);
      const [reset, ...more] = network.trace.segments({ from: 'server', since: began });
      expect([reset.flags, more]).toEqual(['R.', []]);
      expect(server.counters.TcpExtTCPAbortOnClose).toBe(1);
      expect([...states(client), ...states(server)]).toEqual([]);
    }));

  test('where data comes for a program that has closed', () =>
    tell({}, async (scene) => {
      const { network, client, server } = scene;
      const { near, far } = await connectPair(scene);
      far.socket.destroy();
      await sleep(100);
      expect([states(client), states(server)]).toEqual([['CLOSE-WAIT'], ['FIN-WAIT-2']]);
      const began = network.now;
      near.socket.write('too late');
      await sleep(100);
      const said = network.trace.segments({ since: began }).map(brief);
      expect(said).toEqual([`${began} client P. 1:9 ack 2`, `${began + 10} server R 2:2`]);
      // As with node:net: the stream was read to its end, so only the next write finds out.
      expect(near.events).toEqual(['connect', 'end']);
      near.socket.write('later still');
      await near.sees('close');
      expect(near.events).toEqual(['connect', 'end', 'EPIPE', 'close']);
      expect(server.counters.TcpExtTCPAbortOnData).toBe(1);
      expect([...states(client), ...states(server)]).toEqual([]);
    }));
});

/** An established connection, in which nothing happens, and its client's numbers. */
async function idle(scene: Scene) {
  const pair = await connectPair(scene);
  await sleep(100);
  const { rcvNxt, receiveWindow, sndNxt } = connectionOf(scene.client);
  const [{ localPort }] = scene.client.connections();
  const right = { destinationPort: localPort, acknowledgment: sndNxt };
  return { ...pair, rcvNxt, receiveWindow, sndNxt, right, began: scene.network.now };
}

/** Both ends are as they were, and can be used. */
async function expectAlive(scene: Scene, near: End, far: End): Promise<void> {
  expect([near.events, far.events]).toEqual([['connect'], []]);
  expect([states(scene.client), states(scene.server)]).toEqual([['ESTABLISHED'], ['ESTABLISHED']]);
  const had = far.received.length;
  near.socket.write('still here');
  await far.has(had + 10);
}

describe('S16: a reset is accepted only where it fits', () => {
  test('with the very next number: ECONNRESET', () =>
    tell({}, async (scene) => {
      const { client, server } = scene;
      const { near, far, rcvNxt, right, began } = await idle(scene);
      arriveForged(scene, { ...right, flags: RST, sequence: rcvNxt, acknowledgment: 0 });
      await near.sees('close');
      expect(near.events).toEqual(['connect', 'ECONNRESET', 'close']);
      expect(near.at('ECONNRESET')).toBe(began);
      expect(client.counters.TcpEstabResets).toBe(1);
      expect([states(client), states(server)]).toEqual([[], ['ESTABLISHED']]);
      expect(scene.network.trace.segments({ since: began })).toEqual([]);
      // The other end learns of it when it has something to say.
      far.socket.write('hello?');
      await far.sees('close');
      expect(far.events).toEqual(['ECONNRESET', 'close']);
    }));

  test.each([
    ['one too low', (next: number) => next - 1],
    ['far too low', (next: number) => next - 2 ** 30],
    // As on Linux; at the very edge a RST is challenged.
    ['just behind the window', (next: number, window: number) => next + window + 1],
    ['far beyond', (next: number) => next + 2 ** 30],
  ])('outside of the window: %s, nothing happens', (_, place) =>
    tell({}, async (scene) => {
      const { near, far, rcvNxt, receiveWindow, right, began } = await idle(scene);
      const sequence = place(rcvNxt, receiveWindow) | 0;
      arriveForged(scene, { ...right, flags: RST | ACK, sequence });
      await sleep(100);
      expect(scene.network.trace.segments({ since: began })).toEqual([]);
      expect(scene.client.counters.TcpExtTCPChallengeACK).toBe(0);
      await expectAlive(scene, near, far);
    }),
  );

  test.each([
    ['the next but one', () => 1],
    ['the last of the window', (window: number) => window - 1],
  ])('in the window, but not the next number (%s): a challenge (RFC 5961)', (_, ahead) =>
    tell({}, async (scene) => {
      const { near, far, rcvNxt, receiveWindow, right, began } = await idle(scene);
      const sequence = (rcvNxt + ahead(receiveWindow)) | 0;
      arriveForged(scene, { ...right, flags: RST | ACK, sequence });
      await sleep(100);
      // The server, which has sent nothing, has no reason to answer it.
      expect(scene.network.trace.segments({ since: began }).map(brief)).toEqual([
        `${began} client . 1:1 ack 1`,
      ]);
      expect(scene.client.counters.TcpExtTCPChallengeACK).toBe(1);
      await expectAlive(scene, near, far);
    }),
  );

  test('the peer of whom it was true answers the challenge with the right number', () =>
    tell({}, async (scene) => {
      const { network, client, server } = scene;
      const { near, rcvNxt, right, began } = await idle(scene);
      server.reboot();
      arriveForged(scene, { ...right, flags: RST, sequence: rcvNxt + 100 });
      await near.sees('close');
      expect(network.trace.segments({ since: began }).map(brief)).toEqual([
        `${began} client . 1:1 ack 1`,
        `${began + 10} server R 1:1`,
      ]);
      expect(near.events).toEqual(['connect', 'ECONNRESET', 'close']);
      expect(near.at('ECONNRESET')).toBe(began + 20);
      expect(states(client)).toEqual([]);
    }));

  test('a SYN in the window is challenged as well', () =>
    tell({}, async (scene) => {
      const { near, far, rcvNxt, right, began } = await idle(scene);
      arriveForged(scene, { ...right, flags: SYN, sequence: rcvNxt });
      await sleep(100);
      expect(scene.network.trace.segments({ since: began }).map(brief)).toEqual([
        `${began} client . 1:1 ack 1`,
      ]);
      expect(scene.client.counters).toMatchObject({
        TcpExtTCPChallengeACK: 1,
        TcpExtTCPSYNChallenge: 1,
      });
      await expectAlive(scene, near, far);
    }));

  test('an attacker who tries all numbers gets two challenges a second', () =>
    tell({}, async (scene) => {
      const { near, far, rcvNxt, receiveWindow, right, began } = await idle(scene);
      for (let i = 0; i < 1000; i++) {
        const sequence = (rcvNxt + 1 + (i % (receiveWindow - 1))) | 0;
        arriveForged(scene, { ...right, flags: RST, sequence });
        await sleep(1);
      }
      expect(scene.network.trace.segments({ since: began }).map(brief)).toEqual([
        `${began} client . 1:1 ack 1`,
        `${began + 500} client . 1:1 ack 1`,
      ]);
      expect(scene.client.counters.TcpExtTCPACKSkippedChallenge).toBe(998);
      await expectAlive(scene, near, far);
    }));

  test('in SYN-SENT only one that acknowledges the SYN: ECONNREFUSED', () =>
    tell({}, async (scene) => {
      const { network, client, server, cable } = scene;
      cable.cut();
      const near = new End(network, client.net.connect({ port: 80, host: server.address }));
      await sleep(10);
      const { iss } = connectionOf(client);
      const destinationPort = client.connections()[0].localPort;
      const wrong = [
        { flags: RST },
        { flags: RST | ACK, acknowledgment: iss },
        { flags: RST | ACK, acknowledgment: iss + 2 },
      ];
      for (const fields of wrong) arriveForged(scene, { destinationPort, ...fields });
      await sleep(10);
      expect(near.events).toEqual([]);
      expect(states(client)).toEqual(['SYN-SENT']);
      arriveForged(scene, { destinationPort, flags: RST | ACK, acknowledgment: iss + 1 });
      await near.sees('close');
      expect(near.events).toEqual(['ECONNREFUSED', 'close']);
      // None of them was answered; as on Linux a wrong acknowledgment makes the SYN go out again.
      expect(network.trace.segments().map(({ flags }) => flags)).toEqual(['S', 'S']);
    }));

  test('in SYN-RECEIVED it takes the listener back to where it was', () =>
    tell({}, async (scene) => {
      const { network, client, server, cable } = scene;
      const accepted: End[] = [];
      const listener = server.net.createServer((socket) => {
        accepted.push(new End(network, socket));
      });
      await new Promise<void>((resolve) => listener.listen(80, resolve));
      cable.cut({ from: server });
      const near = new End(network, client.net.connect({ port: 80, host: server.address }));
      await sleep(100);
      expect(states(server)).toEqual(['SYN-RECEIVED']);
      const { iss } = connectionOf(client);
      const ends = { from: client.address, to: server.address, destinationPort: 80 };
      const sourcePort = client.connections()[0].localPort;
      const reset = { ...ends, sourcePort, flags: RST };
      server.arrive(forge({ ...reset, sequence: iss - 1000 }));
      await sleep(10);
      expect(states(server)).toEqual(['SYN-RECEIVED']);
      server.arrive(forge({ ...reset, sequence: iss + 1 }));
      await sleep(10);
      expect(states(server)).toEqual([]);
      expect(accepted).toEqual([]);
      cable.heal();
      await near.sees('connect');
      await sleep(100);
      expect(accepted).toHaveLength(1);
    }));
});

describe('S16: a reset is never answered with a reset', () => {
  test.each([
    ['RST', { flags: RST, sequence: 77 }],
    ['RST and ACK', { flags: RST | ACK, sequence: 77, acknowledgment: 88 }],
    ['RST and SYN', { flags: RST | SYN, sequence: 77 }],
    ['RST with data', { flags: RST, sequence: 77, payload: [Buffer.from('why?')] }],
  ])('where there is no connection: %s', (_, fields) =>
    tell({}, async (scene) => {
      const { network, client, server } = scene;
      arriveForged(scene, fields);
      await new Promise<void>((resolve) => client.net.createServer().listen(50_000, resolve));
      arriveForged(scene, fields);
      await sleep(1000);
      expect(network.trace.segments()).toEqual([]);
      expect(client.counters).toMatchObject({ TcpInSegs: 2, TcpOutSegs: 0, TcpOutRsts: 0 });
      expect(server.counters.TcpInSegs).toBe(0);
    }),
  );

  test('in TIME-WAIT, which it does not shorten either (RFC 1337)', () =>
    tell({}, async (scene) => {
      const { network, client } = scene;
      const { near, far, rcvNxt, right } = await idle(scene);
      near.socket.end();
      far.socket.end();
      await near.sees('close');
      await sleep(1000);
      const began = network.now;
      expect(states(client)).toEqual(['TIME-WAIT']);
      arriveForged(scene, { ...right, flags: RST, sequence: rcvNxt + 1 });
      await sleep(1000);
      expect(network.trace.segments({ since: began })).toEqual([]);
      expect(states(client)).toEqual(['TIME-WAIT']);
      await sleep(60_000);
      expect(states(client)).toEqual([]);
    }));
});
