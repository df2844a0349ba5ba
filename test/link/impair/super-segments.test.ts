import fc from 'fast-check';
import { Checksum, Flag, Word } from '../../../lib/core/segment/layout';
import { impair } from '../../../lib/link/impair';
import type { Link } from '../../../lib/link/link';
import { memoryLink } from '../../../lib/link/memory';
import { RecordingHost, settle } from '../../support/recording-host';
import { type Fields, pattern } from '../../support/segments';
import { A, B, impaired, ManualClock, TO_A, TO_B } from './support';

describe('super-segments on an impaired link', () => {
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

  test('what stands for many datagrams is cut to these, however small', async () => {
    const { a, b } = await impaired({});
    a.send(gso({ protocol: 17, payload: [pattern(250)], gsoSize: 100 }));
    a.send({ ...TO_B, protocol: 17, payload: [pattern(250)] });
    await settle(a, b);
    expect(b.arrivals.map(({ payload }) => payload.length)).toEqual([100, 100, 50, 250]);
    expect(b.arrivals.slice(0, 3).flatMap(({ payload }) => [...payload])).toEqual([
      ...pattern(250),
    ]);
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
        const odd = b.arrivals.filter(
          ({ sequence, payload: got }) =>
            Buffer.compare(got, payload.subarray(sequence, sequence + mss)) !== 0,
        );
        expect(odd).toEqual([]);
      }),
      { numRuns: 20 },
    );
  });
});
