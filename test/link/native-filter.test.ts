import * as fc from 'fast-check';
import { FilterKind, loadNative, type NativeAddon } from '../../lib/link/native';
import { needs } from '../support/skip';

const { addon, reason } = loadNative();
const native = addon as NativeAddon;

/** The kernel's limit on a program (BPF_MAXINSNS). */
const MAX_INSTRUCTIONS = 4096;

/** Where the kind of a packet is (SKF_AD_OFF + SKF_AD_PKTTYPE), and that of what is looped back. */
const PACKET_KIND = 0xfffff004;
const PACKET_LOOPBACK = 5;

/** Where the network header starts, whatever the data starts with (SKF_NET_OFF). */
const NET_OFF = 0xfff00000;

const ANY4 = [0, 0, 0xffff, 0];
const ANY6 = [0, 0, 0, 0];

type Range = { first: number; last: number; address: readonly number[] };

/** Instructions that load from the packet: how many bytes, and whether from x on. */
const LOADS: Readonly<Record<number, readonly [size: number, fromX: number]>> = {
  0xb1: [1, 0],
  0x50: [1, 1],
  0x30: [1, 0],
  0x48: [2, 1],
  0x28: [2, 0],
  0x20: [4, 0],
};

/**
 * Runs a classic BPF program as the kernel does, as far as our filters go.
 * @param data what the socket's packet starts with
 * @param network the IP header
 */
function run(program: readonly number[], data: Buffer, network: Buffer, kind = 0): boolean {
  let a = 0;
  let x = 0;
  for (let at = 0; ; at += 4) {
    const [code, jt, jf, k] = program.slice(at, at + 4);
    const load = (size: 1 | 2 | 4, offset: number): number => {
      if (offset === PACKET_KIND) return kind;
      const [from, place] = offset >= NET_OFF ? [network, offset - NET_OFF] : [data, offset];
      return from.readUIntBE(place, size);
    };
    // What lies outside of the packet ends the program.
    const [size, where] = LOADS[code] ?? [0, 0];
    if (size > 0 && k < NET_OFF && where * x + k + size > data.length) return false;
    switch (code) {
      case 0xb1: // ldx 4*([k]&0xf)
        x = 4 * (data[k] & 0xf);
        break;
      case 0x50: // ldb [x + k]
        a = load(1, x + k);
        break;
      case 0x30: // ldb [k]
        a = load(1, k);
        break;
      case 0x54: // and #k
        a &= k;
        break;
      case 0x64: // lsh #k
        a <<= k;
        break;
      case 0x0c: // add x
        a += x;
        break;
      case 0x07: // tax
        x = a;
        break;
      case 0x48: // ldh [x + k]
        a = load(2, x + k);
        break;
      case 0x28: // ldh [k]
        a = load(2, k);
        break;
      case 0x20: // ld [k]
        a = load(4, k);
        break;
      case 0x05: // ja
        at += 4 * k;
        break;
      case 0x15: // jeq
        at += 4 * (a === k ? jt : jf);
        break;
      case 0x35: // jge
        at += 4 * (a >= k ? jt : jf);
        break;
      case 0x25: // jgt
        at += 4 * (a > k ? jt : jf);
        break;
      case 0x06: // ret
        return k !== 0;
      default:
        throw new Error(`instruction ${code.toString(16)} at ${at / 4}`);
    }
  }
}

const rowsOf = (family: number, ranges: readonly Range[]): Int32Array =>
  Int32Array.from(ranges.flatMap(({ first, last, address }) => [family, first, last, ...address]));

/** A packet as a raw socket of the family has it: [its data, its IP header]. */
function packet(
  family: 4 | 6,
  port: number,
  address: readonly number[],
  options = 0,
): [Buffer, Buffer] {
  const tcp = Buffer.alloc(20);
  tcp.writeUInt16BE(port, 2);
  if (family === 4) {
    const ip = Buffer.alloc(20 + options);
    ip[0] = 0x40 | (ip.length / 4);
    ip.writeInt32BE(address[3], 16);
    const whole = Buffer.concat([ip, tcp]);
    return [whole, whole];
  }
  const ip = Buffer.alloc(40);
  address.forEach((word, i) => ip.writeInt32BE(word | 0, 24 + 4 * i));
  return [tcp, ip];
}

const TCP = 6;

/** An ICMP error about a packet from `port`, as `packet` has it. */
function quote(
  family: 4 | 6,
  port: number,
  address: readonly number[],
  { options = 0, quotedOptions = 0, protocol = TCP } = {},
): [Buffer, Buffer] {
  const [, ip] = packet(family, 0, address, options);
  const quoted = Buffer.from(packet(family, 0, address, quotedOptions)[1]);
  const header = family === 4 ? 20 + quotedOptions : 40;
  quoted[family === 4 ? 9 : 6] = protocol;
  const tcp = Buffer.alloc(8);
  tcp.writeUInt16BE(port, 0);
  const message = Buffer.concat([Buffer.alloc(8), quoted.subarray(0, header), tcp]);
  return family === 4
    ? [Buffer.concat([ip.subarray(0, 20 + options), message]), ip]
    : [message, ip];
}

const port = fc.integer({ min: 0, max: 65_535 });
const addressOf = (family: 4 | 6): fc.Arbitrary<readonly number[]> =>
  fc
    .integer({ min: 1, max: 5 })
    .map((n) => (family === 4 ? [0, 0, 0xffff, 0x0a000000 + n] : [0xfd000000 | 0, 0, n, -n]));
const range = (family: 4 | 6): fc.Arbitrary<Range> =>
  fc.oneof(
    fc.record({ first: port, size: fc.integer({ min: 0, max: 300 }) }).map(({ first, size }) => ({
      first,
      last: Math.min(65_535, first + size),
      address: family === 4 ? ANY4 : ANY6,
    })),
    fc.record({ first: port, address: addressOf(family) }).map(({ first, address }) => ({
      first,
      last: first,
      address,
    })),
  );

const admits = (ranges: readonly Range[], to: number, address: readonly number[]): boolean =>
  ranges.some(
    (each) =>
      to >= each.first &&
      to <= each.last &&
      (each.address === ANY4 || each.address === ANY6 || `${each.address}` === `${address}`),
  );

needs(addon !== null, `the native addon (${reason ?? ''})`)('the filter of our ports', () => {
  it('lets nothing in without ports', () => {
    for (const family of [4, 6] as const) {
      const program = native.filterProgram(new Int32Array(), family) ?? [];
      expect(run(program, ...packet(family, 80, ANY6))).toBe(false);
    }
  });

  it.each([4, 6] as const)('lets in what is in a range, and nothing else (family %i)', (family) => {
    const property = fc.property(
      fc.array(range(family), { maxLength: 60 }),
      fc.array(port, { minLength: 20, maxLength: 20 }),
      addressOf(family),
      fc.integer({ min: 0, max: 10 }),
      (ranges, ports, address, options) => {
        const program = native.filterProgram(rowsOf(family, ranges), family) ?? [];
        expect(program.length).toBeLessThanOrEqual(4 * MAX_INSTRUCTIONS);
        const edges = ranges.flatMap(({ first, last }) => [first - 1, first, last, last + 1]);
        for (const to of [...ports, ...edges.filter((each) => each >= 0 && each <= 65_535)]) {
          const passed = run(program, ...packet(family, to, address, 4 * options));
          expect([to, passed]).toEqual([to, admits(ranges, to, address)]);
        }
      },
    );
    fc.assert(property, { numRuns: 200 });
  });

  it('only has the ports of its own family', () => {
    const rows = Int32Array.of(...rowsOf(4, [{ first: 80, last: 80, address: ANY4 }]));
    const program = native.filterProgram(rows, 6) ?? [];
    expect(run(program, ...packet(6, 80, ANY6))).toBe(false);
  });

  it('lets in more, never less, where the ranges are too many for the kernel', () => {
    const ranges: Range[] = [];
    for (let first = 0; first < 60_000; first += 20 + (first % 7)) {
      ranges.push({ first, last: first, address: [0, 0, 0xffff, 0x0a000001] });
    }
    const program = native.filterProgram(rowsOf(4, ranges), 4) ?? [];
    expect(ranges.length * 6).toBeGreaterThan(MAX_INSTRUCTIONS);
    expect(program.length).toBeLessThanOrEqual(4 * MAX_INSTRUCTIONS);
    for (const { first } of ranges) {
      expect(run(program, ...packet(4, first, [0, 0, 0xffff, 0x0a000001]))).toBe(true);
    }
    expect(run(program, ...packet(4, 65_000, ANY4))).toBe(false);
    const quotes = native.filterProgram(rowsOf(4, ranges), 4, FilterKind.Quotes) ?? [];
    expect(quotes.length).toBeLessThanOrEqual(4 * MAX_INSTRUCTIONS);
    for (const { first } of ranges) {
      expect(run(quotes, ...quote(4, first, [0, 0, 0xffff, 0x0a000001]))).toBe(true);
    }
    expect(run(quotes, ...quote(4, 65_000, ANY4))).toBe(false);
  });

  it.each([4, 6] as const)(
    'lets in ICMP errors about what was sent from a range (family %i)',
    (family) => {
      const property = fc.property(
        fc.array(range(family), { maxLength: 60 }),
        fc.array(port, { minLength: 20, maxLength: 20 }),
        addressOf(family),
        fc.record({
          options: fc.integer({ min: 0, max: 10 }).map((words) => 4 * words),
          quotedOptions: fc.integer({ min: 0, max: 10 }).map((words) => 4 * words),
        }),
        (ranges, ports, address, options) => {
          const program =
            native.filterProgram(rowsOf(family, ranges), family, FilterKind.Quotes) ?? [];
          expect(program.length).toBeLessThanOrEqual(4 * MAX_INSTRUCTIONS);
          const edges = ranges.flatMap(({ first, last }) => [first - 1, first, last, last + 1]);
          for (const from of [...ports, ...edges.filter((each) => each >= 0 && each <= 65_535)]) {
            const [data, ip] = quote(family, from, address, options);
            expect([from, run(program, data, ip)]).toEqual([from, admits(ranges, from, address)]);
            expect(run(program, data.subarray(0, -7), ip)).toBe(false);
            const [about, of] = quote(family, from, address, { ...options, protocol: 17 });
            expect(run(program, about, of)).toBe(false);
          }
        },
      );
      fc.assert(property, { numRuns: 100 });
    },
  );

  it.each([4, 6] as const)(
    'lets in ICMP errors about datagrams from their own ranges (family %i)',
    (family) => {
      const property = fc.property(
        fc.array(range(family), { maxLength: 30 }),
        fc.array(range(family), { maxLength: 30 }),
        addressOf(family),
        fc.constantFrom(6, 17, 132),
        (tcp, udp, address, protocol) => {
          const rows = [tcp, udp].map((each) => rowsOf(family, each));
          const program = native.filterProgram(rows[0], family, FilterKind.Quotes, rows[1]) ?? [];
          expect(program.length).toBeLessThanOrEqual(4 * MAX_INSTRUCTIONS);
          const ours = protocol === 17 ? udp : protocol === 6 ? tcp : [];
          for (const { first, last } of [...tcp, ...udp]) {
            for (const from of [Math.max(0, first - 1), first, last]) {
              const passed = run(program, ...quote(family, from, address, { protocol }));
              expect([from, passed]).toEqual([from, admits(ours, from, address)]);
            }
          }
        },
      );
      fc.assert(property, { numRuns: 100 });
    },
  );

  it.each([4, 6] as const)('lets in no datagram that we have sent (family %i)', (family) => {
    const property = fc.property(
      fc.array(range(family), { maxLength: 30 }),
      fc.array(port, { minLength: 10, maxLength: 10 }),
      addressOf(family),
      (ranges, ports, address) => {
        const program = native.filterProgram(rowsOf(family, ranges), family, FilterKind.Udp) ?? [];
        const all = [...ports, ...ranges.map(({ first }) => first)];
        for (const to of all) {
          const [data, ip] = packet(family, to, address);
          const from = all[(to * 7) % all.length];
          data.writeUInt16BE(from, family === 4 ? 20 : 0);
          const wanted = admits(ranges, to, address);
          expect(run(program, data, ip)).toBe(wanted);
          const own = ranges.some(({ first, last }) => from >= first && from <= last);
          const looped = run(program, data, ip, PACKET_LOOPBACK);
          if (own || wanted) expect(looped).toBe(!own);
        }
      },
    );
    fc.assert(property, { numRuns: 100 });
  });

  it('fits where both kinds of ports are too many', () => {
    const many = Array.from({ length: 3000 }, (_, i) => ({
      ...{ first: 20 * i + 1, last: 20 * i + 1, address: [0, 0, 0xffff, 0x0a000001] },
    }));
    const rows = rowsOf(4, many);
    const datagrams = native.filterProgram(rows, 4, FilterKind.Udp) ?? [];
    const quotes = native.filterProgram(rows, 4, FilterKind.Quotes, rows) ?? [];
    for (const program of [datagrams, quotes]) {
      expect(program.length).toBeLessThanOrEqual(4 * MAX_INSTRUCTIONS);
    }
    for (const { first, address } of many) {
      expect(run(datagrams, ...packet(4, first, address))).toBe(true);
      for (const protocol of [6, 17]) {
        expect(run(quotes, ...quote(4, first, address, { protocol }))).toBe(true);
      }
    }
  });

  it('lets in ICMPv6 errors that quote extension headers, for others to read', () => {
    const ranges = [{ first: 80, last: 80, address: ANY6 }];
    const program = native.filterProgram(rowsOf(6, ranges), 6, FilterKind.Quotes) ?? [];
    for (const protocol of [0, 43, 44, 60]) {
      expect(run(program, ...quote(6, 81, ANY6, { protocol }))).toBe(true);
    }
    expect(run(program, ...quote(6, 80, ANY6, { protocol: 50 }))).toBe(false);
    const none = native.filterProgram(new Int32Array(), 6, FilterKind.Quotes) ?? [];
    expect(run(none, ...quote(6, 80, ANY6, { protocol: 0 }))).toBe(false);
  });
});
