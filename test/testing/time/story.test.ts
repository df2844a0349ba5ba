import { execFile } from 'node:child_process';
import { join } from 'node:path';
import promises from 'node:timers/promises';
import { promisify } from 'node:util';
import { Network } from '../../../lib/testing';
import story from './story/story.cjs';

const FOLDER = join(__dirname, 'story');
const VITEST = join(__dirname, '../../../node_modules/vitest/vitest.mjs');

/** Runs Node, and gives the story that the program tells on its standard output. */
async function toldBy(args: string[], environment: NodeJS.ProcessEnv = {}): Promise<string[]> {
  const env = { ...process.env, ...environment, NODE_OPTIONS: '', NODE_TEST_CONTEXT: undefined };
  const child = await promisify(execFile)(process.execPath, args, { cwd: FOLDER, env });
  const told = /story (\[.*\])/.exec(child.stdout);
  if (told === null) throw new Error(`no story in ${child.stdout}`);
  return JSON.parse(told[1]) as string[];
}

const vitest = (pool: string) => [VITEST, 'run', '--root', FOLDER, '--pool', pool];

/** The runs of one program, which are to be equal wherever it runs. */
describe('three downloads, with files, zlib and timers at the server', () => {
  let told: string[];

  beforeAll(async () => {
    told = await story(Network, (delay) => promises.setTimeout(delay));
  });

  it('take the time that their timers and the network take', () => {
    expect(told.map((line) => line.replace(/^(\S+) \1 /, ''))).toEqual([
      ...['/a', '/b', '/c'].flatMap((path) => [
        `asked ${path}`,
        `answers ${path}`,
        `50000 bytes of ${path}`,
      ]),
      expect.stringMatching(/^\d+ ticks$/),
      'as before',
    ]);
    const times = told.map((line) => parseInt(line));
    for (const asked of [0, 3, 6]) expect(times[asked + 1] - times[asked]).toBe(5);
    // SYN, its answer, the request; the work; the answer's first segment.
    expect(times[0]).toBeGreaterThanOrEqual(60);
    expect(times[2] - times[1]).toBeGreaterThanOrEqual(22);
  });

  it.each([
    ['Jest, a second time', () => story(Network, (delay) => promises.setTimeout(delay))],
    ['plain Node', () => toldBy(['plain.mjs'])],
    ['plain Node without the addon', () => toldBy(['plain.mjs'], { NETLAND_NATIVE: '0' })],
    ['node:test', () => toldBy(['--test', 'node-test.mjs'])],
    ['Vitest with threads', () => toldBy(vitest('threads'))],
    ['Vitest with child processes', () => toldBy(vitest('forks'))],
  ])(
    'are the same in %s',
    async (_where, tell) => {
      expect(await tell()).toEqual(told);
    },
    60_000,
  );
});
