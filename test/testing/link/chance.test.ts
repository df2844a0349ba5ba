import { parsePacket } from '../../../lib/codec/parse';
import { ParseResult } from '../../../lib/codec/result';
import { isTcp } from '../../../lib/core/segment/kind';
import { Checksum, Word } from '../../../lib/core/segment/layout';
import type { LinkOptions } from '../../../lib/testing/link/options';
import { range, wire } from './lab';

/** Lengths of the gaps in a run of numbered packets. */
function bursts(sequences: readonly number[], count: number): number[] {
  const lengths: number[] = [];
  let next = 0;
  for (const sequence of [...sequences, count]) {
    if (sequence > next) lengths.push(sequence - next);
    next = sequence + 1;
  }
  return lengths;
}

const mean = (numbers: readonly number[]) =>
  numbers.reduce((sum, number) => sum + number, 0) / numbers.length;

function transfer(options: LinkOptions, count: number, seed = 1) {
  const network = wire(options, seed);
  network.client.sendAll(network.server, count);
  network.lab.finish();
  return network;
}

describe('loss', () => {
  test('at random: as many as it should, and counted', () => {
    const { server, client, cable, lab } = transfer({ loss: 0.02 }, 10_000);
    const { lost } = cable.counters.client;
    expect(server.arrivals.length).toBe(10_000 - (lost.lost ?? 0));
    // 200 are expected, with a standard deviation of 14.
    expect(Math.abs((lost.lost ?? 0) - 200)).toBeLessThan(60);
    expect(lab.log).toHaveLength(lost.lost ?? 0);
    server.sendAll(client, 10_000);
    lab.finish();
    expect(client.sequences).not.toEqual(server.sequences);
    // Single ones: a burst is of 1 / (1 - 0.02) on average.
    expect(mean(bursts(server.sequences, 10_000))).toBeLessThan(1.1);
  });

  test('of all, and of none', () => {
    const { server, client, cable, lab } = transfer({ from: { client: { loss: 1 } } }, 100);
    expect(server.arrivals).toEqual([]);
    server.sendAll(client, 100);
    lab.finish();
    expect(client.sequences).toEqual(range(100));
    expect(cable.counters.client.lost).toEqual({ lost: 100 });
  });

  test('in bursts of 1 / r, p / (p + r) of all (Gilbert)', () => {
    const count = 100_000;
    const { server } = transfer({ loss: { p: 0.01, r: 0.25 } }, count);
    const lengths = bursts(server.sequences, count);
    // About 1000 bursts, whose length has a standard deviation of sqrt(0.75) / 0.25 = 3.5.
    expect(Math.abs(mean(lengths) - 4)).toBeLessThan(0.45);
    expect(Math.abs(1 - server.arrivals.length / count - 0.01 / 0.26)).toBeLessThan(0.006);
    // The lengths are distributed geometrically: 1/4 are of one, 0.75^4 longer than four.
    const share = (test: (length: number) => boolean) =>
      lengths.filter(test).length / lengths.length;
    expect(Math.abs(share((length) => length === 1) - 0.25)).toBeLessThan(0.06);
    expect(Math.abs(share((length) => length > 4) - 0.75 ** 4)).toBeLessThan(0.06);
  });

  test('less than all in bad times, some in good ones (Gilbert-Elliott)', () => {
    const count = 100_000;
    const loss = { p: 0.02, r: 0.08, '1-h': 0.5, '1-k': 0.01 };
    const { server } = transfer({ loss }, count);
    // A fifth of the time is bad: 0.2 * 0.5 + 0.8 * 0.01.
    expect(Math.abs(1 - server.arrivals.length / count - 0.108)).toBeLessThan(0.009);
  });

  test('with p alone: r is 1 - p, and everything is lost in bad times, as in tc-netem', () => {
    const { server } = transfer({ loss: { p: 0.3 } }, 50_000);
    expect(Math.abs(server.arrivals.length / 50_000 - 0.7)).toBeLessThan(0.02);
    expect(Math.abs(mean(bursts(server.sequences, 50_000)) - 1 / 0.7)).toBeLessThan(0.04);
  });

  test('the good times come back when bursts are switched off and on', () => {
    const { lab, client, server, cable } = transfer({ loss: { p: 1, r: 0 } }, 10);
    expect(server.sequences).toEqual([0]);
    cable.set({ loss: 0 });
    client.sendAll(server, 1);
    cable.set({ loss: { p: 0, r: 0 } });
    client.sendAll(server, 10);
    lab.finish();
    expect(server.sequences).toEqual([0, 0, ...range(10)]);
  });
});

describe('duplication', () => {
  test('as many as it should, each right behind its original', () => {
    const { server, cable } = transfer({ duplicate: 0.1, delay: 5 }, 10_000);
    const { duplicated, delivered } = cable.counters.client;
    // 1000 are expected, with a standard deviation of 30.
    expect(Math.abs(duplicated - 1000)).toBeLessThan(120);
    expect(delivered).toBe(10_000 + duplicated);
    expect(server.sequences).toEqual([...server.sequences].sort((a, b) => a - b));
    expect(new Set(server.sequences).size).toBe(10_000);
    expect(cable.inFlight).toBe(0);
  });

  test('the two are the same packet to whoever looks, but not one object', () => {
    const { server } = transfer({ duplicate: 1 }, 1);
    const [{ packet: one }, { packet: two }] = server.arrivals;
    expect(two).not.toBe(one);
    expect(two.id).toBe(one.id);
    expect(two.bytes()).toEqual(one.bytes());
  });
});

describe('reordering', () => {
  test('holds packets back until one to three have passed', () => {
    const { server, cable } = transfer({ reorder: { probability: 0.1 } }, 10_000);
    const { sequences } = server;
    expect([...sequences].sort((a, b) => a - b)).toEqual(range(10_000));
    const { reordered } = cable.counters.client;
    expect(Math.abs(reordered - 1000)).toBeLessThan(120);
    const back = sequences.map((sequence, place) => place - sequence).filter((by) => by > 0);
    // Where two are held at a time, the later may go first.
    expect(Math.abs(back.length - reordered)).toBeLessThan(0.15 * reordered);
    expect(Math.max(...back)).toBeLessThanOrEqual(4);
  });

  test('by as many as said', () => {
    const { server, cable } = transfer({ reorder: { probability: 0.01, by: [5, 5] } }, 10_000);
    const back = server.sequences.map((sequence, place) => place - sequence);
    const exactly = back.filter((by) => by === 5).length;
    const { reordered } = cable.counters.client;
    // One in twenty finds another one held, which it lets go first.
    expect(exactly).toBeGreaterThan(0.85 * reordered);
    expect(Math.max(...back)).toBeLessThanOrEqual(6);
  });

  test('what is held back when it is switched off still goes', () => {
    const { lab, client, server, cable } = wire({ reorder: { probability: 1 } });
    client.send(server, { sequence: 100 });
    cable.set({ reorder: undefined });
    client.sendAll(server, 3);
    lab.finish();
    expect(server.sequences).toEqual([0, 1, 2, 100]);
    expect(server.arrivals[3].at).toBe(5000);
  });

  test('a packet that nothing follows waits 5 ms', () => {
    const { lab, client, server } = wire({ delay: 10, reorder: { probability: 1 } });
    client.send(server);
    lab.finish();
    expect(server.times).toEqual([15]);
  });
});

describe('corruption', () => {
  test.each([4, 6] as const)('IPv%i: flips one bit anywhere in the packet', (family) => {
    const { lab, client, server, cable } = wire({ corrupt: 1 });
    const flips = new Array<number>(8 * 100).fill(0);
    const clean = lab.packet(client, server, { size: 100, family }).bytes();
    for (let i = 0; i < 8000; i++) client.send(server, { size: 100, family });
    lab.finish();
    for (const { packet } of server.arrivals) {
      const changed = [...packet.bytes()].map((byte, at) => byte ^ clean[at]);
      const [at, ...others] = [...changed.keys()].filter((place) => changed[place] !== 0);
      expect(others).toEqual([]);
      flips[8 * at + Math.clz32(changed[at]) - 24]++;
      expect(changed[at] & (changed[at] - 1)).toBe(0);
    }
    expect(cable.counters.client.corrupted).toBe(8000);
    // Ten are expected for each bit; 0 has a chance of 1 in 22,000, 30 of 1 in a million.
    expect(flips.filter((count) => count === 0).length).toBeLessThanOrEqual(2);
    expect(Math.max(...flips)).toBeLessThan(30);
  });

  test('is seen by a receiver: wrong checksums, or no packet at all', () => {
    const { server } = transfer({ corrupt: 1 }, 2000);
    const words = new Int32Array(Word.Stride);
    const good = server.arrivals.filter(({ packet }) => {
      const bytes = packet.bytes();
      const result = parsePacket(bytes, 0, 0, bytes.length, words, 0, new Int32Array(2));
      if (result !== ParseResult.Ok || !isTcp(words, 0)) return false;
      return words[Word.Checksum] === Checksum.Verified;
    });
    expect(server.arrivals).toHaveLength(2000);
    expect(good).toEqual([]);
  });

  test('as many as it should; the others stay whole', () => {
    const { server, cable } = transfer({ corrupt: 0.05 }, 10_000);
    const { corrupted } = cable.counters.client;
    expect(Math.abs(corrupted - 500)).toBeLessThan(90);
    const spoilt = server.arrivals.filter(({ packet }) => packet.spoilt !== null);
    expect(spoilt).toHaveLength(corrupted);
  });

  test('leaves a duplicate whole', () => {
    const { server } = transfer({ corrupt: 0.5, duplicate: 1 }, 100);
    const mixed = range(101).filter((i) => {
      const pair = server.arrivals.filter(({ packet }) => packet.id === i);
      return (
        pair.length === 2 && (pair[0].packet.spoilt === null) !== (pair[1].packet.spoilt === null)
      );
    });
    expect(mixed.length).toBeGreaterThan(25);
  });
});

describe('the same dice', () => {
  const everything: LinkOptions = {
    ...{ delay: 10, jitter: 8, rate: 5e6, queue: 4000, duplicate: 0.1, corrupt: 0.1 },
    loss: { p: 0.05, r: 0.5 },
    reorder: { probability: 0.1 },
    ecn: { probability: 0.01 },
  };
  const story = (options: LinkOptions, seed: number) => {
    const { lab, client, server } = wire(options, seed);
    client.sendAll(server, 1000, 200, { size: 120, trafficClass: 2 });
    server.sendAll(client, 1000, 200);
    lab.finish();
    const told = (arrivals: typeof server.arrivals) =>
      arrivals.map(({ at, packet }) => `${at} ${Buffer.from(packet.bytes()).toString('hex')}`);
    return [...lab.log, ...told(server.arrivals), ...told(client.arrivals)].join('\n');
  };

  test('the same seed tells the same story, another one another', () => {
    expect(story(everything, 7)).toBe(story(everything, 7));
    expect(story(everything, 8)).not.toBe(story(everything, 7));
  });

  test('an option does not change what another one does', () => {
    const lost = (options: LinkOptions) =>
      transfer({ loss: 0.1, ...options }, 1000).lab.log.map((line) => line.split(' ')[2]);
    const plain = lost({});
    expect(plain.length).toBeGreaterThan(50);
    for (const other of [
      { jitter: 5, delay: 10 },
      { duplicate: 0.3 },
      { corrupt: 0.3 },
      { reorder: { probability: 0.3 } },
      { rate: 1e6 },
      { ecn: { threshold: 1000 } },
      { from: { server: { loss: 0.5 } } },
    ]) {
      expect(lost(other)).toEqual(plain);
    }
  });
});
