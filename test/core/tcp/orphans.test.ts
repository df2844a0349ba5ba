import { Errno } from '../../../lib/core/errno';
import { SocketOption } from '../../../lib/core/socket/options';
import type { StreamSocket } from '../../../lib/core/socket/stream-socket';
import type { Settings } from '../../../lib/core/tcp/settings';
import { State } from '../../../lib/core/tcp/state';
import { Lab, leftovers, NOTHING, pattern } from '../../support/lab';
import { Peer, type PeerOptions } from '../../support/peer';

const SECOND = 1_000_000;

function established(options: PeerOptions = {}): [Peer, StreamSocket] {
  const peer = new Peer(options);
  return [peer, peer.open()];
}

/** An orphan in FIN-WAIT-2: what is left of the connection is a row. */
function abandoned(options: PeerOptions = {}): Peer {
  const [peer, socket] = established(options);
  socket.setOption(SocketOption.TrafficClass, 0x20);
  socket.close();
  peer.listen();
  peer.say('.');
  peer.lines();
  return peer;
}

describe('SO_LINGER', () => {
  test('off: the data and the FIN are delivered, and nobody waits', () => {
    const [peer, socket] = established();
    socket.send(pattern(10), 0, 10);
    socket.close();
    expect(socket.lingers).toBe(false);
    peer.listen();
    expect(peer.lines()).toEqual(['FP. 1:11 ack 1']);
  });

  test('0: what is queued is dropped, the peer gets a RST', () => {
    const [peer, socket] = established();
    socket.setOption(SocketOption.Linger, 0);
    socket.send(pattern(10), 0, 10);
    peer.lines();
    socket.close();
    peer.listen();
    expect(peer.lines()).toEqual(['R. 1 ack 1']);
    expect(peer.state).toBe(State.CLOSED);
    expect(peer.host.core.counters.TcpExtTCPAbortOnData).toBe(1);
  });

  test('a time: who blocks waits for the acknowledgment of the FIN', () => {
    const [peer, socket] = established();
    socket.setOption(SocketOption.Linger, 5000);
    socket.send(pattern(10), 0, 10);
    expect(socket.lingers).toBe(false);
    socket.close();
    peer.listen();
    expect(socket.lingers).toBe(true);
    peer.say('.', { ack: 11 });
    expect(socket.lingers).toBe(true);
    peer.say('.', { ack: 12 });
    expect(socket.lingers).toBe(false);
  });

  test('nor longer than the connection lives; not where data was left unread', () => {
    const [peer, socket] = established();
    socket.setOption(SocketOption.Linger, 5000);
    socket.close();
    peer.listen();
    peer.say('R', { seq: 1 });
    expect(socket.lingers).toBe(false);
    const [other, unread] = established();
    unread.setOption(SocketOption.Linger, 5000);
    other.say('.', { data: 4 });
    unread.close();
    expect(unread.lingers).toBe(false);
  });
});

describe('FIN-WAIT-2 that nobody will read from', () => {
  test('is a row, listed as what it is; a FIN leads to TIME-WAIT', () => {
    const peer = abandoned();
    expect(leftovers(peer.host)).toMatchObject({ connections: 0, timeWaits: 1 });
    expect(peer.host.core.list().map(({ state }) => state)).toEqual(['LISTEN', 'FIN-WAIT-2']);
    peer.pass(30 * SECOND);
    peer.say('F.');
    expect(peer.lines()).toEqual(['. 2 ack 2']);
    expect(peer.state).toBe(State.TIME_WAIT);
    peer.pass(60 * SECOND - 1);
    expect(peer.state).toBe(State.TIME_WAIT);
    peer.pass(1);
    expect(peer.state).toBe(State.CLOSED);
  });

  test.each<[string, string, object, string[], State]>([
    ['data', 'P.', { data: 5 }, ['R 2'], State.CLOSED],
    ['data and FIN', 'F.', { data: 5 }, ['R 2'], State.CLOSED],
    ['an acknowledgment', '.', {}, [], State.FIN_WAIT_2],
    ['old data', '.', { seq: -4, data: 5 }, ['. 2 ack 1'], State.FIN_WAIT_2],
    ['data beyond the window', '.', { seq: 70_000, data: 5 }, ['. 2 ack 1'], State.FIN_WAIT_2],
    ['FIN without ACK', 'F', {}, [], State.FIN_WAIT_2],
    ['RST', 'R', {}, [], State.CLOSED],
    ['RST in the window', 'R', { seq: 9 }, ['. 2 ack 1'], State.FIN_WAIT_2],
    ['RST beyond', 'R', { seq: 70_000 }, [], State.FIN_WAIT_2],
    ['SYN in the window', 'S', { seq: 9 }, ['. 2 ack 1'], State.FIN_WAIT_2],
  ])('%s', (_title, flags, say, lines, state) => {
    const peer = abandoned();
    peer.say(flags, say);
    expect(peer.lines()).toEqual(lines);
    expect(peer.state).toBe(state);
  });

  test('answers to what doesn’t fit have a limit, and the connection’s traffic class', () => {
    const peer = abandoned();
    peer.pass(SECOND);
    const classes: number[] = [];
    peer.host.core.onTrace = (words, base) => {
      // Word.Direction, Word.TrafficClass.
      if (words[base + 3] === 1) classes.push(words[base + 5]);
    };
    for (let i = 0; i < 50; i++) peer.say('.', { seq: 70_000 });
    expect(classes).toEqual([0x20]);
    expect(peer.host.core.counters.TcpExtTCPACKSkippedFinWait2).toBe(49);
    peer.say('F.', { seq: 1 });
    peer.pass(SECOND);
    for (let i = 0; i < 50; i++) peer.say('.', { seq: 70_000 });
    expect(peer.host.core.counters.TcpExtTCPACKSkippedTimeWait).toBe(49);
  });

  test('TCP_LINGER2 is its time; below 0 there is none', () => {
    const [peer, socket] = established();
    socket.setOption(SocketOption.Linger2, 5000);
    socket.close();
    peer.listen();
    peer.say('.');
    peer.pass(5 * SECOND - 1);
    expect(peer.state).toBe(State.FIN_WAIT_2);
    peer.pass(1);
    expect(peer.state).toBe(State.CLOSED);
    for (const shut of [true, false]) {
      const [other, hasty] = established();
      hasty.setOption(SocketOption.Linger2, -1);
      if (shut) {
        hasty.shutdown(1);
        other.listen();
        other.say('.');
      }
      hasty.close();
      other.listen();
      if (!shut) other.say('.');
      expect(other.state).toBe(State.CLOSED);
      expect(other.lines()).toEqual(['F. 1 ack 1', shut ? 'R. 2 ack 1' : 'R 2']);
      expect(other.host.core.counters.TcpExtTCPAbortOnLinger).toBe(Number(shut));
    }
  });

  test('thousands, of different times, end each at its own', () => {
    const lab = new Lab({ log: false, delay: 100 });
    const listener = lab.listen(lab.b, 80, 1000);
    const sockets = Array.from({ length: 300 }, () => lab.connect(lab.a, lab.b, 80));
    lab.pass(SECOND);
    sockets.forEach((socket, i) => {
      socket.setOption(SocketOption.Linger2, 1000 + ((i * 7919) % 100) * 1000);
      socket.close();
    });
    lab.pass(SECOND / 2);
    expect(lab.a.core.tcp.timeWait.count).toBe(300);
    lab.pass(50 * SECOND);
    expect(lab.a.core.tcp.timeWait.count).toBe(150);
    lab.pass(50 * SECOND);
    expect(leftovers(lab.a)).toEqual(NOTHING);
    listener.close();
  });
});

describe('orphans', () => {
  function closedWithData(peer: Peer, listener: StreamSocket, count: number): void {
    for (let port = 1; port <= count; port++) {
      peer.port = port;
      peer.renew();
      const socket = peer.open(listener);
      socket.send(pattern(10), 0, 10);
      socket.close();
      peer.listen();
    }
  }

  test('more than tcp_max_orphans are reset', () => {
    const peer = new Peer({ tcp: { maxOrphans: 3 } });
    const listener = peer.server();
    closedWithData(peer, listener, 5);
    expect(peer.host.core.tcp.orphans).toBe(3);
    expect(peer.host.core.counters.TcpExtTCPAbortOnMemory).toBe(2);
    expect(peer.host.core.counters.TcpOutRsts).toBe(2);
    peer.pass(1000 * SECOND);
    expect(peer.host.core.tcp.orphans).toBe(0);
    listener.close();
    expect(leftovers(peer.host)).toEqual(NOTHING);
  });

  test.each([
    [0, 102.2, {}],
    [3, 3, {}],
    [10, 324.6, {}],
    // From the longest timeout on, too.
    [10, 9.4, { rtoMax: 1000 }],
    [0, 2.4, { rtoMax: 1000 }],
  ])(
    'tcp_orphan_retries %d: a silent peer is given up after %d s',
    (orphanRetries, seconds, tcp) => {
      const [peer, socket] = established({ tcp: { orphanRetries, ...tcp } });
      socket.send(pattern(10), 0, 10);
      socket.close();
      peer.pass(seconds * 0.9 * SECOND);
      expect(peer.state).toBe(State.FIN_WAIT_1);
      peer.pass(seconds * 1.2 * SECOND);
      expect(peer.state).toBe(State.CLOSED);
    },
  );
});

test.each([
  ['says nothing', 0, 9.4],
  ['says that nobody is there', Errno.ECONNREFUSED, 2.4],
])('a silent peer, when ICMP %s, is given up after %d: %d s', (_, softError, seconds) => {
  const [peer, socket] = established({ tcp: { orphanRetries: 10, rtoMax: 1000 } });
  socket.send(pattern(10), 0, 10);
  socket.close();
  peer.listen();
  peer.host.core.tcp.connection(0).softError = softError;
  peer.pass(seconds * 0.9 * SECOND);
  expect(peer.state).toBe(State.FIN_WAIT_1);
  peer.pass(seconds * 1.2 * SECOND);
  expect(peer.state).toBe(State.CLOSED);
});

describe('tcp_tw_reuse', () => {
  /** A connection of the stack to the peer that the stack has closed: TIME-WAIT. */
  function waiting(tcp: Partial<Settings>): Peer {
    const peer = new Peer({ tcp, timestamps: true, ports: [40_000, 40_000] });
    const socket = peer.answer();
    socket.close();
    peer.listen();
    peer.say('F.');
    expect(peer.state).toBe(State.TIME_WAIT);
    return peer;
  }

  test.each<[string, Partial<Settings>, number, boolean]>([
    ['0: never', { twReuse: 0 }, 10, false],
    ['1: where timestamps tell', { twReuse: 1 }, 1.1, true],
    ['1, but not yet', { twReuse: 1 }, 0.9, false],
    ['1, the delay set', { twReuse: 1, twReuseDelay: 5000 }, 4, false],
    ['2: not beyond the loopback', { twReuse: 2 }, 10, false],
  ])('%s', (_title, tcp, seconds, taken) => {
    const peer = waiting(tcp);
    peer.pass(seconds * SECOND);
    if (taken) expect(peer.dial().state).toBe(State.SYN_SENT);
    else expect(() => peer.dial()).toThrow('connect: -99');
  });

  test('an orphan in FIN-WAIT-2 keeps its port', () => {
    const peer = new Peer({ timestamps: true, ports: [40_000, 40_000] });
    const socket = peer.answer();
    socket.close();
    peer.listen();
    peer.say('.');
    expect(peer.state).toBe(State.FIN_WAIT_2);
    peer.pass(10 * SECOND);
    expect(() => peer.dial()).toThrow('connect: -99');
  });
});
