import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

const ROOT = resolve(__dirname, '../..');
const EXAMPLE = resolve(ROOT, 'examples/low-delay.mjs');
const LINE = /([\d.]+) Mbit\/s, round trips of (\d+) ms/;

describe('the example of a congestion controller', () => {
  const printed = execFileSync(process.execPath, [EXAMPLE], { encoding: 'utf8' });
  const [cubic, lowDelay] = printed
    .split('\n')
    .map((line) => LINE.exec(line)?.slice(1).map(Number));

  it('has less than 80 lines', () => {
    expect(readFileSync(EXAMPLE, 'utf8').split('\n').length).toBeLessThan(80);
  });

  it('uses the link, and keeps the queue short', () => {
    expect(cubic?.[0]).toBeGreaterThan(9);
    expect(lowDelay?.[0]).toBeGreaterThan(9);
    // 40 ms of the path, and what a few segments wait.
    expect(lowDelay?.[1]).toBeLessThan(60);
    expect(cubic?.[1]).toBeGreaterThan(200);
  });
});
