import fc from 'fast-check';
import { Checksum, Flag, Word } from '../../lib/core/segment/layout';
import { type ImpairOptions, impair } from '../../lib/link/impair';
import type { Alarm, ImpairmentClock } from '../../lib/link/impair/clock';
import type { Link } from '../../lib/link/link';
import { memoryLink } from '../../lib/link/memory';
import { RecordingHost, settle } from '../support/recording-host';
import { type Fields, pattern } from '../support/segments';

const A = '10.0.0.1';
const B = '10.0.0.2';
const TO_B: Fields = { from: A, to: B };
const TO_A: Fields = { from: B, to: A };

/** A clock that stands until it is moved. */
class ManualClock implements ImpairmentClock {
  private time = 0;
  private readonly alarms: { at: number; callback: () => void }[] = [];

  now(): number {
    return this.time;
  }

  alarm(callback: () => void): Alarm {
    const alarm = { at: Infinity, callback };
    this.alarms.push(alarm);
    return {
      set: (at) => (alarm.at = at),
      ref: () => undefined,
      unref: () => undefined,
    };
  }

  get next(): number {
    return Math.min(...this.alarms.map((alarm) => alarm.at));
  }

  advance(milliseconds: number): void {
    const end = this.time + milliseconds;
    while (this.next <= end) {
      this.time = this.next;
      const due = this.alarms.find((alarm) => alarm.at === this.time);
      if (due === undefined) throw new Error('no alarm');
      due.at = Infinity;
      due.callback();
    }
    this.time = end;
  }
}

/** Two hosts on a wire; the port of the first is impaired. */
async function impaired(options: Partial<ImpairOptions>, mtu = 65_536) {
  const clock = new ManualClock();
  const wire = memoryLink({ mtu });
  const link = impair(wire, { seed: 1, ...options }, clock);
  const a = await RecordingHost.open(link, A, 'fd00::1');
  const b = await RecordingHost.open(wire, B, 'fd00::2');
  return { clock, wire, link, a, b };
}

const numbered = (fields: Fields, count: number, start = 0): Fields[] =>
  Array.from({ length: count }, (_, i) => ({ ...fields, sequence: start + i }));

const range = (count: number) => Array.from({ length: count }, (_, i) => i);

/** Sends `count` numbered segments a few at a time. */
async function sendAll(from: RecordingHost, to: RecordingHost, fields: Fields, count: number) {
  for (let at = 0; at < count; at += 100) {
    from.send(...numbered(fields, Math.min(100, count - at), at));
    await settle(from, to);
  }
}

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

  describe('rate', () => {
    /** 1000 bytes with the headers: at 8 Mbit/s 1 ms. */
    const FULL: Fields = { ...TO_B, payload: [pattern(960)] };

    test('lets segments leave one after the other, exactly', async () => {
      const { a, b, clock } = await impaired({ rate: 8e6, direction: 'out' });
      a.send(...numbered(FULL, 400));
      for (const ms of [0, 1, 2]) {
        await settle(a, b);
        expect(b.sequences).toEqual(range(ms));
        clock.advance(1);
      }
      clock.advance(397);
      await settle(a, b);
      expect(b.sequences).toEqual(range(400));
      expect(b.arrivals[399].payload).toEqual(pattern(960));
      // An idle line has nothing saved up, and a half packet takes half of the time.
      clock.advance(100);
      a.send({ ...TO_B, payload: [pattern(460)], sequence: 400 }, { ...FULL, sequence: 401 });
      clock.advance(1.4);
      await settle(a, b);
      expect(b.sequences).toEqual(range(401));
      clock.advance(0.1);
      await settle(a, b);
      expect(b.sequences).toEqual(range(402));
    });

    test('keeps what the queue has room for, and drops the rest', async () => {
      const { a, b, clock } = await impaired({ rate: 8e6, queue: 5000, direction: 'out' });
      a.send(...numbered(FULL, 8));
      clock.advance(2);
      a.send(...numbered(FULL, 4, 8));
      clock.advance(10);
      await settle(a, b);
      expect(b.sequences).toEqual([0, 1, 2, 3, 4, 8, 9]);
      expect(a.port.counters).toMatchObject({ outQueueFull: 5, sent: 7 });
    });

    test('a queue without room still lets pass what finds the line idle', async () => {
      const { a, b, clock } = await impaired({ rate: 8e6, queue: 0 });
      a.send(...numbered(FULL, 2));
      b.send(...numbered({ ...TO_A, payload: [pattern(960)] }, 2));
      await settle(a, b);
      clock.advance(1);
      await settle(a, b);
      expect(b.sequences).toEqual([0]);
      expect(a.sequences).toEqual([0]);
      expect(a.port.counters).toMatchObject({ outQueueFull: 1, inQueueFull: 1 });
    });

    test('stands before loss and delay', async () => {
      const { a, b, clock } = await impaired({ rate: 8e6, delay: 10, direction: 'out' });
      a.send(...numbered(FULL, 2));
      clock.advance(11.5);
      await settle(a, b);
      expect(b.sequences).toEqual([0]);
      clock.advance(0.5);
      await settle(a, b);
      expect(b.sequences).toEqual([0, 1]);
    });
  });

  describe('delay', () => {
    test('is exact and keeps the order', async () => {
      const { a, b, clock } = await impaired({ delay: 20, direction: 'out' });
      a.send(...numbered({ ...TO_B, payload: [pattern(10)] }, 3));
      clock.advance(5);
      a.send({ ...TO_B, sequence: 3 });
      clock.advance(14.9);
      await settle(a, b);
      expect(b.sequences).toEqual([]);
      clock.advance(0.1);
      await settle(a, b);
      expect(b.sequences).toEqual([0, 1, 2]);
      clock.advance(5);
      await settle(a, b);
      expect(b.sequences).toEqual([0, 1, 2, 3]);
      expect(a.port.counters.outDelayed).toBe(4);
    });

    test('with jitter segments overtake each other, none before its time', async () => {
      const { a, b, clock } = await impaired({ delay: 20, jitter: 10 });
      a.send(...numbered(TO_B, 100));
      clock.advance(9.9);
      await settle(a, b);
      expect(b.arrivals).toHaveLength(0);
      clock.advance(10);
      await settle(a, b);
      expect(b.arrivals.length).toBeGreaterThan(30);
      expect(b.arrivals.length).toBeLessThan(70);
      clock.advance(10.2);
      await settle(a, b);
      expect([...b.sequences].sort((x, y) => x - y)).toEqual(range(100));
      expect(b.sequences).not.toEqual(range(100));
    });

    test('memory is bounded: what is too much is dropped and counted', async () => {
      const { a, b, clock } = await impaired({ delay: 1000, direction: 'out' });
      const payload = [new Uint8Array(60_000)];
      for (let i = 0; i < 1100; i++) {
        const { length } = a.slabs.slabs;
        a.send({ ...TO_B, sequence: i, payload });
        expect(a.slabs.slabs.length).toBeLessThanOrEqual(length + 2);
      }
      const { outDelayed, outOverflow } = a.port.counters;
      expect(outDelayed + outOverflow).toBe(1100);
      expect(outOverflow).toBeGreaterThan(50);
      clock.advance(1000);
      await settle(a, b);
      expect(a.port.counters.sent).toBe(outDelayed);
      // Its memory is used again.
      a.send({ ...TO_B, payload });
      expect(a.port.counters.outOverflow).toBe(outOverflow);
    });
  });

  describe('super-segments', () => {
    const gso = (fields: Fields): Fields => ({ ...TO_B, gsoSize: 1000, ...fields });

    test('that are sent are cut to one MSS each', async () => {
      const { a, b } = await impaired({});
      const flags = Flag.ACK | Flag.PSH | Flag.FIN | Flag.CWR;
      a.send(
        gso({
          sequence: -1500,
          flags,
          timestamps: [1, 2],
          payload: [pattern(1700), pattern(5), pattern(0), pattern(1295, 9)],
        }),
      );
      await settle(a, b);
      expect(b.sequences).toEqual([-1500, -500, 500]);
      expect(b.arrivals.map((arrival) => arrival.flags)).toEqual([
        Flag.ACK | Flag.CWR,
        Flag.ACK,
        Flag.ACK | Flag.PSH | Flag.FIN,
      ]);
      expect(b.arrivals.flatMap(({ payload }) => [...payload])).toEqual([
        ...pattern(1700),
        ...pattern(5),
        ...pattern(1295, 9),
      ]);
      expect(b.arrivals.every(({ line }) => line.includes('TS val 1 ecr 2'))).toBe(true);
      expect(a.port.counters.outSplit).toBe(1);
    });

    test('without a GSO size are cut to what fits into the MTU', async () => {
      const { a, b } = await impaired({}, 1500);
      a.send({ ...TO_B, payload: [pattern(4000)], timestamps: [0, 0] });
      a.send({ from: 'fd00::1', to: 'fd00::2', payload: [pattern(3000)] });
      await settle(a, b);
      expect(b.arrivals.map(({ packet }) => packet.length)).toEqual([
        1500, 1500, 1156, 1500, 1500, 180,
      ]);
    });

    test('that are received are cut too, to packets that are right', async () => {
      // The wire below carries 64 KiB, the link says 1,500: as after GRO.
      const wire = memoryLink();
      const small: Link = {
        kind: 'raw',
        open: async (context) => {
          const port = await wire.open(context);
          return Object.create(port, { mtu: { value: 1500 } });
        },
      };
      const a = await RecordingHost.open(impair(small, { seed: 1 }, new ManualClock()), A);
      const b = await RecordingHost.open(wire, B);
      const payload = pattern(60_000);
      b.send({ ...TO_A, sequence: 5, flags: 0x19, timestamps: [7, 8], payload: [payload] });
      await settle(a, b);
      expect(a.arrivals).toHaveLength(Math.ceil(60_000 / 1448));
      expect(a.arrivals.flatMap((arrival) => [...arrival.payload])).toEqual([...payload]);
      a.arrivals.forEach(({ words, packet, line, sequence }, i) => {
        expect(sequence).toBe(5 + i * 1448);
        expect(words[Word.Checksum]).toBe(Checksum.Verified);
        expect(packet.length).toBeLessThanOrEqual(1500);
        expect(packet.length).toBe(words[Word.PayloadLength] + 52);
        expect(line).toContain('TS val 7 ecr 8');
        expect(words[Word.Hash]).toBe(a.arrivals[0].words[Word.Hash]);
      });
      expect(a.port.counters.inSplit).toBe(1);
    });

    test('a SYN takes a number, the urgent pointer counts from its segment', async () => {
      const { a, b } = await impaired({});
      a.send(
        gso({
          sequence: 10,
          flags: Flag.SYN | Flag.URG | Flag.ACK,
          urgent: 1500,
          payload: [pattern(2500)],
        }),
      );
      await settle(a, b);
      expect(b.sequences).toEqual([10, 1011, 2011]);
      expect(b.arrivals.map(({ flags, words }) => [flags, words[Word.Urgent]])).toEqual([
        [Flag.SYN | Flag.URG | Flag.ACK, 1500],
        [Flag.URG | Flag.ACK, 500],
        [Flag.ACK, 0],
      ]);
    });

    test('a loss takes one MSS, and what passes is what was sent', async () => {
      await fc.assert(
        fc.asyncProperty(fc.nat(1e6), fc.integer({ min: 1, max: 1200 }), async (seed, mss) => {
          const { a, b, clock } = await impaired({
            seed,
            loss: 0.1,
            duplicate: 0.05,
            reorder: { probability: 0.1 },
          });
          const payload = pattern(20_000);
          a.send(gso({ payload: [payload.subarray(0, 777), payload.subarray(777)], gsoSize: mss }));
          clock.advance(10);
          await settle(a, b);
          const pieces = Math.ceil(20_000 / mss);
          const { outLost, outDuplicated } = a.port.counters;
          expect(b.arrivals).toHaveLength(pieces - outLost + outDuplicated);
          for (const { sequence, payload: got } of b.arrivals) {
            expect(Buffer.compare(got, payload.subarray(sequence, sequence + mss))).toBe(0);
          }
        }),
        { numRuns: 20 },
      );
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
