import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { realTables, section, simulatedTable, withSection } from '../../scripts/bench/tcp-udp/page';
import { measure } from '../../scripts/bench/tcp-udp/real';
import { simulate } from '../../scripts/bench/tcp-udp/simulated';

const page = readFileSync(join(__dirname, '../../docs/tcp-and-udp.md'), 'utf8');

describe('docs/tcp-and-udp.md', () => {
  it('has what is simulated (npm run bench:tcp-udp -- --simulated writes it)', async () => {
    const all = await simulate();
    expect(section(page, 'simulated')).toBe(simulatedTable(all));
    for (const { task, tcp, udp } of all) {
      expect([tcp.arrived, tcp.late]).toEqual([task.messages, 0]);
      expect(udp.first).toBeLessThan(tcp.first / 2);
    }
  });

  it('gets its measured part from a run, which works', async () => {
    const text = realTables(await measure(500, 50));
    const lines = text.split('\n');
    expect(lines.filter((line) => line.startsWith('| 1400 bytes'))).toHaveLength(1);
    expect(text).not.toMatch(/NaN|Infinity|undefined/);
    const heads = (of: string): string[] =>
      of
        .split('\n')
        .filter((line) => /^\| (message|idle)/.test(line))
        .map((line) => line.replace(/ +/g, ' '));
    expect(heads(text)).toEqual(heads(section(page, 'measured')));
    expect(heads(text)).toHaveLength(2);
    const changed = withSection(page, 'measured', text);
    expect(section(changed, 'measured')).toBe(text);
    expect(section(changed, 'simulated')).toBe(section(page, 'simulated'));
    expect(() => section(page, 'other')).toThrow('no section other');
  });
});
