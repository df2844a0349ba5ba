import * as nodeNet from 'node:net';
import { Stack } from '../../lib/stack';
import type { Net } from '../../lib/net/net';

/** What a call throws, as what a program can see of it; null when it throws nothing. */
function thrown(call: () => unknown): object | null {
  try {
    const made = call() as { on?: unknown; destroy?: () => void; close?: () => void };
    if (typeof made?.on === 'function') (made as nodeNet.Socket).on('error', () => undefined);
    made?.destroy?.();
    if (made instanceof nodeNet.Server) made.close();
    return null;
  } catch (error) {
    const { name, code, message } = error as NodeJS.ErrnoException;
    return { name, code, message };
  }
}

type Call = (net: Net) => unknown;
const HOST = '127.0.0.1';

/** Anything, where a type would refuse it. */
function odd(value: unknown): never {
  return value as never;
}

const CALLS: readonly (readonly [string, Call])[] = [
  ...[65_536, -1, 'x', null, undefined, 1.5, NaN, {}, '65536', '80abc', true, ''].map(
    (port) =>
      [
        `connect to port ${JSON.stringify(port)}`,
        (net: Net) => net.connect({ port: odd(port), host: HOST }),
      ] as const,
  ),
  ...[65_536, -1, 1.5, NaN, true, null, undefined].map(
    (port) => [`connect(${String(port)})`, (net: Net) => net.connect(odd(port))] as const,
  ),
  ['connect({})', (net) => net.connect({})],
  [
    'connect with a lookup that is none',
    (net) => net.connect({ port: 80, host: 'a.b', lookup: odd(5) }),
  ],
  [
    'connect from what is no address',
    (net) => net.connect({ port: 80, host: HOST, localAddress: 'x' }),
  ],
  ['connect from a number', (net) => net.connect({ port: 80, host: HOST, localAddress: odd(5) })],
  [
    'connect from a port as text',
    (net) => net.connect({ port: 80, host: HOST, localPort: odd('5') }),
  ],
  ['connect with the timeout x', (net) => net.connect({ port: 80, host: HOST, timeout: odd('x') })],
  ['connect with the timeout -1', (net) => net.connect({ port: 80, host: HOST, timeout: -1 })],
  [
    'connect with a keepalive delay as text',
    (net) => net.connect({ port: 80, host: HOST, keepAliveInitialDelay: odd('x') }),
  ],
  [
    'connect with autoSelectFamily as text',
    (net) => net.connect({ port: 80, host: 'localhost', autoSelectFamily: odd('x') }),
  ],
  [
    'connect with an attempt timeout as text',
    (net) => net.connect({ port: 80, host: 'localhost', autoSelectFamilyAttemptTimeout: odd('x') }),
  ],
  [
    'connect with an attempt timeout of 0',
    (net) => net.connect({ port: 80, host: 'localhost', autoSelectFamilyAttemptTimeout: 0 }),
  ],
  ['connect with a family of 5', (net) => net.connect({ port: 80, host: 'x.invalid', family: 5 })],
  [
    'connect with wrong hints',
    (net) => net.connect({ port: 80, host: 'x.invalid', hints: 1 << 20 }),
  ],
  ['connect with a signal that is none', (net) => net.connect({ port: 80, signal: odd('x') })],
  ['setTimeout x', (net) => new net.Socket().setTimeout(odd('x'))],
  ['setTimeout -1', (net) => new net.Socket().setTimeout(-1)],
  ['setTimeout Infinity', (net) => new net.Socket().setTimeout(Infinity)],
  ['setTimeout with a callback that is none', (net) => new net.Socket().setTimeout(5, odd('x'))],
  ['write a number', (net) => new net.Socket().write(5)],
  ['write null', (net) => new net.Socket().write(null)],
  ...[65_536, -1, {}, true, 1.5].map(
    (port) =>
      [`listen(${String(port)})`, (net: Net) => net.createServer().listen(odd(port))] as const,
  ),
  ...[65_536, -1, 'x', {}].map(
    (port) =>
      [
        `listen({ port: ${String(port)} })`,
        (net: Net) => net.createServer().listen({ port: odd(port) }),
      ] as const,
  ),
  ['listen({})', (net) => net.createServer().listen({})],
  [
    'listen with a signal that is none',
    (net) => net.createServer().listen({ port: 0, signal: odd(5) }),
  ],
  ['createServer(5)', (net) => net.createServer(odd(5))],
  [
    'a server with a keepalive delay as text',
    (net) => net.createServer({ keepAliveInitialDelay: odd('x') }),
  ],
  [
    'a server with a high water mark as text',
    (net) => net.createServer({ highWaterMark: odd('x') }),
  ],
  ['getConnections without callback', (net) => net.createServer().getConnections(odd(undefined))],
];

describe('what node:net refuses, ours refuses with the same words', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.open();
  });
  afterAll(() => stack.destroy());

  it.each(CALLS)('%s', (_title, call) => {
    const expected = thrown(() => call(nodeNet as unknown as Net));
    expect(thrown(() => call(stack.net))).toEqual(expected);
    if (expected === null) throw new Error('node:net refuses nothing here');
  });

  it('listening twice', () => {
    const twice = (net: Net) => {
      const server = net.createServer().listen(0);
      try {
        server.listen(0);
        return null;
      } catch (error) {
        const { name, code, message } = error as NodeJS.ErrnoException;
        return { name, code, message };
      } finally {
        server.close();
      }
    };
    expect(twice(stack.net)).toEqual(twice(nodeNet as unknown as Net));
    expect(twice(stack.net)).toMatchObject({ code: 'ERR_SERVER_ALREADY_LISTEN' });
  });
});

describe('what a stack has nothing for is refused, not ignored', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.open();
  });
  afterAll(() => stack.destroy());

  it.each<[string, Call]>([
    ['a path to connect to', (net) => net.connect({ path: '/tmp/x' } as object)],
    ['a path as the only argument', (net) => net.connect('/tmp/x')],
    ['a path to listen on', (net) => net.createServer().listen({ path: '/tmp/x' } as object)],
    ['a descriptor to listen on', (net) => net.createServer().listen({ fd: 3 } as object)],
    ['onread', (net) => net.connect({ port: 1, onread: {} } as object)],
    ['a block list', (net) => net.createServer({ blockList: {} } as object)],
  ])('%s', (_title, call) => {
    expect(thrown(() => call(stack.net))).toMatchObject({
      name: 'TypeError',
      code: 'ERR_INVALID_ARG_VALUE',
      message: expect.stringContaining('is not supported'),
    });
  });

  it('a local port that is none', () => {
    expect(
      thrown(() => stack.net.connect({ port: 80, host: HOST, localPort: 70_000 })),
    ).toMatchObject({ code: 'ERR_SOCKET_BAD_PORT' });
  });

  it('a host that is no text', () => {
    expect(thrown(() => stack.net.connect({ port: 80, host: odd(5) }))).toMatchObject({
      code: 'ERR_INVALID_ARG_TYPE',
    });
  });
});
