'use strict';

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');

/** A script in a network namespace, and calls to it: one at a time, answered by IPC. */
class Worker {
  #child;

  /** @param prefix words before node's */
  constructor(namespace, script, args = [], prefix = []) {
    const file = path.join(__dirname, script);
    const words = ['netns', 'exec', namespace, ...prefix, process.execPath, file, ...args];
    this.#child = spawn('ip', words, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  }

  /** Sends a message, unless it is undefined, and waits for one. */
  async call(message) {
    const gone = once(this.#child, 'exit').then(([code, signal]) => {
      throw new Error(`a worker ended early (${signal ?? code})`);
    });
    gone.catch(() => undefined);
    if (message !== undefined) this.#child.send(message);
    const [reply] = await Promise.race([once(this.#child, 'message'), gone]);
    if (reply.error !== undefined) throw new Error(reply.error);
    return reply;
  }

  async end() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    if (this.#child.connected) this.#child.disconnect();
    else this.#child.kill();
    await exited;
  }
}

/** Starts a worker that uses `implementation` (worker.js). */
async function startWorker(namespace, implementation) {
  const worker = new Worker(namespace, 'worker.js');
  await worker.call({ implementation });
  return worker;
}

module.exports = { startWorker, Worker };
