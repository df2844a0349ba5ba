import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(__dirname, '..');
const PARTS = ['core', 'device', 'addon'];

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** Sources that are there, as paths below native/. */
function present(part: string): string[] {
  return readdirSync(join(ROOT, 'native', part))
    .filter((name) => name.endsWith('.cc'))
    .map((name) => `${part}/${name}`)
    .sort();
}

function inCMake(file: string, part: string): string[] {
  const list = new RegExp(`set\\(NETLAND_${part.toUpperCase()}_SOURCES([^)]*)\\)`).exec(read(file));
  return (list?.[1] ?? '').trim().split(/\s+/);
}

function inGyp(part: string): string[] {
  const list = new RegExp(`"${part}_sources": \\[([^\\]]*)\\]`).exec(read('binding.gyp'));
  return [...(list?.[1] ?? '').matchAll(/"native\/([^"]+)"/g)].map((match) => match[1]);
}

describe.each(PARTS)('the sources of native/%s', (part) => {
  it("are all in CMake's list", () => {
    const file = part === 'core' ? 'native/CMakeLists.txt' : 'native/addon/addon.cmake';
    expect(inCMake(file, part)).toEqual(present(part));
  });

  it("are all in node-gyp's list", () => {
    expect(inGyp(part)).toEqual(present(part));
  });
});

it('both build with the same definitions', () => {
  const definitions = /target_compile_definitions\(netland PRIVATE([^)]*)\)/.exec(
    read('native/addon/addon.cmake'),
  );
  const gyp = /"defines": \[([^\]]*)\]/.exec(read('binding.gyp'));
  const defines = [...(gyp?.[1] ?? '').matchAll(/"([^"]+)"/g)].map((match) => match[1]);
  expect((definitions?.[1] ?? '').trim().split(/\s+/)).toEqual(defines);
});
