import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { hasNamespaces, hasTun, Namespace, NamespacePair } from '../support/netns';
import { hasCommand, needs } from '../support/skip';
import { Daemon } from './support/daemon';
import { Pattern } from './support/pattern';
import { layFarCable } from './support/routed';

const EXAMPLE = resolve(__dirname, '../../examples/forward.mjs');
const BIG = 10 << 20;

/** HTTP on 8000; on 7001 who has sent all gets its length; on 7002 who sends UDP gets it back. */
const SERVER = `
import http.server, socket, socketserver, sys, threading
class Dual:
    address_family = socket.AF_INET6
    request_queue_size = 50
    daemon_threads = True
class Http(Dual, http.server.ThreadingHTTPServer): pass
class Tcp(Dual, socketserver.ThreadingTCPServer): pass
class Udp(Dual, socketserver.ThreadingUDPServer): pass
class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_): pass
class Length(socketserver.StreamRequestHandler):
    def handle(self): self.wfile.write(b'%d' % len(self.rfile.read()))
class Echo(socketserver.DatagramRequestHandler):
    def handle(self): self.wfile.write(self.rfile.read())
servers = [Http(('::', 8000), Quiet), Tcp(('::', 7001), Length), Udp(('::', 7002), Echo)]
for server in servers: threading.Thread(target=server.serve_forever).start()
print('ready', flush=True)
`;

/** What a client has to tell: the errno of its connect, or the answer to what it sent. */
const CLIENT = `
import errno, socket, sys
host, port, kind, size = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
family = socket.AF_INET6 if ':' in host else socket.AF_INET
s = socket.socket(family, socket.SOCK_STREAM if kind == 'tcp' else socket.SOCK_DGRAM)
s.settimeout(20)
try:
    s.connect((host, port))
    if kind == 'tcp':
        s.sendall(b'x' * size)
        s.shutdown(socket.SHUT_WR)
        print(s.makefile('rb').read().decode())
    else:
        s.send(b'x' * size)
        print(len(s.recv(65535)), s.getpeername()[1])
except OSError as e: print(errno.errorcode[e.errno])
`;

/** The server's addresses, and those that its network says can't be reached. */
const SERVERS = { 4: '10.10.0.2', 6: 'fd10::2' } as const;
const NOBODY = { 4: '192.0.2.9', 6: '2001:db8::9' } as const;

/** Of iperf3. */
const WAYS: [string, string[]][] = [
  ['sending', []],
  ['receiving', ['-R']],
];

const PROGRAMS = ['iperf3', 'curl', 'python3'];
const possible = hasNamespaces() && hasTun() && PROGRAMS.every(hasCommand);

needs(possible, `namespaces, /dev/net/tun, ${PROGRAMS.join(', ')}`)('the forwarder', () => {
  let pair: NamespacePair;
  let host: Namespace;
  let client: Namespace;
  let folder: string;
  const daemons: Daemon[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), `netland-forward-${process.pid}-`));
    writeFileSync(join(folder, 'big'), new Pattern(1).all(BIG));
    [pair, host] = await Promise.all([NamespacePair.create(), Namespace.create()]);
    client = pair.a.namespace;
    const router = pair.b.namespace;
    await layFarCable(router, host);
    const serve = ['sh', '-c', `cd ${folder} && exec python3 -c "$0"`, SERVER];
    daemons.push(
      await Daemon.start(router, ['node', EXAMPLE, 'nl0'], /forwarding nl0/),
      await Daemon.start(host, serve, /ready/),
      await Daemon.start(host, ['iperf3', '-s', '--forceflush'], /listening/),
    );
    const filters = ['all', 'vb', 'nl0'].map((name) => `net.ipv4.conf.${name}.rp_filter=0`);
    await router.run('sysctl', '-qw', ...filters);
    for (const family of [4, 6] as const) {
      const ip = (where: Namespace, words: string) =>
        where.run('ip', `-${family}`, ...words.split(' '));
      const via = family === 4 ? pair.b.address4 : pair.b.address6;
      await ip(client, `route add default via ${via}`);
      await ip(router, 'route add default dev nl0 table 100');
      await ip(router, 'rule add iif vb lookup 100');
      await ip(router, `route add unreachable ${NOBODY[family]}`);
    }
  });

  afterAll(async () => {
    await Promise.all(daemons.map((daemon) => daemon.stop('SIGKILL')));
    await Promise.all([pair.close(), host.close()]);
    rmSync(folder, { recursive: true });
  });

  async function ask(address: string, port: number, kind: string, size: number): Promise<string> {
    const words = [address, port, kind, size].map(String);
    const { stdout } = await client.run('python3', '-c', CLIENT, ...words);
    return stdout.trim();
  }

  /** What an iperf3 has measured at the receiver. */
  async function iperf(family: 4 | 6, ...options: string[]) {
    const words = ['iperf3', '-J', '-c', SERVERS[family], ...options];
    const { stdout } = await client.run(...words);
    const { end } = JSON.parse(stdout) as { end: Record<string, { bytes: number }> };
    return { ...end.sum, ...end.sum_received } as { bytes: number; lost_percent?: number };
  }

  describe.each([4, 6] as const)('IPv%d', (family) => {
    const address = SERVERS[family];

    it('lets curl have 10 MiB', async () => {
      const where = family === 4 ? address : `[${address}]`;
      const fetch = `curl -sS http://${where}:8000/big | sha256sum`;
      const { stdout } = await client.run('sh', '-c', fetch);
      const digest = createHash('sha256').update(new Pattern(1).all(BIG)).digest('hex');
      expect(stdout.split(' ')[0]).toBe(digest);
    });

    it.each(WAYS)('lets iperf3 measure TCP, the client %s', async (_way, options) => {
      const { bytes } = await iperf(family, '-n', '20M', ...options);
      expect(bytes).toBeGreaterThan(15 << 20);
    });

    it.each(WAYS)('lets iperf3 measure UDP, the client %s', async (_way, options) => {
      const udp = ['-u', '-b', '20M', '-l', '1200', '-n', '500K'];
      const { bytes, lost_percent } = await iperf(family, ...udp, ...options);
      expect(bytes).toBeGreaterThan(400 << 10);
      expect(lost_percent).toBeLessThan(20);
    });

    it('closes one half after the other', async () => {
      expect(await ask(address, 7001, 'tcp', 0)).toBe('0');
      expect(await ask(address, 7001, 'tcp', 3_000_000)).toBe('3000000');
    });

    it('passes questions and answers on', async () => {
      expect(await ask(address, 7002, 'udp', 1)).toBe('1 7002');
      expect(await ask(address, 7002, 'udp', 8000)).toBe('8000 7002');
    });

    it('says why a connection is refused', async () => {
      expect(await ask(address, 9, 'tcp', 0)).toBe('ECONNREFUSED');
      expect(await ask(NOBODY[family], 80, 'tcp', 0)).toBe('EHOSTUNREACH');
    });
  });
});
