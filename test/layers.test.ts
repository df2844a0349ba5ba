import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import ts from 'typescript';

const ROOT = resolve(__dirname, '..');

/** Which layers a layer of lib/ imports from, beside itself (docs/architecture.md). */
const TYPESCRIPT_LAYERS: Record<string, readonly string[]> = {
  core: [],
  codec: ['core'],
  observe: ['core', 'codec'],
  errors: ['core'],
  link: ['core', 'codec', 'observe', 'errors'],
  driver: ['core', 'codec', 'link', 'errors'],
  net: ['core', 'driver', 'errors'],
  dgram: ['core', 'driver', 'net', 'errors'],
  stack: ['core', 'driver', 'link', 'net', 'dgram', 'errors'],
  testing: ['core', 'codec', 'observe', 'errors', 'link', 'driver', 'net', 'dgram'],
  index: ['stack', 'net', 'dgram', 'driver', 'link', 'core', 'errors'],
  cli: ['index', 'link', 'observe', 'core'],
};

/** Layers that a program's clock, randomness, files and sockets don't reach. */
const PURE_LAYERS = ['core', 'codec'];

const NATIVE_LAYERS: Record<string, readonly string[]> = {
  core: [],
  device: ['core'],
  addon: ['core', 'device'],
};

/** Headers of Node and of the operating system's I/O, which native/core does without. */
const NODE_HEADERS = /^(napi|node_api|js_native_api|uv)\.h$/;
const SYSTEM_HEADERS = /^(unistd\.h|fcntl\.h|(sys|linux|net|netinet|arpa)\/.*)$/;

function filesUnder(folder: string, pattern: RegExp): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && pattern.test(entry.name))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
    .sort();
}

/** `lib/tcp/x.ts` is of layer `tcp`, `lib/index.ts` of layer `index`. */
function layerOf(path: string): string {
  return path.split('/')[1].replace(/\.\w+$/, '');
}

function importsOf(file: string): string[] {
  const text = readFileSync(join(ROOT, file), 'utf8');
  return ts.preProcessFile(text, true, true).importedFiles.map((imported) => imported.fileName);
}

function includesOf(file: string): string[] {
  const text = readFileSync(join(ROOT, file), 'utf8');
  return [...text.matchAll(/^\s*#\s*include\s*[<"]([^>"]+)[>"]/gm)].map((match) => match[1]);
}

describe('the layers of lib/', () => {
  const files = filesUnder('lib', /\.ts$/);

  it('knows every folder', () => {
    const layers = new Set(files.map(layerOf));
    expect([...layers].filter((layer) => !(layer in TYPESCRIPT_LAYERS))).toEqual([]);
    expect(layers.size).toBeGreaterThan(4);
  });

  it.each(Object.entries(TYPESCRIPT_LAYERS))('%s imports from %j alone', (layer, allowed) => {
    const wrong: string[] = [];
    for (const file of files.filter((path) => layerOf(path) === layer)) {
      for (const imported of importsOf(file).filter((name) => name.startsWith('.'))) {
        const target = layerOf(relative(ROOT, resolve(ROOT, dirname(file), imported)));
        if (target !== layer && !allowed.includes(target)) wrong.push(`${file}: ${imported}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it.each(PURE_LAYERS)('%s imports neither Node nor a package', (layer) => {
    const wrong = files
      .filter((path) => layerOf(path) === layer)
      .flatMap((file) => importsOf(file).map((name) => `${file}: ${name}`))
      .filter((line) => !/: \.\.?\//.test(line));
    expect(wrong).toEqual([]);
  });

  it('loads the addon in one file only', () => {
    const loaders = files.filter((file) => importsOf(file).includes('node-gyp-build'));
    expect(loaders).toEqual(['lib/link/native.ts']);
  });
});

describe('the lists of native sources', () => {
  /** Paths such as core/parse.cc, wherever in these files. */
  function sourcesIn(...files: string[]): string[] {
    const text = files.map((file) => readFileSync(join(ROOT, file), 'utf8')).join('\n');
    return [...text.matchAll(/\b(?:core|device|addon)\/\w+\.cc\b/g)]
      .map((match) => match[0])
      .sort();
  }

  const present = Object.keys(NATIVE_LAYERS)
    .flatMap((layer) => filesUnder(`native/${layer}`, /\.cc$/))
    .map((file) => relative('native', file))
    .sort();

  it('are the same for node-gyp as for CMake, and have every file', () => {
    expect(sourcesIn('binding.gyp')).toEqual(present);
    expect(sourcesIn('native/CMakeLists.txt', 'native/addon/addon.cmake')).toEqual(present);
  });
});

describe('the layers of native/', () => {
  const files = filesUnder('native', /\.(h|cc)$/).filter((path) => layerOf(path) in NATIVE_LAYERS);

  it.each(Object.entries(NATIVE_LAYERS))('%s includes from %j alone', (layer, allowed) => {
    const own = files.filter((path) => layerOf(path) === layer);
    expect(own).not.toEqual([]);
    const wrong: string[] = [];
    for (const file of own) {
      for (const included of includesOf(file)) {
        const target = Object.keys(NATIVE_LAYERS).find((name) =>
          included.split('/').slice(0, -1).includes(name),
        );
        if (target === undefined || target === layer || allowed.includes(target)) continue;
        wrong.push(`${file}: ${included}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('core knows neither Node nor sockets', () => {
    const wrong = files
      .filter((path) => layerOf(path) === 'core')
      .flatMap((file) => includesOf(file).map((name) => ({ file, name })))
      .filter(({ name }) => NODE_HEADERS.test(name) || SYSTEM_HEADERS.test(name));
    expect(wrong).toEqual([]);
  });

  it('device knows nothing of Node', () => {
    const wrong = files
      .filter((path) => layerOf(path) === 'device')
      .flatMap((file) => includesOf(file).map((name) => ({ file, name })))
      .filter(({ name }) => NODE_HEADERS.test(name));
    expect(wrong).toEqual([]);
  });
});
