import { errnoName } from '../../../../lib/core/errno';
import type { StreamSocket } from '../../../../lib/core/socket/stream-socket';
import { State, stateName } from '../../../../lib/core/tcp/state';
import { pattern, readAll } from '../../../support/lab';
import { Peer } from '../../../support/peer';

// RFC 9293 §3.10.7.4 and §3.5.3.

describe('segments that arrive together are processed before any acknowledgment leaves', () => {
  test('in order: one acknowledgment speaks for all (MUST-58, MUST-59)', () => {
    const peer = new Peer();
    const socket = peer.open();
    for (let i = 0; i < 6; i++) peer.deliver(peer.packet('.', { data: 1000 }));
    peer.listen();
    expect(peer.lines()).toEqual(['. 1 ack 6001']);
    expect(socket.inQueue).toBe(6000);
  });

  test('with a FIN behind them: one for all', () => {
    const peer = new Peer();
    peer.open();
    for (let i = 0; i < 3; i++) peer.deliver(peer.packet('.', { data: 1000 }));
    peer.deliver(peer.packet('F.', { data: 1000 }));
    peer.listen();
    expect(peer.lines()).toEqual(['. 1 ack 4002']);
  });

  test('beyond a hole: each is kept, and is a duplicate acknowledgment (SHLD-31, MAY-13)', () => {
    const peer = new Peer();
    const socket = peer.open();
    const data = pattern(4000);
    for (let i = 1; i < 4; i++) {
      const piece = data.subarray(1000 * i, 1000 * (i + 1));
      peer.deliver(peer.packet('.', { seq: 1 + 1000 * i, data: piece }));
    }
    peer.listen();
    expect(peer.lines()).toEqual(['. 1 ack 1', '. 1 ack 1', '. 1 ack 1']);
    peer.say('.', { seq: 1, data: data.subarray(0, 1000) });
    expect(peer.lines()).toEqual(['. 1 ack 4001']);
    expect(readAll(socket)).toEqual(data);
  });
});

test('whatever the peer’s rhythm, an acknowledgment waits less than 500 ms (MUST-40)', () => {
  const peer = new Peer();
  const socket = peer.open();
  let longest = 0;
  for (const gap of [1, 5, 20, 39, 41, 100, 150, 199, 201, 400, 900, 5000, 60_000]) {
    for (let i = 0; i < 30; i++) {
      const said = peer.now;
      peer.say('.', { data: 10 });
      while (peer.log.at(-1)?.ack !== peer.seq) peer.pass(1000);
      longest = Math.max(longest, peer.now - said);
      readAll(socket);
      peer.pass(gap * 1000);
    }
  }
  expect(longest).toBeGreaterThan(30_000);
  expect(longest).toBeLessThan(500_000);
});

describe('a RST may have data, which says why (SHLD-2)', () => {
  const reason = pattern(20);

  test('in SYN-SENT', () => {
    const peer = new Peer();
    const socket = peer.dial();
    peer.say('R.', { ack: 1, data: reason });
    expect(errnoName(socket.takeError())).toBe('ECONNREFUSED');
  });

  test('in SYN-RECEIVED', () => {
    const peer = new Peer();
    const listener = peer.server();
    peer.say('S', peer.synFields());
    expect(listener.listening?.handshakes).toBe(1);
    peer.say('R', { data: reason });
    expect(listener.listening?.handshakes).toBe(0);
  });

  test.each<[string, (peer: Peer, socket: StreamSocket) => void]>([
    ['ESTABLISHED', () => undefined],
    ['FIN-WAIT-1', (_peer, socket) => socket.shutdown(1)],
    ['CLOSE-WAIT', (peer) => peer.say('F.')],
  ])('in %s', (state, reach) => {
    const peer = new Peer();
    const socket = peer.open();
    reach(peer, socket);
    peer.listen();
    expect(stateName(socket.state)).toBe(state);
    peer.heard();
    peer.say('R.', { data: reason });
    expect(socket.state).toBe(State.CLOSED);
    expect(peer.lines()).toEqual([]);
    // It is not part of the stream.
    expect(socket.inQueue).toBe(0);
  });
});

describe('what the user learns of the end (MUST-12)', () => {
  test('an orderly one: the end of the stream, and no error', () => {
    const peer = new Peer();
    const socket = peer.open();
    peer.say('F.');
    expect(socket.take(10)).toBe(0);
    expect(socket.takeError()).toBe(0);
  });

  test('an abort: an error, once, and no end of the stream before it', () => {
    const peer = new Peer();
    const socket = peer.open();
    peer.say('R');
    expect(errnoName(socket.take(10) as number)).toBe('ECONNRESET');
    expect(socket.takeError()).toBe(0);
  });
});
