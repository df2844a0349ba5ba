import { codeError, invalidArgType } from '../../errors';
import { type EventLoop, isRequest, NodeEventLoop } from './event-loop';
import type { ProgramClock } from './program-clock';
import type { Timeline } from './timeline';

/**
 * - `done`: `isDone` has said so.
 * - `deadlock`: nothing will happen any more; the clock has not been moved.
 * - `limit`: nothing happens any more up to the limit, where the clock stands now.
 */
export type Outcome = 'done' | 'deadlock' | 'limit';

/** Turns of waiting after which the loop rests between two. */
const PATIENCE = 200;

/**
 * Moves time, turn after turn of the event loop: a network's clock goes on to what comes next only
 * when the program has nothing left to do at the present instant.
 *
 * The program is known to have something to do while it has called the network, or been called by
 * it, since the turn before; while it has immediates; while the event loop has requests under way;
 * and while it holds time. Between two deadlines at which it isn't called there is no turn.
 */
export class Turns {
  readonly #holds = new Map<object, string>();
  /** Grows when the program is called otherwise than by the network. */
  #stirs = 0;
  /** What the last turn saw of all activity. */
  #seen = -1;
  /** Turns that have found the same thing to wait for. */
  #waits = 0;
  /** What the event loop had as the run began: the test framework's. */
  #baseline: string[] = [];
  #running = false;

  constructor(
    private readonly timeline: Timeline,
    private readonly program: ProgramClock,
    private readonly loop: EventLoop = new NodeEventLoop(),
  ) {
    program.follow(timeline);
  }

  /**
   * Time stands still until the promise has settled.
   * @param name of what it is, for messages
   * @returns the promise
   * @throws TypeError ERR_INVALID_ARG_TYPE
   */
  hold<T>(promise: Promise<T>, name = 'a promise'): Promise<T> {
    if (typeof (promise as { then?: unknown } | null)?.then !== 'function') {
      throw invalidArgType('promise', 'an instance of Promise', promise);
    }
    const key = {};
    const release = () => {
      this.#holds.delete(key);
      this.#stirs++;
    };
    this.#holds.set(key, name);
    promise.then(release, release);
    return promise;
  }

  /**
   * Moves time until the program is done.
   * @param isDone asked when everything has settled at the present instant
   * @param limit µs, finite
   * @returns `deadlock` also when all that is left are timers that don't keep a process alive
   * @throws Error ERR_NETLAND_CLOCK_IN_USE; what the network throws, even while time is held
   */
  run(isDone: () => boolean, limit: number): Promise<Outcome> {
    return this.#run(() => {
      if (isDone()) return 'done';
      const idle = this.timeline.next() === Infinity && !this.program.isWaiting;
      return idle ? 'deadlock' : this.#advance(limit);
    });
  }

  /**
   * Moves time to `limit`, µs, finite, whatever happens or doesn't.
   * @throws Error ERR_NETLAND_CLOCK_IN_USE; what the network throws
   */
  async advance(limit: number): Promise<void> {
    await this.#run(() => this.#advance(limit));
  }

  /** What keeps the clock still now, and what may be missed because it doesn't: one line each. */
  describe(): string[] {
    const lines = [...this.#holds.values()].map((name) => `time is held by ${name}`);
    const requests = this.loop.requests();
    if (requests > 0) {
      lines.push(`${requests} requests of the event loop are under way (files, DNS, zlib, crypto)`);
    }
    const waiting = immediates(this.loop.resources());
    if (waiting > 0) lines.push(`${waiting} immediates of the program are pending`);
    const unseen = this.#unseen();
    if (unseen.length > 0) {
      lines.push(`not waited for unless held: ${unseen.join(', ')} (docs/virtual-time.md)`);
    }
    return lines;
  }

  /**
   * What has come to the event loop since the run began and doesn't keep the clock still: real
   * timers and sockets, child processes, by the names that Node has for them.
   */
  #unseen(): string[] {
    const known = [...this.#baseline];
    return this.loop.resources().filter((name) => {
      const index = known.indexOf(name);
      if (index >= 0) known.splice(index, 1);
      return index < 0 && name !== 'Immediate' && !isRequest(name);
    });
  }

  #run(settled: () => Outcome | null): Promise<Outcome> {
    if (this.#running) {
      const message = 'the clock is being moved already';
      return Promise.reject(codeError(Error, 'ERR_NETLAND_CLOCK_IN_USE', message));
    }
    this.#running = true;
    this.loop.begin();
    this.#baseline = this.loop.resources();
    this.#stirs++;
    return new Promise<Outcome>((resolve, reject) => {
      const turn = () => {
        try {
          this.timeline.rethrow();
          const outcome = this.#isBusy() ? null : settled();
          if (outcome === null) this.#next(turn);
          else resolve(outcome);
        } catch (error) {
          reject(error as Error);
        }
      };
      this.#next(turn);
    }).finally(() => {
      this.#running = false;
      this.loop.end();
    });
  }

  #next(turn: () => void): void {
    if (this.#waits > PATIENCE) this.loop.later(turn);
    else this.loop.soon(turn);
  }

  /** Whether the program may have something to do at the present instant. */
  #isBusy(): boolean {
    const activity = this.timeline.activity + this.#stirs;
    if (activity !== this.#seen) {
      this.#seen = activity;
      this.#waits = 0;
      return true;
    }
    const busy =
      this.#holds.size > 0 || this.loop.requests() > 0 || immediates(this.loop.resources()) > 0;
    this.#waits = busy ? this.#waits + 1 : 0;
    return busy;
  }

  /** On to the next thing that concerns the program. At equal times the network comes first. */
  #advance(limit: number): Outcome | null {
    const { timeline, program } = this;
    const timer = program.next();
    const end = Math.min(timer, limit);
    if (timeline.next() <= end) {
      timeline.advance(end);
      return null;
    }
    if (timer <= limit) {
      this.#fire(timer);
      return null;
    }
    timeline.moveTo(limit);
    return 'limit';
  }

  /**
   * Calls the program's timers that are due at `at`, each from the event loop, so that what it
   * throws goes where it would anyway. All are called before the immediates that they set.
   */
  #fire(at: number): void {
    if (at > this.timeline.now) this.timeline.moveTo(at);
    this.#stirs++;
    const fire = () => this.program.fire();
    for (let due = this.program.due(); due > 0; due--) this.loop.soon(fire);
  }
}

function immediates(resources: readonly string[]): number {
  let count = 0;
  for (const name of resources) if (name === 'Immediate') count++;
  return count;
}
