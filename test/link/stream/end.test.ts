import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Duplex, PassThrough, duplexPair } from 'node:stream';
import timers from 'node:timers';
import type { StreamLinkOptions } from '../../../lib/link/stream';
import { streamLink } from '../../../lib/link/stream';
import { RecordingHost, settle } from '../../support/recording-host';
import { A, Stuck, TO_A, TO_B, opened, packet } from './support';

describe('the link is down when the stream', () => {
  const END = 'ERR_STREAM_PREMATURE_CLOSE';

  test('ends, after what it has brought', async () => {
    const { host, far } = await opened(false);
    far.end(packet({ ...TO_A, sequence: 3 }));
    await settle(host);
    expect(host.sequences).toEqual([3]);
    expect(host.downs).toEqual([
      expect.objectContaining({ code: END, message: 'the stream has ended' }),
    ]);
  });

  test('ends within a packet', async () => {
    const { host, far } = await opened(false);
    far.end(packet(TO_A).subarray(0, 1));
    await settle(host);
    expect(host.downs[0].message).toBe('the stream has ended within a packet');
  });

  test('is destroyed', async () => {
    const { host, near } = await opened(true);
    near.destroy();
    await settle(host);
    expect(host.downs).toEqual([
      expect.objectContaining({ code: END, message: 'the stream is closed' }),
    ]);
  });

  test('fails: with its error, once', async () => {
    const { host, near } = await opened(false);
    const error = new Error('the tunnel has collapsed');
    near.destroy(error);
    await settle(host);
    expect(host.downs).toEqual([error]);
    expect(host.send(TO_B)).toBe(true);
    expect(host.port.counters).toMatchObject({ sent: 0, dropped: 1 });
  });

  test('is ended by somebody else, as soon as something is to be sent', async () => {
    const { host, near } = await opened(false);
    near.end();
    host.send(TO_B);
    await settle(host);
    expect(host.downs).toMatchObject([{ code: 'ERR_STREAM_WRITE_AFTER_END' }]);
  });

  test('fails within write: never from within transmit', async () => {
    const stream = new Duplex({
      read: () => undefined,
      write: (_chunk, _encoding, done) => done(new Error('no')),
    });
    stream._write = () => void stream.emit('error', new Error('at once'));
    const host = await RecordingHost.open(streamLink(stream), A);
    host.send(TO_B);
    expect(host.downs).toEqual([]);
    await settle(host);
    expect(host.downs).toEqual([new Error('at once')]);
  });
});

describe('closing the port', () => {
  test('ends the stream behind what was sent, and destroys it', async () => {
    const { host, near, far } = await opened(false);
    host.send(TO_B);
    host.port.close();
    host.port.close();
    expect(await far.toArray()).toEqual([packet(TO_B)]);
    await settle(host);
    expect(near.destroyed).toBe(true);
    expect(host.downs).toEqual([]);
  });

  test('discards what still arrives, and nothing that fails then is heard of', async () => {
    const { host, near, far } = await opened(false);
    far.write(Buffer.concat([packet(TO_A), Buffer.alloc(3_000_000)]));
    host.port.close();
    near.destroy(new Error('late'));
    await settle(host);
    expect(host.arrivals).toEqual([]);
    expect(host.downs).toEqual([]);
  });

  test('reads what a stream must get rid of before it can finish', async () => {
    const echo = new PassThrough({ highWaterMark: 100 });
    const host = await RecordingHost.open(streamLink(echo), A);
    for (let i = 0; i < 20; i++) host.send(TO_B);
    host.port.close();
    await once(echo, 'close');
    expect(echo.writableFinished).toBe(true);
  });

  test('within a batch: nothing of it that is left is handed over', async () => {
    const { host, far } = await opened(false);
    host.onReceive = () => host.port.close();
    far.write(Buffer.concat(Array.from({ length: 100 }, () => packet(TO_A))));
    await settle(host);
    expect(host.batches).toEqual([64]);
  });

  test('destroys after 5 s a stream that can’t be written', async () => {
    const alarms: { callback: () => void; ms?: number }[] = [];
    const fake = (callback: () => void, ms?: number) => {
      alarms.push({ callback, ms });
      return { unref: () => undefined };
    };
    const spy = jest.spyOn(timers, 'setTimeout').mockImplementation(fake as never);
    let link = streamLink;
    jest.isolateModules(() => {
      ({ streamLink: link } = jest.requireActual('../../../lib/link/stream'));
    });
    const stream = new Stuck();
    const host = await RecordingHost.open(link(stream), A);
    host.send(TO_B);
    host.port.close();
    await settle(host);
    spy.mockRestore();
    expect(stream.destroyed).toBe(false);
    const limit = alarms.filter(({ ms }) => ms === 5000);
    expect(limit).toHaveLength(1);
    limit[0].callback();
    expect(stream.destroyed).toBe(true);
  });
});

describe('a stream link', () => {
  test('carries one stack, once', async () => {
    const link = streamLink(new Stuck());
    const host = await RecordingHost.open(link, A);
    await expect(RecordingHost.open(link, A)).rejects.toMatchObject({ code: 'EBUSY' });
    host.port.close();
    await expect(RecordingHost.open(link, A)).rejects.toMatchObject({ code: 'EBUSY' });
  });

  test('needs a stream that is open', async () => {
    const stream = new Stuck();
    stream.destroy();
    const open = RecordingHost.open(streamLink(stream), A);
    await expect(open).rejects.toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
  });

  test('takes framing from the kind of stream', async () => {
    const [objects] = duplexPair({ objectMode: true });
    const [bytes] = duplexPair();
    expect(() => streamLink(objects, { framing: 'bytes' })).not.toThrow();
    expect(() => streamLink(bytes, { framing: 'message' })).toThrow(
      /^The property 'options.framing' needs a stream whose readableObjectMode is true/,
    );
  });

  test.each([{}, null, 'tcp:localhost:1'])('refuses %p for a stream', (stream) => {
    expect(() => streamLink(stream as Duplex)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
  });

  test.each([
    ['an MTU below 68', { mtu: 67 }, 'ERR_OUT_OF_RANGE'],
    ['an MTU above 65535', { mtu: 65_536 }, 'ERR_OUT_OF_RANGE'],
    ['an MTU that is a text', { mtu: '1500' }, 'ERR_INVALID_ARG_TYPE'],
    ['a framing that is none', { framing: 'line' }, 'ERR_INVALID_ARG_VALUE'],
    ['an option that is none', { mru: 1 }, 'ERR_INVALID_ARG_VALUE'],
    ['options that are none', null, 'ERR_INVALID_ARG_TYPE'],
  ])('refuses %s', (_, options, code) => {
    expect(() => streamLink(new Stuck(), options as StreamLinkOptions)).toThrow(
      expect.objectContaining({ code }),
    );
  });

  test('refs and unrefs a stream that knows that', async () => {
    const calls: string[] = [];
    const stream = Object.assign(new Stuck(), {
      ref: () => calls.push('ref'),
      unref: () => calls.push('unref'),
    });
    const host = await RecordingHost.open(streamLink(stream), A);
    host.port.unref();
    host.port.ref();
    expect(calls).toEqual(['unref', 'ref']);
  });

  /** Runs a program with the ends of a TCP connection of the kernel's; what it prints. */
  function run(program: string): string {
    const register = join(__dirname, '../../support/register.js');
    const source = `
      const net = require('node:net');
      const { streamLink } = require('./lib/link/stream.ts');
      const { RecordingHost } = require('./test/support/recording-host.ts');
      process.on('exit', () => console.log('exit'));
      const server = net.createServer(async (socket) => {
        server.close();
        const a = await RecordingHost.open(streamLink(socket), '${A}');
        a.onReceive = () => { console.log('arrived'); a.port.unref(); };
        a.port.unref();
        ${program}
      }).listen(0, '127.0.0.1', async () => {
        const b = net.connect(server.address().port, '127.0.0.1').unref();
        b.on('connect', () => b.write(Buffer.from('${packet(TO_A).toString('hex')}', 'hex')));
      });`;
    return execFileSync(process.execPath, ['-r', register, '-e', source], {
      cwd: join(__dirname, '../../..'),
      encoding: 'utf8',
      timeout: 30_000,
    });
  }

  test('that is not referenced doesn’t keep the process, one that is does', () => {
    expect(run('')).toMatch(/^(arrived\n)?exit\n$/);
    expect(run('a.port.ref();')).toBe('arrived\nexit\n');
  });

  test('that was closed doesn’t keep the process', () => {
    expect(run('a.port.ref(); a.port.close();')).toBe('exit\n');
  });
});
