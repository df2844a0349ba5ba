import { Xoshiro } from '../../../lib/core/random/xoshiro';
import { SocketOption } from '../../../lib/core/socket/options';
import { State } from '../../../lib/core/tcp/state';
import { Lab, leftovers, NOTHING, pattern, readAll, transfer } from '../../support/lab';

const SECOND = 1_000_000;

/** Sets the initial sequence numbers of both stacks. */
function setIss(lab: Lab, a: number, b: number): void {
  lab.a.core.tcp.isn.isn = () => a | 0;
  lab.b.core.tcp.isn.isn = () => b | 0;
}

/** Loses and delays some packets; the same for the same seed. */
function disturb(lab: Lab, seed: number): void {
  const random = new Xoshiro(seed);
  lab.filter = () => {
    const dice = random.next() & 31;
    if (dice === 0) return false;
    return dice === 1 ? (random.next() >>> 0) % 40_000 : undefined;
  };
}

describe('sequence numbers wrap (RFC 9293 §3.4)', () => {
  const edges = [0x7fffffff, 0x80000000, 0xffffffff, 0];
  const cases = edges.flatMap((edge) => [0, 1, 1460, 30_000, 59_000].map((back) => edge - back));

  test.each(cases)('ISS %d at both ends: 60 kB each way, lost and late segments', (iss) => {
    const lab = new Lab();
    setIss(lab, iss, iss - 700);
    disturb(lab, iss);
    const { client, server, listener } = lab.pair();
    const data = pattern(60_000, iss);
    expect(Buffer.compare(transfer(lab, client, server, data), data)).toBe(0);
    expect(Buffer.compare(transfer(lab, server, client, data), data)).toBe(0);
    client.close();
    server.close();
    listener.close();
    lab.run();
    expect([leftovers(lab.a), leftovers(lab.b)]).toEqual([NOTHING, NOTHING]);
  });

  test.each(edges)('the SYN, the data or the FIN is the one at %d', (edge) => {
    for (let back = 0; back < 6; back++) {
      const lab = new Lab();
      setIss(lab, edge - back, edge - back);
      const { client, server, listener } = lab.pair();
      expect(transfer(lab, client, server, pattern(3))).toEqual(pattern(3));
      client.close();
      lab.run(() => server.take(1) === 0, SECOND);
      server.close();
      lab.run(() => false, SECOND);
      expect(leftovers(lab.a).timeWaits).toBe(1);
      listener.close();
      lab.run();
      expect([leftovers(lab.a), leftovers(lab.b)]).toEqual([NOTHING, NOTHING]);
    }
  });

  test('10 MB each way across both wraps, with windows of megabytes', () => {
    const lab = new Lab({ tcp: { receiveBuffer: 6_000_000, sendBuffer: 6_000_000 }, delay: 100 });
    setIss(lab, -5_000_000, 0x7fffffff - 5_000_000);
    const { client, server } = lab.pair();
    const data = pattern(10_000_000);
    expect(Buffer.compare(transfer(lab, client, server, data), data)).toBe(0);
    expect(Buffer.compare(transfer(lab, server, client, data), data)).toBe(0);
    expect(lab.a.core.counters.TcpRetransSegs + lab.b.core.counters.TcpRetransSegs).toBe(0);
  });
});

describe('clocks wrap', () => {
  /**
   * A life with everything that has to do with time: losses, timeouts, delays, a closed window,
   * silence with keepalive, TIME-WAIT. Its log without absolute times and timestamps.
   */
  function life(start: number): string[] {
    const lab = new Lab({ start, seed: 5, tcp: { receiveBuffer: 30_000 } });
    setIss(lab, 1000, 2000);
    disturb(lab, 77);
    const { client, server, listener } = lab.pair();
    client.setOption(SocketOption.KeepIdle, 3000);
    client.setOption(SocketOption.KeepInterval, 500);
    client.setOption(SocketOption.KeepAlive, 1);
    const data = pattern(80_000);
    transfer(lab, client, server, data);
    // The reader sleeps.
    client.send(data, 0, 60_000);
    lab.pass(4 * SECOND);
    readAll(server);
    lab.pass(2 * SECOND);
    readAll(server);
    // Silence, with probes; then nothing gets through for a while.
    lab.pass(8 * SECOND);
    lab.filter = () => false;
    server.send(data, 0, 100);
    lab.pass(2.5 * SECOND);
    lab.filter = null;
    lab.pass(3 * SECOND);
    readAll(client);
    client.close();
    lab.run(() => server.take(1) === 0, 10 * SECOND);
    lab.pass(SECOND);
    server.close();
    listener.close();
    lab.run();
    expect([leftovers(lab.a), leftovers(lab.b)]).toEqual([NOTHING, NOTHING]);
    const log = [...lab.a.log, ...lab.b.log].map((entry) => {
      const [at, ...rest] = entry.split(' ');
      return `${Number(at) - start} ${rest.join(' ').replace(/TS val \d+ ecr \d+/, 'TS')}`;
    });
    log.push(`${lab.now - start}`);
    return log;
  }

  const reference = life(0);

  /** µs and ms clocks are int32, modulo 2^32: their signs change here, µs. */
  const wraps: readonly (readonly [string, number])[] = [
    ['2^31 µs', 2 ** 31],
    ['2^32 µs', 2 ** 32],
    ['2^31 ms', 2 ** 31 * 1000],
    ['2^32 ms', 2 ** 32 * 1000],
  ];
  // Whole seconds, so that all that is rounded is rounded alike.
  const starts = wraps.flatMap(([name, wrap]) =>
    [1, 3, 5, 8, 12, 17, 40, 80].map((before): [number, string, number] => [
      before,
      name,
      (Math.floor(wrap / SECOND) - before) * SECOND,
    ]),
  );

  test('the reference has all of it', () => {
    expect(reference.length).toBeGreaterThan(200);
    for (const state of ['FIN-WAIT-1', 'FIN-WAIT-2', 'CLOSE-WAIT', 'LAST-ACK', 'TIME-WAIT']) {
      expect(reference.some((entry) => entry.endsWith(`[${state}]`))).toBe(true);
    }
  });

  test.each(starts)('%d s after the start: %s', (_before, _name, start) => {
    expect(life(start)).toEqual(reference);
  });

  test('at once at every start: a handshake, data, a close', () => {
    for (const [, wrap] of wraps) {
      for (const offset of [-1, 0, 1]) {
        const lab = new Lab({ start: wrap + offset, delay: 1000 });
        const { client, server } = lab.pair();
        const data = pattern(20_000);
        expect(Buffer.compare(transfer(lab, client, server, data), data)).toBe(0);
        client.close();
        lab.run(() => server.take(1) === 0, SECOND);
        server.close();
        lab.run(() => server.state === State.CLOSED, SECOND);
        expect(leftovers(lab.b)).toMatchObject({ connections: 0, fourTuples: 0 });
      }
    }
  });
});

test('the same seed gives the same run, another seed another', () => {
  const run = (seed: number): string => {
    const lab = new Lab({ seed });
    disturb(lab, seed);
    const { client, server } = lab.pair();
    transfer(lab, client, server, pattern(50_000));
    client.close();
    server.close();
    lab.run();
    return [...lab.a.log, ...lab.b.log].join('\n');
  };
  expect(run(3)).toBe(run(3));
  expect(run(4)).not.toBe(run(3));
});
