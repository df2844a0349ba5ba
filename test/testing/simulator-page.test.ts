import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(__dirname, '../..');
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
const page = read('docs/simulator.md');

/** First column of the table below a heading. */
function firstColumn(heading: string): string[] {
  const section = page.slice(page.indexOf(heading)).split(/\n#+ /)[0];
  return [...section.matchAll(/^\| `([^`]+)`/gm)].map(([, name]) => name);
}

/** Names of the properties of an interface. */
function properties(file: string, name: string): string[] {
  const body = read(file).split(`export interface ${name} `)[1].split('\n}')[0];
  return [...body.matchAll(/^ {2}(\w+)\??:/gm)].map(([, property]) => property);
}

describe('the page about the simulator', () => {
  test('has all options of cables', () => {
    const options = properties('lib/testing/link/options.ts', 'WireOptions');
    expect(options).toHaveLength(12);
    expect(firstColumn('## Cables')).toEqual([...options, 'from']);
  });

  test('has all reasons for which packets are lost', () => {
    const [, list] = /LossReason =([^;]+);/.exec(read('lib/testing/engine/node.ts')) ?? [];
    const reasons = [...list.matchAll(/'(\w+)'/g)].map(([, reason]) => reason);
    expect(reasons.length).toBeGreaterThan(10);
    expect(firstColumn('## Why packets are lost').sort()).toEqual(reasons.sort());
  });

  test('has all counters of cables', () => {
    const [, cables] = page.split('### Changing it');
    for (const counter of properties('lib/testing/link/counters.ts', 'WireCounters')) {
      expect(cables).toContain(`\`${counter}\``);
    }
  });

  test('names what a segment has', () => {
    const view = read('lib/testing/segment-view.ts') + read('lib/observe/segment-view.ts');
    const [, list] = /The segment is a picture([\s\S]+?)`String\(segment\)`/.exec(page) ?? [];
    const names = [...list.matchAll(/`(\w+)`/g)].map(([, name]) => name);
    expect(names.length).toBeGreaterThan(20);
    expect(names.filter((name) => !view.includes(`get ${name}()`))).toEqual([]);
  });
});
