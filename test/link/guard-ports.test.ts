import { ANY4, ANY6, ipv4, ipv6 } from '../../lib/core/ip/address';
import { ephemeralRanges, parseRanges, rotate } from '../../lib/link/ephemeral-ranges';
import { GuardPorts, type GuardPortsOptions } from '../../lib/link/guard-ports';
import type { NativeAddon } from '../../lib/link/native';

const EMFILE = 24;
const EADDRINUSE = 98;
const EAFNOSUPPORT = 97;
const EINVAL = 22;

/** A kernel that knows which ports are bound: exactly, or by a wildcard. */
class Kernel {
  readonly open = new Map<number, string>();
  readonly taken = new Set<string>();
  /** File descriptors that are left. */
  room = Infinity;
  filters: Int32Array[] = [];
  private next = 0;

  bind(address: Int32Array, port: number): number {
    if (this.room <= 0) return -EMFILE;
    const key = `${address[2] === 0xffff ? 4 : 6} ${address[3]} ${port}`;
    const wildcard = `${address[2] === 0xffff ? 4 : 6} 0 ${port}`;
    const inUse = [...this.open.values(), ...this.taken].some(
      (each) =>
        each === key ||
        each === wildcard ||
        (address[3] === 0 && each.startsWith(key[0]) && each.endsWith(` ${port}`)),
    );
    if (inUse) return -EADDRINUSE;
    this.room--;
    this.open.set(this.next, key);
    return this.next++;
  }

  close(guard: number): void {
    if (!this.open.delete(guard)) throw new Error('not open');
    this.room++;
  }

  /** What lib/link uses of the addon. */
  addon(limit = 10_000): NativeAddon {
    const bind = (address: Int32Array, port: number) => this.bind(address, port);
    const close = (guard: number) => this.close(guard);
    const { open } = this;
    class PortGuards {
      open = bind;
      close = close;
      openRange(address: Int32Array, first: number, out: Int32Array): void {
        for (let i = 0; i < out.length; i++) out[i] = bind(address, first + i);
      }
      closeAll(): void {
        open.clear();
      }
    }
    return { PortGuards, descriptorLimit: () => limit } as unknown as NativeAddon;
  }

  setPorts(rows: Int32Array): number {
    this.filters.push(rows);
    return 0;
  }
}

const OPTIONS: GuardPortsOptions = {
  form: 1,
  protocol: 6,
  device: '',
  families: [4, 6],
  block: 4,
  max: 100,
  range: [50_000, 50_099],
};

function make(options: Partial<GuardPortsOptions> = {}, limit?: number) {
  const kernel = new Kernel();
  const ports = new GuardPorts(kernel.addon(limit), kernel, { ...OPTIONS, ...options });
  return { kernel, ports };
}

const A = ipv4(0x0a000001);
const B = ipv4(0x0a000002);
const SIX = ipv6(0xfd000000, 0, 0, 7);

function ephemeral(ports: GuardPorts, family: 4 | 6): number[] {
  return Array.from({ length: ports.ephemeralCount(family) }, (_, i) =>
    ports.ephemeralPort(family, i),
  );
}

describe('single ports', () => {
  it('are guarded while they are reserved, and let in', () => {
    const { kernel, ports } = make();
    expect(ports.reserve(A, 80)).toBe(0);
    expect(ports.reserve(SIX, 80)).toBe(0);
    expect([...kernel.open.values()]).toEqual([`4 ${A.w3} 80`, '6 7 80']);
    expect([...(kernel.filters.at(-1) ?? [])]).toEqual([
      ...[4, 80, 80, 0, 0, 0xffff, A.w3],
      ...[6, 80, 80, SIX.w0, 0, 0, 7],
    ]);
    ports.release(A, 80);
    ports.release(SIX, 80);
    expect(kernel.open.size).toBe(0);
    expect(kernel.filters.at(-1)).toHaveLength(0);
  });

  it('may be reserved by several', () => {
    const { kernel, ports } = make();
    ports.reserve(A, 80);
    expect(ports.reserve(A, 80)).toBe(0);
    const filters = kernel.filters.length;
    ports.release(A, 80);
    expect(kernel.open.size).toBe(1);
    expect(kernel.filters).toHaveLength(filters);
    ports.release(A, 80);
    expect(kernel.open.size).toBe(0);
  });

  it('at one address are covered by the guard of all, which stays for them', () => {
    const { kernel, ports } = make();
    expect(ports.reserve(ANY4, 80)).toBe(0);
    expect(ports.reserve(A, 80)).toBe(0);
    expect(ports.reserve(B, 80)).toBe(0);
    expect(kernel.open.size).toBe(1);
    ports.release(ANY4, 80);
    ports.release(B, 80);
    expect(kernel.open.size).toBe(1);
    ports.release(A, 80);
    expect(kernel.open.size).toBe(0);
  });

  it('of the wildcards are of one family each', () => {
    const { kernel, ports } = make();
    expect(ports.reserve(ANY6, 80)).toBe(0);
    expect(ports.reserve(A, 80)).toBe(0);
    expect(kernel.open.size).toBe(2);
    expect(ports.reserve(ANY4, 80)).toBe(EADDRINUSE);
  });

  it('that fail leave nothing behind', () => {
    const { kernel, ports } = make({ families: [4] });
    kernel.taken.add(`4 ${A.w3} 80`);
    expect(ports.reserve(A, 80)).toBe(EADDRINUSE);
    expect(ports.reserve(A, 0)).toBe(EINVAL);
    expect(ports.reserve(A, 65_536)).toBe(EINVAL);
    expect(ports.reserve(SIX, 80)).toBe(EAFNOSUPPORT);
    expect(ports.growEphemeral(6)).toBe(false);
    expect(ephemeral(ports, 6)).toEqual([]);
    kernel.setPorts = () => -EINVAL;
    expect(ports.reserve(B, 80)).toBe(EINVAL);
    expect(kernel.open.size).toBe(0);
  });

  it('that were never reserved cannot be released', () => {
    const { ports } = make();
    expect(() => ports.release(A, 80)).toThrow('10.0.0.1 port 80');
    ports.reserve(A, 80);
    ports.close();
    expect(() => ports.release(A, 80)).not.toThrow();
  });
});

describe('ephemeral ports', () => {
  it('come in blocks and are never given back', () => {
    const { kernel, ports } = make();
    expect(kernel.open.size).toBe(0);
    const first = ephemeral(ports, 4);
    expect(first).toHaveLength(4);
    expect(kernel.open.size).toBe(4);
    expect(ports.growEphemeral(4)).toBe(true);
    expect(ephemeral(ports, 4).slice(0, 4)).toEqual(first);
    expect(ephemeral(ports, 4)).toHaveLength(8);
    expect(ports.count).toBe(8);
  });

  it('cost neither guard nor filter when they are used', () => {
    const { kernel, ports } = make();
    const [port] = ephemeral(ports, 4);
    const { length } = kernel.filters;
    for (let i = 0; i < 1000; i++) {
      expect(ports.reserve(A, port)).toBe(0);
      ports.release(A, port);
    }
    expect(kernel.filters).toHaveLength(length);
    expect(kernel.open.size).toBe(4);
  });

  it('leave out what is taken, and end with the range', () => {
    const { kernel, ports } = make({ range: [50_000, 50_009], block: 6 });
    for (const port of [50_001, 50_004, 50_005]) kernel.taken.add(`4 0 ${port}`);
    expect(ephemeral(ports, 4)).toHaveLength(6);
    expect(ports.growEphemeral(4)).toBe(true);
    expect(ephemeral(ports, 4).sort()).toEqual([
      50_000, 50_002, 50_003, 50_006, 50_007, 50_008, 50_009,
    ]);
    expect(ports.growEphemeral(4)).toBe(false);
    expect(ephemeral(ports, 6)).toHaveLength(6);
  });

  it('are let in as few ranges', () => {
    const { kernel, ports } = make({ range: [50_000, 50_099], block: 100 });
    kernel.taken.add('4 0 50050');
    ephemeral(ports, 4);
    const rows = kernel.filters.at(-1) ?? new Int32Array();
    expect(rows.length / 7).toBeLessThanOrEqual(3);
    const admitted = new Set<number>();
    for (let i = 0; i < rows.length; i += 7) {
      for (let port = rows[i + 1]; port <= rows[i + 2]; port++) admitted.add(port);
    }
    expect([...admitted].sort()).toEqual(ephemeral(ports, 4).sort());
  });

  it('stop at the limit, at their share of descriptors, and when there are none', () => {
    const limited = make({ max: 6 });
    expect(limited.ports.ephemeralCount(4)).toBe(4);
    expect(limited.ports.growEphemeral(4)).toBe(true);
    expect(limited.ports.ephemeralCount(4)).toBe(6);
    expect(limited.ports.growEphemeral(4)).toBe(false);

    const shared = make({}, 10);
    expect(shared.ports.ephemeralCount(4)).toBe(4);
    expect(shared.ports.ephemeralCount(6)).toBe(1);
    expect(shared.ports.growEphemeral(4)).toBe(false);

    const poor = make();
    poor.kernel.room = 2;
    expect(poor.ports.ephemeralCount(4)).toBe(2);
    expect(poor.ports.growEphemeral(4)).toBe(false);
    poor.kernel.room = 10;
    expect(poor.ports.growEphemeral(4)).toBe(true);
    const all = ephemeral(poor.ports, 4);
    expect(new Set(all).size).toBe(6);
  });

  it('may be bound by name too', () => {
    const { kernel, ports } = make();
    const [port] = ephemeral(ports, 4);
    expect(ports.reserve(ANY4, port)).toBe(0);
    expect(ports.reserve(A, port)).toBe(0);
    ports.release(A, port);
    ports.release(ANY4, port);
    expect(kernel.open.size).toBe(4);
    expect(ports.reserve(ANY6, port)).toBe(0);
    expect(kernel.open.size).toBe(5);
  });
});

describe('where ephemeral ports are taken from', () => {
  const kernel = { range: [32_768, 60_999] as const, reserved: [] };

  it("is above the kernel's range, from a random place, then below, then in it", () => {
    expect(ephemeralRanges(kernel, () => 100)).toEqual([
      [61_100, 65_535],
      [61_000, 61_099],
      [16_384, 32_767],
      [32_768, 60_999],
    ]);
    expect(ephemeralRanges(kernel, () => 0)[0]).toEqual([61_000, 65_535]);
  });

  it('leaves out what the administrator keeps', () => {
    const reserved = parseRanges('61000-61009,65535, 20000');
    expect(ephemeralRanges({ ...kernel, reserved }, () => 0)).toEqual([
      [61_010, 65_534],
      [16_384, 19_999],
      [20_001, 32_767],
      [32_768, 60_999],
    ]);
  });

  it('is inside where the kernel has everything', () => {
    const all = { range: [1024, 65_535] as const, reserved: [] };
    expect(ephemeralRanges(all, () => 5)).toEqual([
      [16_389, 65_535],
      [16_384, 16_388],
    ]);
  });

  it('never goes astray over what /proc says', () => {
    expect(parseRanges('')).toEqual([]);
    expect(parseRanges('nonsense,7')).toEqual([[7, 7]]);
    expect(rotate([5, 5], () => 0)).toEqual([[5, 5]]);
  });
});
