import { Errno } from '../../../lib/core/errno';
import { SocketOption } from '../../../lib/core/socket/options';
import type { StreamSocket } from '../../../lib/core/socket/stream-socket';
import { State } from '../../../lib/core/tcp/state';
import { Lab, pattern, readAll, transfer } from '../../support/lab';
import { Peer } from '../../support/peer';

describe('the backlog', () => {
  /** Handshakes from ports 1 to `count`; the third segment of each. */
  function knock(peer: Peer, count: number, from = 1): void {
    for (let port = from; port < from + count; port++) {
      peer.port = port;
      peer.renew();
      peer.say('S', peer.synFields());
      if (peer.log.at(-1)?.flags === 'S.') peer.say('.');
    }
  }

  test('accepts in the order of the handshakes’ ends', () => {
    const peer = new Peer();
    const listener = peer.server();
    knock(peer, 5, 11);
    const ports = [];
    for (;;) {
      const socket = listener.accept();
      if (typeof socket === 'number') break;
      ports.push(socket.remotePort);
    }
    expect(ports).toEqual([11, 12, 13, 14, 15]);
    expect(listener.poll()).toBe(0);
  });

  test('one more than it says may wait; a SYN beyond is dropped and comes again (Linux)', () => {
    const peer = new Peer();
    const listener = peer.server(2);
    knock(peer, 3);
    peer.lines();
    peer.port = 99;
    peer.renew();
    peer.say('S', peer.synFields());
    expect(peer.lines()).toEqual([]);
    expect(peer.host.core.counters).toMatchObject({
      TcpExtListenOverflows: 1,
      TcpExtListenDrops: 1,
      TcpPassiveOpens: 3,
    });
    expect((listener.accept() as StreamSocket).remotePort).toBe(1);
    peer.say('S', { ...peer.synFields(), seq: 0 });
    expect(peer.lines()).toEqual(['S. 0 ack 1']);
  });

  test('full at the third segment: the handshake waits and is finished later', () => {
    const peer = new Peer();
    const listener = peer.server(1);
    peer.port = 1;
    peer.say('S', peer.synFields());
    // These are not remembered, but get cookies.
    knock(peer, 2, 2);
    // Back to the first, whose third segment finds the queue full.
    peer.port = 1;
    peer.renew(1_000_000);
    peer.seq = 1;
    peer.pass(1_000_000);
    peer.say('.');
    expect(peer.state).toBe(State.SYN_RECEIVED);
    expect((listener.accept() as StreamSocket).remotePort).toBe(2);
    // The SYN+ACK, sent again, brings another third segment.
    peer.lines();
    peer.pass(2_000_000);
    expect(peer.lines()).toEqual(['S. 0 ack 1']);
    peer.say('.', { data: 3 });
    expect((listener.accept() as StreamSocket).remotePort).toBe(3);
    const accepted = listener.accept() as StreamSocket;
    expect(accepted.remotePort).toBe(1);
    expect(accepted.inQueue).toBe(3);
  });

  test('handshakes under way are counted too', () => {
    const peer = new Peer({ tcp: { maxSynBacklog: 10, syncookies: 0 } });
    peer.server(100);
    for (let port = 1; port <= 20; port++) {
      peer.port = port;
      peer.renew();
      peer.say('S', peer.synFields());
    }
    // The last quarter is for peers that are known, and none is (Linux: tcp_peer_is_proven).
    expect(peer.host.core.tcp.synReceived.count).toBe(9);
    expect(peer.host.core.counters.TcpExtListenDrops).toBe(11);
    peer.pass(100_000_000);
    expect(peer.host.core.tcp.synReceived.count).toBe(0);
    expect(peer.host.core.tcp.tuples.count).toBe(0);
  });

  test('a socket that listens again starts anew', () => {
    const peer = new Peer();
    const listener = peer.server(4);
    for (let round = 0; round < 3; round++) {
      for (let port = 1; port <= 4; port++) {
        peer.port = port;
        peer.renew();
        peer.say('S', peer.synFields());
      }
      expect(peer.host.core.tcp.synReceived.count).toBe(4);
      expect(listener.shutdown(0)).toBe(0);
      expect(peer.host.core.tcp.synReceived.count).toBe(0);
      expect(listener.listen(4)).toBe(0);
    }
  });
});

describe('the listener closes', () => {
  test('handshakes under way are forgotten; their third segment gets a RST', () => {
    const peer = new Peer();
    const listener = peer.server();
    peer.say('S', peer.synFields());
    peer.lines();
    listener.close();
    peer.listen();
    expect(peer.lines()).toEqual([]);
    peer.say('.');
    expect(peer.lines()).toEqual(['R 1']);
    expect(peer.host.core.tcp.tuples.count).toBe(0);
    expect(peer.host.core.nextDeadline()).toBe(Infinity);
  });

  test('connections that nobody has accepted get a RST, accepted ones stay (S21 f)', () => {
    const peer = new Peer();
    const listener = peer.server();
    const accepted = peer.open(listener);
    peer.port++;
    peer.renew();
    peer.synchronize();
    peer.lines();
    listener.close();
    peer.listen();
    expect(peer.lines()).toEqual(['R. 1 ack 1']);
    peer.port--;
    expect(accepted.state).toBe(State.ESTABLISHED);
    expect(accepted.send(new Uint8Array(3), 0, 3)).toBe(3);
    expect(peer.host.core.tcp.tuples.count).toBe(1);
  });
});

describe('a delayed old SYN (RFC 9293 §3.5, figure 7; mission S4)', () => {
  test('opens nothing: the peer that knows nothing of it resets', () => {
    const peer = new Peer();
    const listener = peer.server();
    peer.say('S', { ...peer.synFields(), seq: 0 });
    expect(peer.lines()).toEqual(['S. 0 ack 1']);
    // What our stack would answer as that peer: the RST takes its number from the ACK.
    peer.say('R', { seq: 1 });
    expect(peer.lines()).toEqual([]);
    expect(listener.accept()).toBe(-Errno.EAGAIN);
    expect(peer.host.core.tcp.tuples.count).toBe(0);
    expect(peer.host.core.nextDeadline()).toBe(Infinity);
  });

  test('between two stacks', () => {
    const lab = new Lab();
    const { client, server } = lab.pair();
    const data = pattern(1000);
    let old: Uint8Array | null = null;
    lab.filter = (packet) => {
      old ??= packet;
      return undefined;
    };
    // The SYN of another connection, which then is opened, used and closed …
    const other = lab.connect(lab.a, lab.b, 80);
    lab.run(() => other.state === State.ESTABLISHED, 1_000_000);
    other.abort();
    lab.run(() => false, 1_000_000);
    const { TcpPassiveOpens } = lab.b.core.counters;
    // … arrives a second time.
    lab.carry(old as unknown as Uint8Array, lab.a);
    lab.run(() => false, 1_000_000);
    expect(lab.b.core.counters.TcpPassiveOpens).toBe(TcpPassiveOpens);
    expect(lab.b.core.tcp.synReceived.count).toBe(0);
    expect(Buffer.compare(transfer(lab, client, server, data), data)).toBe(0);
  });

  test('a SYN costs a row, and no connection until the third segment', () => {
    const peer = new Peer({ tcp: { maxSynBacklog: 1000, somaxconn: 1000 } });
    peer.server(1000);
    for (let port = 1; port <= 1000; port++) {
      peer.port = port;
      peer.say('S', { ...peer.synFields(), seq: 0 });
    }
    expect(peer.host.core.tcp.synReceived.count).toBe(1000);
    let connections = 0;
    peer.host.core.tcp.forEachConnection(() => connections++);
    expect(connections).toBe(0);
  });
});

test('a connection that is reset before it is accepted is accepted with its data (Linux)', () => {
  const peer = new Peer();
  const listener = peer.server();
  peer.synchronize();
  peer.say('P.', { data: pattern(4) });
  peer.say('R');
  expect(peer.host.core.tcp.tuples.count).toBe(0);
  const socket = listener.accept() as StreamSocket;
  expect(socket.remotePort).toBe(peer.port);
  expect(readAll(socket)).toEqual(pattern(4));
  expect(socket.takeError()).toBe(0);
  listener.close();
});

test('the third segment may carry data, and a FIN', () => {
  const peer = new Peer();
  const listener = peer.server();
  peer.say('S', peer.synFields());
  peer.say('FP.', { data: pattern(100) });
  peer.pass(40_000);
  expect(peer.lines()).toEqual(['S. 0 ack 1', '. 1 ack 102']);
  const socket = listener.accept() as StreamSocket;
  expect(socket.state).toBe(State.CLOSE_WAIT);
  expect(socket.take(200)).toEqual(pattern(100));
  expect(socket.take(200)).toBe(0);
});

test('what a SYN carries beside is not taken, nor acknowledged, and comes again', () => {
  const peer = new Peer();
  const listener = peer.server();
  peer.say('S', { ...peer.synFields(), seq: 0, data: 5 });
  expect(peer.lines()).toEqual(['S. 0 ack 1']);
  peer.say('P.', { seq: 1, data: pattern(5) });
  expect(peer.lines()).toEqual(['. 1 ack 6']);
  expect((listener.accept() as StreamSocket).take(9)).toEqual(pattern(5));
});

describe('TCP_DEFER_ACCEPT', () => {
  function deferring(timeouts: number) {
    const peer = new Peer();
    const listener = peer.server();
    listener.setOption(SocketOption.DeferAccept, timeouts);
    peer.synchronize();
    peer.lines();
    return { peer, listener };
  }

  test('the first data begins the connection', () => {
    const { peer, listener } = deferring(3);
    expect([listener.waiting, peer.state]).toEqual([0, State.SYN_RECEIVED]);
    peer.pass(2_000_000);
    peer.say('.', { data: 5 });
    expect((listener.accept() as StreamSocket).inQueue).toBe(5);
    expect(peer.host.core.counters.TcpExtTCPDeferAcceptDrop).toBe(1);
  });

  test('who says nothing is asked again when the time is over, and accepted', () => {
    const { peer, listener } = deferring(2);
    peer.pass(2_900_000);
    expect(peer.lines()).toEqual([]);
    peer.pass(200_000);
    expect(peer.lines()).toEqual(['S. 0 ack 1']);
    peer.say('.');
    expect(listener.waiting).toBe(1);
  });

  test('who says nothing at all is given up', () => {
    const { peer } = deferring(10);
    peer.pass(3_600_000_000);
    expect(peer.host.core.tcp.synReceived.count).toBe(0);
  });
});

test('tcp_abort_on_overflow: a full queue resets who has finished the handshake', () => {
  const peer = new Peer({ tcp: { abortOnOverflow: 1 } });
  const listener = peer.server(1);
  peer.say('S');
  listener.listen(0);
  const { hostIss } = peer;
  peer.port++;
  peer.renew();
  peer.synchronize();
  peer.port--;
  peer.renew(1_000_000);
  Object.assign(peer, { hostIss, seq: 1, rcvNxt: 1 });
  peer.lines();
  peer.say('.');
  expect(peer.lines()).toEqual(['R 1']);
  expect(peer.state).toBe(State.CLOSED);
  expect(peer.host.core.counters).toMatchObject({
    TcpExtEmbryonicRsts: 1,
    TcpExtListenOverflows: 1,
  });
});

test('a crowded table forgets those who don’t answer sooner (reqsk_timer_handler)', () => {
  const peer = new Peer();
  peer.server(16);
  for (let port = 1; port <= 12; port++) {
    peer.port = port;
    peer.renew();
    peer.say('S');
  }
  // Instead of five times each SYN+ACK is sent again twice, where half of the places are taken.
  peer.pass(8_000_000);
  expect(peer.host.core.tcp.synReceived.count).toBeLessThanOrEqual(8);
  peer.pass(100_000_000);
  expect(peer.host.core.tcp.synReceived.count).toBe(0);
});

test('TCP_SYNCNT of the listener is that of its SYN+ACKs', () => {
  const peer = new Peer();
  peer.server().setOption(SocketOption.SynCount, 1);
  peer.say('S');
  peer.pass(100_000_000);
  expect(peer.lines()).toEqual(['S. 0 ack 1', 'S. 0 ack 1']);
});

test('a SYN that comes again and again is answered twice a second', () => {
  const peer = new Peer();
  peer.server();
  peer.pass(1_000_000);
  peer.say('S');
  for (let i = 0; i < 100; i++) {
    peer.pass(10_000);
    peer.say('S', { seq: 0 });
  }
  expect(peer.lines().length).toBe(3);
  expect(peer.host.core.counters.TcpExtTCPACKSkippedSynRecv).toBe(98);
});

test('data that does not fit into a handshake is always answered, what is empty is not', () => {
  const peer = new Peer();
  peer.server();
  peer.pass(1_000_000);
  peer.say('S');
  peer.heard();
  const answers = (length: number) => {
    for (let i = 0; i < 3; i++) peer.say('.', { seq: 500_000, data: length });
    return peer.lines();
  };
  expect(answers(10)).toEqual(['. 1 ack 1', '. 1 ack 1', '. 1 ack 1']);
  expect(answers(0)).toEqual(['. 1 ack 1']);
  expect(peer.host.core.counters.TcpExtTCPACKSkippedSynRecv).toBe(2);
});

test('handshakes of which nothing was sent again are counted, however they end', () => {
  const peer = new Peer();
  const { listening } = peer.server();
  const counted = () => [listening?.handshakes, listening?.young];
  const begin = () => {
    peer.renew();
    peer.port++;
    peer.say('S');
  };
  begin();
  begin();
  expect(counted()).toEqual([2, 2]);
  peer.say('R');
  expect(counted()).toEqual([1, 1]);
  begin();
  peer.pass(1_500_000);
  expect(counted()).toEqual([2, 0]);
  peer.say('R');
  begin();
  peer.say('.');
  expect(counted()).toEqual([1, 0]);
});
