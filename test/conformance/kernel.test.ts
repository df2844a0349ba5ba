import { EXCHANGES } from './exchanges/all';
import { PORTS, type Exchange } from './support/exchange';
import { compare, hasReference, Reference, runOurs, type Comparison } from './support/reference';
import { hasNamespaces, hasTun } from '../support/netns';
import { hasCommand, needs } from '../support/skip';

const isPossible =
  hasReference() && hasCommand('python3') && hasTun() && (process.getuid?.() ?? 0) === 0;

/** Namespaces for IPv4, and one for IPv6: the exchanges mostly wait. */
const PLACES: readonly (4 | 6)[] = [4, 4, 4, 4, 6];
/** A busy machine has its own times: what differs is said again, as often as this. */
const TRIES = 6;
const FIRST_PORT = 10_000;

/** What came of each exchange, by its name. */
const results = new Map<string, Comparison | Error>();

/** Runs one exchange after another, until none of that family is left. */
async function work(family: 4 | 6, queue: Exchange[]): Promise<void> {
  const reference = await Reference.start(family);
  try {
    for (;;) {
      const index = queue.findIndex((exchange) => (exchange.family ?? 4) === family);
      if (index < 0) return;
      const [exchange] = queue.splice(index, 1);
      results.set(exchange.name, await hold(exchange, reference));
    }
  } finally {
    await reference.close();
  }
}

async function hold(exchange: Exchange, reference: Reference): Promise<Comparison | Error> {
  const place = EXCHANGES.indexOf(exchange) * TRIES;
  try {
    for (let tried = 1; ; tried++) {
      const port = FIRST_PORT + (place + tried) * PORTS;
      const ours = await runOurs(exchange, port);
      const kernel = await reference.run(exchange, ours, port);
      const comparison = compare(
        ours.transcript,
        kernel.transcript,
        exchange.deviceMemory === true,
      );
      if (tried === TRIES || comparison.isSame) return comparison;
    }
  } catch (error) {
    return error as Error;
  }
}

describe('the exchanges', () => {
  test('are many, and each has a name of its own', () => {
    expect(EXCHANGES.length).toBeGreaterThan(60);
    expect(new Set(EXCHANGES.map(({ name }) => name)).size).toBe(EXCHANGES.length);
  });
});

needs(
  isPossible && hasNamespaces(),
  'root, namespaces, TUN, python3 and shared/conformance/kernel_reference.py beside the clone',
)('against the kernel', () => {
  beforeAll(async () => {
    const queue = [...EXCHANGES];
    await Promise.all(PLACES.map((family) => work(family, queue)));
  }, 240_000);

  test.each(EXCHANGES.map(({ name }) => name))('%s', (name) => {
    const result = results.get(name);
    if (result === undefined || result instanceof Error) throw result ?? new Error('not run');
    expect(result.ours).toEqual(result.kernel);
  });
});
