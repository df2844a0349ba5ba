import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

jest.setTimeout(300_000);

const ROOT = resolve(__dirname, '../..');
const FIXTURES = join(__dirname, 'fixtures');
const work = fs.mkdtempSync(join(tmpdir(), `netland-package-${process.pid}-`));

/** A PATH that has what npm and Node need and neither a compiler nor make. */
const bare = join(work, 'bare');
let withPrebuild: string;
let withoutPrebuild: string;

interface Outcome {
  status: number | null;
  output: string;
}

function run(cwd: string, env: NodeJS.ProcessEnv, command: string, ...args: string[]): Outcome {
  const clean = Object.entries({ ...process.env, ...env }).filter(
    // What an outer `npm run` says about its own package isn't meant for the inner one.
    ([name]) => !/^npm_(package|lifecycle|command|execpath|config_local_prefix)/.test(name),
  );
  const child = spawnSync(command, args, { cwd, env: Object.fromEntries(clean), encoding: 'utf8' });
  const output = `${child.error?.message ?? ''}${child.stdout}${child.stderr}`;
  return { status: child.status, output };
}

function succeed(cwd: string, env: NodeJS.ProcessEnv, command: string, ...args: string[]): string {
  const { status, output } = run(cwd, env, command, ...args);
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: exit ${status}\n${output}`);
  return output;
}

/** The tracked and new files of the working tree, beside node_modules as they are. */
function copyTree(to: string): void {
  const listed = succeed(ROOT, {}, 'git', 'ls-files', '-co', '--exclude-standard', '-z');
  for (const name of listed.split('\0').filter((file) => fs.existsSync(join(ROOT, file)))) {
    if (name === '') continue;
    fs.mkdirSync(dirname(join(to, name)), { recursive: true });
    fs.copyFileSync(join(ROOT, name), join(to, name));
  }
  fs.symlinkSync(join(ROOT, 'node_modules'), join(to, 'node_modules'));
}

function pack(tree: string, destination: string, ...options: string[]): string {
  const to = join(work, destination);
  fs.mkdirSync(to);
  succeed(tree, {}, 'npm', 'pack', '--pack-destination', to, ...options);
  return join(to, fs.readdirSync(to)[0]);
}

function makeBarePath(): void {
  fs.mkdirSync(bare);
  for (const name of [
    'sh',
    'env',
    'node',
    'npm',
    'python3',
    'uname',
    'dirname',
    'sed',
    'readlink',
  ]) {
    const found = (process.env.PATH ?? '')
      .split(':')
      .map((folder) => join(folder, name))
      .find((file) => fs.existsSync(file));
    if (found !== undefined) fs.symlinkSync(found, join(bare, name));
  }
}

/** Installs a tarball in a project of its own; returns the project and what npm printed. */
function install(name: string, tarball: string, env: NodeJS.ProcessEnv): [string, string] {
  const project = join(work, name);
  fs.mkdirSync(project);
  fs.writeFileSync(join(project, 'package.json'), '{ "private": true }\n');
  fs.cpSync(FIXTURES, project, { recursive: true });
  const args = ['install', '--prefer-offline', '--foreground-scripts', tarball];
  return [project, succeed(project, env, 'npm', ...args)];
}

function addonsOf(project: string): string[] {
  const netland = join(project, 'node_modules', 'netland');
  return fs
    .readdirSync(netland, { recursive: true, encoding: 'utf8' })
    .filter((file) => /^(build\/Release|prebuilds\/[^/]+)\/[^/]+\.node$/.test(file));
}

beforeAll(() => {
  const tree = join(work, 'tree');
  copyTree(tree);
  makeBarePath();
  succeed(tree, {}, 'npm', 'run', 'prebuildify');
  withPrebuild = pack(tree, 'with');
  fs.rmSync(join(tree, 'prebuilds'), { recursive: true });
  withoutPrebuild = pack(tree, 'without', '--ignore-scripts');
});

afterAll(() => fs.rmSync(work, { recursive: true, force: true }));

describe('the tarball', () => {
  it('has what an install needs and nothing else', () => {
    const files = succeed(work, {}, 'tar', '-tzf', withPrebuild).trim().split('\n').sort();
    const folders = new Set(files.map((file) => file.replace(/^package\//, '').split('/')[0]));
    expect([...folders].sort()).toEqual(
      ['LICENSE', 'README.md', 'binding.gyp', 'dist', 'native', 'package.json', 'prebuilds']
        .concat('scripts')
        .sort(),
    );
    expect(files).toContain('package/scripts/install.js');
    expect(
      files.filter((file) => /prebuilds\/linux-\w+\/netland\..*node$/.test(file)),
    ).toHaveLength(1);
    expect(files.filter((file) => /native\/(test|fuzz|bench)\//.test(file))).toEqual([]);
    expect(files.filter((file) => /\.ts$/.test(file) && !/\.d\.m?ts$/.test(file))).toEqual([]);
  });
});

describe('npm install with the prebuilt binary, without a compiler', () => {
  let project: string;
  beforeAll(() => {
    [project] = install('prebuilt', withPrebuild, { PATH: bare });
  });

  it('builds nothing and loads the binary', () => {
    expect(addonsOf(project)).toEqual([expect.stringMatching(/^prebuilds\//)]);
    expect(succeed(project, {}, 'node', 'native.cjs')).toContain('native: loaded');
  });

  it('exchanges bytes over the memory link', () => {
    expect(succeed(project, {}, 'node', 'exchange.cjs')).toContain('exchange: ok');
  });

  it("runs the README's first program, with which it begins", () => {
    const readme = fs.readFileSync(join(ROOT, 'README.md'), 'utf8');
    const [block, code] = /^# .*\n\n```js\n([^]*?)```\n/.exec(readme) ?? [];
    expect(block?.split('\n').length).toBeLessThanOrEqual(20);
    fs.writeFileSync(join(project, 'readme.mjs'), code ?? '');
    expect(succeed(project, {}, 'node', 'readme.mjs')).toContain('read ETIMEDOUT');
  });

  it('has the same names and classes behind both doors', () => {
    expect(succeed(project, {}, 'node', 'doors.mjs')).toContain('doors: same');
  });

  it.each(['node16', 'nodenext'])('has types for both doors under %s', (module) => {
    const types = join(project, 'node_modules', '@types');
    if (!fs.existsSync(types)) fs.symlinkSync(join(ROOT, 'node_modules', '@types'), types);
    const tsc = join(ROOT, 'node_modules', '.bin', 'tsc');
    const options = ['--noEmit', '--strict', '--types', 'node', '--module', module];
    expect(succeed(project, {}, tsc, ...options, 'types.cts', 'types.mts')).toBe('');
  });
});

describe('npm install that builds', () => {
  it('builds the addon, which loads', () => {
    const [project, output] = install('built', withoutPrebuild, {});
    expect(output).toContain('netland: native addon built.');
    expect(addonsOf(project)).toEqual([expect.stringMatching(/^build\/Release\//)]);
    expect(succeed(project, {}, 'node', 'native.cjs')).toContain('native: loaded');
    expect(succeed(project, {}, 'node', 'exchange.cjs')).toContain('exchange: ok');
  });
});

describe('npm install with neither', () => {
  let project: string;
  let output: string;
  beforeAll(() => {
    [project, output] = install('neither', withoutPrebuild, { PATH: bare });
  });

  it('succeeds, and says what is missing', () => {
    expect(output).toContain('native addon could not be built');
    expect(output).toContain('g++ make python3');
    expect(fs.existsSync(join(project, 'node_modules', 'netland', 'build'))).toBe(false);
  });

  it('exchanges bytes over the memory link', () => {
    expect(succeed(project, {}, 'node', 'exchange.cjs')).toContain('exchange: ok');
  });

  it('simulates a network', () => {
    expect(succeed(project, {}, 'node', 'simulate.cjs')).toContain('simulation: 1000 ms');
  });

  it('says in the links that need native code what is missing', () => {
    expect(succeed(project, {}, 'node', 'native.cjs')).toMatch(
      /^native: missing\nraw: .*native addon.*\ntun: .*native addon.*$/m,
    );
  });
});
