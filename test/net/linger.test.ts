import type { Socket } from '../../lib';
import { Bench } from '../support/bench';
import { once } from '../support/net-apis';
import {
  brief,
  connectPair,
  type End,
  type Pair,
  type Scene,
  sleep,
  states,
  tell,
} from '../scenarios/support';

/** One way takes 10 ms. Ends a connection of two who have nothing more to say. */
async function closeBoth({ near, far }: Pair): Promise<void> {
  far.socket.end();
  await near.sees('end');
  near.socket.destroy();
}

const lasting = (from: number, end: End): number => (end.at('close') ?? Infinity) - from;

describe('setLinger', () => {
  test('without it: close comes at once', async () => {
    await tell({}, async ({ network, ...scene }) => {
      const pair = await connectPair({ network, ...scene });
      expect(pair.near.socket.getLinger()).toBe(false);
      pair.near.socket.setLinger(true, 5).setLinger(false);
      await closeBoth(pair);
      const from = network.now;
      await pair.near.sees('close');
      expect(lasting(from, pair.near)).toBe(0);
      expect(states(scene.client)).toEqual(['LAST-ACK']);
    });
  });

  test('close waits until the peer has all, and our FIN', async () => {
    await tell({}, async (scene) => {
      const pair = await connectPair(scene);
      expect(pair.near.socket.setLinger(true, 5000).getLinger()).toBe(5000);
      pair.near.socket.write(Buffer.alloc(50_000));
      await closeBoth(pair);
      const from = scene.network.now;
      expect(pair.near.socket.destroyed).toBe(true);
      await pair.near.sees('close');
      // The first flight is on its way; the rest, with the FIN, needs one more round trip.
      expect(lasting(from, pair.near)).toBeGreaterThanOrEqual(20);
      expect(lasting(from, pair.near)).toBeLessThan(100);
      expect(pair.far.received).toHaveLength(50_000);
      expect(states(scene.client)).toEqual([]);
    });
  });

  test('close waits after end too, and with a server that has the option', async () => {
    await tell({}, async (scene) => {
      const { network, client, server } = scene;
      const ends: Socket[] = [];
      const listener = server.net.createServer({ linger: 3000 }, (socket) => {
        ends.push(socket);
        expect(socket.getLinger()).toBe(3000);
        socket.resume().end();
      });
      let over = 0;
      listener.listen(80);
      await new Promise((resolve) => listener.once('listening', resolve));
      const near = client.net.connect({ port: 80, host: server.address });
      await new Promise((resolve) => near.resume().once('connect', resolve));
      near.end();
      await sleep(12);
      expect(ends[0].destroyed).toBe(true);
      listener.close(() => (over = network.now));
      await new Promise((resolve) => ends[0].once('close', resolve));
      const closed = network.now;
      expect(closed).toBe(50);
      await sleep(1);
      expect(over).toBe(closed);
    });
  });

  test('at most so long; then the stack goes on by itself', async () => {
    await tell({}, async (scene) => {
      const pair = await connectPair(scene);
      pair.near.socket.setLinger(true, 1500);
      scene.cable.cut();
      pair.near.socket.write('who hears that?');
      pair.near.socket.destroy();
      const from = scene.network.now;
      await pair.near.sees('close');
      expect(lasting(from, pair.near)).toBe(1500);
      expect(pair.near.events).toEqual(['connect', 'close']);
      expect(states(scene.client)).toEqual(['FIN-WAIT-1']);
      scene.cable.heal();
      await pair.far.sees('end');
      expect(pair.far.received.toString()).toBe('who hears that?');
    });
  });

  test('a connection that is reset meanwhile is waited for no longer', async () => {
    await tell({}, async (scene) => {
      const pair = await connectPair(scene);
      pair.near.socket.setLinger(true, 60_000);
      pair.near.socket.destroy();
      const from = scene.network.now;
      pair.far.socket.resetAndDestroy();
      await pair.near.sees('close');
      expect(lasting(from, pair.near)).toBe(10);
      expect(pair.near.events).toEqual(['connect', 'close']);
    });
  });

  test('with something unread nothing is waited for', async () => {
    await tell({}, async (scene) => {
      const pair = await connectPair(scene);
      pair.near.socket.pause().setLinger(true, 60_000);
      pair.far.socket.write(Buffer.alloc(300_000));
      await sleep(200);
      const from = scene.network.now;
      pair.near.socket.destroy();
      await pair.near.sees('close');
      expect(lasting(from, pair.near)).toBe(0);
      await pair.far.sees('ECONNRESET');
    });
  });

  test.each(['destroy', 'resetAndDestroy'] as const)('0: %s resets', async (how) => {
    await tell({}, async (scene) => {
      const pair = await connectPair(scene);
      pair.near.socket.setLinger(true);
      expect(pair.near.socket.getLinger()).toBe(0);
      pair.near.socket.write('lost');
      const lost = pair.near.socket.acked();
      const rejected = expect(lost).rejects.toMatchObject({ code: expect.any(String) as string });
      pair.near.socket[how]();
      await pair.far.sees('close');
      await rejected;
      expect(pair.far.events).toContain('ECONNRESET');
      const sent = scene.network.trace.segments({ from: 'client' });
      expect(sent.map(brief).at(-1)).toMatch(/ client R/);
    });
  });

  test('acked() and close wait for the same bytes, each in its way', async () => {
    await tell({}, async (scene) => {
      const pair = await connectPair(scene);
      pair.near.socket.setLinger(true, 100);
      scene.cable.cut();
      pair.near.socket.write('late');
      let acked = 0;
      const done = pair.near.socket.acked().then(() => (acked = scene.network.now));
      pair.near.socket.destroy();
      const from = scene.network.now;
      await pair.near.sees('close');
      expect(lasting(from, pair.near)).toBe(100);
      expect(acked).toBe(0);
      scene.cable.heal();
      await done;
      expect(acked).toBeGreaterThan(from + 100);
    });
  });

  test.each(['destroy', 'close'] as const)('Stack.%s ends the wait', async (how) => {
    const bench = await Bench.open();
    const { client } = await bench.connect({ linger: 60_000 });
    bench.cable.cut = true;
    const closed = once(client, 'close');
    client.destroy();
    await bench.clock.advance(5000);
    expect([client.destroyed, client.closed]).toEqual([true, false]);
    expect(bench.near.connections()).toHaveLength(1);
    const over = how === 'destroy' ? bench.near.destroy() : bench.near.close({ timeout: 100 });
    await bench.clock.advance(200);
    await Promise.allSettled([over, closed]);
    expect(bench.near.connections()).toEqual([]);
    await bench.close();
  });

  test('a socket that connects again is not closed by what was before', async () => {
    await tell({}, async (scene: Scene) => {
      const pair = await connectPair(scene);
      pair.near.socket.setLinger(true, 1000);
      scene.cable.cut();
      pair.near.socket.destroy();
      scene.cable.heal();
      pair.near.socket.connect(80, scene.server.address);
      await new Promise((resolve) => pair.near.socket.once('connect', resolve));
      await sleep(2000);
      expect(pair.near.events).toEqual(['connect', 'connect']);
      expect(pair.near.socket.readyState).toBe('open');
    });
  });

  test.each([
    [-1, 'ERR_OUT_OF_RANGE'],
    [2 ** 31, 'ERR_OUT_OF_RANGE'],
    [1.5, 'ERR_OUT_OF_RANGE'],
    [NaN, 'ERR_OUT_OF_RANGE'],
    ['5', 'ERR_INVALID_ARG_TYPE'],
    [null, 'ERR_INVALID_ARG_TYPE'],
  ])('%p is refused', async (msecs, code) => {
    await tell({}, async ({ client }) => {
      const socket = new client.net.Socket();
      expect(() => socket.setLinger(true, msecs as number)).toThrow(
        expect.objectContaining({ code }) as Error,
      );
      const linger = msecs as number;
      expect(() => client.net.connect({ port: 1, linger })).toThrow(
        expect.objectContaining({ code }) as Error,
      );
      await Promise.resolve();
    });
  });

  test.each([5000, 'yes', undefined])(
    '%p in the place of a boolean is no call for a RST',
    (enable) =>
      tell({}, ({ client }) => {
        const socket = new client.net.Socket();
        expect(() => socket.setLinger(enable as never)).toThrow(
          expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }) as Error,
        );
        return Promise.resolve();
      }),
  );
});
