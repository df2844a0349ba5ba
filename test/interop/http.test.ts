import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { hasCommand, needs } from '../support/skip';
import { Daemon } from './support/daemon';
import { Pattern, patternDigest } from './support/pattern';
import { canWire, FAMILIES, inUrl, type Wire, WIRE_NEEDS, WIRES } from './support/wires';

const MIB = 1 << 20;
const UPLOAD = (process.env.NETLAND_NIGHTLY === '1' ? 5 : 2) * MIB;

/** Serves the current folder; by HTTP/1.1, so that connections are kept. */
const PYTHON_SERVER = `
import http.server, socket, sys
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET
class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
server = Server((sys.argv[1], int(sys.argv[2])), Handler)
print('ready', flush=True)
server.serve_forever()
`;

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), `netland-http-${process.pid}-`));
  writeFileSync(join(folder, 'big'), new Pattern(1).all(MIB));
  writeFileSync(join(folder, 'small'), new Pattern(1).all(1));
  writeFileSync(join(folder, 'upload'), new Pattern(1).all(UPLOAD));
});

afterAll(() => rmSync(folder, { recursive: true }));

describe.each(WIRES)('HTTP, $name', ({ open }) => {
  needs(canWire(), WIRE_NEEDS)('with programs on the kernel', () => {
    let wire: Wire;

    beforeAll(async () => {
      wire = await open();
    });

    afterAll(() => wire.close());

    describe.each(FAMILIES)('IPv%d', (family) => {
      test('we fetch from node:http, one connection each', async () => {
        const { kernel, ours, kernelAddress } = wire;
        const port = await kernel.httpListen(kernelAddress[family], 0);
        const base = `http://${inUrl(kernelAddress[family])}:${port}`;
        const urls = ['/0', '/1', `/${MIB}`, `/${MIB}/chunked`].map((path) => base + path);
        const fetched = await ours.httpGet(urls, { keepAlive: false });
        expect(fetched).toEqual(
          [0, 1, MIB, MIB].map((bytes) => ({
            status: 200,
            bytes,
            digest: patternDigest(1, bytes),
            localPort: expect.any(Number) as number,
          })),
        );
        expect(new Set(fetched.map(({ localPort }) => localPort)).size).toBe(4);
      });

      test('we fetch from node:http over one connection that is kept', async () => {
        const { kernel, ours, kernelAddress } = wire;
        const port = await kernel.httpListen(kernelAddress[family], 0);
        const url = `http://${inUrl(kernelAddress[family])}:${port}/100000`;
        const fetched = await ours.httpGet([url, url, url, url], { keepAlive: true });
        const digest = patternDigest(1, 100_000);
        expect(fetched.map((each) => each.digest)).toEqual(Array(4).fill(digest));
        expect(new Set(fetched.map(({ localPort }) => localPort)).size).toBe(1);
      });

      test('we post to node:http', async () => {
        const { kernel, ours, kernelAddress } = wire;
        const port = await kernel.httpListen(kernelAddress[family], 0);
        const url = `http://${inUrl(kernelAddress[family])}:${port}/`;
        const posted = await ours.httpPost(url, UPLOAD);
        const answer = patternDigest(1, UPLOAD);
        const digest = createHash('sha256').update(answer).digest('hex');
        expect(posted).toMatchObject({ status: 200, bytes: answer.length, digest });
      });

      needs(hasCommand('python3'), 'python3')("and python's http.server", () => {
        test.each([false, true])('kept: %s', async (keepAlive) => {
          const { kernelIn, ours, kernelAddress } = wire;
          const address = kernelAddress[family];
          const port = keepAlive ? 8001 : 8002;
          const program = ['python3', '-c', PYTHON_SERVER, address, String(port)];
          const command = ['env', '-C', folder, ...program];
          const server = await Daemon.start(kernelIn, command, /ready/);
          try {
            const urls = ['big', 'small', 'big'].map(
              (name) => `http://${inUrl(address)}:${port}/${name}`,
            );
            const fetched = await ours.httpGet(urls, { keepAlive });
            const digests = [MIB, 1, MIB].map((bytes) => patternDigest(1, bytes));
            expect(fetched.map(({ digest }) => digest)).toEqual(digests);
            const ports = new Set(fetched.map(({ localPort }) => localPort));
            expect(ports.size).toBe(keepAlive ? 1 : 3);
          } finally {
            await server.stop();
          }
        });
      });

      needs(hasCommand('curl') && hasCommand('wget'), 'curl and wget')('our server', () => {
        let base: string;

        beforeAll(async () => {
          const address = wire.ourAddress[family];
          base = `http://${inUrl(address)}:${await wire.ours.httpListen(address, 0)}`;
        });

        /** Standard output of a shell's pipe on the kernel's side. */
        async function run(line: string): Promise<string> {
          return (await wire.kernelIn.run('sh', '-c', line)).stdout.trim();
        }

        test.each([
          ['curl', 'curl -sSfg'],
          ['wget', 'wget -qO-'],
        ])('%s', async (_, command) => {
          const hash = await run(`${command} '${base}/${MIB}' | sha256sum`);
          expect(hash).toBe(`${patternDigest(1, MIB)}  -`);
        });

        test('curl over one connection that is kept', async () => {
          const each = (bytes: number) => `'${base}/${bytes}' -o /dev/null`;
          const targets = [1000, 1001, 1002, 1003].map(each).join(' ');
          const written = '%{num_connects} %{size_download} ';
          const output = await run(`curl -sSfg -w '${written}' ${targets}`);
          expect(output).toBe('1 1000 0 1001 0 1002 0 1003');
        });

        test('HEAD', async () => {
          const head = await run(`curl -sSfgI '${base}/123456'`);
          expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*Content-Length: 123456/);
        });

        test('POST', async () => {
          const file = join(folder, 'upload');
          const answer = await run(`curl -sSfg --data-binary '@${file}' '${base}/'`);
          expect(answer).toBe(patternDigest(1, UPLOAD));
        });

        test('eight at once', async () => {
          const line = `curl -sSfg '${base}/300000' | sha256sum`;
          const hashes = await Promise.all(Array.from({ length: 8 }, () => run(line)));
          expect(hashes).toEqual(Array(8).fill(`${patternDigest(1, 300_000)}  -`));
        });
      });
    });
  });
});
