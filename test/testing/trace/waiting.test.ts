import { describeWaiting } from '../../../lib/testing/trace/waiting';
import { connectPair, type Scene, setScene, sleep } from '../../scenarios/support';

/** What is said of the scene after a story. */
async function said(scene: Scene, story: () => Promise<unknown>): Promise<string[]> {
  await using network = scene.network;
  let lines: string[] = [];
  await network.run(async () => {
    await story();
    lines = describeWaiting(network.hosts);
  });
  return lines;
}

const CLIENT = 'client 10.0.0.1:40000';
const SERVER = 'server 10.0.0.2:80';
const LISTENS = 'server listens on 10.0.0.2:80: waits for connections';
const PORT = { client: { localPortRange: [40_000, 40_000] as const } };

describe('who waits for what', () => {
  test('nothing is outstanding: both wait for data', async () => {
    const scene = setScene(PORT);
    expect(await said(scene, () => connectPair(scene))).toEqual([
      `${CLIENT} → ${SERVER} ESTABLISHED: waits for data`,
      `${SERVER} → ${CLIENT} ESTABLISHED: waits for data`,
      LISTENS,
    ]);
  });

  test('a SYN without an answer', async () => {
    const scene = setScene(PORT);
    const { client, server, cable } = scene;
    const lines = await said(scene, async () => {
      cable.cut();
      const socket = client.net.connect({ port: 80, host: server.address });
      socket.on('error', () => undefined);
      await sleep(2500);
      setTimeout(() => socket.destroy(), 0);
    });
    expect(lines).toEqual([`${CLIENT} → ${SERVER} SYN-SENT: sent SYN 3 times; again in 0.5 s`]);
  });

  test('data to a host that has crashed', async () => {
    const scene = setScene(PORT);
    const lines = await said(scene, async () => {
      const { near } = await connectPair(scene);
      scene.server.crash();
      near.socket.end(Buffer.alloc(100));
      await sleep(500);
      setTimeout(() => near.socket.resetAndDestroy(), 0);
    });
    expect(lines).toEqual([
      `${CLIENT} → ${SERVER} FIN-WAIT-1: ` +
        '100 bytes and FIN unacknowledged, timed out once; again in 0.38 s; ' +
        "has ended, waits for the peer's end",
      'server has crashed',
    ]);
  });

  test('a program that does not read, and one that writes all the same', async () => {
    const scene = setScene({ ...PORT, server: { tcp: { receiveBuffer: 4096 } } });
    const lines = await said(scene, async () => {
      const { near, far } = await connectPair(scene);
      far.socket.pause();
      near.socket.write(Buffer.alloc(100_000));
      await sleep(2000);
      setTimeout(() => near.socket.resetAndDestroy(), 0);
    });
    expect(lines).toEqual([
      expect.stringMatching(
        /^client .* ESTABLISHED: \d+ bytes written wait for the window \(zero window\); probe in /,
      ),
      expect.stringMatching(/^server .* ESTABLISHED: \d+ bytes not read by the program$/),
      LISTENS,
    ]);
  });

  test('each half of a close', async () => {
    const scene = setScene(PORT);
    const lines = await said(scene, async () => {
      const { near } = await connectPair(scene);
      near.socket.end();
      await sleep(100);
    });
    expect(lines).toEqual([
      `${CLIENT} → ${SERVER} FIN-WAIT-2: has ended, waits for the peer's end`,
      `${SERVER} → ${CLIENT} CLOSE-WAIT: the peer has ended, the program has not`,
      LISTENS,
    ]);
  });

  test('a SYN+ACK without an answer, TIME-WAIT, and a host that stands still', async () => {
    const scene = setScene({ client: { localPortRange: [40_000, 40_001] } });
    const { client, server, cable } = scene;
    const lines = await said(scene, async () => {
      const { near, far } = await connectPair(scene);
      far.socket.end();
      near.socket.end();
      await sleep(1000);
      const other = client.net.connect({ port: 80, host: server.address });
      other.on('error', () => undefined);
      cable.cut({ from: server });
      await sleep(1500);
      client.pause();
      setTimeout(() => {
        client.resume();
        other.destroy();
      }, 0);
    });
    expect(lines).toEqual([
      'client stands still',
      expect.stringMatching(
        /^client 10\.0\.0\.1:4000[01] → .* SYN-SENT: sent SYN 2 times; again in /,
      ),
      expect.stringMatching(
        /^server .* → client .* SYN-RECEIVED: sent SYN\+ACK 2 times; again in /,
      ),
      // Both have closed at once.
      'client: 1 connection in TIME-WAIT, the first in 57.52 s',
      'server: 1 connection in TIME-WAIT, the first in 57.52 s',
      LISTENS,
    ]);
  });

  test('a hundred connections fill no screen', async () => {
    const scene = setScene();
    const lines = await said(scene, async () => {
      await connectPair(scene);
      const { client, server } = scene;
      const more = Array.from({ length: 99 }, () =>
        client.net.connect({ port: 80, host: server.address }),
      );
      await sleep(1000);
      for (const socket of more) socket.end();
    });
    // Those that end, and one that doesn't; the other ends of all; the listener.
    expect(lines).toHaveLength(21 + 1 + 21 + 1);
    expect(lines[20]).toBe('… and 79 more like that');
  });

  test('is what a deadlock is explained by', async () => {
    const scene = setScene(PORT);
    await using network = scene.network;
    const stuck = network.run(async () => {
      await connectPair(scene);
      await new Promise(() => undefined);
    });
    await expect(stuck).rejects.toMatchObject({
      code: 'ERR_NETLAND_DEADLOCK',
      message: expect.stringContaining(`\n  ${CLIENT} → ${SERVER} ESTABLISHED: waits for data\n`),
    });
  });
});
