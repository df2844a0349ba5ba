import * as timers from 'node:timers';

// Taken at import, so that fake timers that are installed later don't stop the links.
const { setImmediate, clearImmediate, setTimeout, clearTimeout } = timers;

/** What an unreferenced turn waits at most when the event loop sleeps, ms. */
const UNREFERENCED_DELAY = 1;

/** Runs a callback once in a later turn of the event loop, however often it is asked for. */
export class Turn {
  private immediate: NodeJS.Immediate | null = null;
  private timeout: NodeJS.Timeout | null = null;
  private referenced = true;

  constructor(private readonly callback: () => void) {}

  /** Asks for the callback, unless it is asked for already. */
  request(): void {
    if (this.immediate !== null) return;
    this.immediate = setImmediate(() => this.run());
    if (!this.referenced) this.release();
  }

  cancel(): void {
    if (this.immediate !== null) clearImmediate(this.immediate);
    if (this.timeout !== null) clearTimeout(this.timeout);
    this.immediate = null;
    this.timeout = null;
  }

  /** A turn that is asked for keeps the process alive (the default). */
  ref(): void {
    this.referenced = true;
    this.immediate?.ref();
  }

  /** It doesn't. */
  unref(): void {
    this.referenced = false;
    if (this.immediate !== null) this.release();
  }

  private release(): void {
    this.immediate?.unref();
    // An immediate that isn't referenced doesn't wake a loop that waits for other things.
    this.timeout ??= setTimeout(() => this.run(), UNREFERENCED_DELAY).unref();
  }

  private run(): void {
    this.cancel();
    this.callback();
  }
}
