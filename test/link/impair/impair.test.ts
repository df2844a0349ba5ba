import { Checksum, Word } from '../../../lib/core/segment/layout';
import { type ImpairOptions, impair } from '../../../lib/link/impair';
import { memoryLink } from '../../../lib/link/memory';
import { RecordingHost, settle } from '../../support/recording-host';
import { pattern } from '../../support/segments';
import { A, B, impaired, ManualClock, numbered, range, sendAll, TO_A, TO_B } from './support';

describe('an impaired link', () => {
  test('without impairments passes everything as it is', async () => {
    const { a, b, clock } = await impaired({});
    await sendAll(a, b, { ...TO_B, payload: [pattern(100)], timestamps: [1, 2] }, 200);
    await sendAll(b, a, TO_A, 200);
    expect(b.sequences).toEqual(range(200));
    expect(a.sequences).toEqual(range(200));
    expect(b.arrivals[7].payload).toEqual(pattern(100));
    expect(clock.next).toBe(Infinity);
    expect(a.port.name).toBe('memory0');
    expect(a.port.mtu).toBe(65_536);
    expect(a.port.counters).toMatchObject({ sent: 200, received: 200, outLost: 0, inLost: 0 });
  });

  test('loses about as many as it should, both ways, and counts them', async () => {
    const { a, b } = await impaired({ loss: 0.02 });
    await sendAll(a, b, TO_B, 10_000);
    await sendAll(b, a, TO_A, 10_000);
    const { outLost, inLost } = a.port.counters;
    expect(b.arrivals.length).toBe(10_000 - outLost);
    expect(a.arrivals.length).toBe(10_000 - inLost);
    // 200 are expected, with a standard deviation of 14.
    for (const lost of [outLost, inLost]) {
      expect(lost).toBeGreaterThan(130);
      expect(lost).toBeLessThan(270);
    }
    expect(outLost).not.toBe(inLost);
  });

  test('loses in bursts of the length that was asked for', async () => {
    const { a } = await impaired({ loss: { p: 0.02, r: 0.25 }, direction: 'out' });
    const rest: number[] = [];
    for (let i = 0; i < 10_000; i++) {
      const before = a.port.counters.outLost;
      a.send(TO_B);
      rest.push(a.port.counters.outLost - before);
    }
    const lost = rest.filter((it) => it > 0).length;
    const bursts = rest.filter((it, i) => it > 0 && !(rest[i - 1] > 0)).length;
    // p / (p + r) are lost, 741, in bursts of 4.
    expect(lost).toBeGreaterThan(550);
    expect(lost).toBeLessThan(950);
    expect(lost / bursts).toBeGreaterThan(3.3);
    expect(lost / bursts).toBeLessThan(4.8);
  });

  test.each([
    ['in', 100, 0],
    ['out', 0, 100],
    ['both', 0, 0],
  ] as const)('loses in the direction %s', async (direction, atB, atA) => {
    const { a, b } = await impaired({ loss: 1, direction });
    await sendAll(a, b, TO_B, 100);
    await sendAll(b, a, TO_A, 100);
    expect([b.arrivals.length, a.arrivals.length]).toEqual([atB, atA]);
  });

  test('the same seed does the same, another one does not', async () => {
    const run = async (seed: number) => {
      const { a, b, clock } = await impaired({
        seed,
        loss: 0.1,
        duplicate: 0.1,
        reorder: { probability: 0.1 },
      });
      await sendAll(a, b, TO_B, 500);
      await sendAll(b, a, TO_A, 500);
      clock.advance(10);
      await settle(a, b);
      return [...b.sequences, ...a.sequences];
    };
    expect(await run(42)).toEqual(await run(42));
    expect(await run(42)).not.toEqual(await run(43));
  });

  test('one impairment does not change what another one does', async () => {
    const lost = async (options: Partial<ImpairOptions>) => {
      const { a, b, clock } = await impaired({ loss: 0.1, ...options });
      await sendAll(a, b, TO_B, 300);
      clock.advance(10);
      await settle(a, b);
      return range(300).filter((sequence) => !b.sequences.includes(sequence));
    };
    expect(await lost({ reorder: { probability: 0.5 }, duplicate: 0.3 })).toEqual(await lost({}));
  });

  describe.each([
    [4, A, B],
    [6, 'fd00::1', 'fd00::2'],
  ])('corruption, IPv%i', (family, a1, b1) => {
    /** The number of the one bit that differs; -1: it isn't one. */
    const flipped = (one: Uint8Array, other: Uint8Array) => {
      const places = range(one.length).filter((i) => one[i] !== other[i]);
      const [at] = places;
      const zeros = 31 - Math.clz32(one[at] ^ other[at]);
      return places.length === 1 && one[at] === (other[at] ^ (1 << zeros))
        ? 8 * at + 7 - zeros
        : -1;
    };

    const CASES = [
      ['out', { from: a1, to: b1 }],
      ['in', { from: b1, to: a1 }],
    ] as const;
    test.each(CASES)('flips one bit that a checksum finds, %s', async (_, way) => {
      const fields = { ...way, payload: [pattern(60)], timestamps: [1, 2] as [number, number] };
      const both = async (options: Partial<ImpairOptions>) => {
        const { a, b } = await impaired(options);
        await (way.from === a1 ? sendAll(a, b, fields, 200) : sendAll(b, a, fields, 200));
        return { a, arrivals: way.from === a1 ? b.arrivals : a.arrivals };
      };
      const { arrivals: intact } = await both({});
      const { a, arrivals } = await both({ corrupt: 1 });
      const { outCorrupted, inCorrupted } = a.port.counters;
      expect(outCorrupted + inCorrupted).toBe(200);
      // The rest can't be read: an offset of data beyond the end.
      expect(arrivals.length).toBeGreaterThan(190);
      const places = new Set<number>();
      for (const { packet, words } of arrivals) {
        places.add(intact.map((it) => flipped(it.packet, packet)).find((bit) => bit >= 0) ?? -1);
        expect(words[Word.Checksum]).toBe(Checksum.Bad);
      }
      expect(Math.min(...places)).toBeGreaterThanOrEqual(8 * (family === 4 ? 20 : 40));
      expect(places.size).toBeGreaterThan(120);
    });
  });

  test('duplicates', async () => {
    const { a, b } = await impaired({ duplicate: 1, direction: 'out' });
    a.send(...numbered({ ...TO_B, payload: [pattern(50)] }, 3));
    await settle(a, b);
    expect(b.sequences).toEqual([0, 0, 1, 1, 2, 2]);
    expect(b.arrivals[5].payload).toEqual(pattern(50));
    expect(a.port.counters.outDuplicated).toBe(3);
  });

  describe('reordering', () => {
    test('one to three segments pass a held one', async () => {
      const { a, b, clock } = await impaired({ reorder: { probability: 0.05 } });
      await sendAll(a, b, { ...TO_B, payload: [pattern(9)] }, 4000);
      clock.advance(10);
      await settle(a, b);
      expect([...b.sequences].sort((x, y) => x - y)).toEqual(range(4000));
      // How many that were sent later came before each.
      const passedBy = b.sequences.map(
        (sequence, i) => b.sequences.slice(0, i).filter((earlier) => earlier > sequence).length,
      );
      const counts = new Map<number, number>();
      for (const n of passedBy) counts.set(n, (counts.get(n) ?? 0) + 1);
      const late = 4000 - (counts.get(0) ?? 0);
      expect(late).toBeGreaterThan(130);
      expect(late).toBeLessThan(270);
      expect([...counts.keys()].sort()).toEqual([0, 1, 2, 3]);
      for (const n of [1, 2, 3]) expect(counts.get(n)).toBeGreaterThan(30);
      expect(a.port.counters.outReordered).toBeGreaterThanOrEqual(late);
      expect(b.arrivals.every(({ payload }) => payload.length === 9)).toBe(true);
    });

    test('by an exact number', async () => {
      const { a, b } = await impaired({ reorder: { probability: 1, by: [2, 2] } });
      // All are held: nothing passes until they have waited long enough.
      a.send(...numbered(TO_B, 5));
      await settle(a, b);
      expect(b.arrivals).toEqual([]);
      const {
        a: c,
        b: d,
        clock,
      } = await impaired({
        seed: 3,
        reorder: { probability: 0.2, by: [2, 2] },
      });
      await sendAll(c, d, TO_B, 30);
      clock.advance(5);
      await settle(c, d);
      expect([...d.sequences].sort((x, y) => x - y)).toEqual(range(30));
      expect(d.sequences).not.toEqual(range(30));
    });

    test('what nothing follows waits 5 ms', async () => {
      const { a, b, clock } = await impaired({ reorder: { probability: 1 } });
      a.send({ ...TO_B, sequence: 1, payload: [pattern(5)] });
      clock.advance(2);
      a.send({ ...TO_B, sequence: 2 });
      clock.advance(2.9);
      await settle(a, b);
      expect(b.sequences).toEqual([]);
      clock.advance(0.1);
      await settle(a, b);
      expect(b.sequences).toEqual([1]);
      clock.advance(2);
      await settle(a, b);
      expect(b.sequences).toEqual([1, 2]);
      expect(b.arrivals[0].payload).toEqual(pattern(5));
      expect(clock.next).toBe(Infinity);
    });

    test('in both directions the held bytes are copies', async () => {
      const { a, b, clock } = await impaired({ reorder: { probability: 1 } });
      const payload = pattern(300);
      a.send({ ...TO_B, payload: [payload.subarray(0, 100), payload.subarray(100)] });
      payload.fill(0);
      const back = pattern(77, 3);
      b.send({ ...TO_A, from: 'fd00::2', to: 'fd00::1', payload: [back] });
      await settle(a, b);
      back.fill(0);
      // The link's own memory is used again meanwhile.
      b.send(...numbered({ ...TO_B, from: B, to: B, payload: [new Uint8Array(500)] }, 20));
      await settle(a, b);
      expect(a.arrivals).toEqual([]);
      clock.advance(5);
      await settle(a, b);
      expect(b.arrivals.at(-1)?.payload).toEqual(pattern(300));
      expect(a.arrivals[0].payload).toEqual(pattern(77, 3));
      expect(a.arrivals[0].words[Word.Checksum]).toBe(Checksum.Verified);
      expect(a.arrivals[0].packet).toHaveLength(60 + 77);
    });
  });

  test('a full link below stops the sender until it has room', async () => {
    const { a, b } = await impaired({ loss: 0.01 });
    const big = { ...TO_B, payload: [new Uint8Array(60_000)] };
    while (a.send(big));
    expect(a.send(TO_B)).toBe(false);
    await settle(a, b);
    expect(a.writables).toBe(1);
    expect(a.send(TO_B)).toBe(true);
  });

  test('close lets go what is on its way out, and nothing comes any more', async () => {
    const { a, b, clock } = await impaired({ delay: 50 });
    a.send(...numbered(TO_B, 3));
    b.send(TO_A);
    await settle(a, b);
    a.port.close();
    a.port.close();
    await settle(a, b);
    expect(b.sequences).toEqual([0, 1, 2]);
    expect(clock.next).toBe(Infinity);
    clock.advance(100);
    await settle(a, b);
    expect(a.arrivals).toEqual([]);
  });

  test('close while a batch is handed over', async () => {
    const { a, b } = await impaired({ duplicate: 1 });
    a.onReceive = () => a.port.close();
    b.send(...numbered(TO_A, 100));
    await settle(a, b);
    expect(a.batches).toEqual([64]);
  });

  test('stacks that open it get different luck', async () => {
    const wire = memoryLink();
    const link = impair(wire, { seed: 9, loss: 0.5, direction: 'out' }, new ManualClock());
    const a = await RecordingHost.open(link, A);
    const c = await RecordingHost.open(link, '10.0.0.3');
    const b = await RecordingHost.open(wire, B);
    a.send(...numbered({ ...TO_B, sourcePort: 1 }, 64));
    c.send(...numbered({ ...TO_B, sourcePort: 2 }, 64));
    await settle(a, b, c);
    const of = (port: number) =>
      b.arrivals
        .filter(({ words }) => words[Word.SourcePort] === port)
        .map(({ sequence }) => sequence);
    expect(of(1).length).toBeGreaterThan(10);
    expect(of(1)).not.toEqual(of(2));
  });

  test('on the real clock', async () => {
    const wire = memoryLink();
    const a = await RecordingHost.open(impair(wire, { seed: 1, delay: 3 }), A);
    const b = await RecordingHost.open(wire, B);
    const arrived = new Promise<void>((resolve) => (b.onReceive = resolve));
    a.port.unref();
    a.port.ref();
    const sent = performance.now();
    a.send(TO_B);
    await arrived;
    expect(performance.now() - sent).toBeGreaterThanOrEqual(2.9);
    a.port.close();
  });

  test.each<[string, unknown]>([
    ['no seed', {}],
    ['a negative seed', { seed: -1 }],
    ['a seed that is not whole', { seed: 1.5 }],
    ['a loss above 1', { seed: 1, loss: 1.1 }],
    ['a loss that is no number', { seed: 1, loss: '0.1' }],
    ['bursts without p', { seed: 1, loss: { r: 0.1 } }],
    ['bursts with p above 1', { seed: 1, loss: { p: 2 } }],
    ['an option that there is not', { seed: 1, lose: 0.1 }],
    ['a rate of 0', { seed: 1, rate: 0 }],
    ['a rate that is none', { seed: 1, rate: NaN }],
    ['a queue that is not whole', { seed: 1, rate: 1e6, queue: 0.5 }],
    ['a negative delay', { seed: 1, delay: -1 }],
    ['a delay without end', { seed: 1, delay: Infinity }],
    ['a jitter that is none', { seed: 1, jitter: NaN }],
    ['an unknown direction', { seed: 1, direction: 'up' }],
    ['reordering without probability', { seed: 1, reorder: {} }],
    ['reordering by nothing', { seed: 1, reorder: { probability: 0.5, by: [0, 1] } }],
    ['reordering by a range upside down', { seed: 1, reorder: { probability: 0.5, by: [3, 1] } }],
  ])('refuses %s', (_, options) => {
    const attempt = () => impair(memoryLink(), options as ImpairOptions);
    expect(attempt).toThrow(expect.objectContaining({ code: expect.stringMatching(/^ERR_/) }));
  });
});
