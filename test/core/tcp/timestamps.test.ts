import { Errno } from '../../../lib/core/errno';
import type { StreamSocket } from '../../../lib/core/socket/stream-socket';
import { State } from '../../../lib/core/tcp/state';
import { pattern, readAll } from '../../support/lab';
import { Peer, type PeerOptions } from '../../support/peer';

const MS = 1000;
const DAY = 24 * 3600 * 1000 * MS;

function connected(options: PeerOptions = {}): [Peer, StreamSocket] {
  const peer = new Peer({ timestamps: true, syn: { mss: 1000, sackPermitted: true }, ...options });
  return [peer, peer.answer()];
}

describe('timestamps (RFC 7323)', () => {
  test('the clock has ticks of 1 ms, and an offset for each connection (§5.4, §7.1)', () => {
    const offsets = new Set<number>();
    for (let port = 5000; port < 5020; port++) {
      const peer = new Peer({ timestamps: true });
      peer.port = port;
      const socket = peer.answer();
      const first = peer.log[0].tsVal;
      offsets.add(first);
      peer.pass(1234 * MS);
      socket.send(pattern(1), 0, 1);
      peer.listen();
      expect((peer.log[peer.log.length - 1].tsVal - first) | 0).toBe(1234);
    }
    expect(offsets.size).toBe(20);
  });

  test('the echo is of the segment that filled the window’s left edge (§4.3)', () => {
    const [peer] = connected();
    const start = peer.tsVal;
    peer.pass(10 * MS);
    // Beyond a hole: not echoed.
    peer.say('.', { seq: 1001, data: 1000 });
    expect(peer.heard()[0].tsEcr).toBe(start);
    peer.pass(10 * MS);
    peer.say('.', { seq: 1, data: 1000 });
    expect(peer.heard()[0].tsEcr).toBe((start + 20) | 0);
  });

  test('of delayed acknowledgments it is that of the first segment (§4.3, case A)', () => {
    const [peer, socket] = connected();
    for (let i = 0; i < 40; i++) {
      peer.say('.', { data: 1000 });
      readAll(socket);
      peer.pass(10 * MS);
    }
    peer.pass(100 * MS);
    peer.heard();
    const first = peer.tsVal;
    peer.say('.', { data: 1000 });
    readAll(socket);
    peer.pass(5 * MS);
    peer.say('.', { data: 1000 });
    readAll(socket);
    peer.listen();
    expect(peer.heard().map(({ tsEcr }) => tsEcr)).toEqual([first]);
  });

  test('a segment without them is taken all the same, as on Linux', () => {
    const [peer, socket] = connected();
    peer.say('.', { data: pattern(5), ts: null });
    expect(readAll(socket)).toEqual(pattern(5));
  });

  test('nor has the handshake’s third segment to have them; an older one is refused', () => {
    const peer = new Peer({ timestamps: true });
    const listener = peer.server();
    peer.say('S', peer.synFields());
    peer.say('.', { ts: [peer.tsVal - 1, 0] });
    expect(peer.state).toBe(State.SYN_RECEIVED);
    peer.say('.', { ts: null });
    expect([peer.state, listener.waiting]).toEqual([State.ESTABLISHED, 1]);
  });

  test('an echo of 0 measures nothing (§4.1)', () => {
    const [peer, socket] = connected();
    socket.send(pattern(5), 0, 5);
    peer.listen();
    // Sent twice: only timestamps can tell how long it took (Karn's rule).
    peer.pass(300 * MS);
    const { srtt } = peer.host.core.tcp.connection(0);
    peer.say('.', { ts: [peer.tsVal, 0] });
    expect(peer.host.core.tcp.connection(0).inFlight).toBe(0);
    expect(peer.host.core.tcp.connection(0).srtt).toBe(srtt);
  });

  test('a RST needs none (§5.2)', () => {
    const [peer, socket] = connected();
    peer.say('R', { ts: null });
    expect(socket.takeError()).toBe(Errno.ECONNRESET);
    const [other, second] = connected();
    other.say('R', { ts: [other.tsVal - 1000, 0] });
    expect(second.takeError()).toBe(Errno.ECONNRESET);
  });
});

describe('PAWS (RFC 7323 §5)', () => {
  test('data with an older timestamp is an old duplicate: refused, answered, counted', () => {
    const [peer, socket] = connected();
    peer.pass(1000 * MS);
    peer.say('.');
    peer.lines();
    peer.say('.', { seq: 1, data: 5, ts: [peer.tsVal - 1, 0] });
    expect(peer.lines()).toEqual(['. 1 ack 1']);
    expect(socket.inQueue).toBe(0);
    expect(peer.host.core.counters.TcpExtPAWSEstab).toBe(1);
    peer.say('.', { seq: 1, data: 5 });
    expect(socket.inQueue).toBe(5);
  });

  test('an equal one is not older', () => {
    const [peer, socket] = connected();
    peer.say('.', { data: 5 });
    peer.say('.', { data: 5 });
    expect(socket.inQueue).toBe(10);
  });

  test('an empty acknowledgment that was overtaken is dropped without a word (Linux)', () => {
    const [peer, socket] = connected();
    socket.send(pattern(3000), 0, 3000);
    peer.listen();
    peer.pass(10 * MS);
    peer.say('.', { ack: 2001 });
    peer.lines();
    peer.say('.', { ack: 1001, ts: [peer.tsVal - 5, 0] });
    expect(peer.lines()).toEqual([]);
    expect(peer.host.core.counters).toMatchObject({ TcpExtPAWSOldAck: 1, TcpExtPAWSEstab: 0 });
  });

  test('the wrap of the peer’s clock', () => {
    for (const start of [0x7fffffff, -1]) {
      const peer = new Peer({ timestamps: true });
      peer.dial();
      peer.say('S.', { mss: 1000, ts: [start, peer.tsEcr] });
      peer.timestamps = true;
      const [c] = [peer.host.core.tcp.connection(0)];
      peer.say('.', { data: 5, ts: [(start + 1) | 0, peer.tsEcr] });
      peer.say('.', { data: 5, ts: [(start + 2) | 0, peer.tsEcr] });
      expect(c.rcvNxt).toBe((peer.iss + 11) | 0);
      peer.say('.', { data: 5, ts: [start, peer.tsEcr] });
      expect(c.rcvNxt).toBe((peer.iss + 11) | 0);
    }
  });

  // The clock of 1 ms wraps its sign bit in 24.8 days: what is older than 24 says nothing.
  test.each([1, 23, 24.5, 24.9, 25, 30, 40, 49, 50, 60, 100, 400])(
    'after %d idle days a connection goes on',
    (days) => {
      const [peer, socket] = connected();
      peer.pass(1000 * MS);
      peer.say('.', { data: 5 });
      peer.pass(days * DAY);
      peer.say('.', { data: 5 });
      expect(socket.inQueue).toBe(10);
      socket.send(pattern(5), 0, 5);
      peer.listen();
      peer.say('.');
      expect(socket.outQueue).toBe(0);
      // And protects again.
      peer.say('.', { data: 5, ts: [peer.tsVal - 5, 0] });
      expect(socket.inQueue).toBe(10);
      expect(socket.state).toBe(State.ESTABLISHED);
    },
  );

  test('a segment whose acknowledgment is wrong does not move TS.Recent', () => {
    const [peer, socket] = connected();
    const far = (peer.tsVal + 0x3fffffff) | 0;
    // A blind attacker's: the number fits, the acknowledgment is of what was never sent, or old.
    peer.say('.', { seq: 1, data: 5, ack: 50_000, ts: [far, 0] });
    peer.say('.', { seq: 1, data: 0, ack: -100_000, ts: [far, 0] });
    peer.say('R', { seq: 5, ts: [far, 0] });
    peer.say('S', { seq: 5, ts: [far, 0] });
    peer.say('.', { seq: 1, data: pattern(5) });
    expect(readAll(socket)).toEqual(pattern(5));
  });

  test('nor does one without ACK, or beyond the window', () => {
    const [peer, socket] = connected();
    const far = (peer.tsVal + 0x3fffffff) | 0;
    peer.say('P', { seq: 1, data: 5, ts: [far, 0] });
    peer.say('.', { seq: 1_000_000, data: 5, ts: [far, 0] });
    peer.say('.', { seq: -5, data: 5, ack: 50_000, ts: [far, 0] });
    peer.say('.', { seq: 1, data: pattern(5) });
    expect(readAll(socket)).toEqual(pattern(5));
  });
});
