import { AsyncLocalStorage } from 'node:async_hooks';
import { describeBoth, listen, once } from '../support/net-apis';

describeBoth('the asynchronous context', (api) => {
  const context = new AsyncLocalStorage<string>();

  it('of a connection is that in which it was begun, of a server that of listen', async () => {
    const seen: Record<string, string | undefined> = {};
    const note = (name: string) => () => {
      seen[name] = context.getStore();
    };
    const server = api.net.createServer((peer) => {
      note('connection')();
      peer.pipe(peer);
    });
    const port = await context.run('server', () => listen(server));
    await Promise.all(
      ['first', 'second'].map((name) =>
        context.run(name, async () => {
          const client = api.net.connect(port, '127.0.0.1');
          for (const event of ['connect', 'data', 'end', 'close']) {
            client.on(event, note(`${name} ${event}`));
          }
          client.write('x', note(`${name} written`));
          client.on('data', () => client.end());
          await once(client, 'close');
        }),
      ),
    );
    expect(seen).toMatchObject({
      connection: 'server',
      ...Object.fromEntries(
        ['first', 'second'].flatMap((name) =>
          ['connect', 'data', 'end', 'close', 'written'].map((event) => [`${name} ${event}`, name]),
        ),
      ),
    });
    await once(server.close(), 'close');
  });
});
