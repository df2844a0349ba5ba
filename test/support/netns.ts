import { execFile, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { accessSync, constants, readFileSync } from 'node:fs';
import { promisify } from 'node:util';

import { Script, type ScriptOptions } from './script';
import { hasCommand } from './skip';

const exec = promisify(execFile);

/** CAP_NET_ADMIN, CAP_NET_RAW and CAP_SYS_ADMIN. */
const NEEDED_CAPABILITIES = (1n << 12n) | (1n << 13n) | (1n << 21n);

/** Whether this process may make network namespaces; `needs(hasNamespaces(), …)`. */
export function hasNamespaces(): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'));
  const capabilities = BigInt(`0x${effective?.[1] ?? '0'}`);
  if ((capabilities & NEEDED_CAPABILITIES) !== NEEDED_CAPABILITIES) return false;
  if (!hasCommand('ip')) return false;
  makeOne();
  return possible === true;
}

let possible: boolean | null = null;

/** A container may have the capabilities and yet no right to mount: only trying tells. */
function makeOne(): void {
  if (possible !== null) return;
  const name = uniqueName();
  possible = spawnSync('ip', ['netns', 'add', name]).status === 0;
  if (possible) spawnSync('ip', ['netns', 'del', name]);
}

/** Whether TUN devices can be made. */
export function hasTun(): boolean {
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

export interface RunResult {
  stdout: string;
  stderr: string;
}

/** Of this process, and of no other test file that it has run or will run. */
function uniqueName(): string {
  return `netland-${process.pid}-${randomBytes(4).toString('hex')}`;
}

/** A network namespace with loopback up, made for a test and deleted by `close`. */
export class Namespace {
  #scripts: Script[] = [];

  private constructor(readonly name: string) {}

  static async create(): Promise<Namespace> {
    const name = uniqueName();
    await exec('ip', ['netns', 'add', name]);
    const namespace = new Namespace(name);
    try {
      await namespace.run('ip', 'link', 'set', 'lo', 'up');
      await namespace.useCubic();
    } catch (error) {
      await namespace.close();
      throw error;
    }
    return namespace;
  }

  /**
   * A namespace inherits the host's congestion control, and another than CUBIC has another timing.
   * Where CUBIC may not become the default here, the routes that there are get it.
   */
  async useCubic(): Promise<void> {
    try {
      await this.run('sysctl', '-qw', 'net.ipv4.tcp_congestion_control=cubic');
      return;
    } catch {
      // ::1 stays as it is: its route has metric 0, which no request can name.
      await this.routeByCubic('-4', 'local');
      await this.routeByCubic('-4', 'main');
      await this.routeByCubic('-6', 'main');
    }
  }

  private async routeByCubic(family: string, table: string): Promise<void> {
    const { stdout } = await this.run('ip', family, 'route', 'show', 'table', table);
    const routes = stdout
      .split('\n')
      .map((line) => line.replace(/ (congctl|pref) \w+/g, '').trim());
    for (const route of routes.filter(
      (line) => line !== '' && !/^(multi|broad|any)cast/.test(line),
    )) {
      const words = [...route.split(' '), 'table', table, 'congctl', 'cubic'];
      await this.run('ip', family, 'route', 'change', ...words);
    }
  }

  /** Words that put a command into the namespace. */
  get via(): string[] {
    return ['ip', 'netns', 'exec', this.name];
  }

  /** Runs a command inside; rejects (with `code`, `stderr`) when it fails. At most 60 s. */
  async run(...command: string[]): Promise<RunResult> {
    const words = [...this.via, ...command];
    return exec(words[0], words.slice(1), { timeout: 60_000, maxBuffer: 1 << 26 });
  }

  /** Starts a TypeScript file inside, as a process that serves calls; `close` kills it. */
  script(file: string, options: ScriptOptions = {}): Script {
    const via = [...this.via, ...(options.via ?? [])];
    const script = new Script(file, { ...options, via });
    this.#scripts.push(script);
    return script;
  }

  async close(): Promise<void> {
    await Promise.all(this.#scripts.map((script) => script.kill()));
    await exec('ip', ['netns', 'del', this.name]);
  }
}

/** One end of a veth cable. */
export interface NetworkEnd {
  readonly namespace: Namespace;
  readonly device: string;
  /** Addresses without prefix length; /24 and /64. */
  readonly address4: string;
  readonly address6: string;
}

/**
 * Two namespaces joined by a veth cable: `a` is va, 10.9.0.1 and fd09::1; `b` is vb, 10.9.0.2 and
 * fd09::2. IPv6 addresses are usable at once.
 */
export class NamespacePair {
  private constructor(
    readonly a: NetworkEnd,
    readonly b: NetworkEnd,
  ) {}

  static async create(): Promise<NamespacePair> {
    const [a, b] = await Promise.all([Namespace.create(), Namespace.create()]);
    const cable = ['link', 'add', 'va', 'netns', a.name, 'type', 'veth'];
    await exec('ip', [...cable, 'peer', 'name', 'vb', 'netns', b.name]);
    const pair = new NamespacePair(
      { namespace: a, device: 'va', address4: '10.9.0.1', address6: 'fd09::1' },
      { namespace: b, device: 'vb', address4: '10.9.0.2', address6: 'fd09::2' },
    );
    try {
      await Promise.all([setUp(pair.a), setUp(pair.b)]);
    } catch (error) {
      await pair.close();
      throw error;
    }
    return pair;
  }

  async close(): Promise<void> {
    await Promise.all([this.a.namespace.close(), this.b.namespace.close()]);
  }
}

async function setUp({ namespace, device, address4, address6 }: NetworkEnd): Promise<void> {
  await namespace.run('ip', 'addr', 'add', `${address4}/24`, 'dev', device);
  await namespace.run('ip', 'addr', 'add', `${address6}/64`, 'dev', device, 'nodad');
  await namespace.run('ip', 'link', 'set', device, 'up');
  await namespace.useCubic();
}
