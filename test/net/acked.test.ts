import type { Socket } from '../../lib/net/socket';
import { Bench } from '../support/bench';
import { settle } from '../support/manual-clock';
import { once } from '../support/net-apis';

/** What has become of a promise, and in which order. */
function watch(log: string[], name: string, promise: Promise<void>): void {
  promise.then(
    () => log.push(name),
    (error: NodeJS.ErrnoException) => log.push(`${name}: ${error.code} ${error.syscall ?? ''}`),
  );
}

/** A peer that does not read. */
async function unread(bench: Bench, options: object = {}): Promise<[Socket, Socket]> {
  const server = bench.far.net.createServer({ allowHalfOpen: true }).listen(8, '10.0.0.2');
  const accepted = once(server, 'connection');
  const client = bench.near.net.connect({ port: 8, host: '10.0.0.2', ...options });
  client.on('error', () => undefined);
  const [[peer]] = await Promise.all([accepted, once(client, 'connect')]);
  return [client, (peer as Socket).on('error', () => undefined).pause()];
}

const MORE_THAN_FITS = 30_000_000;

describe('acked()', () => {
  let bench: Bench;
  const log: string[] = [];
  beforeEach(async () => {
    bench = await Bench.open();
    log.length = 0;
  });
  afterEach(() => bench.close());

  it('resolves when what was written until then is acknowledged, and not before', async () => {
    const { client } = await bench.connect();
    watch(log, 'nothing', client.acked());
    await settle();
    expect(log).toEqual(['nothing']);
    bench.cable.cut = true;
    client.write('one');
    watch(log, 'one', client.acked());
    await bench.clock.advance(100);
    client.write('two');
    watch(log, 'two', client.acked());
    watch(log, 'again', client.acked());
    await bench.clock.advance(100);
    expect(log).toEqual(['nothing']);
    bench.cable.cut = false;
    await bench.clock.advance(5000);
    expect(log).toEqual(['nothing', 'one', 'two', 'again']);
    watch(log, 'late', client.acked());
    await settle();
    expect(log).toContain('late');
  });

  it('counts what the stream still holds, also before there is a connection', async () => {
    const server = bench.far.net.createServer().listen(7, '10.0.0.2');
    const accepted = once(server, 'connection');
    const client = bench.near.net.connect({ port: 7, host: '10.0.0.2' });
    client.write(Buffer.alloc(MORE_THAN_FITS));
    client.write('and this');
    watch(log, 'all', client.acked());
    const [peer] = (await accepted) as [Socket];
    let got = 0;
    peer.pause();
    await bench.clock.advance(1000);
    expect(log).toEqual([]);
    peer.on('data', (piece: Buffer) => (got += piece.length)).resume();
    await Promise.all([client.acked(), bench.clock.advance(60_000)]);
    expect(log).toEqual(['all']);
    expect(got).toBe(MORE_THAN_FITS + 8);
  });

  it('goes on when both sides have ended and the socket is destroyed', async () => {
    const [client, peer] = await unread(bench, { sendBufferSize: 2 ** 25 });
    client.resume().end(Buffer.alloc(MORE_THAN_FITS));
    watch(log, 'acked', client.acked());
    peer.end();
    await bench.clock.advance(10_000);
    expect(client.destroyed).toBe(true);
    expect(log).toEqual([]);
    watch(log, 'after', client.acked());
    peer.resume();
    await bench.clock.advance(60_000);
    expect(log).toEqual(['acked', 'after']);
    watch(log, 'long after', client.acked());
    await settle();
    expect(log).toEqual(['acked', 'after', 'long after']);
    expect(peer.bytesRead).toBe(MORE_THAN_FITS);
    expect(bench.near.connections().filter(({ state }) => state !== 'TIME-WAIT')).toEqual([]);
  });

  it('after destroy() waits for what the stack has, and no longer for the rest', async () => {
    const [client, peer] = await unread(bench, { sendBufferSize: 2 ** 22 });
    client.write(Buffer.alloc(2 ** 21));
    watch(log, 'taken', client.acked());
    client.write(Buffer.alloc(MORE_THAN_FITS));
    watch(log, 'not all', client.acked());
    await bench.clock.advance(1000);
    expect(log).toEqual([]);
    client.destroy();
    await bench.clock.advance(1000);
    expect(log).toEqual(['not all: ERR_STREAM_DESTROYED ']);
    peer.resume();
    await bench.clock.advance(60_000);
    expect(log[1]).toBe('taken');
    const late = client.acked();
    await expect(late).rejects.toMatchObject({ code: 'ERR_SOCKET_CLOSED' });
  });

  it('rejects with what the connection ends for', async () => {
    const [client, peer] = await unread(bench, { userTimeout: 3000 });
    client.write(Buffer.alloc(MORE_THAN_FITS));
    watch(log, 'reset', client.acked());
    await bench.clock.advance(100);
    peer.resetAndDestroy();
    await bench.clock.advance(100);
    expect(log).toEqual(['reset: ECONNRESET read']);

    const { client: second } = await bench.connect({ userTimeout: 3000 });
    second.on('error', () => undefined);
    bench.cable.cut = true;
    second.write('x');
    watch(log, 'silence', second.acked());
    await bench.clock.advance(10_000);
    expect(log[1]).toMatch(/^silence: ETIMEDOUT/);

    const third = bench.near.net.connect({ port: 9, host: '10.0.0.2' });
    third.on('error', () => undefined).write('x');
    watch(log, 'refused', third.acked());
    bench.cable.cut = false;
    await bench.clock.advance(10_000);
    expect(log[2]).toBe('refused: ECONNREFUSED connect');
  });

  it('rejects where the program itself resets, gives up, or leaves something unread', async () => {
    const [first] = await unread(bench);
    first.write(Buffer.alloc(MORE_THAN_FITS));
    watch(log, 'reset', first.acked());
    first.resetAndDestroy();
    const second = bench.near.net.connect({ port: 8, host: '10.0.0.2' });
    second.write('x');
    watch(log, 'unconnected', second.acked());
    second.destroy();
    const { client: third, peer } = await bench.connect();
    third.pause();
    peer.on('error', () => undefined);
    peer.write(Buffer.alloc(1_000_000));
    await bench.clock.advance(100);
    bench.cable.cut = true;
    third.write('x');
    watch(log, 'unread', third.acked());
    third.destroy();
    await bench.clock.advance(100);
    expect(log.sort()).toEqual([
      'reset: ERR_STREAM_DESTROYED ',
      'unconnected: ERR_SOCKET_CLOSED_BEFORE_CONNECTION ',
      'unread: ERR_SOCKET_CLOSED ',
    ]);
  });

  it('rejects when the stack goes, and keeps an orderly close() waiting', async () => {
    const [client, peer] = await unread(bench, { sendBufferSize: 2 ** 25 });
    client.write(Buffer.alloc(MORE_THAN_FITS));
    watch(log, 'acked', client.acked());
    await bench.clock.advance(100);
    client.destroy();
    const closing = bench.near.close({ timeout: 1_000_000 }).then(() => log.push('closed'));
    await bench.clock.advance(10_000);
    expect(log).toEqual([]);
    peer.resume().on('end', () => peer.end());
    await bench.clock.advance(100_000);
    await closing;
    expect(log).toEqual(['acked', 'closed']);

    const other = await Bench.open();
    const [gone] = await unread(other);
    gone.write(Buffer.alloc(2000));
    other.cable.cut = true;
    gone.write(Buffer.alloc(2000));
    watch(log, 'gone', gone.acked());
    gone.destroy();
    await settle();
    await other.close();
    await settle();
    expect(log[2]).toBe('gone: ECONNABORTED write');
  });

  it('is cheap with many that wait', async () => {
    const { client } = await bench.connect();
    bench.cable.cut = true;
    const all: Promise<void>[] = [];
    for (let i = 0; i < 20_000; i++) {
      client.write('x');
      all.push(client.acked());
    }
    bench.cable.cut = false;
    await Promise.all([...all, bench.clock.advance(10_000)]);
  });
});
