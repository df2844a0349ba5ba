import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';

/** A Python script that is run in one process after another, each a fork of one (forks.py). */
export class Forks {
  private readonly parent: ChildProcess;
  private readonly lines: Interface;
  /** Those that have not ended. */
  private readonly running = new Set<number>();

  /** @param via words that put a command to where the script is to run */
  constructor(via: readonly string[], script: string) {
    const [command, ...words] = [...via, 'python3', join(__dirname, 'forks.py'), script];
    this.parent = spawn(command, words, { stdio: ['pipe', 'pipe', 'inherit'] });
    const { stdout } = this.parent;
    if (stdout === null) throw new Error('no output of forks.py');
    this.lines = createInterface({ input: stdout });
    this.lines.on('line', (line) => {
      const [, event, pid] = /^(started|ended) (\d+)$/.exec(line) ?? [];
      if (event === 'started') this.running.add(Number(pid));
      else if (event === 'ended') this.running.delete(Number(pid));
    });
  }

  /**
   * Starts the script; one at a time.
   * @returns its process, once it has printed `ready`
   */
  async start(...words: readonly string[]): Promise<number> {
    let started = 0;
    const ready = this.sees((line) => {
      started ||= Number(/^started (\d+)$/.exec(line)?.[1] ?? 0);
      return line === 'ready';
    });
    this.parent.stdin?.write(`${words.join(' ')}\n`);
    await ready;
    return started;
  }

  /** Kills a process, and waits until it holds nothing any more. */
  async kill(pid: number): Promise<void> {
    if (!this.running.has(pid)) return;
    const ended = this.sees((line) => line === `ended ${pid}`);
    process.kill(pid, 'SIGKILL');
    await ended;
  }

  async close(): Promise<void> {
    await Promise.all([...this.running].map((pid) => this.kill(pid)));
    const closed = new Promise((resolve) => this.parent.once('close', resolve));
    this.parent.stdin?.end();
    await closed;
  }

  /** Waits for a line; an error if the parent ends before. */
  private sees(isIt: (line: string) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const { lines, parent } = this;
      const done = (error?: Error) => {
        lines.off('line', look);
        parent.off('close', end);
        if (error === undefined) resolve();
        else reject(error);
      };
      const look = (line: string) => void (isIt(line) && done());
      const end = () => done(new Error('forks.py has ended'));
      lines.on('line', look);
      parent.on('close', end);
    });
  }
}
