import { Network } from '../../lib/testing';
import { Stack } from '../../lib';
import type { PathMtuDiscovery } from '../../lib';
import { End, sleep } from '../scenarios/support';

/** client - router - server; the router says when the server's cable is cut, and what it takes. */
async function routed(
  story: (scene: Awaited<ReturnType<typeof open>>) => Promise<void>,
): Promise<void> {
  const network = new Network();
  await network.run(async () => story(await open(network)));
  await network.close();
}

async function open(network: Network) {
  const [client, server] = [network.host('client'), network.host('server')];
  const router = network.router('router', { noticesCuts: true });
  network.link(client, router, { delay: 5 });
  const far = network.link(router, server, { delay: 5 });
  const listener = server.net.createServer((socket) => socket.resume());
  await new Promise<void>((resolve) => listener.listen(80, resolve));
  const connect = async (options: object = {}, host: string = server.address) => {
    const end = new End(network, client.net.connect({ port: 80, host, ...options }));
    await end.sees('connect');
    const errors: NodeJS.ErrnoException[] = [];
    end.socket.on('softError', (error: NodeJS.ErrnoException) => errors.push(error));
    return { end, errors };
  };
  return { network, client, server, router, far, connect };
}

describe('softError', () => {
  test.each([4, 6] as const)('IPv%d: each ICMP error is told, and ends nothing', (family) =>
    routed(async ({ server, far, connect }) => {
      const host = family === 4 ? server.address : server.address6;
      const { end, errors } = await connect({ receiveErrors: true }, host);
      far.cut();
      end.socket.write('anybody there?');
      await sleep(3000);
      expect(errors.length).toBeGreaterThan(2);
      for (const error of errors) {
        expect(error).toMatchObject({ code: 'EHOSTUNREACH', syscall: 'read', address: host });
        expect(error).toMatchObject({ errno: -113, port: 80 });
      }
      expect(end.events).toEqual(['connect']);
      far.heal();
      await end.socket.acked();
      const told = errors.length;
      await sleep(3000);
      expect(errors).toHaveLength(told);
    }),
  );

  test('without the option nothing is told; it can be changed', () =>
    routed(async ({ far, connect }) => {
      const { end, errors } = await connect();
      far.cut();
      end.socket.write('anybody there?');
      await sleep(3000);
      expect(errors).toEqual([]);
      end.socket.setReceiveErrors();
      await sleep(3000);
      expect(errors.length).toBeGreaterThan(0);
      end.socket.setReceiveErrors(false);
      const told = errors.length;
      await sleep(2000);
      expect(errors).toHaveLength(told);
      expect(() => end.socket.setReceiveErrors(1 as never)).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }) as Error,
      );
    }));

  test('a write at the very moment is taken all the same', () =>
    routed(async ({ far, connect }) => {
      const { end, errors } = await connect({ receiveErrors: true });
      far.cut();
      end.socket.on('softError', () => end.socket.write('still here'));
      end.socket.write('anybody there?');
      await sleep(2000);
      far.heal();
      await end.socket.acked();
      expect(end.events).toEqual(['connect']);
      expect(end.socket.bytesWritten).toBe(14 + 10 * errors.length);
    }));

  test('a listener may destroy the socket', () =>
    routed(async ({ far, connect }) => {
      const { end } = await connect({ receiveErrors: true });
      far.cut();
      end.socket.on('softError', (error: Error) => end.socket.destroy(error));
      end.socket.write('anybody there?');
      await end.sees('close');
      expect(end.events).toEqual(['connect', 'EHOSTUNREACH', 'close']);
    }));
});

/** MTU behind the router. */
const NARROW = 1300;

describe('pathMtuDiscovery', () => {
  /** What becomes of data on a way that is narrow behind the router. */
  const outcome = async (family: 4 | 6, mode: PathMtuDiscovery | undefined) => {
    let result = { told: false, mtu: 0, arrived: 0 };
    await routed(async ({ server, far, router, connect }) => {
      const host = family === 4 ? server.address : server.address6;
      const { end } = await connect({ pathMtuDiscovery: mode }, host);
      expect(end.socket.getPathMtuDiscovery()).toBe(mode ?? 'want');
      far.set({ mtu: NARROW });
      end.socket.write(Buffer.alloc(20_000));
      await sleep(2000);
      const info = end.socket.tcpInfo();
      result = {
        told: router.counters.icmp > 0,
        mtu: info?.tcpi_pmtu ?? 0,
        arrived: info?.tcpi_bytes_acked ?? 0,
      };
    });
    return result;
  };

  test.each([undefined, 'want', 'do'] as const)('%s: what routers say counts', async (mode) => {
    const { told, mtu, arrived } = await outcome(4, mode);
    expect([told, mtu]).toEqual([true, NARROW]);
    expect(arrived).toBeGreaterThanOrEqual(20_000);
  });

  test.each(['dont', 'probe', 'interface', 'omit'] as const)(
    '%s: routers are to fragment',
    async (mode) => {
      // Those of the simulator don't, and without DF they say nothing.
      expect(await outcome(4, mode)).toMatchObject({ told: false, mtu: 1500 });
    },
  );

  test.each([
    ['probe', NARROW],
    ['interface', 1500],
    ['omit', 1500],
  ] as const)('%s, IPv6: what routers say makes the MTU %d', async (mode, expected) => {
    expect(await outcome(6, mode)).toMatchObject({ told: true, mtu: expected });
  });

  test('names that there are not are refused; it is told before a connection', async () => {
    const stack = await Stack.open();
    const socket = new stack.net.Socket();
    expect(socket.getPathMtuDiscovery()).toBeUndefined();
    expect(socket.setPathMtuDiscovery('probe').getPathMtuDiscovery()).toBe('probe');
    for (const mode of ['always', 2, null, undefined, 'toString', ['do'], Object.create(null)]) {
      expect(() => socket.setPathMtuDiscovery(mode as 'do')).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }) as Error,
      );
    }
    stack.destroy();
  });
});
