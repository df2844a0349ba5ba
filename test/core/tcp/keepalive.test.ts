import { Errno } from '../../../lib/core/errno';
import { SocketOption } from '../../../lib/core/socket/options';
import type { StreamSocket } from '../../../lib/core/socket/stream-socket';
import { State } from '../../../lib/core/tcp/state';
import { leftovers, NOTHING, pattern } from '../../support/lab';
import { line, Peer, type PeerOptions } from '../../support/peer';

const SECOND = 1_000_000;
const HOUR = 3600 * SECOND;
const WR = 1;

function connected(options: PeerOptions = {}, on = true): [Peer, StreamSocket] {
  const peer = new Peer(options);
  const socket = peer.answer();
  if (on) socket.setOption(SocketOption.KeepAlive, 1);
  return [peer, socket];
}

/** Seconds at which probes were heard. */
function probes(peer: Peer): number[] {
  return peer.heard().map((heard) => {
    expect(line(heard)).toMatch(/^\. -?\d+ ack 1$/);
    return heard.at / SECOND;
  });
}

describe('keepalive (RFC 9293 §3.8.4, mission S8)', () => {
  test('is off by default: an idle connection sends nothing, for days', () => {
    const [peer, socket] = connected({}, false);
    peer.pass(240 * HOUR);
    expect(peer.lines()).toEqual([]);
    expect(peer.host.core.nextDeadline()).toBe(Infinity);
    expect(socket.state).toBe(State.ESTABLISHED);
  });

  test('TCP_USER_TIMEOUT shorter than the idle time: one probe all the same', () => {
    const [peer, socket] = connected();
    socket.setOption(SocketOption.KeepIdle, 10_000);
    socket.setOption(SocketOption.UserTimeout, 5000);
    peer.pass(11 * SECOND);
    expect(probes(peer)).toEqual([10]);
    expect(socket.state).toBe(State.ESTABLISHED);
    peer.pass(75 * SECOND);
    expect(socket.takeError()).toBe(Errno.ETIMEDOUT);
  });

  test('after 2 hours a probe every 75 s, given up after 10', () => {
    const [peer, socket] = connected();
    peer.pass(2 * HOUR + 750 * SECOND - 1);
    const expected = Array.from({ length: 10 }, (_, n) => 7200 + 75 * n);
    expect(probes(peer)).toEqual(expected);
    expect(socket.state).toBe(State.ESTABLISHED);
    peer.pass(1);
    expect(socket.takeError()).toBe(Errno.ETIMEDOUT);
    expect(peer.lines()).toEqual(['R. 1 ack 1']);
    expect(leftovers(peer.host)).toEqual(NOTHING);
  });

  test('a new idle time counts from the last word of the peer', () => {
    const [peer, socket] = connected();
    peer.pass(100 * SECOND);
    socket.setOption(SocketOption.KeepAlive, 1);
    socket.setOption(SocketOption.KeepIdle, 150_000);
    peer.pass(51 * SECOND);
    expect(probes(peer)).toEqual([150]);
    peer.say('.');
    peer.pass(100 * SECOND);
    // It is over already.
    socket.setOption(SocketOption.KeepIdle, 50_000);
    peer.pass(1);
    expect(probes(peer)).toEqual([251]);
  });

  test('a probe is an old empty segment that the peer must answer', () => {
    const [peer] = connected();
    peer.pass(2 * HOUR);
    expect(peer.lines()).toEqual(['. 0 ack 1']);
  });

  test('any segment from the peer starts it anew', () => {
    const [peer, socket] = connected();
    peer.pass(HOUR);
    peer.say('.');
    peer.pass(2 * HOUR - 1);
    expect(probes(peer)).toEqual([]);
    peer.pass(1);
    expect(probes(peer)).toEqual([3 * 3600]);
    // The answer to a probe too: eleven of them, and no end.
    for (let n = 0; n < 11; n++) {
      peer.say('.');
      peer.pass(2 * HOUR);
      expect(probes(peer).length).toBe(1);
    }
    expect(socket.state).toBe(State.ESTABLISHED);
  });

  test('an answer after nine probes saves the connection', () => {
    const [peer, socket] = connected();
    peer.pass(2 * HOUR + 700 * SECOND);
    expect(probes(peer).length).toBe(10);
    peer.say('.');
    peer.pass(2 * HOUR - 1);
    expect(probes(peer)).toEqual([]);
    expect(socket.state).toBe(State.ESTABLISHED);
  });

  test('each of its numbers can be set', () => {
    const [peer, socket] = connected({}, false);
    socket.setOption(SocketOption.KeepIdle, 10_000);
    socket.setOption(SocketOption.KeepInterval, 2000);
    socket.setOption(SocketOption.KeepCount, 3);
    socket.setOption(SocketOption.KeepAlive, 1);
    peer.pass(16 * SECOND);
    expect(peer.heard().map(({ at, flags }) => [at / SECOND, flags])).toEqual([
      [10, '.'],
      [12, '.'],
      [14, '.'],
      [16, 'R.'],
    ]);
    expect(socket.takeError()).toBe(Errno.ETIMEDOUT);
  });

  test('the settings of the stack are the defaults', () => {
    const tcp = { keepAliveTime: 5000, keepAliveInterval: 1000, keepAliveProbes: 2 };
    const [peer, socket] = connected({ tcp });
    peer.pass(7 * SECOND);
    expect(peer.heard().map(({ at }) => at / SECOND)).toEqual([5, 6, 7]);
    expect(socket.state).toBe(State.CLOSED);
  });

  test('TCP_USER_TIMEOUT takes the place of the count (Linux)', () => {
    const [peer, socket] = connected();
    socket.setOption(SocketOption.KeepIdle, 10_000);
    socket.setOption(SocketOption.KeepInterval, 2000);
    socket.setOption(SocketOption.UserTimeout, 15_000);
    peer.pass(16 * SECOND);
    expect(peer.heard().map(({ at, flags }) => [at / SECOND, flags])).toEqual([
      [10, '.'],
      [12, '.'],
      [14, '.'],
      [16, 'R.'],
    ]);
    expect(socket.takeError()).toBe(Errno.ETIMEDOUT);
  });

  test('switched off it is silent; switched on again it counts from the start', () => {
    const [peer, socket] = connected();
    peer.pass(2 * HOUR);
    expect(probes(peer).length).toBe(1);
    socket.setOption(SocketOption.KeepAlive, 0);
    expect(peer.host.core.nextDeadline()).toBe(Infinity);
    peer.pass(10 * HOUR);
    expect(probes(peer)).toEqual([]);
    socket.setOption(SocketOption.KeepAlive, 1);
    peer.pass(2 * HOUR);
    expect(probes(peer).length).toBe(1);
  });

  test('not while data is in flight or held back: there the retransmission timer watches', () => {
    const [peer, socket] = connected();
    socket.setOption(SocketOption.KeepIdle, 1000);
    peer.say('.', { window: 0 });
    socket.send(pattern(10), 0, 10);
    peer.pass(100 * SECOND);
    // All that is heard are window probes, by their own clock.
    expect(peer.host.core.counters.TcpExtTCPKeepAlive).toBe(0);
    expect(peer.heard().length).toBe(8);
  });

  test.each(['FIN-WAIT-2', 'CLOSE-WAIT'])('also while only half is open: %s', (state) => {
    const [peer, socket] = connected();
    socket.setOption(SocketOption.KeepIdle, 1000);
    socket.setOption(SocketOption.KeepInterval, 1000);
    if (state === 'FIN-WAIT-2') {
      socket.shutdown(WR);
      peer.listen();
      peer.say('.');
    } else {
      peer.say('F.');
    }
    peer.pass(20 * SECOND);
    expect(socket.state).toBe(State.CLOSED);
    expect(leftovers(peer.host)).toEqual(NOTHING);
  });

  test('an accepted connection has the listener’s', () => {
    const peer = new Peer();
    const listener = peer.server();
    listener.setOption(SocketOption.KeepAlive, 1);
    listener.setOption(SocketOption.KeepIdle, 1000);
    peer.open(listener);
    peer.pass(SECOND);
    expect(peer.lines()).toEqual(['. 0 ack 1']);
  });

  test('after the close the end of FIN-WAIT-2 has its own clock', () => {
    const [peer, socket] = connected();
    socket.close();
    peer.listen();
    peer.say('.');
    peer.lines();
    peer.pass(60 * SECOND);
    expect(peer.lines()).toEqual([]);
    expect(leftovers(peer.host)).toEqual(NOTHING);
  });

  test('after 30 idle days it still counts right', () => {
    const [peer, socket] = connected({}, false);
    peer.pass(30 * 24 * HOUR);
    socket.setOption(SocketOption.KeepAlive, 1);
    peer.pass(2 * HOUR);
    expect(peer.lines()).toEqual(['. 0 ack 1']);
  });
});
