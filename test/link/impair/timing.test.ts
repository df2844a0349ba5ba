import { settle } from '../../support/recording-host';
import { type Fields, pattern } from '../../support/segments';
import { impaired, numbered, range, TO_A, TO_B } from './support';

describe('an impaired link', () => {
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

    test('what waits leaves when the port is closed', async () => {
      const { a, b } = await impaired({ rate: 8e6, direction: 'out' });
      a.send(...numbered(FULL, 3));
      a.port.close();
      await settle(b);
      expect(b.sequences).toEqual([0, 1, 2]);
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
});
