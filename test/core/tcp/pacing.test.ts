import { SocketOption } from '../../../lib/core/socket/options';
import type { StreamSocket } from '../../../lib/core/socket/stream-socket';
import { Peer, type PeerOptions } from '../../support/peer';

const MSS = 1000;
const RTT = 100_000;

/** A connection with round trips of 100 ms, a window of ten segments and much to send. */
function sender(tcp: PeerOptions['tcp'], options: [SocketOption, number][] = []) {
  const peer = new Peer({ syn: { mss: MSS, scale: 7, sackPermitted: true }, tcp });
  const socket = peer.dial((made) => {
    for (const [option, value] of options) made.setOption(option, value);
  });
  peer.pass(RTT);
  peer.answer(socket);
  peer.say('.');
  peer.heard();
  return { peer, socket, c: peer.host.core.tcp.connection(0) };
}

function write(peer: Peer, socket: StreamSocket, segments: number): void {
  socket.send(new Uint8Array(segments * MSS), 0, segments * MSS);
  peer.listen();
}

/** When each segment of data left, µs since now; `us` go by. */
function departures(peer: Peer, us: number): number[] {
  const start = peer.now;
  const before = peer.log.length;
  peer.listen();
  peer.pass(us);
  const data = peer.log.slice(before).filter(({ length }) => length > 0);
  return data.map(({ at }) => Math.round(at - start));
}

describe('pacing', () => {
  test('is off by default: a window leaves at once', () => {
    const { peer, socket } = sender({});
    socket.send(new Uint8Array(10 * MSS), 0, 10 * MSS);
    expect(departures(peer, 50_000)).toEqual(new Array(10).fill(0));
  });

  test('spreads a window in slow start over half of the round trip, by bursts of two', () => {
    const { peer, socket } = sender({ pacing: 1 });
    socket.send(new Uint8Array(10 * MSS), 0, 10 * MSS);
    // 200 % of ten segments in 100 ms: 5 ms for each.
    const expected = [0, 0, 10, 10, 20, 20, 30, 30, 40, 40].map((ms) => ms * 1000);
    expect(departures(peer, 90_000)).toEqual(expected);
  });

  test.each([
    ['near its end', {}, 15, 120],
    ['by the ratios', { pacingSlowStartRatio: 400 }, 0x7fffffff, 400],
    ['by the ratios', { pacingAvoidanceRatio: 100 }, 10, 100],
  ])('%s', (_, settings, ssthresh, percent) => {
    const { peer, socket, c } = sender({ pacing: 1, ...settings });
    c.ssthresh = ssthresh;
    socket.send(new Uint8Array(4 * MSS), 0, 4 * MSS);
    const [, , third] = departures(peer, 60_000);
    expect(Math.abs(third - (2 * RTT * 100) / 10 / percent)).toBeLessThan(2);
  });

  test('SO_MAX_PACING_RATE bounds the rate of one connection', () => {
    const { peer, socket } = sender({}, [[SocketOption.MaxPacingRate, 100_000]]);
    socket.send(new Uint8Array(6 * MSS), 0, 6 * MSS);
    expect(departures(peer, 90_000)).toEqual([0, 0, 20_000, 20_000, 40_000, 40_000]);
  });

  test('also where all is acknowledged before the next may leave', () => {
    const { peer, socket, c } = sender({}, [[SocketOption.MaxPacingRate, 10_000]]);
    write(peer, socket, 4);
    peer.pass(1000);
    peer.say('.');
    expect([c.packetsOut, peer.log.filter(({ length }) => length > 0).length]).toEqual([0, 2]);
    expect(departures(peer, 250_000)).toEqual([199_000, 199_000]);
    expect(peer.host.core.counters.TcpExtTCPWinProbe).toBe(0);
  });

  test('a limit that is taken away holds nothing back', () => {
    const { peer, socket } = sender({}, [[SocketOption.MaxPacingRate, 1]]);
    write(peer, socket, 6);
    expect(departures(peer, 1000)).toEqual([]);
    socket.setOption(SocketOption.MaxPacingRate, 0);
    expect(departures(peer, 1000)).toEqual([0, 0, 0, 0]);
  });

  test('a FIN and retransmissions wait their turn', () => {
    const { peer, socket } = sender({ minBurst: 1 }, [[SocketOption.MaxPacingRate, 100_000]]);
    write(peer, socket, 10);
    peer.pass(100_000);
    socket.shutdown(1);
    const before = peer.log.length;
    const sack = [[1 + 4 * MSS, 1 + 10 * MSS]] as const;
    for (let i = 0; i < 3; i++) peer.say('.', { ack: 1, sack });
    peer.pass(60_000);
    const times = peer.log.slice(before).filter(({ length }) => length > 0);
    const gaps = times.slice(1).map(({ at }, i) => at - times[i].at);
    expect(times.length).toBeGreaterThanOrEqual(3);
    for (const gap of gaps) expect(gap).toBeGreaterThanOrEqual(10_000);
  });

  test('a controller asks for it, in bytes per second', () => {
    const peer = new Peer({
      syn: { mss: MSS, scale: 7 },
      congestionControl: {
        name: 'paces',
        init: (connection) => void (connection.pacingRate = 50_000),
        ssthresh: () => 2,
        congAvoid: () => undefined,
      },
    });
    const socket = peer.answer();
    peer.say('.');
    peer.heard();
    socket.send(new Uint8Array(6 * MSS), 0, 6 * MSS);
    const times = departures(peer, 100_000);
    expect(new Set(times)).toEqual(new Set([0, times[times.length >> 1], times[times.length - 1]]));
    expect(times[times.length - 1]).toBeGreaterThanOrEqual(80_000 - 1);
  });

  test('a connection that is over leaves no timer', () => {
    const { peer, socket } = sender({}, [[SocketOption.MaxPacingRate, 10]]);
    write(peer, socket, 6);
    socket.abort();
    peer.listen();
    expect(peer.host.core.nextDeadline()).toBe(Infinity);
  });
});
