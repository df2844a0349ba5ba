import http from 'node:http';
import type { Cable, LinkOptions, Network, Router, RouterOptions } from '../../lib/testing';
import { pattern } from '../support/segments';
import {
  brief,
  connect,
  connectPair,
  LIMIT,
  listen,
  RETRANSMISSIONS,
  type Scene,
  sleep,
  states,
  tell,
} from './support';

const HOUR = 3600_000;

function sentBy(network: Network, from: string, since: number): number[] {
  const segments = network.trace.segments({ from, data: true, since });
  return segments.map(({ time }) => time - since);
}

describe("S21 (a): the peer's host crashes", () => {
  test('retransmission, and ETIMEDOUT after a quarter of an hour', () =>
    tell({}, async (scene) => {
      const { network, client, server } = scene;
      const { near, far } = await connectPair(scene);
      server.crash();
      const began = network.now;
      near.socket.write('anybody there?');
      await sleep(LIMIT - 1);
      expect(states(client)).toEqual(['ESTABLISHED']);
      expect(near.events).toEqual(['connect']);
      await near.sees('close');
      expect(near.events).toEqual(['connect', 'ETIMEDOUT', 'close']);
      expect(near.at('ETIMEDOUT')).toBe(began + LIMIT);
      expect(sentBy(network, 'client', began)).toEqual([0, ...RETRANSMISSIONS]);
      expect(network.trace.segments({ from: 'client', data: true, lost: false })).toEqual([]);
      expect(states(client)).toEqual([]);
      expect([server.state, far.events]).toEqual(['crashed', []]);
      expect(network.trace.segments({ from: 'server', since: began })).toEqual([]);
    }));

  test('the program is told early that nobody answers', () =>
    tell({}, async (scene) => {
      const { near } = await connectPair(scene);
      const silences: number[] = [];
      near.socket.on('silence', () => silences.push(scene.network.now));
      scene.server.crash();
      const began = scene.network.now;
      near.socket.write('anybody there?');
      await near.sees('close');
      // Three retransmissions, each after twice the time, and the fourth begins.
      expect(silences.length).toBe(1);
      expect(silences[0] - began).toBeGreaterThan(3000);
      expect(silences[0] - began).toBeLessThan(4000);
    }));

  test('whoever only reads waits for ever', () =>
    tell({}, async (scene) => {
      const { network, client, server } = scene;
      const { near, far } = await connectPair(scene);
      far.socket.write('the first half');
      await near.has(14);
      await sleep(100);
      server.crash();
      await sleep(12 * HOUR);
      expect(near.events).toEqual(['connect']);
      expect(states(client)).toEqual(['ESTABLISHED']);
      expect(network.trace.segments({ since: 200 })).toEqual([]);
    }));

  test('node:http sees the same error', () =>
    tell({}, async ({ network, client, server }) => {
      const web = http.createServer(() => server.crash());
      const listener = server.net.createServer((socket) => web.emit('connection', socket));
      await new Promise<void>((resolve) => listener.listen(80, resolve));
      const request = http.request({
        host: server.address,
        method: 'POST',
        createConnection: client.net.createConnection as never,
      });
      const failed = new Promise<NodeJS.ErrnoException>((resolve) => request.on('error', resolve));
      request.flushHeaders();
      await sleep(100);
      expect(server.state).toBe('crashed');
      request.end('all that I know');
      expect(await failed).toMatchObject({ code: 'ETIMEDOUT', syscall: 'read' });
      // The headers left when the handshake was over, and were not acknowledged any more.
      expect(network.now).toBe(20 + LIMIT);
    }));
});

describe("S21 (b): the peer's host crashes and is booted again", () => {
  test('the next segment is answered by RST: ECONNRESET', () =>
    tell({}, async (scene) => {
      const { network, client, server } = scene;
      const { near, far } = await connectPair(scene);
      await sleep(100);
      server.crash();
      await sleep(60_000);
      server.reboot();
      await sleep(60_000);
      expect(near.events).toEqual(['connect']);
      const began = network.now;
      near.socket.write('where were we?');
      await near.sees('close');
      expect(near.events).toEqual(['connect', 'ECONNRESET', 'close']);
      expect(near.at('ECONNRESET')).toBe(began + 20);
      expect(network.trace.segments({ since: began }).map(brief)).toEqual([
        `${began} client P. 1:15 ack 1`,
        `${began + 10} server R 1:1`,
      ]);
      expect([states(client), states(server), far.events]).toEqual([[], [], []]);
      expect(server.counters).toMatchObject({ TcpInSegs: 1, TcpOutRsts: 1 });
    }));

  test('so is the next retransmission', () =>
    tell({}, async (scene) => {
      const { network, client, server } = scene;
      const { near } = await connectPair(scene);
      await sleep(100);
      server.crash();
      const began = network.now;
      near.socket.write('hello?');
      await sleep(RETRANSMISSIONS[5] + 1000);
      server.reboot();
      await near.sees('close');
      expect(sentBy(network, 'client', began)).toEqual([0, ...RETRANSMISSIONS.slice(0, 7)]);
      expect(near.events).toEqual(['connect', 'ECONNRESET', 'close']);
      expect(near.at('ECONNRESET')).toBe(began + RETRANSMISSIONS[6] + 20);
      expect(states(client)).toEqual([]);
    }));

  test('and its program can be started anew, and be connected to', () =>
    tell({}, async (scene) => {
      const { client, server } = scene;
      const { near } = await connectPair(scene);
      server.reboot();
      near.socket.write('hello?');
      await near.sees('ECONNRESET');
      const refused = connect(scene);
      await refused.sees('close');
      expect(refused.events).toEqual(['ECONNREFUSED', 'close']);
      const accepted = await listen(scene);
      const again = connect(scene);
      again.socket.write('hello again');
      await again.sees('connect');
      await sleep(100);
      expect(accepted[0].received.toString()).toBe('hello again');
      expect(client.connections()).toHaveLength(1);
    }));
});

interface SceneWithRouter extends Scene {
  router: Router;
  /** From the router to `server`. */
  beyond: Cable;
}

/** `client` and `server`, a router between them. */
async function tellWithRouter(
  story: (scene: SceneWithRouter) => Promise<void>,
  options: RouterOptions = {},
): Promise<void> {
  const link: LinkOptions = { delay: 5 };
  await tell({}, async ({ network }) => {
    const [client, server] = [network.host('left'), network.host('right')];
    const router = network.router('router', options);
    const cable = network.link(client, router, link);
    const beyond = network.link(router, server, link);
    await story({ network, client, server, cable, router, beyond });
  });
}

describe('S21 (c): it is cut off, or a router fails', () => {
  test('a router fails: both ends retransmit until their limits', () =>
    tellWithRouter(async (scene) => {
      const { network, client, server, router } = scene;
      const { near, far } = await connectPair(scene);
      await sleep(100);
      router.crash();
      const began = network.now;
      near.socket.write('to the right');
      await sleep(5000);
      far.socket.write('to the left');
      await Promise.all([near.sees('close'), far.sees('close')]);
      expect(near.events).toEqual(['connect', 'ETIMEDOUT', 'close']);
      expect(far.events).toEqual(['ETIMEDOUT', 'close']);
      expect(near.at('ETIMEDOUT')).toBe(began + LIMIT);
      expect(far.at('ETIMEDOUT')).toBe(began + 5000 + LIMIT);
      expect(sentBy(network, 'left', began)).toEqual([0, ...RETRANSMISSIONS]);
      const lost = network.trace.segments({ since: began });
      for (const segment of lost) expect(segment).toMatchObject({ lost: 'down', lostAt: 'router' });
      expect([states(client), states(server)]).toEqual([[], []]);
    }));

  test('the router comes back in time: it goes on with the next retransmission', () =>
    tellWithRouter(async (scene) => {
      const { network, router } = scene;
      const { near, far } = await connectPair(scene);
      await sleep(100);
      router.crash();
      const began = network.now;
      near.socket.write('to the right');
      await sleep(RETRANSMISSIONS[8] - 1000);
      router.reboot();
      await far.has(12);
      expect(network.now).toBe(began + RETRANSMISSIONS[8] + 10);
      expect(far.received.toString()).toBe('to the right');
      far.socket.end('thank you');
      await near.sees('end');
      near.socket.end();
      await Promise.all([near.sees('close'), far.sees('close')]);
      expect(near.events).toEqual(['connect', 'end', 'finish', 'close']);
    }));

  test.each([
    [4, 'ICMP host 10.0.0.4 unreachable, length 72'],
    [6, 'ICMP6, destination unreachable, unreachable address fd00::4, length 92'],
  ] as const)('IPv%d: a router can’t reach the host: EHOSTUNREACH, at the limit', (family, line) =>
    tellWithRouter(
      async (scene) => {
        const { network, client, router, beyond } = scene;
        const { near, far } = await connectPair(scene, { family });
        await sleep(100);
        beyond.cut();
        const began = network.now;
        near.socket.write('to the right');
        far.socket.write('to the left');
        await sleep(LIMIT - 60_000);
        expect([near.events, far.events]).toEqual([['connect'], []]);
        await Promise.all([near.sees('close'), far.sees('close')]);
        // Only the one whose router knows is told why.
        expect(near.events).toEqual(['connect', 'EHOSTUNREACH', 'close']);
        expect(far.events).toEqual(['ETIMEDOUT', 'close']);
        expect(near.at('EHOSTUNREACH') ?? 0).toBeGreaterThan(began + LIMIT - 60_000);
        expect(near.at('EHOSTUNREACH') ?? 0).toBeLessThan(began + LIMIT + 120_000);
        const { IcmpInDestUnreachs, Icmp6InDestUnreachs } = client.counters;
        expect(family === 4 ? IcmpInDestUnreachs : Icmp6InDestUnreachs).toBe(router.counters.icmp);
        expect(network.trace.lines({ since: began }).map((text) => text.slice(11))).toContain(
          `router > left: ${line} [received]`,
        );
      },
      { noticesCuts: true },
    ),
  );

  test('the cut heals: what the router said is forgotten, and it goes on sooner (RFC 6069)', () =>
    tellWithRouter(
      async (scene) => {
        const { network, client, beyond } = scene;
        const { near, far } = await connectPair(scene);
        await sleep(100);
        beyond.cut();
        near.socket.write('to the right');
        await sleep(60_000);
        expect(client.counters.IcmpInDestUnreachs).toBeGreaterThan(10);
        beyond.heal();
        const healed = network.now;
        await far.has(12);
        // Without it the eighth retransmission would have come 16 s later.
        expect(network.now - healed).toBeLessThan(2000);
        far.socket.end();
        await near.sees('end');
        near.socket.end();
        await Promise.all([near.sees('close'), far.sees('close')]);
        expect(near.events).toEqual(['connect', 'end', 'finish', 'close']);
      },
      { noticesCuts: true },
    ));

  test('connecting through such a router fails at once', () =>
    tellWithRouter(
      async (scene) => {
        scene.beyond.cut();
        const near = connect(scene);
        await near.sees('close');
        expect(near.events).toEqual(['EHOSTUNREACH', 'close']);
        expect(near.at('EHOSTUNREACH')).toBe(10);
      },
      { noticesCuts: true },
    ));

  test.each([4, 6] as const)(
    'IPv%d: what UDP sends meanwhile is lost, and nobody is told',
    (family) =>
      tellWithRouter(
        async (scene) => {
          const { client, server, router, beyond } = scene;
          const heard: string[] = [];
          const far = server.dgram.createSocket(family === 4 ? 'udp4' : 'udp6');
          far.on('message', (message) => void heard.push(String(message)));
          await new Promise<void>((resolve) => far.bind(53, resolve));
          const near = client.dgram.createSocket(family === 4 ? 'udp4' : 'udp6');
          const errors: unknown[] = [];
          near.on('error', (error) => errors.push(error));
          const host = family === 4 ? server.address : server.address6;
          await new Promise<void>((resolve) => near.connect(53, host, () => resolve()));
          const say = async (text: string) => {
            near.send(text);
            await sleep(1000);
          };
          await say('before');
          beyond.cut();
          for (let i = 0; i < 10; i++) await say('lost');
          expect(router.counters.icmp).toBe(10);
          beyond.heal();
          await say('after');
          expect([heard, errors]).toEqual([['before', 'after'], []]);
          // A closed port is another thing: that won't mend by itself.
          far.close();
          await say('refused');
          expect(errors).toEqual([expect.objectContaining({ code: 'ECONNREFUSED' })]);
          near.close();
        },
        { noticesCuts: true },
      ),
  );

  test('the cable is pulled while both send', () =>
    tell({}, async (scene) => {
      const { network, client, server, cable } = scene;
      const { near, far } = await connectPair(scene);
      near.socket.write(pattern(1_000_000));
      far.socket.write(pattern(1_000_000));
      await sleep(105);
      cable.cut();
      const began = network.now;
      await Promise.all([near.sees('close'), far.sees('close')]);
      for (const end of [near, far]) {
        expect(end.at('ETIMEDOUT') ?? 0).toBeGreaterThan(began + 924_600);
        expect(end.at('ETIMEDOUT') ?? 0).toBeLessThan(began + 960_000);
        expect(end.received.length).toBeGreaterThan(0);
        expect(end.received.equals(pattern(1_000_000).subarray(0, end.received.length))).toBe(true);
      }
      expect([states(client), states(server)]).toEqual([[], []]);
    }));

  test('connecting over it: ETIMEDOUT after 131 s', () =>
    tellWithRouter(async (scene) => {
      scene.router.crash();
      const near = connect(scene);
      await near.sees('close');
      expect(near.events).toEqual(['ETIMEDOUT', 'close']);
      expect(near.at('ETIMEDOUT')).toBe(131_000);
    }));
});

describe('S21 (d): the cut heals', () => {
  test('an idle connection goes on as if nothing had been', () =>
    tell({}, async (scene) => {
      const { network, client, server, cable } = scene;
      const { near, far } = await connectPair(scene);
      await sleep(100);
      cable.cut();
      await sleep(8 * HOUR);
      cable.heal();
      await sleep(HOUR);
      expect([states(client), states(server)]).toEqual([['ESTABLISHED'], ['ESTABLISHED']]);
      const began = network.now;
      near.socket.write('good morning');
      await far.has(12);
      far.socket.write('slept well?');
      await near.has(11);
      expect(network.now).toBe(began + 20);
      expect(network.trace.segments({ since: 200, until: began - 1 })).toEqual([]);
      expect([near.events, far.events]).toEqual([['connect'], []]);
      expect(client.counters.TcpRetransSegs).toBe(0);
    }));

  test('before one side gives up: the data arrives with the next retransmission', () =>
    tell({}, async (scene) => {
      const { network, cable } = scene;
      const { near, far } = await connectPair(scene);
      await sleep(100);
      cable.cut();
      const began = network.now;
      near.socket.write('first, ');
      await sleep(HOUR / 6);
      near.socket.write('second');
      cable.heal();
      const next = RETRANSMISSIONS.find((time) => time > HOUR / 6) ?? 0;
      await far.has(13);
      expect(far.received.toString()).toBe('first, second');
      expect(network.now).toBe(began + next + 30);
      expect([near.events, far.events]).toEqual([['connect'], []]);
    }));

  test('behind the last retransmission: too late, though the limit is not reached', () =>
    tell({}, async (scene) => {
      const { network, cable } = scene;
      const { near, far } = await connectPair(scene);
      await sleep(100);
      cable.cut();
      const began = network.now;
      near.socket.write('first, ');
      await sleep(LIMIT - 100_000);
      near.socket.write('second');
      cable.heal();
      await near.sees('close');
      expect(near.events).toEqual(['connect', 'ETIMEDOUT', 'close']);
      expect(near.at('ETIMEDOUT')).toBe(began + LIMIT);
      expect(sentBy(network, 'client', began)).toEqual([0, ...RETRANSMISSIONS]);
      expect([far.events, far.received.length]).toEqual([[], 0]);
    }));

  test('after one side gave up: the other gets RST', () =>
    tell({}, async (scene) => {
      const { network, client, server, cable } = scene;
      const { near, far } = await connectPair(scene);
      await sleep(100);
      cable.cut();
      near.socket.write('anybody?');
      await near.sees('close');
      expect(near.events).toEqual(['connect', 'ETIMEDOUT', 'close']);
      cable.heal();
      await sleep(HOUR);
      expect([states(client), states(server)]).toEqual([[], ['ESTABLISHED']]);
      expect(far.events).toEqual([]);
      const began = network.now;
      far.socket.write('I am here');
      await far.sees('close');
      expect(far.events).toEqual(['ECONNRESET', 'close']);
      expect(far.at('ECONNRESET')).toBe(began + 20);
      expect(network.trace.segments({ since: began }).map(brief)).toEqual([
        `${began} server P. 1:10 ack 1`,
        `${began + 10} client R 1:1`,
      ]);
      expect(states(server)).toEqual([]);
    }));
});
