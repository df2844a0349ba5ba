import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { hasNamespaces } from '../support/netns';
import { needs } from '../support/skip';

const ROOT = resolve(__dirname, '../..');

/** Runs a benchmark small: whether it works, not what it measures. It uses dist. */
function bench(script: string, ...args: string[]): string {
  const file = join(ROOT, 'scripts/bench', script);
  const { status, stdout, stderr } = spawnSync(process.execPath, [file, ...args], {
    encoding: 'utf8',
    timeout: 50_000,
  });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return stdout;
}

describe('the benchmarks', () => {
  it('prints bytes for each kind of entry', () => {
    const lines = bench('memory.js', '--count', '2000').trim().split('\n').slice(1);
    expect(lines.map((line) => line.replace(/ +\d+ /, ' N '))).toEqual([
      'idle connection N  (1024)',
      'SYN entry N  (256)',
      'TIME-WAIT entry N  (128)',
    ]);
  });

  needs(hasNamespaces(), 'root, network namespaces')('against the kernel', () => {
    it('prints throughput, CPU and ratio of both ways over both paths', () => {
      const lines = bench('bulk.js', '--rounds', '1', '--mebibytes', '2', '--paths', 'veth,tun')
        .trim()
        .split('\n');
      const cells = lines.slice(3).map((line) => line.trim().split(/ {2,}/));
      expect(cells.map(([path, way]) => `${path} ${way}`)).toEqual([
        'veth send',
        'veth receive',
        'tun send',
        'tun receive',
      ]);
      for (const row of cells) {
        expect(row).toHaveLength(8);
        expect(row.slice(2).every((cell) => parseFloat(cell) > 0)).toBe(true);
      }
    });
  });
});
