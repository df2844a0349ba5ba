/** ms */
const PAUSE = 10;
/** Characters of the last answer. */
const SHOWN = 2000;

/**
 * Asks again and again until `done` is content with the answer, and gives that.
 * @param within ms, far more than it takes: only what never happens reaches it. The last answer is
 *   in the error
 */
export async function until<T>(
  ask: () => T | Promise<T>,
  done: (answer: T) => boolean,
  within = 30_000,
): Promise<T> {
  const deadline = Date.now() + within;
  for (;;) {
    const answer = await ask();
    if (done(answer)) return answer;
    if (Date.now() > deadline) {
      const last = JSON.stringify(answer) ?? 'nothing';
      const end = last.length > SHOWN ? `…${last.slice(-SHOWN)}` : last;
      throw new Error(`not so within ${within} ms; at last: ${end}`);
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}
