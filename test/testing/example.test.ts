import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

const ROOT = resolve(__dirname, '../..');
const EXAMPLE = resolve(ROOT, 'examples/pulled-cable.mjs');

describe('the first example of the README', () => {
  const readme = readFileSync(resolve(ROOT, 'README.md'), 'utf8');

  it('is the file of that name', () => {
    expect(readme).toContain(`\`\`\`js\n${readFileSync(EXAMPLE, 'utf8')}\`\`\`\n`);
  });

  it('prints what the README says, but for the time that it takes', () => {
    const printed = execFileSync(process.execPath, [EXAMPLE], { encoding: 'utf8' });
    const anyTime = (text: string) => text.replace(/took \d+ ms/g, 'took N ms');
    expect(anyTime(printed)).toMatch(/^9\d{5}\.\d+ ms: read ETIMEDOUT\nthat took N ms\n$/);
    expect(anyTime(readme)).toContain(anyTime(printed).repeat(2));
  });
});
