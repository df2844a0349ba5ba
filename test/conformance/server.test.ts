import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import fc from 'fast-check';
import { OPERATIONS } from './operations';
import { hostOptions } from './options';
import { Lines } from './server';
import { Session } from './session';
import type { Message } from './support/backend';
import { makePacket, readPacket } from './support/wire';

const root = resolve(__dirname, '../..');

/** A driver's connection to a server. */
class Driver {
  readonly events: Message[] = [];
  private readonly waiting: ((reply: Message) => void)[] = [];
  private readonly replies: Message[] = [];

  private constructor(readonly socket: net.Socket) {
    createInterface({ input: socket }).on('line', (line) => {
      const message = JSON.parse(line) as Message;
      if (message.ev === 'pkt') this.events.push(message);
      else (this.waiting.shift() ?? ((reply) => this.replies.push(reply)))(message);
    });
  }

  static async connect(path: string): Promise<Driver> {
    const socket = net.connect(path);
    await once(socket, 'connect');
    return new Driver(socket);
  }

  /** Writes a line; resolves with the next reply, whosever it is. */
  line(text: string): Promise<Message> {
    this.socket.write(`${text}\n`);
    const reply = this.replies.shift();
    if (reply !== undefined) return Promise.resolve(reply);
    return new Promise((settle) => this.waiting.push(settle));
  }

  request(members: Message): Promise<Message> {
    return this.line(JSON.stringify(members));
  }
}

describe('npm run conformance:server', () => {
  const folder = mkdtempSync(join(tmpdir(), 'netland-'));
  const path = join(folder, 'socket');
  let child: ChildProcess;
  let stderr = '';

  beforeAll(async () => {
    const words = ['--silent', 'run', 'conformance:server', '--', '--socket', path];
    child = spawn('npm', [...words, '--local', '192.168.0.1', '--local6', 'fd3d::7'], {
      cwd: root,
      // A group of its own: npm and what it starts.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const [first] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
    expect(first.toString()).toBe('ready\n');
  }, 60_000);

  afterAll(async () => {
    process.kill(-(child.pid as number), 'SIGKILL');
    await once(child, 'close');
    rmSync(folder, { recursive: true });
  });

  test('a fresh stack for each connection, several at a time', async () => {
    const [a, b] = await Promise.all([Driver.connect(path), Driver.connect(path)]);
    const dial = { op: 'connect', fd: 3, family: 4, addr: '192.0.2.1', port: 80, t: 7 };
    for (const driver of [a, b]) {
      expect(await driver.request({ id: 1, op: 'hello', proto: 1, vtime: 1, t: 5 })).toEqual({
        id: 1,
        ret: 0,
        t: 5,
      });
      const made = await driver.request({ id: 2, op: 'socket', domain: 4, type: 1, nonblock: 1 });
      expect(made).toEqual({ id: 2, ret: 3, t: 5 });
      const begun = await driver.request({ id: 'c', ...dial });
      expect(begun).toEqual({ id: 'c', ret: -1, errno: 'EINPROGRESS', t: 7 });
      expect(driver.events.map(({ us }) => us)).toEqual([7]);
    }
    const [first, second] = [a, b].map(({ events }) =>
      readPacket(Buffer.from(events[0].data as string, 'base64')),
    );
    expect(first?.seq).not.toBe(second?.seq);
    expect(await a.request({ id: 4, op: 'bye' })).toMatchObject({ id: 4, ret: 0 });
    await once(a.socket, 'close');
    expect(await b.request({ id: 5, op: 'tick', t: 2_000_000 })).toMatchObject({ ret: 0 });
    expect(b.events.map(({ us }) => us)).toEqual([7, 1_000_007]);
    b.socket.destroy();
  });

  test('real time', async () => {
    const driver = await Driver.connect(path);
    await driver.request({ id: 1, op: 'hello', proto: 1, vtime: 0 });
    await driver.request({ id: 2, op: 'socket', domain: 6, type: 1, nonblock: 0 });
    const before = Date.now() * 1000;
    const where = { fd: 3, family: 6, addr: '2001:db8::1', port: 80 };
    const connecting = driver.request({ id: 3, op: 'connect', ...where });
    while (driver.events.length < 2) await once(driver.socket, 'data');
    const [first, second] = driver.events.map(({ us }) => us as number);
    expect(first).toBeGreaterThan(before - 10_000);
    expect(second - first).toBeGreaterThan(995_000);
    expect(second - first).toBeLessThan(3_000_000);
    const syn = readPacket(Buffer.from(driver.events[0].data as string, 'base64'));
    const refusal = makePacket({
      from: '2001:db8::1',
      to: 'fd3d::7',
      sourcePort: 80,
      destinationPort: syn?.sourcePort,
      acknowledgment: ((syn?.seq ?? 0) + 1) | 0,
      flags: 0x14,
    });
    driver.socket.write(
      `${JSON.stringify({ id: 4, op: 'pkt', data: refusal.toString('base64') })}\n`,
    );
    expect(await connecting).toEqual({ id: 3, ret: -1, errno: 'ECONNREFUSED' });
    driver.socket.destroy();
  });

  test('what is no request gets an error reply, and the next one an answer', async () => {
    const driver = await Driver.connect(path);
    for (const text of ['{', '[]', 'null', '7', '"x"', '{}', '\u0000', '{"id":{}}']) {
      expect(await driver.line(text)).toMatchObject({ id: null, ret: -1, errno: 'EINVAL' });
    }
    const giant = await driver.line(`{"id":1,"op":"pkt","data":"${'A'.repeat(20_000_000)}"}`);
    expect(giant).toMatchObject({ id: null, ret: -1, errno: 'EINVAL' });
    expect(await driver.request({ id: 8, op: 'hello', vtime: 1, t: 0 })).toMatchObject({ ret: 0 });
    expect(await driver.request({ id: 9, op: 'fly' })).toMatchObject({ id: 9, errno: 'ENOSYS' });
    expect(await driver.request({ id: 9, op: 'toString' })).toMatchObject({ errno: 'ENOSYS' });
    expect(await driver.request({ id: 9, op: 'read', fd: 3, len: 1 })).toMatchObject({
      errno: 'EBADF',
    });
    for (const t of ['1', -1, 1e300, {}, [1]]) {
      expect(await driver.request({ id: 9, op: 'tick', t })).toMatchObject({ errno: 'EINVAL' });
    }
    driver.socket.destroy();
    expect(stderr).not.toContain('conformance:');
  });
});

test('lines: cut anywhere, empty ones passed over, one that is too long is null', () => {
  const lines: (string | null)[] = [];
  const cutter = new Lines((line) => lines.push(line));
  for (const byte of Buffer.from('one\n\ntwo\r\n   \nthrée\n')) cutter.push(Buffer.of(byte));
  cutter.push(Buffer.alloc(17 * 1024 * 1024, 0x61));
  cutter.push(Buffer.from('\nfour\nfi'));
  expect(lines).toEqual(['one', 'two\r', 'thrée', null, 'four']);
});

/** Requests that are nearly right: known words, likely and unlikely values. */
const value = fc.oneof(
  fc.integer({ min: -2, max: 12 }),
  fc.constantFrom(4, 6, 41, 80, 2049, 2 ** 31, -(2 ** 31), 2 ** 53, 1e300, 0.5, null, true, ''),
  fc.constantFrom('192.0.2.1', '192.168.0.1', '::1', 'net.ipv4.tcp_rmem', 'F_SETFL', 'QUJD', 'x'),
  fc.base64String({ maxLength: 120 }),
  fc.array(fc.array(fc.integer({ min: -1, max: 300 }), { maxLength: 3 }), { maxLength: 3 }),
  fc.dictionary(fc.string(), fc.integer(), { maxKeys: 2 }),
);
const MEMBERS = (
  'fd fd fd len data flags family addr port backlog how level opt optlen val raw timeout fds ' +
  'epfd ctl events max size key value domain type protocol nonblock cmd arg name req fault cmsgs'
).split(' ');
const request = fc.record({
  id: fc.oneof(fc.integer(), fc.string(), value),
  op: fc.constantFrom('hello', 'pkt', 'tick', 'run', 'fly', ...Object.keys(OPERATIONS)),
  rest: fc.dictionary(fc.constantFrom(...MEMBERS), value, { maxKeys: 8 }),
});

test('whatever the driver says, each request gets its reply and nothing breaks', () => {
  const complaint = jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  fc.assert(
    fc.property(fc.array(request, { minLength: 5, maxLength: 60 }), (requests) => {
      const replies: Message[] = [];
      const session = new Session(hostOptions({}), (message) => {
        if (message.ev !== 'pkt') replies.push({ ...message });
      });
      let t = 0;
      session.receive('{"id":0,"op":"hello","vtime":1,"t":0}');
      for (const domain of [4, 6]) {
        session.receive(JSON.stringify({ id: 0, op: 'socket', domain, type: 1, nonblock: 1 }));
      }
      const blocked = ['accept', 'connect', 'poll', 'epoll_wait', 'close'];
      for (const { id, op, rest } of requests) {
        t += 1000;
        const before = replies.length;
        session.receive(JSON.stringify({ id, op, t, ...rest }));
        const mayBlock = blocked.includes(op) || /read|recv|write|send/.test(op);
        if (!mayBlock) expect(replies.length).toBeGreaterThan(before);
      }
      for (const { ret, errno } of replies) {
        expect(typeof ret).toBe('number');
        expect(errno).not.toBe('EIO');
      }
      session.end();
    }),
    { numRuns: 300, seed: 3 },
  );
  expect(complaint).not.toHaveBeenCalled();
  complaint.mockRestore();
});

test('packets of garbage are dropped', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      let last: Message = {};
      const session = new Session(hostOptions({}), (message) => (last = { ...message }));
      session.receive('{"id":0,"op":"hello","vtime":1,"t":0}');
      const data = Buffer.from(bytes).toString('base64');
      session.receive(JSON.stringify({ id: 1, op: 'pkt', data }));
      expect(last).toEqual({ id: 1, ret: 0, t: 0 });
    }),
    { numRuns: 500, seed: 4 },
  );
});
