import { Errno } from '../../../lib/core/errno';
import type { StreamSocket } from '../../../lib/core/socket/stream-socket';
import { State } from '../../../lib/core/tcp/state';
import { Lab, leftovers, NOTHING, pattern, transfer } from '../../support/lab';
import { Peer, type PeerOptions } from '../../support/peer';

const SECOND = 1_000_000;
const WR = 1;

/** A connection that the stack has closed first, and its listener. */
function waiting(options: PeerOptions = {}): [Peer, StreamSocket] {
  const peer = new Peer(options);
  const listener = peer.server();
  const socket = peer.open(listener);
  socket.shutdown(WR);
  peer.listen();
  peer.say('F.');
  socket.close();
  peer.lines();
  expect(peer.state).toBe(State.TIME_WAIT);
  return [peer, listener];
}

describe('TIME-WAIT', () => {
  test.each([
    [30_000, 60],
    [60_000, 120],
    [120_000, 240],
    [1, 0.002],
  ])('lasts 2 MSL: %d ms, %d s (mission S6)', (msl, seconds) => {
    const [peer] = waiting({ tcp: { msl } });
    peer.pass(seconds * SECOND - 1);
    expect(peer.state).toBe(State.TIME_WAIT);
    peer.pass(1);
    expect(peer.state).toBe(State.CLOSED);
    expect(leftovers(peer.host)).toEqual({ ...NOTHING, ports: 1 });
  });

  test('a repeated FIN is acknowledged again and restarts the wait', () => {
    const [peer] = waiting();
    for (let i = 0; i < 3; i++) {
      peer.pass(59 * SECOND);
      peer.say('F.', { seq: 1 });
      expect(peer.lines()).toEqual(['. 2 ack 2']);
    }
    peer.pass(60 * SECOND - 1);
    expect(peer.state).toBe(State.TIME_WAIT);
    peer.pass(1);
    expect(peer.state).toBe(State.CLOSED);
  });

  test('the FIN’s repetition carries its timestamps', () => {
    const [peer] = waiting({ timestamps: true });
    peer.pass(5 * SECOND);
    peer.say('F.', { seq: 1 });
    const [ack] = peer.heard();
    const before = peer.log[0].tsVal;
    expect((ack.tsVal - before) | 0).toBe(5000);
    // RFC 7323 §4.3: the echo is of the last segment in order.
    expect(ack.tsEcr).toBe(7_000_000);
  });

  test('old segments are answered, do not restart the wait, and reach nobody', () => {
    const [peer] = waiting();
    peer.pass(30 * SECOND);
    peer.say('.', { seq: 1, data: 0 });
    peer.say('P.', { seq: -100, data: 50 });
    peer.pass(SECOND);
    peer.say('.', { seq: -1 });
    expect(peer.lines()).toEqual(Array(3).fill('. 2 ack 2'));
    peer.pass(30 * SECOND);
    expect(peer.state).toBe(State.CLOSED);
  });

  test('two of them do not answer each other', () => {
    const lab = new Lab();
    const { client, server, listener } = lab.pair();
    client.close();
    server.close();
    listener.close();
    lab.run(() => false, SECOND);
    const { length } = lab.a.log;
    lab.run(() => false, 30 * SECOND);
    expect(lab.a.log.length).toBe(length);
    expect(leftovers(lab.a).timeWaits + leftovers(lab.b).timeWaits).toBe(2);
  });

  test('a RST does not end it (RFC 1337), unless that is switched off', () => {
    const [peer] = waiting();
    peer.say('R', { seq: 2 });
    expect(peer.state).toBe(State.TIME_WAIT);
    const [other] = waiting({ tcp: { rfc1337: 0 } });
    other.say('R', { seq: 3 });
    expect(other.state).toBe(State.TIME_WAIT);
    other.say('R', { seq: 2 });
    expect(other.state).toBe(State.CLOSED);
    expect([...peer.lines(), ...other.lines()]).toEqual([]);
  });

  test('there is room for so many; beyond, a connection closes without it', () => {
    const peer = new Peer({ tcp: { maxTimeWait: 2 } });
    const listener = peer.server();
    for (let port = 1; port <= 4; port++) {
      peer.port = port;
      peer.renew();
      const socket = peer.open(listener);
      socket.close();
      peer.listen();
      peer.say('F.');
      expect(peer.state).toBe(port <= 2 ? State.TIME_WAIT : State.CLOSED);
    }
    expect(peer.host.core.counters).toMatchObject({ TcpExtTW: 2, TcpExtTCPTimeWaitOverflow: 2 });
    expect(leftovers(peer.host)).toEqual({ ...NOTHING, timeWaits: 2, fourTuples: 2, ports: 1 });
  });

  test('thousands of them: each ends at its time, and nothing is left', () => {
    const peer = new Peer();
    const listener = peer.server();
    for (let port = 1; port <= 5000; port++) {
      peer.port = port;
      peer.renew();
      const socket = peer.open(listener);
      socket.close();
      peer.listen();
      peer.say('F.');
      peer.pass(1000);
    }
    expect(leftovers(peer.host).timeWaits).toBe(5000);
    peer.pass(60 * SECOND - 5000 * 1000);
    expect(leftovers(peer.host).timeWaits).toBe(5000 - 1);
    peer.pass(2_500_000);
    expect(leftovers(peer.host).timeWaits).toBe(2499);
    peer.pass(2_500_000);
    listener.close();
    expect(leftovers(peer.host)).toEqual(NOTHING);
  });
});

describe('a SYN for the same ports (RFC 9293 §3.10.7.4, RFC 6191)', () => {
  test('beyond the old numbers opens a new connection, whose ISS is beyond ours', () => {
    const [peer, listener] = waiting();
    const sndNxt = (peer.hostIss + 2) | 0;
    peer.renew((peer.iss + 3) | 0);
    peer.synchronize();
    expect((peer.hostIss - sndNxt) | 0).toBeGreaterThan(0);
    expect(peer.state).toBe(State.ESTABLISHED);
    expect(typeof listener.accept()).toBe('object');
    expect(peer.host.core.counters.TcpExtTWRecycled).toBe(1);
  });

  test('even where RFC 6528 gives a smaller ISS', () => {
    const [peer] = waiting();
    const sndNxt = (peer.hostIss + 2) | 0;
    peer.host.core.tcp.isn.isn = () => (sndNxt - 1000) | 0;
    peer.renew((peer.iss + 3) | 0);
    peer.synchronize();
    expect((peer.hostIss - sndNxt) | 0).toBe(65_537);
  });

  test('with older numbers, but a newer timestamp, too', () => {
    const [peer] = waiting({ timestamps: true });
    peer.pass(10_000);
    peer.renew((peer.iss - 1_000_000) | 0);
    peer.synchronize();
    expect(peer.state).toBe(State.ESTABLISHED);
  });

  test.each([
    ['older numbers, no timestamps', false, 0, 0],
    ['older numbers, an equal timestamp', true, 0, 0],
    ['newer numbers, an older timestamp (PAWS)', true, 10, -1],
  ])('%s: it is an old duplicate', (_name, timestamps, later, older) => {
    const [peer] = waiting({ timestamps });
    const ts: [number, number] | null = timestamps ? [peer.tsVal + older, 0] : null;
    peer.say('S', { mss: 1460, seq: later, ts });
    expect(peer.lines()).toEqual(['. 2 ack 2']);
    expect(peer.state).toBe(State.TIME_WAIT);
  });

  test('without a listener it is answered like any other segment', () => {
    const [peer, listener] = waiting();
    listener.close();
    peer.say('S', { seq: 10 });
    expect(peer.lines()).toEqual(['. 2 ack 2']);
    expect(peer.state).toBe(State.TIME_WAIT);
  });

  test('a segment of the old connection never enters the new one (mission S6)', () => {
    const [peer, listener] = waiting({ timestamps: true });
    peer.pass(10_000);
    const old = peer.packet('P.', { seq: 2, data: pattern(10), ts: [peer.tsVal - 20, 0] });
    peer.renew((peer.iss - 1) | 0);
    peer.synchronize();
    const socket = listener.accept() as StreamSocket;
    peer.lines();
    // In the new window, as the new ISS was chosen just below; PAWS tells it apart.
    peer.deliver(old);
    peer.listen();
    expect(socket.inQueue).toBe(0);
    expect(peer.host.core.counters.TcpExtPAWSEstab).toBe(1);
  });
});

describe('local ports and TIME-WAIT (mission S7)', () => {
  /** Opens and closes a connection of the stack to the peer; errno of connect if it fails. */
  function visit(peer: Peer, setup: (socket: StreamSocket) => void = () => undefined): number {
    const socket = peer.host.core.socket(4);
    setup(socket);
    const result = socket.connect({ w0: 0, w1: 0, w2: 0xffff, w3: 0x0a000002 }, peer.port);
    if (result !== -Errno.EINPROGRESS) {
      socket.close();
      return -result;
    }
    peer.renew();
    peer.hostPort = socket.localPort;
    peer.listen();
    peer.say('S.', { ...peer.synFields(), ack: 1 });
    peer.agree();
    socket.close();
    peer.listen();
    peer.say('F.');
    return 0;
  }

  test('all used up: EADDRNOTAVAIL; after 2 MSL they are free again', () => {
    const peer = new Peer({ ports: [50_000, 50_009] });
    for (let i = 0; i < 10; i++) expect(visit(peer)).toBe(0);
    expect(visit(peer)).toBe(Errno.EADDRNOTAVAIL);
    expect(leftovers(peer.host).ports).toBe(10);
    // Towards another port of the peer there are as many again.
    peer.port++;
    expect(visit(peer)).toBe(0);
    peer.port--;
    peer.pass(60 * SECOND);
    expect(leftovers(peer.host)).toEqual(NOTHING);
    expect(visit(peer)).toBe(0);
  });

  test('with timestamps they can be taken over after a second (RFC 6191)', () => {
    const peer = new Peer({ ports: [50_000, 50_009], timestamps: true });
    for (let i = 0; i < 10; i++) expect(visit(peer)).toBe(0);
    expect(visit(peer)).toBe(Errno.EADDRNOTAVAIL);
    peer.pass(1_001_000);
    for (let i = 0; i < 10; i++) expect(visit(peer)).toBe(0);
    expect(visit(peer)).toBe(Errno.EADDRNOTAVAIL);
    expect(peer.host.core.counters.TcpExtTWRecycled).toBe(10);
    peer.pass(60 * SECOND);
    expect(leftovers(peer.host)).toEqual(NOTHING);
  });

  test('the ISS of such a connection is beyond the old one', () => {
    const peer = new Peer({ ports: [50_000, 50_000], timestamps: true });
    visit(peer);
    const before = (peer.hostIss + 2) | 0;
    peer.host.core.tcp.isn.isn = () => (before - 5) | 0;
    peer.pass(2 * SECOND);
    expect(visit(peer)).toBe(0);
    expect((peer.hostIss - before) | 0).toBe(65_537);
  });

  test('connections do not count as entries that can be taken over', () => {
    // As many connections as TIME-WAIT entries: their rows have the same numbers.
    const peer = new Peer({ ports: [50_000, 50_003], timestamps: true });
    visit(peer);
    visit(peer);
    peer.pass(2 * SECOND);
    const sockets = [0, 1, 2, 3].map(() => {
      const socket = peer.host.core.socket(4);
      expect(socket.connect({ w0: 0, w1: 0, w2: 0xffff, w3: 0x0a000002 }, peer.port)).toBe(
        -Errno.EINPROGRESS,
      );
      return socket;
    });
    expect(visit(peer)).toBe(Errno.EADDRNOTAVAIL);
    for (const socket of sockets) socket.close();
    expect(leftovers(peer.host)).toEqual(NOTHING);
  });

  test('a bound port in TIME-WAIT: EADDRNOTAVAIL for the same endpoints', () => {
    const peer = new Peer();
    const bound = (socket: StreamSocket): void => {
      socket.setOption(8, 1);
      expect(socket.bind(peer.host.address, 4000)).toBe(0);
    };
    expect(visit(peer, bound)).toBe(0);
    expect(visit(peer, bound)).toBe(Errno.EADDRNOTAVAIL);
    peer.pass(60 * SECOND);
    expect(visit(peer, bound)).toBe(0);
  });

  test('a listener’s port in TIME-WAIT: EADDRINUSE without SO_REUSEADDR', () => {
    const peer = new Peer();
    const listener = peer.server(16, 0);
    const socket = peer.open(listener);
    socket.close();
    peer.listen();
    peer.say('F.');
    listener.close();
    const again = peer.host.core.socket(4);
    expect(again.bind(peer.host.address, 80)).toBe(-Errno.EADDRINUSE);
    peer.pass(60 * SECOND);
    expect(again.bind(peer.host.address, 80)).toBe(0);
  });

  test('two stacks open and close 300 connections on four ports, one after another', () => {
    const lab = new Lab({ delay: 1000, ports: [50_000, 50_003] });
    const listener = lab.listen(lab.b, 80);
    for (let i = 0; i < 300; i++) {
      const client = lab.connect(lab.a, lab.b, 80);
      let server: StreamSocket | number = -1;
      expect(lab.run(() => typeof (server = listener.accept()) !== 'number', SECOND)).toBe(true);
      const peer = server as unknown as StreamSocket;
      const data = pattern(100, i);
      expect(transfer(lab, client, peer, data)).toEqual(data);
      client.close();
      lab.run(() => peer.take(1) === 0, SECOND);
      peer.close();
      lab.run(() => false, 400_000);
    }
    expect(lab.a.core.counters.TcpExtTWRecycled).toBeGreaterThan(100);
    listener.close();
    lab.run();
    expect([leftovers(lab.a), leftovers(lab.b)]).toEqual([NOTHING, NOTHING]);
  });
});
