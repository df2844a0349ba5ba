import type { CongestionController } from '../../lib';
import { Stack } from '../../lib/stack';
import { Network } from '../../lib/testing';
import { once } from '../support/net-apis';

const mine: CongestionController = {
  name: 'mine',
  ssthresh: () => 2,
  congAvoid: (connection, acked) => void connection.slowStart(acked),
};

/** A connection inside one stack, and its ends' controllers. */
async function pair(stack: Stack, server: object, client: object) {
  const listening = stack.net.createServer(server).listen(7, '127.0.0.1');
  const accepted = once(listening, 'connection');
  const socket = stack.net.connect({ port: 7, host: '127.0.0.1', ...client });
  const [[peer]] = await Promise.all([accepted, once(socket, 'connect')]);
  return [socket, peer as typeof socket] as const;
}

describe('congestionControl', () => {
  it.each<[string, object, object, object, string[]]>([
    ['the default', {}, {}, {}, ['cubic', 'cubic']],
    ['of the stack', { congestionControl: 'reno' }, {}, {}, ['reno', 'reno']],
    ['of the server’s connections', {}, { congestionControl: 'reno' }, {}, ['cubic', 'reno']],
    ['of one connection', {}, {}, { congestionControl: mine }, ['mine', 'cubic']],
    ['the program’s everywhere', { congestionControl: mine }, {}, {}, ['mine', 'mine']],
  ])('%s', async (_, stackOptions, server, client, names) => {
    const stack = await Stack.open(stackOptions);
    const ends = await pair(stack, server, client);
    expect(ends.map((end) => end.getCongestionControl())).toEqual(names);
    stack.destroy();
  });

  it('is set before the connection, and while it lives', async () => {
    const stack = await Stack.open();
    const socket = new stack.net.Socket();
    expect(socket.getCongestionControl()).toBeUndefined();
    expect(socket.setCongestionControl(mine).getCongestionControl()).toBe('mine');
    stack.net.createServer((peer) => peer.resume()).listen(7, '127.0.0.1');
    socket.connect(7, '127.0.0.1');
    await once(socket, 'connect');
    expect(socket.getCongestionControl()).toBe('mine');
    socket.write(Buffer.alloc(100_000));
    expect(socket.setCongestionControl('reno').getCongestionControl()).toBe('reno');
    stack.destroy();
  });

  it.each<[string, unknown, string]>([
    ['a name that there isn’t', 'vegas', 'ERR_INVALID_ARG_VALUE'],
    ['a number', 5, 'ERR_INVALID_ARG_TYPE'],
    ['null', null, 'ERR_INVALID_ARG_TYPE'],
    ['a function', () => mine, 'ERR_INVALID_ARG_TYPE'],
    ['no name', { ...mine, name: undefined }, 'ERR_INVALID_ARG_TYPE'],
    ['an empty name', { ...mine, name: '' }, 'ERR_INVALID_ARG_VALUE'],
    ['a long name', { ...mine, name: '0123456789abcdef' }, 'ERR_INVALID_ARG_VALUE'],
    ['a name that is taken', { ...mine, name: 'cubic' }, 'ERR_INVALID_ARG_VALUE'],
    ['no ssthresh', { ...mine, ssthresh: undefined }, 'ERR_INVALID_ARG_TYPE'],
    ['no congAvoid', { ...mine, congAvoid: undefined }, 'ERR_INVALID_ARG_VALUE'],
    ['an event that is no function', { ...mine, event: {} }, 'ERR_INVALID_ARG_TYPE'],
  ])('refuses %s', async (_, congestionControl, code) => {
    const bad = { congestionControl } as { congestionControl: 'reno' };
    await expect(Stack.open(bad)).rejects.toMatchObject({ code });
    const stack = await Stack.open();
    const refused: Error = expect.objectContaining({ code }) as Error;
    expect(() => stack.net.createServer(bad)).toThrow(refused);
    expect(() => stack.net.connect({ port: 7, ...bad })).toThrow(refused);
    const socket = new stack.net.Socket();
    expect(() => socket.setCongestionControl(bad.congestionControl)).toThrow(refused);
    expect(() => new Network().host('a', bad)).toThrow(refused);
    stack.destroy();
  });
});

it('a socket that its own controller destroys ends all the same', async () => {
  await using network = new Network({ seed: 1 });
  const [client, server] = [network.host('client'), network.host('server')];
  network.link(client, server, { delay: 10 });
  await network.run(async () => {
    const listening = server.net.createServer((peer) => peer.on('error', () => undefined).resume());
    await once(listening.listen(7), 'listening');
    const socket = client.net.connect({
      port: 7,
      host: server.address,
      congestionControl: { ...mine, congAvoid: () => void socket.destroy() },
    });
    socket.write(Buffer.alloc(100_000));
    await once(socket, 'close');
    await once(listening.close(), 'close');
  });
});
