import { Word } from '../../../lib/core/segment/layout';
import { range, wire } from './lab';

describe('delay', () => {
  test('every packet arrives after exactly that time, both ways', () => {
    const { lab, client, server } = wire({ delay: 20.125 });
    client.sendAll(server, 3, 1000);
    server.sendAll(client, 2, 1000);
    lab.finish();
    expect(server.times).toEqual([20.125, 21.125, 22.125]);
    expect(client.times).toEqual([23.125, 24.125]);
  });

  test('without any a packet arrives at once, but not while its sender is still sending', () => {
    const { lab, client, server } = wire();
    client.send(server);
    expect(server.arrivals).toEqual([]);
    lab.finish();
    expect(server.times).toEqual([0]);
  });

  test('a fraction of a ms is not rounded up by binary fractions', () => {
    const { lab, client, server } = wire({ delay: 1.1 });
    client.send(server);
    lab.finish();
    expect(server.times).toEqual([1.1]);
  });

  test('a shorter one lets nothing overtake what is under way', () => {
    const { lab, client, server, cable } = wire({ delay: 50 });
    client.send(server, { sequence: 0 });
    cable.set({ delay: 10 });
    client.send(server, { sequence: 1 });
    lab.finish();
    expect(server.arrivals).toMatchObject([
      { at: 50_000, sequence: 0 },
      { at: 50_000, sequence: 1 },
    ]);
    client.send(server);
    lab.finish();
    expect(server.times.at(-1)).toBe(60);
  });

  test('thousands under way arrive in order', () => {
    const { lab, client, server, cable } = wire({ delay: 1000 });
    client.sendAll(server, 5000, 100);
    expect(cable.inFlight).toBe(5000);
    lab.finish();
    expect(server.sequences).toEqual(range(5000));
    expect(server.times.at(-1)).toBe(499.9 + 1000);
    expect(cable.inFlight).toBe(0);
  });
});

describe('jitter', () => {
  test('is uniform around the delay', () => {
    const { lab, client, server } = wire({ delay: 20, jitter: 5 });
    client.sendAll(server, 10_000, 20_000);
    lab.finish();
    const delays = server.arrivals.map(({ at, sequence }) => at / 1000 - 20 * sequence);
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(15);
    expect(Math.min(...delays)).toBeLessThan(15.05);
    expect(Math.max(...delays)).toBeLessThanOrEqual(25);
    expect(Math.max(...delays)).toBeGreaterThan(24.95);
    // The mean of 10,000 has a standard deviation of 0.029 ms.
    const mean = delays.reduce((sum, delay) => sum + delay, 0) / delays.length;
    expect(Math.abs(mean - 20)).toBeLessThan(0.12);
    const inFirstQuarter = delays.filter((delay) => delay < 17.5).length;
    expect(Math.abs(inFirstQuarter - 2500)).toBeLessThan(180);
  });

  test('more of it than delay makes packets arrive at once, never before', () => {
    const { lab, client, server } = wire({ jitter: 5 });
    client.sendAll(server, 1000, 10_000);
    lab.finish();
    const delays = server.arrivals.map(({ at, sequence }) => at / 1000 - 10 * sequence);
    expect(Math.min(...delays)).toBe(0);
    expect(Math.abs(delays.filter((delay) => delay === 0).length - 500)).toBeLessThan(65);
  });

  test('lets packets overtake each other', () => {
    const { lab, client, server } = wire({ delay: 20, jitter: 5 });
    client.sendAll(server, 1000);
    lab.finish();
    expect(server.sequences).not.toEqual(range(1000));
    expect([...server.sequences].sort((a, b) => a - b)).toEqual(range(1000));
  });

  test('keeps their order where they may not', () => {
    const { lab, client, server } = wire({ delay: 20, jitter: 5, overtake: false });
    client.sendAll(server, 1000);
    lab.finish();
    expect(server.sequences).toEqual(range(1000));
    const delays = server.arrivals.map(({ at, sequence }) => at / 1000 - 0.1 * sequence);
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(15);
    expect(Math.max(...delays)).toBeLessThanOrEqual(25);
    expect(Math.max(...delays) - Math.min(...delays)).toBeGreaterThan(2);
  });
});

describe('rate', () => {
  // 1500 bytes at 12 Mbit/s take 1 ms.
  const rate = 12e6;

  test('packets leave one after the other, as long as each of them is', () => {
    const { lab, client, server } = wire({ rate, delay: 10 });
    client.send(server, { size: 1500 });
    client.send(server, { size: 750 });
    client.send(server, { size: 60, family: 6 });
    lab.finish();
    expect(server.times).toEqual([11, 11.5, 11.54]);
    client.send(server, { size: 1500 });
    lab.finish();
    expect(server.times.at(-1)).toBe(11.54 + 11);
  });

  test('is exact over many packets whose times are no whole µs', () => {
    // 40 bytes at 10 Gbit/s take 0.032 µs.
    const { lab, client, server } = wire({ rate: 10e9 });
    for (let i = 0; i < 10_000; i++) client.send(server, { sequence: i });
    lab.finish();
    expect(server.times.at(-1)).toBe(0.32);
    expect(server.sequences).toEqual(range(10_000));
  });

  test('holds for each direction alone', () => {
    const { lab, client, server } = wire({ rate });
    for (let i = 0; i < 3; i++) client.send(server, { size: 1500 });
    server.send(client, { size: 1500 });
    lab.finish();
    expect(server.times).toEqual([1, 2, 3]);
    expect(client.times).toEqual([1]);
  });

  test('another one is that of the packets that still wait', () => {
    const { lab, client, server, cable } = wire({ rate });
    for (let i = 0; i < 4; i++) client.send(server, { sequence: i, size: 1500 });
    lab.simulation.advance(1000);
    cable.set({ rate: rate / 10 });
    lab.simulation.advance(11_999);
    expect(server.times).toEqual([1, 2]);
    cable.set({ rate: Infinity });
    client.send(server, { sequence: 4, size: 1500 });
    lab.finish();
    expect(server.arrivals).toMatchObject([
      { at: 1000 },
      { at: 2000 },
      { at: 12_000, sequence: 2 },
      { at: 12_000, sequence: 3 },
      { at: 12_000, sequence: 4 },
    ]);
  });
});

describe('the queue', () => {
  test('has room for so many bytes behind the packet that leaves', () => {
    const { lab, client, server, cable } = wire({ rate: 12e6, queue: 3000 });
    for (let i = 0; i < 5; i++) client.send(server, { sequence: i, size: 1500 });
    lab.finish();
    expect(server.sequences).toEqual([0, 1, 2]);
    expect(lab.log).toEqual([
      '0 lost 3 client-server from client: queue',
      '0 lost 4 client-server from client: queue',
    ]);
    expect(cable.counters.client).toMatchObject({
      ...{ sent: 5, sentBytes: 7500, delivered: 3, deliveredBytes: 4500 },
      ...{ lost: { queue: 2 }, queueMax: 3000 },
    });
    expect(cable.counters.server).toMatchObject({ sent: 0, lost: {}, queueMax: 0 });
  });

  test('a small packet still fits where a large one does not', () => {
    const { lab, client, server } = wire({ rate: 12e6, queue: 1600 });
    [1500, 1500, 1500, 100].forEach((size, sequence) => client.send(server, { sequence, size }));
    lab.finish();
    expect(server.sequences).toEqual([0, 1, 3]);
  });

  test('of no bytes lets only those pass that find the wire free', () => {
    const { lab, client, server } = wire({ rate: 12e6, queue: 0 });
    client.sendAll(server, 10, 600, { size: 1500 });
    lab.finish();
    expect(server.sequences).toEqual([0, 2, 4, 6, 8]);
  });

  test('has room for 1000 full packets when nothing is said', () => {
    const { lab, client, server, cable } = wire({ rate: 12e6, mtu: 1000 });
    for (let i = 0; i < 1002; i++) client.send(server, { size: 1000 });
    lab.finish();
    expect(server.arrivals).toHaveLength(1001);
    expect(cable.counters.client.queueMax).toBe(1_000_000);
  });
});

describe('MTU', () => {
  test.each([4, 6] as const)('an IPv%i packet that is larger is lost', (family) => {
    const { lab, client, server, cable } = wire({ mtu: 1400 });
    expect(client.wire?.mtu).toBe(1400);
    client.send(server, { sequence: 1, size: 1400, family });
    client.send(server, { sequence: 2, size: 1401, family });
    lab.finish();
    expect(server.sequences).toEqual([1]);
    expect(cable.counters.client.lost).toEqual({ mtu: 1 });
  });

  test('is 1500 when nothing is said, and may change', () => {
    const { client, server, cable } = wire();
    expect(client.wire?.mtu).toBe(1500);
    cable.set({ mtu: 576 }, { from: 'client' });
    expect([client.wire?.mtu, server.wire?.mtu]).toEqual([576, 1500]);
    cable.set({ mtu: undefined });
    expect(client.wire?.mtu).toBe(1500);
  });
});

describe('ECN', () => {
  const ECT0 = 2;
  const CE = 3;

  test.each([4, 6] as const)('IPv%i: marks what finds too much in the queue', (family) => {
    const { lab, client, server, cable } = wire({ rate: 12e6, ecn: { threshold: 2000 } });
    for (let i = 0; i < 4; i++) {
      client.send(server, { sequence: i, size: 1500, family, trafficClass: 0xb8 | ECT0 });
    }
    lab.finish();
    const classes = server.arrivals.map(({ packet }) => packet.words[Word.TrafficClass]);
    // The first leaves at once, the second finds nothing waiting, the third 1500 bytes.
    expect(classes).toEqual([0xb8 | ECT0, 0xb8 | ECT0, 0xb8 | ECT0, 0xb8 | CE]);
    expect(cable.counters.client).toMatchObject({ marked: 1, lost: {} });
  });

  test('what can not be marked is lost', () => {
    const { lab, client, server, cable } = wire({ rate: 12e6, ecn: { threshold: 0 } });
    for (let i = 0; i < 4; i++) client.send(server, { sequence: i, size: 1500 });
    lab.finish();
    expect(server.sequences).toEqual([0, 1]);
    expect(cable.counters.client).toMatchObject({ marked: 0, lost: { queue: 2 } });
  });

  test('does not help where there is no room at all', () => {
    const { lab, client, server, cable } = wire({
      ...{ rate: 12e6, queue: 1500, ecn: { threshold: 0 } },
    });
    for (let i = 0; i < 4; i++) client.send(server, { size: 1500, trafficClass: ECT0 });
    lab.finish();
    expect(server.arrivals).toHaveLength(2);
    expect(cable.counters.client).toMatchObject({ marked: 0, lost: { queue: 2 } });
  });

  test('at random', () => {
    const { lab, client, server, cable } = wire({ ecn: { probability: 0.1 } });
    client.sendAll(server, 10_000, 100, { trafficClass: ECT0 });
    lab.finish();
    const { marked } = cable.counters.client;
    const ce = server.arrivals.filter(({ packet }) => packet.words[Word.TrafficClass] === CE);
    expect(ce).toHaveLength(marked);
    // 1000 are expected, with a standard deviation of 30.
    expect(Math.abs(marked - 1000)).toBeLessThan(120);
    server.sendAll(client, 10_000);
    lab.finish();
    expect(client.arrivals).toHaveLength(10_000 - (cable.counters.server.lost.queue ?? 0));
    expect(Math.abs(client.arrivals.length - 9000)).toBeLessThan(120);
  });
});
