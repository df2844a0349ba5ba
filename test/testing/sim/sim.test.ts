import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { makeSettings, SETTINGS, type SettingName } from '../../../lib/core/tcp/settings';
import { FAULT_KINDS } from '../../sim/faults';
import { readOptions, replayCommand } from '../../sim/options';
import regressions from '../../sim/regressions.json';
import { drawSettings } from '../../sim/settings';
import { Totals } from '../../sim/totals';
import { Script } from '../../support/script';

const ROOT = resolve(__dirname, '../../..');
const TIMEOUT = 120_000;
const NIGHTLY = process.env.NETLAND_NIGHTLY === '1';

/** Runs `npm run sim` with these arguments; what it printed and its exit code. */
async function sim(...args: string[]): Promise<{ code: number; out: string }> {
  const command = ['-r', './test/support/register.js', 'test/sim/main.ts', ...args];
  try {
    const { stdout } = await promisify(execFile)(process.execPath, command, { cwd: ROOT });
    return { code: 0, out: stdout };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, out: stdout + stderr };
  }
}

interface Log {
  lines: number;
  hash: string;
  report: unknown;
}

const script = new Script('test/sim/log-child.ts');
afterAll(() => script.end());

const MANY = NIGHTLY ? 16 : 4;

// Seed 3 has a switch, seed 10 goes through streams.
const SEEDS = NIGHTLY ? [1, 2, 3, 4, 5, 6, 10] : [3, 4, 5, 10];

test.each(SEEDS)(
  'seed %d gives the same event log twice, byte for byte',
  async (seed) => {
    const first = await script.call<Log>('logOf', seed);
    expect(first.lines).toBeGreaterThan(10);
    expect(await script.call<Log>('logOf', seed)).toEqual(first);
  },
  TIMEOUT,
);

test(
  'many seeds in two processes: a summary, and the counts on the last line',
  async () => {
    const { code, out } = await sim('--seeds', `${MANY}`, '--from', '100', '--workers', '2');
    const count = MANY + regressions.length;
    expect(out).toContain(`${count} networks in `);
    expect(out).toMatch(/^\d+ connections: \d+ accepted/m);
    expect(out).toMatch(/^\d+ datagrams, \d+ of them read; \d+ pings$/m);
    expect(out).toMatch(/^\d+ segments, \d+ of them again; \d+ events; \d+ segments\/s/m);
    expect(out).toMatch(/^faults: \d+ /m);
    expect(out).toMatch(/^slowest: seed \d+, /m);
    expect(out.endsWith(`\n${count} passed, 0 failed, 0 skipped\n`)).toBe(true);
    expect(code).toBe(0);
  },
  TIMEOUT,
);

test(
  'a replay prints the settings of hosts, every segment with the states of its ends, every fault',
  async () => {
    const { code, out } = await sim('--replay', '12', '--faults', 'cut');
    expect(out).toMatch(/^h0: (\w+=\d+ ?)+\nh1: /);
    expect(out).toMatch(/^\d+\.\d{6} -- cut h\d-[hr]\d/m);
    expect(out).toMatch(/^\d+\.\d{6} h\d\.\d+ > h\d\.80: Flags \[S\].* \[SYN-SENT\]$/m);
    expect(out).toMatch(/\[received, ESTABLISHED\]$/m);
    expect(code).toBe(0);
  },
  TIMEOUT,
);

describe('the settings of hosts', () => {
  const all = Array.from({ length: 400 }, (_, seed) => drawSettings(seed, 'h0'));

  it('are mixed: each choice takes all its values, most others some', () => {
    const seen = (name: SettingName): Set<number> =>
      new Set(all.map((settings) => settings[name] ?? SETTINGS[name].default));
    const names = Object.keys(SETTINGS) as SettingName[];
    for (const name of names) {
      const { unit, min, max } = SETTINGS[name];
      if (['bool', 'choice', 'bits'].includes(unit)) expect(seen(name).size).toBe(max - min + 1);
    }
    expect(names.filter((name) => seen(name).size > 1).length).toBeGreaterThan(20);
  });

  it('are settings that a stack takes', () => {
    for (const settings of all) expect(makeSettings(settings)).toMatchObject(settings);
  });

  it('differ from host to host, and are the same again', () => {
    expect(drawSettings(1, 'h1')).not.toEqual(all[1]);
    expect(drawSettings(1, 'h0')).toEqual(all[1]);
  });
});

describe('the command line', () => {
  it('has defaults', () => {
    expect(readOptions([])).toMatchObject({ seeds: 2000, from: 1, faults: FAULT_KINDS });
  });

  it('takes some faults, or none', () => {
    expect(readOptions(['--faults', 'crash,cut']).faults).toEqual(['crash', 'cut']);
    expect(readOptions(['--faults', 'none']).faults).toEqual([]);
  });

  it.each([
    [['--faults', 'flood'], "there is no 'flood'"],
    [['--seeds', 'many'], "--seeds must be a whole number from 1 on; received 'many'"],
    [['--workers', '0'], '--workers must be'],
    [['--nonsense'], 'nonsense'],
  ])('%j is refused', (args, message) => {
    expect(() => readOptions(args)).toThrow(message);
  });

  it('a failing seed is named with the command that replays it', () => {
    expect(replayCommand(7, FAULT_KINDS)).toBe('npm run sim -- --replay 7');
    expect(replayCommand(7, ['cut'])).toBe('npm run sim -- --replay 7 --faults cut');
    expect(replayCommand(7, [])).toBe('npm run sim -- --replay 7 --faults none');
  });

  it('a seed that fails is counted, and printed with what was wrong and that command', () => {
    const print = jest.spyOn(console, 'log').mockImplementation(() => undefined);
    const totals = new Totals(readOptions(['--quiet', '--faults', 'cut']));
    totals.add({ seed: 7, report: null, error: 'Error: lost', cost: 1 }, ['cut']);
    totals.print();
    const lines = print.mock.calls.map(([line]) => String(line));
    print.mockRestore();
    expect(lines).toEqual([
      '\nseed 7: Error: lost\n  npm run sim -- --replay 7 --faults cut\n',
      '0 passed, 1 failed, 0 skipped',
    ]);
  });

  it('bad usage ends with code 2', async () => {
    const { code, out } = await sim('--faults', 'flood');
    expect(out).toContain("there is no 'flood'");
    expect(code).toBe(2);
  });
});
