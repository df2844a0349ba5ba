import { Chaos, type Attack } from '../../support/chaos';
import { Script } from '../../support/script';

/** Lives in each block; `npm run nightly` has many more. */
const SEEDS = Number(process.env.NETLAND_SEEDS ?? (process.env.NETLAND_NIGHTLY ? 5000 : 20));
const BLOCKS = [0, 1, 2, 3].map((block) => [1 + block * SEEDS, (block + 1) * SEEDS] as const);
const TIMEOUT = 1_000_000;

const script = new Script('test/core/tcp/chaos-child.ts');
afterAll(() => script.end());

async function live(first: number, last: number, attack: Attack): Promise<void> {
  expect(await script.call('live', first, last, attack)).toBe(SEEDS);
}

describe('two stacks on a bad wire: all arrives once and in order, or somebody is told', () => {
  test.each(BLOCKS)('seeds %d to %d', (first, last) => live(first, last, 'none'), TIMEOUT);
});

describe('the same, with an attacker who knows the ports: he changes nothing', () => {
  const blocks = BLOCKS.slice(0, 2);
  test.each(blocks)('seeds %d to %d', (first, last) => live(first, last, 'blind'), TIMEOUT);
});

describe('the same, with segments of any kind: nothing breaks, no byte is wrong', () => {
  const blocks = BLOCKS.slice(0, 2);
  test.each(blocks)('seeds %d to %d', (first, last) => live(first, last, 'any'), TIMEOUT);
});

test.each(['none', 'any'] as const)('one seed is one run, attack %s', (attack) => {
  const [first, second] = [0, 1].map(() => {
    const chaos = new Chaos(7, attack, true);
    chaos.run();
    return [...chaos.lab.a.log, ...chaos.lab.b.log];
  });
  expect(first.length).toBeGreaterThan(100);
  expect(second).toEqual(first);
});
