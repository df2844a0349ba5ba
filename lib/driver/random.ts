import { randomFillSync } from 'node:crypto';
import type { Random } from '../core/environment';

/** Random words of the system's source, taken a page at a time. */
export class SystemRandom implements Random {
  readonly #words = new Int32Array(1024);
  #used = this.#words.length;

  next(): number {
    if (this.#used === this.#words.length) {
      randomFillSync(this.#words);
      this.#used = 0;
    }
    const word = this.#words[this.#used];
    this.#words[this.#used++] = 0;
    return word;
  }
}
