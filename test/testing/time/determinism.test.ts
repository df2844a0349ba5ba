import { loadNative } from '../../../lib/link/native';
import { tell, type Work, WORK } from './work';

const RUNS = process.env.NETLAND_NIGHTLY === '1' ? 20 : 8;

/** µs that the server takes for an answer. */
const TIMED: Partial<Record<Work, number>> = {
  'a timer': 5000,
  'timers/promises': 5000,
  'an interval': 6000,
};

const kinds = Object.keys(WORK) as Work[];

function expected(kind: Work): string[] {
  const work = TIMED[kind] ?? 0;
  const events: [number, string][] = [];
  for (let i = 0; i < 3; i++) {
    const asked = i * 5000 + 20_000;
    events.push([asked, `request /${i}`], [asked + work, `answer /${i}`]);
    events.push([asked + work + 20_000, `100000 bytes of /${i}`]);
  }
  const last = events[events.length - 1][0];
  const lines = events.map(([at, text]) => `${at} ${Math.floor(at / 1000)} ${text}`);
  return [...lines, `${last} done`].sort();
}

async function check(kind: Work): Promise<void> {
  const first = await tell(kind);
  expect([...first].sort()).toEqual(expected(kind));
  for (let i = 1; i < RUNS; i++) expect(await tell(kind)).toEqual(first);
}

describe(`${RUNS} runs are the same, and work takes no virtual time`, () => {
  if (loadNative().addon?.activeRequests === undefined) throw new Error('build the addon first');

  it.each(kinds)('%s', check, 60_000);
});

describe('without the addon', () => {
  beforeAll(() => {
    process.env.NETLAND_NATIVE = '0';
  });
  afterAll(() => {
    delete process.env.NETLAND_NATIVE;
  });

  it.each(kinds)('%s', check, 60_000);
});
