import { RESULT_COUNTERS } from '../../lib/codec/result';
import { Word } from '../../lib/core/segment/layout';
import { loadNative, type NativeAddon, requireNative } from '../../lib/link/native';
import { rawLink } from '../../lib/link/raw';
import { tunLink } from '../../lib/link/tun';
import { SlabTable } from '../../lib/core/memory/slabs';
import { needs } from '../support/skip';

const { addon, reason } = loadNative();
const native = addon as NativeAddon;

const context = () => ({
  host: {
    receive: () => undefined,
    writable: () => undefined,
    changed: () => undefined,
    down: () => undefined,
  },
  slabs: new SlabTable(),
  hashKey: Int32Array.of(1, 2),
  addresses: [],
});

describe('without the native addon', () => {
  beforeEach(() => {
    process.env.NETLAND_NATIVE = '0';
  });
  afterEach(() => {
    delete process.env.NETLAND_NATIVE;
  });

  it('loading says why', () => {
    expect(loadNative()).toEqual({ addon: null, reason: 'NETLAND_NATIVE=0 is set' });
  });

  it('what needs it rejects with the remedy', async () => {
    for (const link of [rawLink(), tunLink()]) {
      await expect(link.open(context())).rejects.toMatchObject({
        code: 'ERR_NETLAND_NO_NATIVE',
        message: expect.stringContaining('npm rebuild netland'),
      });
    }
    expect(() => requireNative('it')).toThrow('NETLAND_NATIVE=0 is set');
  });

  it('options are checked all the same', () => {
    expect(() => rawLink({ device: 'longer than any name' })).toThrow(TypeError);
    expect(() => tunLink({ mtu: 67 })).toThrow(RangeError);
  });
});

describe('options', () => {
  const code = (make: () => unknown): string => {
    try {
      make();
      return 'none';
    } catch (error) {
      return (error as NodeJS.ErrnoException).code ?? String(error);
    }
  };

  it('of the raw link', () => {
    const wrong = (options: object) => code(() => rawLink(options));
    expect(wrong({ device: 1 })).toBe('ERR_INVALID_ARG_TYPE');
    expect(wrong({ device: '' })).toBe('ERR_INVALID_ARG_VALUE');
    expect(wrong({ device: 'a/b' })).toBe('ERR_INVALID_ARG_VALUE');
    expect(wrong({ guard: 'firewall' })).toBe('ERR_INVALID_ARG_VALUE');
    expect(wrong({ ports: { block: 0 } })).toBe('ERR_OUT_OF_RANGE');
    expect(wrong({ ports: { max: 70_000 } })).toBe('ERR_OUT_OF_RANGE');
    expect(wrong({ ports: { max: '1' } })).toBe('ERR_INVALID_ARG_TYPE');
    expect(wrong({ ports: { range: [0, 10] } })).toBe('ERR_OUT_OF_RANGE');
    expect(wrong({ ports: { range: [20, 10] } })).toBe('ERR_OUT_OF_RANGE');
    expect(wrong({ partialChecksums: ['lo', '.'] })).toBe('ERR_INVALID_ARG_VALUE');
    expect(wrong({ device: 'lo', guard: 'md5', ports: { range: [1, 2] } })).toBe('none');
  });

  it('of the TUN link', () => {
    const wrong = (options: object) => code(() => tunLink(options));
    expect(wrong({ name: 'sixteen-bytes-ok' })).toBe('ERR_INVALID_ARG_VALUE');
    expect(wrong({ name: 'nl%d%d' })).toBe('ERR_INVALID_ARG_VALUE');
    expect(wrong({ mtu: 65_536 })).toBe('ERR_OUT_OF_RANGE');
    expect(wrong({ hostAddresses: ['10.0.0.300/8'] })).toBe('ERR_INVALID_ARG_VALUE');
    expect(wrong({ hostAddresses: ['0.0.0.0/8'] })).toBe('ERR_INVALID_ARG_VALUE');
    expect(wrong({ hostAddresses: ['ff02::1/64'] })).toBe('ERR_INVALID_ARG_VALUE');
    expect(wrong({ routes: ['10.0.0.0'] })).toBe('none');
    expect(wrong({ routes: ['10.0.0.0/33'] })).toBe('ERR_INVALID_ARG_VALUE');
    expect(wrong({ routes: ['0.0.0.0/0', '::/0'] })).toBe('none');
    expect(wrong({ routes: [7] })).toBe('ERR_INVALID_ARG_VALUE');
    expect(wrong({ offload: 1 })).toBe('ERR_INVALID_ARG_TYPE');
    expect(wrong({ fd: -1 })).toBe('ERR_OUT_OF_RANGE');
    expect(wrong({ fd: '3' })).toBe('ERR_INVALID_ARG_TYPE');
    expect(wrong({ fd: 3, name: 'nl0' })).toBe('ERR_INVALID_ARG_VALUE');
    expect(wrong({ name: 'nl%d', hostAddresses: ['fd00::1/64'], mtu: 1280 })).toBe('none');
  });
});

/** What both sides of the border number. */
const TABLES = [
  'Word',
  'IcmpWord',
  'BuildWord',
  'ArpWord',
  'Checksum',
  'Direction',
  'Flag',
  'Option',
  'IpProtocol',
] as const;

needs(addon !== null, `the native addon (${reason ?? ''})`)('the native addon', () => {
  it('has the layout of TypeScript', () => {
    const layout: Record<string, unknown> = jest.requireActual('../../lib/core/segment/layout');
    const result: Record<string, unknown> = jest.requireActual('../../lib/codec/result');
    const named = (table: unknown) =>
      Object.fromEntries(Object.entries(table as object).filter(([name]) => !/^\d+$/.test(name)));
    for (const name of TABLES) {
      expect(named(layout[name])).toEqual(native.layout[name]);
    }
    expect(native.layout.limits).toEqual({
      MAX_SLICES: layout.MAX_SLICES,
      SLICE_WORDS: layout.SLICE_WORDS,
      MAY_FRAGMENT: layout.MAY_FRAGMENT,
      MORE_FRAGMENTS: layout.MORE_FRAGMENTS,
      IS_FRAGMENT: layout.IS_FRAGMENT,
    });
    expect(named(result.ParseResult)).toEqual(native.layout.ParseResult);
    expect(native.counterNames.slice(-RESULT_COUNTERS.length)).toEqual(RESULT_COUNTERS);
    expect(new Set(native.counterNames).size).toBe(native.counterNames.length);
  });

  it('is loaded by several registries side by side, each with classes of its own', () => {
    const addons: NativeAddon[] = [];
    for (let i = 0; i < 3; i++) {
      jest.isolateModules(() => {
        const module =
          jest.requireActual<typeof import('../../lib/link/native')>('../../lib/link/native');
        addons.push(module.requireNative('the test'));
      });
    }
    for (const each of addons) {
      const bytes = Uint8Array.of(1, 2, 3);
      expect(each.sum(bytes)).toBe(0x0402);
      const routes = new each.Routes('');
      expect(routes.kindOf(Int32Array.of(0, 0, 0xffff, 0x7f000001))).toBe(1);
      routes.close();
      expect(routes.kindOf(Int32Array.of(0, 0, 0xffff, 0x7f000001))).toBe(1);
      routes.close();
    }
  });

  it('answers misuse with an error', () => {
    const words = new Int32Array(Word.Stride);
    const misuses: (() => unknown)[] = [
      () => native.parseMany(new Uint8Array(10), 0, Int32Array.of(5, 6), words, words, words),
      () =>
        native.parseMany(
          new Uint8Array(10),
          0,
          Int32Array.of(5, 6),
          Int32Array.of(1, 2),
          words,
          new Int32Array(1),
        ),
      () =>
        native.parseMany(
          new Uint8Array(10),
          0,
          Int32Array.of(-1, 1),
          Int32Array.of(1, 2),
          words,
          new Int32Array(1),
        ),
      () => native.buildMany(words, new Int32Array(3), [], new Uint8Array(), 0, new Int32Array(1)),
      () => native.hashMany(new Int32Array(3), words),
      () => new native.PortGuards(4 as 1, ''),
      () => new native.PortGuards(1, '').open(new Int32Array(3), 1),
      () => new native.PortGuards(1, '').open(new Int32Array(4), 0),
      () => new native.PortGuards(1, '').openRange(new Int32Array(4), 65_535, new Int32Array(2)),
      () => new native.PortGuards(1, '').close(0),
      () => new native.PortGuards(3, '').join(new Int32Array(3), 0),
      () => new native.PortGuards(3, '').join(new Int32Array(4), -1),
      () => new native.Routes('').find(new Int32Array(8), false),
      () => new native.Routes('').kindOf(new Int32Array(3)),
      () => new native.Device({} as never),
      () => new native.Device(null as never),
      () => new native.Monitor(null as never),
      () => native.addAddress('lo', new Int32Array(3), 8),
      () => native.setUpInterface('lo', -1),
    ];
    // Errors made in C++ are of another realm than Jest's: compared by name.
    for (const misuse of misuses) {
      expect(misuse).toThrow(expect.objectContaining({ name: 'TypeError' }) as Error);
    }
    expect(native.filterProgram(Int32Array.of(5, 1, 2, 0, 0, 0, 0), 4)).toBeNull();
    expect(native.filterProgram(Int32Array.of(4, 2, 1, 0, 0, 0, 0), 4)).toBeNull();
    expect(native.filterProgram(Int32Array.of(4, 0, 0x10000, 0, 0, 0, 0), 4)).toBeNull();
  });

  it('says that interfaces are not there', () => {
    expect(native.interfaceIndex('nowhere0')).toBe(0);
    expect(native.interfaceName(0x7fffffff)).toBe('');
    expect(native.interfaceMtu('nowhere0')).toBe(-19);
    expect(native.interfaceIsUp('nowhere0')).toBe(-19);
    expect(native.setUpInterface('nowhere0', 0)).toBe(-19);
    expect(native.addAddress('nowhere0', new Int32Array(4), 8)).toBe(-19);
    expect(native.descriptorLimit()).toBeGreaterThan(10);
  });
});
