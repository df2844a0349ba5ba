import { Errno } from '../../../lib/core/errno';
import { Poll } from '../../../lib/core/socket/socket-status';
import { type StreamSocket } from '../../../lib/core/socket/stream-socket';
import { State, stateName } from '../../../lib/core/tcp/state';
import { Lab, leftovers, NOTHING, pattern, readAll, type LabHost } from '../../support/lab';
import { Peer } from '../../support/peer';

const SECOND = 1_000_000;
const RD = 0;
const WR = 1;
const RDWR = 2;

/** The peer's connection to the stack, a socket that nothing was sent on. */
function established(options: ConstructorParameters<typeof Peer>[0] = {}): [Peer, StreamSocket] {
  const peer = new Peer(options);
  return [peer, peer.open()];
}

/** Loses every seventh packet. */
function everySeventh(_packet: Uint8Array, _from: LabHost, count: number): false | undefined {
  return count % 7 === 3 ? false : undefined;
}

describe('close(2)', () => {
  test('with data unread: RST (RFC 9293 §3.10.4, RFC 2525 §2.17)', () => {
    const [peer, socket] = established();
    peer.say('.', { data: 5 });
    socket.send(pattern(5), 0, 5);
    peer.listen();
    peer.lines();
    socket.close();
    peer.listen();
    expect(peer.lines()).toEqual(['R. 6 ack 6']);
    expect(leftovers(peer.host)).toMatchObject({ connections: 0, fourTuples: 0, sendMemory: 0 });
    expect(peer.host.core.counters.TcpExtTCPAbortOnClose).toBe(1);
  });

  test.each(['FIN-WAIT-1', 'FIN-WAIT-2'])('data that comes after it, in %s: RST', (state) => {
    const [peer, socket] = established();
    socket.close();
    peer.listen();
    if (state === 'FIN-WAIT-2') peer.say('.');
    peer.lines();
    peer.say('.', { data: 5, ack: state === 'FIN-WAIT-2' ? 2 : 1 });
    expect(peer.lines()).toEqual([state === 'FIN-WAIT-2' ? 'R 2' : 'R 1']);
    expect(peer.state).toBe(State.CLOSED);
    expect(peer.host.core.counters.TcpExtTCPAbortOnData).toBe(1);
  });

  test('data that comes a second time after it is no reason', () => {
    const [peer, socket] = established();
    peer.say('.', { data: 5 });
    readAll(socket);
    socket.close();
    peer.listen();
    peer.lines();
    peer.say('.', { seq: 1, data: 5 });
    expect(peer.lines()).toEqual(['. 2 ack 6']);
    expect(peer.state).toBe(State.FIN_WAIT_2);
  });

  test('the peer’s FIN with data: RST; without: TIME-WAIT', () => {
    const [peer, socket] = established();
    socket.close();
    peer.listen();
    peer.say('.');
    peer.lines();
    peer.say('F.', { data: 5 });
    expect(peer.lines()).toEqual(['R 2']);
  });

  test('what was sent is still delivered', () => {
    const lab = new Lab({
      filter: everySeventh,
    });
    const { client, server, listener } = lab.pair();
    const data = pattern(300_000);
    expect(client.send(data, 0, data.length)).toBe(data.length);
    client.close();
    const got: Uint8Array[] = [];
    let end: Uint8Array | number = -1;
    lab.run(() => {
      got.push(readAll(server));
      return (end = server.take(1)) === 0;
    });
    expect(end).toBe(0);
    expect(Buffer.compare(Buffer.concat(got), data)).toBe(0);
    server.close();
    listener.close();
    lab.run();
    expect([leftovers(lab.a), leftovers(lab.b)]).toEqual([NOTHING, NOTHING]);
  });

  test('FIN-WAIT-2 lasts 60 s then (Linux: tcp_fin_timeout); a FIN after that gets a RST', () => {
    const [peer, socket] = established();
    socket.close();
    peer.listen();
    peer.pass(SECOND);
    peer.say('.');
    peer.pass(60 * SECOND - 1);
    expect(peer.state).toBe(State.FIN_WAIT_2);
    peer.pass(1);
    expect(peer.state).toBe(State.CLOSED);
    peer.lines();
    peer.say('F.');
    expect(peer.lines()).toEqual(['R 2']);
  });

  test('the peer’s FIN within 60 s leads to TIME-WAIT', () => {
    const [peer, socket] = established();
    socket.shutdown(WR);
    peer.listen();
    peer.say('.');
    peer.pass(3600 * SECOND);
    socket.close();
    peer.pass(59 * SECOND);
    peer.say('F.');
    expect(peer.state).toBe(State.TIME_WAIT);
  });

  test('a silent peer is given up after orphanRetries', () => {
    const [peer, socket] = established();
    socket.send(pattern(10), 0, 10);
    socket.close();
    peer.pass(102.2 * SECOND);
    expect(peer.state).toBe(State.FIN_WAIT_1);
    peer.pass(2 * 60 * SECOND);
    expect(peer.state).toBe(State.CLOSED);
    expect(peer.host.core.counters.TcpExtTCPAbortOnTimeout).toBe(1);
    expect(leftovers(peer.host)).toMatchObject({ connections: 0, fourTuples: 0, sendMemory: 0 });
  });

  test('so is one that never opens its window, though it answers each probe', () => {
    const [peer, socket] = established();
    peer.say('.', { window: 0 });
    socket.send(pattern(10), 0, 10);
    socket.close();
    const start = peer.now;
    while (peer.state !== State.CLOSED && peer.now - start < 1000 * SECOND) {
      peer.pass(10_000);
      if (peer.heard().length > 0) peer.say('.', { window: 0, ack: 1 });
    }
    // As long as the interval can double (Linux: alive), and once more.
    expect((peer.now - start) / SECOND).toBeCloseTo(0.2 * 1023 + 120, 0);
    expect(leftovers(peer.host)).toMatchObject({ connections: 0, fourTuples: 0, sendMemory: 0 });
  });

  test('in SYN-SENT nothing is sent, and nothing left', () => {
    const peer = new Peer();
    const socket = peer.dial();
    peer.lines();
    socket.close();
    peer.pass(10 * SECOND);
    expect(peer.lines()).toEqual([]);
    expect(leftovers(peer.host)).toEqual(NOTHING);
    // The answer that comes late gets a RST.
    peer.say('S.', { ack: 1 });
    expect(peer.lines()).toEqual(['R 1']);
  });

  test('in SYN-RECEIVED the FIN follows the handshake', () => {
    const peer = new Peer();
    const socket = peer.dial();
    peer.say('S', peer.synFields());
    peer.lines();
    socket.close();
    peer.listen();
    expect(peer.lines()).toEqual([]);
    peer.say('.', { ack: 1 });
    expect(peer.lines()).toEqual(['F. 1 ack 1']);
    expect(peer.state).toBe(State.FIN_WAIT_1);
  });

  test('twice is EBADF, as is every call afterwards', () => {
    const [, socket] = established();
    const bytes = new Uint8Array(1);
    expect(socket.close()).toBe(0);
    expect([
      socket.close(),
      socket.send(bytes, 0, 1),
      socket.receive(bytes, 0, 1),
      socket.take(1),
      socket.shutdown(WR),
      socket.setOption(0, 1),
    ]).toEqual(Array(6).fill(-Errno.EBADF));
  });
});

describe('ABORT (RFC 9293 §3.10.5)', () => {
  const cases: readonly [string, string[], (peer: Peer) => StreamSocket][] = [
    ['SYN-SENT', [], (peer) => peer.dial()],
    [
      'SYN-RECEIVED',
      ['R. 1 ack 1'],
      (peer) => {
        const socket = peer.dial();
        peer.say('S', peer.synFields());
        return socket;
      },
    ],
    ['ESTABLISHED', ['R. 1 ack 1'], (peer) => peer.open()],
    [
      'ESTABLISHED',
      ['R. 11 ack 1'],
      (peer) => {
        const socket = peer.open();
        socket.send(pattern(10), 0, 10);
        peer.listen();
        return socket;
      },
    ],
    [
      'FIN-WAIT-1',
      ['R. 2 ack 1'],
      (peer) => {
        const socket = peer.open();
        socket.shutdown(WR);
        peer.listen();
        return socket;
      },
    ],
    [
      'FIN-WAIT-2',
      ['R. 2 ack 1'],
      (peer) => {
        const socket = peer.open();
        socket.shutdown(WR);
        peer.listen();
        peer.say('.');
        return socket;
      },
    ],
    [
      'CLOSE-WAIT',
      ['R. 1 ack 2'],
      (peer) => {
        const socket = peer.open();
        peer.say('F.');
        return socket;
      },
    ],
    [
      'CLOSING',
      [],
      (peer) => {
        const socket = peer.open();
        socket.shutdown(WR);
        peer.listen();
        peer.say('F.', { ack: 1 });
        return socket;
      },
    ],
    [
      'LAST-ACK',
      [],
      (peer) => {
        const socket = peer.open();
        peer.say('F.');
        socket.shutdown(WR);
        peer.listen();
        return socket;
      },
    ],
    [
      'LAST-ACK',
      // Not all was sent: as on Linux, the peer must learn that it doesn't get the rest.
      ['R. 1 ack 2'],
      (peer) => {
        const socket = peer.open();
        peer.say('F.', { window: 0 });
        socket.send(pattern(10), 0, 10);
        socket.shutdown(WR);
        peer.listen();
        return socket;
      },
    ],
  ];

  test.each(cases)('in %s: %j', (state, replies, setUp) => {
    const peer = new Peer();
    const socket = setUp(peer);
    expect(stateName(peer.state)).toBe(state);
    peer.lines();
    socket.abort();
    peer.pass(10 * SECOND);
    expect(peer.lines()).toEqual(replies);
    expect(leftovers(peer.host)).toMatchObject({ connections: 0, fourTuples: 0, sendMemory: 0 });
  });

  test('in TIME-WAIT the wait goes on', () => {
    const [peer, socket] = established();
    socket.shutdown(WR);
    peer.listen();
    peer.say('F.');
    peer.lines();
    socket.abort();
    peer.listen();
    expect(peer.lines()).toEqual([]);
    expect(peer.state).toBe(State.TIME_WAIT);
  });

  test('of all connections: each socket gets the error', () => {
    const peer = new Peer();
    const first = peer.open();
    peer.host.core.abortAll(Errno.ECONNABORTED);
    peer.listen();
    expect(peer.lines()).toEqual(['R. 1 ack 1']);
    expect(first.takeError()).toBe(Errno.ECONNABORTED);
  });
});

describe('shutdown(2)', () => {
  test('of reading changes nothing on the wire; what arrives can still be read (Linux)', () => {
    const [peer, socket] = established();
    expect(socket.shutdown(RD)).toBe(0);
    expect(socket.take(9)).toBe(0);
    expect(socket.poll()).toBe(Poll.IN | Poll.OUT | Poll.RDHUP);
    peer.say('.', { data: pattern(3) });
    expect(peer.lines()).toEqual(['. 1 ack 4']);
    expect(socket.take(9)).toEqual(pattern(3));
    expect(socket.take(9)).toBe(0);
  });

  test('of both, then data: RST and ECONNRESET', () => {
    const [peer, socket] = established();
    expect(socket.shutdown(RDWR)).toBe(0);
    peer.listen();
    expect(socket.poll()).toBe(Poll.IN | Poll.OUT | Poll.RDHUP | Poll.HUP);
    peer.say('.', { data: 3, ack: 1 });
    // The number that the peer expects.
    expect(peer.lines()).toEqual(['F. 1 ack 1', 'R 1']);
    expect(socket.take(9)).toBe(-Errno.ECONNRESET);
    expect(socket.take(9)).toBe(0);
  });

  test('in SYN-SENT gives the connection up: ECONNRESET (Linux)', () => {
    const peer = new Peer();
    const socket = peer.dial();
    peer.lines();
    expect(socket.shutdown(WR)).toBe(0);
    peer.listen();
    expect(peer.lines()).toEqual([]);
    expect(socket.poll()).toBe(Poll.OUT | Poll.ERR | Poll.HUP);
    expect(socket.takeError()).toBe(Errno.ECONNRESET);
    expect(leftovers(peer.host)).toEqual(NOTHING);
  });

  test('twice, and after the end', () => {
    const [peer, socket] = established();
    expect(socket.shutdown(WR)).toBe(0);
    peer.listen();
    expect(socket.shutdown(WR)).toBe(0);
    peer.listen();
    expect(peer.lines()).toEqual(['F. 1 ack 1']);
    peer.say('R');
    expect(socket.shutdown(WR)).toBe(-Errno.ENOTCONN);
    expect(peer.host.core.socket(4).shutdown(WR)).toBe(-Errno.ENOTCONN);
  });
});

describe('reading and writing around the end, as on Linux', () => {
  const one = new Uint8Array(1);

  test('before there is a connection', () => {
    const peer = new Peer();
    const socket = peer.host.core.socket(4);
    expect(socket.send(one, 0, 1)).toBe(-Errno.EPIPE);
    expect(socket.receive(one, 0, 1)).toBe(-Errno.ENOTCONN);
    expect(socket.poll()).toBe(Poll.OUT | Poll.HUP);
    const dialled = peer.dial();
    expect(dialled.send(one, 0, 1)).toBe(-Errno.EAGAIN);
    expect(dialled.receive(one, 0, 1)).toBe(-Errno.EAGAIN);
    expect(dialled.connect(peer.host.address, 1)).toBe(-Errno.EALREADY);
    peer.say('S.', { ack: 1 });
    expect(dialled.connect(peer.host.address, 1)).toBe(0);
    expect(dialled.connect(peer.host.address, 1)).toBe(-Errno.EISCONN);
    expect(dialled.poll()).toBe(Poll.OUT);
  });

  test('RST: first the data, then the error once, then the end', () => {
    const [peer, socket] = established();
    peer.say('.', { data: pattern(5) });
    peer.say('R');
    expect(socket.poll()).toBe(Poll.IN | Poll.OUT | Poll.ERR | Poll.HUP | Poll.RDHUP);
    expect(socket.take(9)).toEqual(pattern(5));
    expect(socket.take(9)).toBe(-Errno.ECONNRESET);
    expect(socket.take(9)).toBe(0);
    expect(socket.send(one, 0, 1)).toBe(-Errno.EPIPE);
    expect(socket.poll()).toBe(Poll.IN | Poll.OUT | Poll.HUP | Poll.RDHUP);
  });

  test('RST after the peer’s FIN: the reader has the end, the writer EPIPE', () => {
    const [peer, socket] = established();
    peer.say('F.', { data: pattern(5) });
    peer.say('R');
    expect(socket.take(9)).toEqual(pattern(5));
    expect([socket.take(9), socket.take(9)]).toEqual([0, 0]);
    expect(socket.poll() & Poll.ERR).toBe(Poll.ERR);
    expect(socket.send(one, 0, 1)).toBe(-Errno.EPIPE);
    expect(socket.poll() & Poll.ERR).toBe(0);
  });

  test('the peer’s FIN, ours', () => {
    const [peer, socket] = established();
    peer.say('F.');
    expect(socket.poll()).toBe(Poll.IN | Poll.OUT | Poll.RDHUP);
    expect(socket.send(one, 0, 1)).toBe(1);
    socket.shutdown(WR);
    peer.listen();
    expect(socket.poll()).toBe(Poll.IN | Poll.OUT | Poll.RDHUP | Poll.HUP);
    expect(socket.send(one, 0, 1)).toBe(-Errno.EPIPE);
    peer.say('.');
    expect(socket.state).toBe(State.CLOSED);
    expect(socket.take(1)).toBe(0);
    expect(socket.takeError()).toBe(0);
  });

  test('given up: ETIMEDOUT', () => {
    const [peer, socket] = established({ tcp: { retries2: 3 } });
    socket.send(one, 0, 1);
    peer.pass(60 * SECOND);
    expect(socket.poll()).toBe(Poll.IN | Poll.OUT | Poll.ERR | Poll.HUP | Poll.RDHUP);
    expect(socket.take(1)).toBe(-Errno.ETIMEDOUT);
    expect(socket.take(1)).toBe(0);
  });
});

test('more resets in one turn than there is room for answers: none is lost', () => {
  const [peer] = established();
  const { tcp } = peer.host.core;
  const count = 2100;
  for (let i = 0; i < count; i++) tcp.reset(tcp.connection(0));
  peer.listen();
  expect(peer.heard().filter(({ flags }) => flags.includes('R'))).toHaveLength(count);
  expect(tcp.counters.NetlandReplyDrops).toBe(0);
  expect(tcp.hasOutput).toBe(false);
});
