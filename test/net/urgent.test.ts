import type { Socket } from '../../lib';
import type { ConnectionOptions } from '../../lib/net/types';
import { Stack } from '../../lib/stack';
import { once } from '../support/net-apis';

/** A connection inside a stack: its events, in order, as the peer's program sees them. */
async function pair(options: ConnectionOptions, told: (events: string[], peer: Socket) => void) {
  const stack = await Stack.open();
  const server = stack.net.createServer(options).listen(7, '127.0.0.1');
  const accepted = once(server, 'connection');
  const client = stack.net.connect(7, '127.0.0.1');
  const [[socket]] = await Promise.all([accepted, once(client, 'connect')]);
  const peer = socket as Socket;
  const events: string[] = [];
  peer.on('urgentPending', () => events.push('pending'));
  peer.on('urgent', (byte: number) => events.push(`urgent ${String.fromCharCode(byte)}`));
  told(events, peer);
  return { stack, client, peer, events };
}

/** Notes 'data' with a bar where the mark is. */
function note(events: string[], peer: Socket): void {
  peer.on('data', (data: Buffer) => events.push(`${data.toString()}${peer.atMark ? '|' : ''}`));
}

describe('urgent data', () => {
  test('out of band: the byte is told by itself, the rest is the stream', async () => {
    const { stack, client, peer, events } = await pair({}, note);
    client.write('before');
    client.sendUrgent('alert!');
    client.end('after');
    await once(peer, 'end');
    expect(events).toEqual(['pending', 'urgent !', 'beforealert|', 'after']);
    expect(peer.bytesRead).toBe('beforealertafter'.length);
    await stack.destroy();
  });

  test('in line: there is a mark before it', async () => {
    const { stack, client, peer, events } = await pair({ oobInline: true }, note);
    client.sendUrgent(Buffer.from('ab!'));
    client.end('after');
    await once(peer, 'end');
    expect(events).toEqual(['pending', 'ab|', '!after']);
    expect(peer.atMark).toBe(false);
    await stack.destroy();
  });

  test('a byte as a number; the mark where nothing is before it', async () => {
    const { stack, client, peer, events } = await pair({}, (_, it) => it.setOobInline());
    client.sendUrgent(88);
    await once(peer, 'urgentPending');
    expect(peer.atMark).toBe(true);
    note(events, peer);
    client.end();
    await once(peer, 'end');
    expect(events).toEqual(['pending', 'X']);
    await stack.destroy();
  });

  test('is told to a program that does not read, at a closed window', async () => {
    const { stack, client, peer, events } = await pair({ recvBufferSize: 2000 }, () => undefined);
    peer.pause();
    client.write(Buffer.alloc(100_000, '.'));
    client.sendUrgent('!');
    await once(peer, 'urgentPending');
    expect(events).toEqual(['pending']);
    let bytes = 0;
    peer.on('data', (data: Buffer) => (bytes += data.length)).resume();
    client.end();
    await once(peer, 'end');
    // The pointer moves on while it is further ahead than the header can tell.
    expect([...new Set(events)]).toEqual(['pending', 'urgent !']);
    expect([events.at(-1), bytes]).toEqual(['urgent !', 100_000]);
    await stack.destroy();
  });

  test('a listener may end the socket', async () => {
    for (const event of ['urgentPending', 'urgent']) {
      const { stack, client, peer } = await pair({}, note);
      peer.on(event, () => peer.destroy());
      client.on('error', () => undefined);
      client.sendUrgent('x!');
      await once(peer, 'close');
      await stack.destroy();
    }
  });

  test('sendUrgent goes with other writes, and calls back', async () => {
    const { stack, client, peer, events } = await pair({}, note);
    client.cork();
    client.write('one');
    const done = new Promise((resolve) => client.sendUrgent(new Uint8Array([50, 51]), resolve));
    client.write('four');
    client.uncork();
    expect(await done).toBeFalsy();
    client.end();
    await once(peer, 'end');
    expect(events).toEqual(['pending', 'urgent 3', 'one2|', 'four']);
    await stack.destroy();
  });

  test('refuses what is no data', async () => {
    const stack = await Stack.open();
    const socket = stack.net.connect(7, '127.0.0.1').on('error', () => undefined);
    const wrong: [unknown, string][] = [
      ...[undefined, null, {}, [1], true, 5n].map((it): [unknown, string] => [
        it,
        'INVALID_ARG_TYPE',
      ]),
      ...[-1, 256, 1.5, NaN].map((it): [unknown, string] => [it, 'OUT_OF_RANGE']),
      ['', 'INVALID_ARG_VALUE'],
      [Buffer.alloc(0), 'INVALID_ARG_VALUE'],
    ];
    for (const [data, code] of wrong) {
      expect(() => socket.sendUrgent(data as string)).toThrow(
        expect.objectContaining({ code: `ERR_${code}` }),
      );
    }
    expect(() => socket.setOobInline(1 as never)).toThrow(TypeError);
    await stack.destroy();
  });
});
