import { cellAt, CELLS, OPTION_CELLS, optionCellAt, SCENES } from '../../support/bad-input';
import { Script } from '../../support/script';
import type { Result } from './bad-input-child';

// A table of all that a peer can send: test/support/bad-input.ts has what must hold of each cell.
// A part of the cells is tried each time (the steps have no factor in common with the table's
// dimensions), all of them at night.

const NIGHTLY = process.env.NETLAND_NIGHTLY === '1';
const SEGMENT_STEP = NIGHTLY ? 1 : 197;
const OPTION_STEP = NIGHTLY ? 1 : 127;
const TIMEOUT = 1_000_000;

const script = new Script('test/core/tcp/bad-input-child.ts');
afterAll(() => script.end());

const every = (count: number, step: number): number[] =>
  Array.from({ length: Math.ceil(count / step) }, (_, i) => i * step);

test(
  'every combination of flags, numbers and data, in every state: nothing breaks, nothing is left',
  async () => {
    const { tried, failures } = await script.call<Result>('segments', SEGMENT_STEP);
    expect(failures).toEqual([]);
    expect(tried).toBe(Math.ceil(CELLS / SEGMENT_STEP));
  },
  TIMEOUT,
);

test(
  'every option of every length, whole and cut off: the connection goes on as without it',
  async () => {
    const { tried, failures } = await script.call<Result>('options', OPTION_STEP);
    expect(failures).toEqual([]);
    expect(tried).toBe(Math.ceil(OPTION_CELLS / OPTION_STEP));
  },
  TIMEOUT,
);

test('the part that is always tried has each state with each flag set, place and kind', () => {
  const cells = every(CELLS, 97).map(cellAt);
  expect(new Set(cells.map(({ flags }) => flags)).size).toBe(512);
  expect(new Set(cells.map(({ flags, state }) => `${state} ${flags & 0x17}`)).size).toBe(
    Object.keys(SCENES).length * 16,
  );
  expect(new Set(cells.map(({ state, place, ack }) => `${state} ${place} ${ack}`)).size).toBe(
    Object.keys(SCENES).length * 35,
  );
  const options = every(OPTION_CELLS, 61).map(optionCellAt);
  expect(new Set(options.map(({ kind }) => kind)).size).toBe(256);
  expect(new Set(options.map(({ length }) => length)).size).toBe(41);
});
