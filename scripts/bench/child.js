'use strict';

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');

/** A worker.js in a network namespace, and calls to it: one at a time, answered by IPC. */
class Worker {
  #child;

  constructor(namespace) {
    const script = path.join(__dirname, 'worker.js');
    const words = ['netns', 'exec', namespace, process.execPath, script];
    this.#child = spawn('ip', words, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  }

  async call(message) {
    const gone = once(this.#child, 'exit').then(([code, signal]) => {
      throw new Error(`a worker ended early (${signal ?? code})`);
    });
    gone.catch(() => undefined);
    this.#child.send(message);
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

/** Starts a worker that uses `implementation`: 'netland' (raw link) or 'node:net'. */
async function startWorker(namespace, implementation) {
  const worker = new Worker(namespace);
  await worker.call({ implementation });
  return worker;
}

module.exports = { startWorker };
