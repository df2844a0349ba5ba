import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { hasCommand, needs } from '../support/skip';
import { hasNamespaces } from '../support/netns';

const ROOT = resolve(__dirname, '../..');
const ENTRY = 'dist/cli/first-light.js';

/** With the state in front and the time of day, as `Transcript` prints a segment. */
function shows(state: string, flags: string): RegExp {
  return new RegExp(
    `^${state} +[\\d:.]+ IP [\\d.]+ > [\\d.]+: Flags \\[${flags}\\], .*length \\d+$`,
    'm',
  );
}

const LAST_LINE = /^1048576 bytes in \d+\.\d{3} s, \d+ retransmissions, link (.*)\n$/m;

interface Outcome {
  status: number | null;
  stdout: string;
  stderr: string;
}

interface Options {
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  via?: string[];
  args?: string[];
}

function start({ env = {}, cwd = ROOT, via = [], args = [] }: Options = {}): Outcome {
  const words = [...via, process.execPath, join(cwd, ENTRY), ...args];
  return spawnSync(words[0], words.slice(1), {
    cwd,
    env: { ...process.env, NETLAND_NO_SKIP: '', ...env },
    encoding: 'utf8',
    timeout: 40_000,
  });
}

function expectExchange({ status, stdout, stderr }: Outcome, link: RegExp): void {
  expect(stderr).toBe('');
  expect(stdout).toMatch(shows('SYN-SENT', 'S'));
  expect(stdout).toMatch(shows('ESTABLISHED', 'S\\.'));
  expect(stdout).toMatch(shows('ESTABLISHED', '\\.'));
  expect(stdout).toMatch(/^ESTABLISHED +\d+ bytes in \d+ segments received, \d+ bytes in/m);
  expect(stdout).toMatch(shows('FIN-WAIT-1', 'F\\.'));
  expect(stdout).toMatch(shows('FIN-WAIT-2', '\\.'));
  expect(stdout).toMatch(shows('TIME-WAIT', 'F\\.'));
  expect(stdout).toMatch(shows('TIME-WAIT', '\\.'));
  expect(stdout).toMatch(/^SHA-256 [0-9a-f]{64}/m);
  expect(LAST_LINE.exec(stdout)?.[1]).toMatch(link);
  expect(stdout.split('\n').length).toBeLessThanOrEqual(36);
  expect(status).toBe(0);
}

/** A folder with an `unshare` of its own, which is found first. */
function withUnshare(folder: string, script: string): NodeJS.ProcessEnv {
  mkdirSync(folder);
  writeFileSync(join(folder, 'unshare'), `#!/bin/sh\n${script}\n`);
  chmodSync(join(folder, 'unshare'), 0o755);
  return { PATH: `${folder}:${process.env.PATH}` };
}

describe('npm start', () => {
  let temporary: string;
  beforeAll(() => {
    temporary = mkdtempSync(join(tmpdir(), `netland-start-${process.pid}-`));
    chmodSync(temporary, 0o755);
  });
  afterAll(() => rmSync(temporary, { recursive: true, force: true }));

  it('falls back to memory, and says why, where namespaces are refused', () => {
    const script = 'echo "unshare: unshare failed: Operation not permitted" >&2; exit 1';
    const env = withUnshare(join(temporary, 'refused'), script);
    const outcome = start({ env });
    expect(outcome.stdout).toMatch(/missing is .*Operation not permitted/);
    expect(outcome.stdout).toMatch(/^This gives it: \S+/m);
    expectExchange(outcome, /^memory/);
    expect(start({ env: { ...env, NETLAND_NO_SKIP: '1' } }).status).toBe(1);
  });

  it('refuses an argument that it does not know', () => {
    const { status, stderr } = start({ args: ['--nonsense'] });
    expect(status).toBe(2);
    expect(stderr).toContain('--nonsense');
    expect(stderr).toContain('usage: npm start');
  });

  needs(hasNamespaces(), 'root, network namespaces')('as root', () => {
    it('fetches over raw sockets from the kernel, in a namespace of its own', () => {
      expectExchange(start({ env: { NETLAND_NO_SKIP: '1' } }), /^raw/);
    });

    it('prints every segment with --trace', () => {
      const { status, stdout } = start({ args: ['--trace'], env: { NETLAND_NO_SKIP: '1' } });
      expect(status).toBe(0);
      const segments = stdout.split('\n').filter((line) => / IP .* Flags \[/.test(line));
      const received = segments
        .filter((line) => / 127\.0\.0\.1\.8080 > /.test(line))
        .map((line) => Number(/length (\d+)$/.exec(line)?.[1]));
      // The body and the response's header, none of it hidden.
      expect(received.reduce((sum, length) => sum + length, 0)).toBeGreaterThan(1_048_576);
    });
  });

  needs(hasNamespaces() && hasCommand('setpriv'), 'root, namespaces, setpriv')(
    'as another user',
    () => {
      const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];

      it('works in a user namespace', () => {
        // The checkout may lie where nobody else can read it.
        const copy = join(temporary, 'copy');
        for (const folder of [
          'dist',
          'build/Release/netland.node',
          'node_modules/node-gyp-build',
        ]) {
          if (existsSync(join(ROOT, folder))) {
            cpSync(join(ROOT, folder), join(copy, folder), { recursive: true });
          }
        }
        cpSync(join(ROOT, 'package.json'), join(copy, 'package.json'));
        expectExchange(start({ cwd: copy, via: nobody, env: { NETLAND_NO_SKIP: '1' } }), /^raw/);
      });

      it('notices a namespace without capabilities, as Ubuntu 24.04 gives it', () => {
        const strip = 'setpriv --bounding-set=-all --inh-caps=-all "$@"';
        const script = `way=$1; shift; exec /usr/bin/unshare "$way" ${strip}`;
        const env = withUnshare(join(temporary, 'stripped'), script);
        const outcome = start({ env });
        expect(outcome.stdout).toMatch(/missing is CAP_NET_ADMIN and CAP_NET_RAW/);
        expectExchange(outcome, /^memory/);
      });
    },
  );
});
