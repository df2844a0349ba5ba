import { spawn, type ChildProcess } from 'node:child_process';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';

const root = resolve(__dirname, '../..');
const register = resolve(__dirname, 'register.js');

/** How a script is started. */
export interface ScriptOptions {
  args?: readonly string[];
  /** Words before `node`: `['ip', 'netns', 'exec', name]`, `['setpriv', …]`. */
  via?: readonly string[];
  nodeArgs?: readonly string[];
  env?: NodeJS.ProcessEnv;
}

interface Reply {
  id: number;
  result?: unknown;
  error?: { message: string };
}

/** Null for what the script has printed by other ways. */
function parseReply(line: string): Reply | null {
  try {
    return JSON.parse(line) as Reply;
  } catch {
    return null;
  }
}

interface Refable {
  ref(): void;
  unref(): void;
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** A TypeScript file under test/ that runs in a process of its own and serves calls (rpc.ts). */
export class Script {
  readonly child: ChildProcess;
  /** Settles when the process has ended: its exit code, or minus 1 after a signal. */
  readonly exited: Promise<number>;
  stderr = '';
  #waiting = new Map<number, Waiting>();
  #lastId = 0;

  /** @param file path from the project's root */
  constructor(file: string, options: ScriptOptions = {}) {
    const node = [process.execPath, ...(options.nodeArgs ?? []), '-r', register];
    const words = [...(options.via ?? []), ...node, resolve(root, file), ...(options.args ?? [])];
    this.child = spawn(words[0], words.slice(1), {
      cwd: root,
      env: { ...process.env, ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.child.stdin?.on('error', () => undefined);
    this.#hold(false);
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    if (this.child.stdout) {
      createInterface({ input: this.child.stdout }).on('line', (line) => this.#onLine(line));
    }
    this.exited = new Promise((settle) => {
      this.child.on('error', (error) => this.#fail(error.message));
      this.child.on('close', (code) => {
        this.#fail(`${file} has ended with ${code}: ${this.stderr}`);
        settle(code ?? -1);
      });
    });
  }

  /** Calls one of the script's methods. Rejects with its error, `code` and the like included. */
  call<T = unknown>(method: string, ...args: unknown[]): Promise<T> {
    const id = ++this.#lastId;
    this.#hold(true);
    return new Promise<unknown>((settle, reject) => {
      this.#waiting.set(id, { resolve: settle, reject });
      this.child.stdin?.write(`${JSON.stringify({ id, method, args })}\n`);
    }) as Promise<T>;
  }

  /** Lets the script end by itself: its input ends. */
  async end(): Promise<number> {
    this.#hold(true);
    this.child.stdin?.end();
    return this.exited;
  }

  async kill(): Promise<void> {
    this.#hold(true);
    this.child.kill('SIGKILL');
    await this.exited;
  }

  /**
   * A script keeps this process only while something is expected of it: what a failed test has left
   * ends with its input.
   */
  #hold(held: boolean): void {
    for (const handle of [this.child, ...this.child.stdio] as (Refable | null)[]) {
      if (held) handle?.ref();
      else handle?.unref();
    }
  }

  #onLine(line: string): void {
    const reply = parseReply(line);
    if (reply === null) {
      this.stderr += `${line}\n`;
      return;
    }
    const { id, result, error } = reply;
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#hold(false);
    if (error) waiting?.reject(Object.assign(new Error(error.message), error));
    else waiting?.resolve(result);
  }

  #fail(reason: string): void {
    for (const { reject } of this.#waiting.values()) reject(new Error(reason));
    this.#waiting.clear();
  }
}
