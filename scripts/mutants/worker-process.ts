import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import type { Answer, Request } from './protocol';
import { ROOT } from './sample';

/** MiB: a mutant that allocates without end must not take the machine's memory. */
const HEAP = 1536;

/** A worker (worker.ts), which is replaced when it hangs or ends. */
export class WorkerProcess {
  private child: ChildProcess | null = null;

  constructor(private readonly folder: string) {
    process.once('exit', () => this.end());
  }

  /** What the worker answers; null when it took more than `limit` ms, or ended. */
  async ask(request: Request, limit: number): Promise<Answer | null> {
    const child = (this.child ??= this.start());
    const answer = await new Promise<Answer | null>((resolve) => {
      const timer = setTimeout(done, limit, null);
      function done(result: Answer | null): void {
        clearTimeout(timer);
        child.removeAllListeners('exit').removeAllListeners('message');
        resolve(result);
      }
      child.once('exit', () => done(null));
      child.once('message', done);
      child.send(request);
    });
    if (answer === null) this.end();
    return answer;
  }

  /** It may be asked again, and begins anew then. */
  end(): void {
    const pid = this.child?.pid;
    this.child = null;
    if (pid === undefined) return;
    try {
      // With the processes that its tests have started.
      process.kill(-pid, 'SIGKILL');
    } catch {
      // All of them have ended.
    }
  }

  private start(): ChildProcess {
    return fork(join(__dirname, 'worker.ts'), [this.folder], {
      cwd: this.folder,
      // Not the long tests of `npm run nightly`, and few of the lives of chaos.test.ts.
      env: { ...process.env, NETLAND_NIGHTLY: '', NETLAND_SEEDS: '8', NODE_NO_WARNINGS: '1' },
      execArgv: ['-r', join(ROOT, 'test/support/register.js'), `--max-old-space-size=${HEAP}`],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      detached: true,
    });
  }
}
