import { type ChildProcess, spawn } from 'node:child_process';

import type { Namespace } from '../../support/netns';

/** A foreign program that runs in a namespace until it is stopped. */
export class Daemon {
  output = '';
  /** Settles with the exit code, or minus 1 after a signal. */
  readonly exited: Promise<number>;
  private readonly waiting = new Set<() => void>();

  private constructor(
    private readonly child: ChildProcess,
    private readonly command: string,
  ) {
    const take = (text: string) => {
      this.output += text;
      for (const check of this.waiting) check();
    };
    child.stdout?.setEncoding('utf8').on('data', take);
    child.stderr?.setEncoding('utf8').on('data', take);
    child.stdin?.on('error', () => undefined);
    this.exited = new Promise((settle) => {
      child.on('error', (error) => take(error.message));
      child.on('close', (code) => {
        settle(code ?? -1);
        for (const check of this.waiting) check();
      });
    });
  }

  /** Starts a program and waits until it has printed what `ready` matches. */
  static async start(namespace: Namespace, command: string[], ready: RegExp): Promise<Daemon> {
    const words = [...namespace.via, ...command];
    const child = spawn(words[0], words.slice(1), { stdio: ['pipe', 'pipe', 'pipe'] });
    const daemon = new Daemon(child, command[0]);
    await daemon.printed(ready);
    return daemon;
  }

  /** Waits until what was printed matches. Rejects when the program ends before. */
  printed(expected: RegExp): Promise<void> {
    return new Promise((resolve, reject) => {
      const check = () => {
        const found = expected.test(this.output);
        const over = this.child.exitCode !== null || this.child.signalCode !== null;
        if (!found && !over) return;
        this.waiting.delete(check);
        if (found) resolve();
        else reject(new Error(`${this.command} has ended: ${this.output}`));
      };
      this.waiting.add(check);
      check();
    });
  }

  write(text: string): void {
    this.child.stdin?.write(text);
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<string> {
    this.child.kill(signal);
    await this.exited;
    return this.output;
  }
}
