import { Script } from '../support/script';
import { CELLS } from './cells';
import { CONTROLLERS } from './controllers';
import { cellName, differences, shareNames, storedFigures, type Figures } from './figures';
import { SHARES } from './shares';
import { bound } from './theory';

const NIGHTLY = process.env.NETLAND_NIGHTLY === '1';
const controllers = CONTROLLERS;
const script = new Script('test/golden/worker.ts');
afterAll(() => script.end());

test.each(controllers)(
  'the figures of %s are what they were (npm run golden -- --update takes new ones)',
  async (controller) => {
    const measured = await script.call<Figures>('measure', controller, !NIGHTLY, '');
    expect(Object.keys(measured).length).toBeGreaterThan(10);
    expect(differences(storedFigures()[controller], measured)).toEqual([]);
  },
  600_000,
);

test('there is a figure for every cell and share of every controller, and no other', () => {
  const names = [...CELLS.map(cellName), ...SHARES.flatMap(shareNames)];
  expect(CELLS.length).toBe(72);
  expect(new Set(names).size).toBe(names.length);
  const stored = storedFigures();
  expect(Object.keys(stored)).toEqual(controllers);
  for (const name of controllers) expect(Object.keys(stored[name])).toEqual(names);
});

test('a figure that moves is told with both values', () => {
  expect(differences({ a: 200, b: 1, c: 0 }, { a: 150, b: 1, c: 2, d: 3 })).toEqual([
    'a: 200 -> 150 (-25.0 %)',
    'c: 0 -> 2',
    'd: none -> 3',
  ]);
});

test('no goodput is above the rate of the link', () => {
  for (const figures of Object.values(storedFigures())) {
    for (const cell of CELLS) {
      const link = bound({ ...cell, loss: undefined, buffer: undefined }, 'reno').kbps;
      // What waited for a retransmission when counting began comes on top.
      expect(figures[cellName(cell)]).toBeLessThanOrEqual(link * 1.05);
    }
  }
});

describe('theory', () => {
  const cell = { ...CELLS[0], rate: 10_000, rtt: 100, buffer: undefined };

  test("Reno's window at 1 % is 12.2 packets (RFC 9438, table 1)", () => {
    const { kbps, limit } = bound({ ...cell, loss: 0.01 }, 'reno');
    expect(limit).toBe('loss');
    expect((kbps * 100) / 8 / 1448).toBeCloseTo(12.2, 1);
  });

  test.each([
    [0.01, 12],
    [0.001, 38],
    [0.0001, 187],
    [0.00001, 1054],
  ])("CUBIC's at %d, 100 ms, is %d packets (RFC 9438, table 1)", (loss, packets) => {
    const { kbps } = bound({ ...cell, loss }, 'cubic');
    expect(Math.abs((kbps * 100) / 8 / 1448 - packets)).toBeLessThan(1);
  });

  test('bursts count once', () => {
    const p = 0.01 / 4 / (1 - 0.01);
    const burst = bound({ ...cell, loss: { p, r: 0.25 } }, 'reno').kbps;
    expect(burst).toBe(bound({ ...cell, loss: 0.0025 }, 'reno').kbps);
  });
});
