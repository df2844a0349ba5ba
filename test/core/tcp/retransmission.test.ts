import { Errno } from '../../../lib/core/errno';
import type { StreamSocket } from '../../../lib/core/socket/stream-socket';
import { retriesToMs } from '../../../lib/core/tcp/retransmission';
import { makeSettings } from '../../../lib/core/tcp/settings';
import { State } from '../../../lib/core/tcp/state';
import { pattern } from '../../support/lab';
import { line, Peer, type PeerOptions } from '../../support/peer';

const SECOND = 1_000_000;
const USER_TIMEOUT = 12;

/** A connection whose handshake took `rtt` µs, and whose tail is not probed. */
function connected(rtt: number, options: PeerOptions = {}): [Peer, StreamSocket] {
  const tcp = { earlyRetrans: 0, ...options.tcp };
  const peer = new Peer({ syn: { mss: 1460, scale: 7, sackPermitted: true }, ...options, tcp });
  const socket = peer.dial();
  peer.pass(rtt);
  return [peer, peer.answer(socket)];
}

function send(peer: Peer, socket: StreamSocket, bytes: number): void {
  expect(socket.send(pattern(bytes), 0, bytes)).toBe(bytes);
  peer.listen();
}

/** When the segments from `seq` on were sent, µs after `start`. */
function times(peer: Peer, start: number, seq = 1): number[] {
  return peer
    .heard()
    .filter((heard) => heard.seq === seq)
    .map(({ at }) => at - start);
}

describe('the timeout of data (RFC 6298 with Linux’s constants)', () => {
  test.each([
    [0, 200_001],
    [1000, 201_000],
    [50_000, 250_000],
    // RTO = SRTT + 4 RTTVAR, and RTTVAR begins with half a round trip: three round trips.
    [100_000, 300_000],
    [400_000, 1_200_000],
    [900_000, 2_700_000],
  ])('after a round trip of %d µs: %d µs', (rtt, rto) => {
    const [peer, socket] = connected(rtt);
    const start = peer.now;
    send(peer, socket, 10);
    peer.pass(10 * SECOND);
    expect(times(peer, start).slice(0, 2)).toEqual([0, rto]);
  });

  test('doubles up to 120 s; given up at the first one after 924.6 s (tcp_retries2 = 15)', () => {
    const [peer, socket] = connected(0);
    const start = peer.now;
    send(peer, socket, 10);
    const first = 200_001;
    let at = 0;
    const expected = [0];
    for (let n = 0; n < 10; n++) expected.push((at += first * 2 ** n));
    // From the 11th on 120 s each.
    for (let n = 0; n < 5; n++) expected.push((at += 120 * SECOND));
    const end = at + 120 * SECOND;
    expect(Math.floor(end / 100_000)).toBe(9246);
    peer.pass(end - 1);
    expect(times(peer, start)).toEqual(expected);
    expect(socket.state).toBe(State.ESTABLISHED);
    peer.pass(1);
    expect(socket.takeError()).toBe(Errno.ETIMEDOUT);
    expect(peer.host.core.tcp.tuples.count).toBe(0);
    expect(peer.host.core.counters).toMatchObject({ TcpRetransSegs: 15, TcpExtTCPTimeouts: 15 });
  });

  test.each([
    [{}, 15, 924_600],
    [{}, 8, 102_200],
    [{}, 0, 200],
    [{}, 9, 204_600],
    [{}, 10, 324_600],
    [{ rtoMin: 1000, rtoMax: 60_000 }, 3, 15_000],
    [{ rtoMin: 60_000, rtoMax: 1000 }, 2, 62_000],
  ])('settings %j, %d retries: %d ms', (settings, retries, ms) => {
    expect(retriesToMs(retries, makeSettings(settings))).toBe(ms);
  });

  test.each([
    // The time counts from the first retransmission: as in Linux mostly one more leaves.
    [{ retries2: 3 }, [0, 0.2, 0.6, 1.4, 3], 6.2],
    [{ retries2: 0 }, [0, 0.2], 0.6],
    [{ rtoMin: 1000, retries2: 2 }, [0, 1, 3, 7], 15],
    [{ rtoMax: 1000, retries2: 5 }, [0, 0.2, 0.6, 1.4, 2.4, 3.4, 4.4], 5.4],
  ])('%j', (tcp, seconds, end) => {
    const [peer, socket] = connected(0, { tcp });
    const start = peer.now;
    send(peer, socket, 10);
    peer.pass(end * SECOND - 1);
    expect(socket.state).toBe(State.ESTABLISHED);
    peer.pass(1000);
    const rounded = times(peer, start).map((us) => Math.round(us / 1e5) / 10);
    expect(rounded).toEqual(seconds);
    expect(socket.takeError()).toBe(Errno.ETIMEDOUT);
  });

  test('TCP_USER_TIMEOUT: from the first retransmission, to the millisecond', () => {
    const [peer, socket] = connected(0);
    socket.setOption(USER_TIMEOUT, 5000);
    const start = peer.now;
    send(peer, socket, 10);
    peer.pass(5_200_001 - 2000);
    expect(socket.state).toBe(State.ESTABLISHED);
    peer.pass(3000);
    expect(socket.takeError()).toBe(Errno.ETIMEDOUT);
    expect(times(peer, start).map((us) => us / 1e5)).toEqual([
      0, 2.00001, 6.00003, 14.00007, 30.00015,
    ]);
  });

  test('an acknowledgment of new data restarts timer and count (RFC 6298 §5.3)', () => {
    const [peer, socket] = connected(0);
    send(peer, socket, 10);
    peer.pass(100_000);
    send(peer, socket, 10);
    peer.pass(50_000);
    peer.lines();
    peer.say('.', { ack: 11 });
    const start = peer.now;
    // The small segment that Nagle held back has left with the acknowledgment.
    expect(peer.lines()).toEqual(['P. 11:21 ack 1']);
    peer.pass(SECOND);
    const [first] = times(peer, start, 11);
    expect(first).toBeGreaterThan(199_000);
  });

  test('stops when all is acknowledged (RFC 6298 §5.2)', () => {
    const [peer, socket] = connected(0);
    send(peer, socket, 10);
    peer.say('.');
    expect(peer.host.core.nextDeadline()).toBe(Infinity);
    expect(peer.host.core.unfinished).toBe(0);
  });

  test('a duplicate acknowledgment does not restart it', () => {
    const [peer, socket] = connected(0);
    const start = peer.now;
    send(peer, socket, 10);
    peer.pass(150_000);
    peer.say('.', { ack: 1 });
    peer.pass(SECOND);
    expect(times(peer, start)[1]).toBe(200_001);
  });
});

describe('Karn’s rule (RFC 6298 §3)', () => {
  test('without timestamps what was sent twice gives no round trip, and the backoff stays', () => {
    const [peer, socket] = connected(0);
    send(peer, socket, 10);
    peer.pass(300_000);
    peer.say('.');
    peer.lines();
    const start = peer.now;
    send(peer, socket, 10);
    peer.pass(SECOND);
    // 200 ms doubled; a round trip of 300 ms, or one of 100, would have given something else.
    expect(times(peer, start, 11)).toEqual([0, 400_002]);
  });

  test('until a segment that was sent once is acknowledged', () => {
    const [peer, socket] = connected(0);
    send(peer, socket, 10);
    peer.pass(300_000);
    peer.say('.');
    send(peer, socket, 10);
    peer.pass(8000);
    peer.say('.');
    peer.lines();
    const start = peer.now;
    send(peer, socket, 10);
    peer.pass(SECOND);
    // SRTT 1 µs and an eighth of 8 ms.
    expect(times(peer, start, 21).slice(0, 2)).toEqual([0, 201_000]);
  });

  test('with timestamps the echo says which one was acknowledged (RFC 7323 §4.1)', () => {
    const [peer, socket] = connected(0, { timestamps: true });
    send(peer, socket, 10);
    const first = peer.tsEcr;
    peer.pass(500_000);
    peer.say('.', { ts: [peer.tsVal, first] });
    peer.lines();
    const start = peer.now;
    send(peer, socket, 10);
    peer.pass(5 * SECOND);
    // A sample of 500 ms: SRTT 62.5 ms, RTTVAR 500 ms (all but the first sample at once).
    const [, rto] = times(peer, start, 11);
    expect(rto).toBeGreaterThan(500_000);
    expect(rto).toBeLessThan(600_000);
  });

  test('a lying echo can’t make the timeout longer than its bound, nor negative', () => {
    for (const echo of [1, -1, 0x7fffffff, -0x80000000]) {
      const [peer, socket] = connected(0, { timestamps: true });
      send(peer, socket, 10);
      peer.pass(300_000);
      peer.say('.', { ts: [peer.tsVal, (peer.tsEcr + echo) | 0] });
      const { rto } = peer.host.core.tcp.connection(0);
      expect(rto).toBeGreaterThanOrEqual(200_000);
      expect(rto).toBeLessThanOrEqual(120 * SECOND);
      expect(socket.state).toBe(State.ESTABLISHED);
    }
  });
});

describe('the round trip’s estimate', () => {
  /** SRTT, µs, and RTO after data whose acknowledgments took these times. */
  function estimate(first: number, ...rtts: number[]): [number, number] {
    const [peer, socket] = connected(first);
    for (const rtt of rtts) {
      send(peer, socket, 10);
      peer.pass(rtt);
      peer.say('.');
    }
    const { srtt, rto } = peer.host.core.tcp.connection(0);
    return [srtt / 8, rto];
  }

  test('SRTT is seven eighths of the old and one of the new', () => {
    expect(estimate(80_000)[0]).toBe(80_000);
    expect(estimate(80_000, 160_000)[0]).toBe(90_000);
    expect(estimate(80_000, 160_000, 10_000)[0]).toBe(80_000);
  });

  test('RTTVAR falls to the minimum of 200 ms, a quarter in each round trip', () => {
    const rtos = [1, 2, 3, 4, 20].map(
      (n) => estimate(400_000, ...Array<number>(n).fill(400_000))[1],
    );
    expect(rtos[0]).toBe(1_200_000);
    for (let i = 1; i < rtos.length; i++) expect(rtos[i]).toBeLessThan(rtos[i - 1]);
    expect(rtos[4]).toBeGreaterThanOrEqual(600_000);
    expect(rtos[4]).toBeLessThan(620_000);
  });

  test('a steady short round trip has a timeout of 200 ms and itself', () => {
    expect(estimate(5000, ...Array<number>(50).fill(5000))).toEqual([5000, 205_000]);
  });
});

describe('after a timeout (RFC 5681 §3.1)', () => {
  test('one segment, then what was in flight again by slow start', () => {
    const [peer, socket] = connected(0);
    send(peer, socket, 14_600);
    expect(peer.lines().length).toBe(10);
    peer.pass(200_001);
    expect(peer.lines()).toEqual(['. 1:1461 ack 1']);
    const c = peer.host.core.tcp.connection(0);
    expect([c.cwnd, c.ssthresh]).toEqual([1, 5]);
    peer.say('.', { ack: 1461 });
    expect(peer.lines()).toEqual(['. 1461:2921 ack 1', 'P. 2921:4381 ack 1']);
    peer.say('.', { ack: 4381 });
    // As bursts of two, like those that left first: the end of each bears PSH.
    expect(peer.lines()).toEqual([
      '. 4381:5841 ack 1',
      'P. 5841:7301 ack 1',
      '. 7301:8761 ack 1',
      'P. 8761:10221 ack 1',
    ]);
    // The rest had arrived.
    peer.say('.', { ack: 14_601 });
    expect(peer.lines()).toEqual([]);
    expect(c.inFlight).toBe(0);
    expect(peer.host.core.nextDeadline()).toBe(Infinity);
  });

  test('a second one halves nothing further', () => {
    const [peer, socket] = connected(0);
    send(peer, socket, 14_600);
    peer.pass(2 * SECOND);
    const c = peer.host.core.tcp.connection(0);
    expect([c.cwnd, c.ssthresh]).toEqual([1, 5]);
  });

  test('small segments are sent again as full ones', () => {
    const [peer, socket] = connected(0);
    socket.setOption(0, 1);
    for (let i = 0; i < 5; i++) send(peer, socket, 100);
    expect(peer.lines().length).toBe(5);
    peer.pass(200_001);
    expect(peer.lines()).toEqual(['P. 1:501 ack 1']);
  });

  test('during fast recovery ssthresh is not taken from the inflated window', () => {
    const [peer, socket] = connected(0);
    send(peer, socket, 14_600);
    peer.lines();
    for (let i = 0; i < 9; i++) {
      peer.say('.', { ack: 1, sack: [[1461, 2921 + i * 1460]] });
    }
    const c = peer.host.core.tcp.connection(0);
    expect([c.cwnd, c.ssthresh]).toEqual([5, 5]);
    peer.pass(SECOND);
    expect([c.cwnd, c.ssthresh]).toEqual([1, 5]);
  });
});

test('the peer’s host has crashed and comes back: RST, ECONNRESET (mission S21 b)', () => {
  const [peer, socket] = connected(0);
  send(peer, socket, 10);
  peer.pass(30 * SECOND);
  const { seq, ack } = peer.log[peer.log.length - 1];
  expect([seq, ack]).toEqual([1, 1]);
  peer.say('R', { seq: 1 });
  expect(socket.takeError()).toBe(Errno.ECONNRESET);
});

test('the cut heals: all goes on (mission S21 d)', () => {
  const [peer, socket] = connected(0);
  send(peer, socket, 10);
  peer.pass(600 * SECOND);
  expect(peer.heard().map(line).at(-1)).toBe('P. 1:11 ack 1');
  peer.say('.', { ack: 11 });
  expect(socket.outQueue).toBe(0);
  expect(peer.host.core.nextDeadline()).toBe(Infinity);
});
