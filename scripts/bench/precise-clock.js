'use strict';

/** Longest sleep while something is due soon, ms: packets that come meanwhile wait so long. */
const NAP = 0.2;
/** From so long before an alarm on it is not left to Node's timers, which are 1 ms coarse. */
const SOON = 2;

const cell = new Int32Array(new SharedArrayBuffer(4));

/** Whether alarms go off within a fraction of a millisecond, at the cost of many turns. */
class PreciseClock {
  #alarms = [];
  #timeout = null;
  #isTurning = false;

  now() {
    return performance.now();
  }

  alarm(callback) {
    const entry = { at: Infinity, callback };
    this.#alarms.push(entry);
    return {
      set: (at) => {
        entry.at = at;
        this.#arm();
      },
      ref: () => undefined,
      unref: () => undefined,
    };
  }

  get #next() {
    return this.#alarms.reduce((least, { at }) => Math.min(least, at), Infinity);
  }

  #arm() {
    if (this.#isTurning || this.#next === Infinity) return;
    const left = this.#next - this.now();
    clearTimeout(this.#timeout);
    if (left > SOON) {
      this.#timeout = setTimeout(() => this.#arm(), Math.floor(left - SOON / 2));
      return;
    }
    this.#isTurning = true;
    setImmediate(() => this.#turn());
  }

  #turn() {
    const left = this.#next - this.now();
    if (left > 0.02) Atomics.wait(cell, 0, 0, Math.min(left, NAP));
    const now = this.now();
    for (const entry of this.#alarms) {
      if (entry.at > now) continue;
      entry.at = Infinity;
      entry.callback();
    }
    this.#isTurning = false;
    this.#arm();
  }
}

module.exports = { PreciseClock };
