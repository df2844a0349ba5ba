import { createInterface } from 'node:readline';

/** What a script offers to the test that started it; arguments and results are JSON. */
export type Methods = Record<string, (...args: never[]) => unknown>;

/**
 * The script's side of `Script` (test/support/script.ts): answers calls that come as lines of JSON
 * on standard input, one after another. With the end of that input the process ends, when nothing
 * else keeps it.
 */
export function serve(methods: Methods): void {
  const lines = createInterface({ input: process.stdin });
  let turn = Promise.resolve();
  lines.on('line', (line) => {
    const { id, method, args } = JSON.parse(line) as { id: number; method: string; args: never[] };
    turn = turn.then(async () => {
      try {
        const result = await methods[method](...args);
        reply({ id, result: result === undefined ? null : result });
      } catch (error) {
        reply({ id, error: describeError(error) });
      }
    });
  });
}

function reply(message: object): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

function describeError(error: unknown): object {
  if (!(error instanceof Error)) return { message: String(error) };
  return { ...error, message: error.message, stack: error.stack };
}
