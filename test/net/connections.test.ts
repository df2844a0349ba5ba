import { once } from 'node:events';
import { Stack } from '../../lib/index';

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** The listing without what differs from run to run, sorted. */
function summary(stack: Stack): string[] {
  return stack
    .connections()
    .map(({ state, recvQ, sendQ, localPort, remotePort }) => {
      const ports = [localPort, remotePort].map((port) => (port === 80 ? 80 : port && 'port'));
      return `${state} ${recvQ} ${sendQ} ${ports.join(' > ')}`;
    })
    .sort();
}

describe('stack.connections()', () => {
  test('lists what ss would: listeners, connections with their queues, TIME-WAIT', async () => {
    await using stack = await Stack.open();
    const server = stack.net.createServer({ pauseOnConnect: true }).listen(80, '127.0.0.1', 5);
    await once(server, 'listening');
    expect(stack.connections()).toEqual([
      {
        state: 'LISTEN',
        recvQ: 0,
        sendQ: 5,
        localAddress: '127.0.0.1',
        localPort: 80,
        remoteAddress: null,
        remotePort: null,
      },
    ]);
    const client = stack.net.connect(80, '127.0.0.1');
    const [[peer]] = (await Promise.all([once(server, 'connection'), once(client, 'connect')])) as [
      [ReturnType<typeof stack.net.connect>],
      unknown,
    ];
    client.write('unread');
    const [listening, sender] = ['LISTEN 0 5 80 > ', 'ESTABLISHED 0 0 port > 80'];
    const unread = [sender, 'ESTABLISHED 6 0 80 > port', listening].join();
    await until(() => summary(stack).join() === unread);
    peer.resume();
    client.end();
    await Promise.all([once(client, 'close'), once(peer, 'close')]);
    const closed = [listening, 'TIME-WAIT 0 0 port > 80'].join();
    await until(() => summary(stack).join() === closed);
  });
});
