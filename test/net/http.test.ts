import { execFileSync } from 'node:child_process';
import * as http from 'node:http';
import * as https from 'node:https';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tls from 'node:tls';
import { Stack } from '../../lib/stack';
import type { Server } from '../../lib/net/server';
import { hasCommand, needs } from '../support/skip';
import { listen, once, readAll } from '../support/net-apis';

/** Gives an HTTP server the connections of one of ours, and returns the port. */
async function serve(stack: Stack, web: http.Server | https.Server): Promise<[Server, number]> {
  const server = stack.net.createServer((socket) => web.emit('connection', socket));
  return [server, await listen(server)];
}

function get(options: http.RequestOptions): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => http.get(options, resolve).on('error', reject));
}

/** An agent whose connections go over a stack. */
class StackAgent extends http.Agent {
  made = 0;

  constructor(
    private readonly stack: Stack,
    options: http.AgentOptions,
  ) {
    super(options);
  }

  override createConnection(
    options: http.ClientRequestArgs,
    callback?: (error: Error | null, socket: Duplex) => void,
  ): Duplex {
    this.made++;
    return this.stack.net.connect(options, callback);
  }
}

describe('node:http over a stack', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.open();
  });
  afterAll(() => stack.close());

  it('serves and fetches', async () => {
    const web = http.createServer((request, response) => {
      response.setHeader('x-peer', String(request.socket.remoteAddress));
      request.pipe(response);
    });
    const [server, port] = await serve(stack, web);
    const body = Buffer.alloc(3_000_000, 'netland ');
    const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
      const request = http.request({
        host: '127.0.0.1',
        port,
        method: 'POST',
        createConnection: stack.net.connect,
      });
      request.on('response', resolve).on('error', reject).end(body);
    });
    expect(response.statusCode).toBe(200);
    expect(response.headers['x-peer']).toBe('127.0.0.1');
    expect((await readAll(response)).equals(body)).toBe(true);
    await once(server.close(), 'close');
  });

  it('uses one connection for many requests', async () => {
    const web = http.createServer((request, response) => response.end(request.url));
    const [server, port] = await serve(stack, web);
    const agent = new StackAgent(stack, { keepAlive: true, maxSockets: 1 });
    const paths = ['/1', '/2', '/3', '/4'];
    const answers = paths.map(async (path) => {
      const response = await get({ host: '127.0.0.1', port, path, agent });
      return String(await readAll(response));
    });
    expect(await Promise.all(answers)).toEqual(paths);
    expect(agent.made).toBe(1);
    agent.destroy();
    web.closeAllConnections();
    await once(server.close(), 'close');
  });

  it('lets a request be aborted and time out', async () => {
    const web = http.createServer(() => undefined);
    const [server, port] = await serve(stack, web);
    const options = { host: '127.0.0.1', port, createConnection: stack.net.connect };
    const controller = new AbortController();
    const aborted = get({ ...options, signal: controller.signal }).catch((error) => error as Error);
    controller.abort();
    expect(await aborted).toMatchObject({ code: 'ABORT_ERR' });
    const request = http.get({ ...options, timeout: 10 });
    await once(request, 'timeout');
    request.on('error', () => undefined).destroy();
    await once(server.close(), 'close');
  });

  it('tells a request of a refused connection', async () => {
    const options = { host: '127.0.0.1', port: 1, createConnection: stack.net.connect };
    await expect(get(options)).rejects.toMatchObject({ code: 'ECONNREFUSED', syscall: 'connect' });
  });

  it('upgrades', async () => {
    const web = http.createServer();
    web.on('upgrade', (_request, socket: Duplex) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
      socket.pipe(socket);
    });
    const [server, port] = await serve(stack, web);
    const request = http.get({
      host: '127.0.0.1',
      port,
      headers: { connection: 'Upgrade', upgrade: 'x' },
      createConnection: stack.net.connect,
    });
    const [, socket] = (await once(request, 'upgrade')) as [unknown, Duplex];
    socket.end('raw bytes');
    expect(String(await readAll(socket))).toBe('raw bytes');
    await once(server.close(), 'close');
  });
});

needs(hasCommand('openssl'), 'openssl installed')('node:tls and node:https over a stack', () => {
  let stack: Stack;
  let folder: string;
  let key: Buffer;
  let cert: Buffer;
  beforeAll(async () => {
    stack = await Stack.open();
    folder = mkdtempSync(join(tmpdir(), `netland-tls-${process.pid}-`));
    const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    const files = ['-keyout', keyFile, '-out', certFile, '-days', '2'];
    execFileSync('openssl', ['req', '-x509', ...kind, ...files, ...subject], { stdio: 'ignore' });
    key = readFileSync(keyFile);
    cert = readFileSync(certFile);
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await stack.close();
  });

  it('wraps a socket in TLS on both sides', async () => {
    // TLS over any stream but the kernel's socket loses what is under way when the peer ends.
    const server = stack.net.createServer({ allowHalfOpen: true }, (socket) => {
      const secured = new tls.TLSSocket(socket, { isServer: true, key, cert });
      secured.pipe(secured);
    });
    const port = await listen(server);
    const socket = stack.net.connect(port, '127.0.0.1');
    const secured = tls.connect({ socket, ca: cert, servername: 'localhost' });
    await once(secured, 'secureConnect');
    expect(secured.authorized).toBe(true);
    const secret = Buffer.alloc(1_000_000, 'secret ');
    secured.end(secret);
    expect((await readAll(secured)).equals(secret)).toBe(true);
    await once(server.close(), 'close');
  });

  it('serves and fetches by https', async () => {
    const web = https.createServer({ key, cert }, (_request, response) => response.end('secured'));
    const [server, port] = await serve(stack, web);
    const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
      const createConnection = () => {
        const socket = stack.net.connect(port, '127.0.0.1');
        return tls.connect({ socket, ca: cert, servername: 'localhost' });
      };
      https.get({ host: 'localhost', createConnection }, resolve).on('error', reject);
    });
    expect(String(await readAll(response))).toBe('secured');
    web.closeAllConnections();
    await once(server.close(), 'close');
  });
});
