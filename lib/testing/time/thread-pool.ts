import { createHook } from 'node:async_hooks';

/** Resources whose work the thread pool does: `SCRYPTREQUEST` and the like, and zlib's streams. */
const JOB = /REQUEST$|^ZLIB$/;

type Start = (...values: unknown[]) => unknown;

/**
 * Jobs of zlib and crypto in the thread pool, seen from JavaScript: each starts by a method of its
 * resource, and calls back in its resource's context. It makes every promise of the program several
 * times slower, so it is for where the addon is missing.
 */
export class ThreadPool {
  readonly #jobs = new Set<number>();
  readonly #hook = createHook({
    init: (id, type, _trigger, resource) => {
      if (JOB.test(type)) this.#watch(id, resource as Record<string, unknown>);
    },
    before: (id) => {
      if (this.#jobs.size > 0) this.#jobs.delete(id);
    },
  });

  /** Jobs that have been started since `enable()` and haven't called back. */
  get size(): number {
    return this.#jobs.size;
  }

  enable(): void {
    this.#hook.enable();
  }

  disable(): void {
    this.#hook.disable();
    this.#jobs.clear();
  }

  /** A stream of zlib starts jobs by `write`; any other resource is one job, started by `run`. */
  #watch(id: number, resource: Record<string, unknown>): void {
    const name = typeof resource.write === 'function' ? 'write' : 'run';
    const start = resource[name];
    if (typeof start !== 'function') return;
    resource[name] = (...values: unknown[]) => {
      this.#jobs.add(id);
      const result: unknown = Reflect.apply(start as Start, resource, values);
      // What gives a result at once is done: the same resources serve the synchronous functions.
      if (result !== undefined) this.#jobs.delete(id);
      return result;
    };
  }
}
