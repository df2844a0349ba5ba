import type { StreamSocket } from '../../../lib/core/socket/stream-socket';
import { State } from '../../../lib/core/tcp/state';
import { pattern } from '../../support/lab';
import { Peer, type PeerOptions } from '../../support/peer';

const SECOND = 1_000_000;
const DAY = 24 * 3600 * SECOND;
const MSS = 1000;

function connected(options: PeerOptions = {}): [Peer, StreamSocket] {
  // Without probes of the tail, as if the peer were near.
  const tcp = { earlyRetrans: 0, ...options.tcp };
  const peer = new Peer({ syn: { mss: MSS, sackPermitted: true }, ...options, tcp });
  const socket = peer.answer();
  return [peer, socket];
}

const control = (peer: Peer) => peer.host.core.tcp.connection(0);

function send(peer: Peer, socket: StreamSocket, bytes: number): void {
  expect(socket.send(pattern(bytes), 0, bytes)).toBe(bytes);
  peer.listen();
}

describe('segments that tell of the past', () => {
  test('of one number the widest window counts, whatever their order; or that it is closed', () => {
    const [peer] = connected();
    const windows = [5000, 9000, 7000, 8999].map((window) => {
      peer.say('.', { window });
      return control(peer).sndWnd;
    });
    // The first comes after the SYN+ACK, which had another number.
    expect(windows).toEqual([5000, 9000, 9000, 9000]);
    peer.say('.', { window: 0 });
    expect(control(peer).sndWnd).toBe(0);
    peer.say('.', { window: 10 });
    expect(control(peer).sndWnd).toBe(10);
  });

  test('a FIN that comes three times is no sign of a loss (RFC 5681 §2)', () => {
    const [peer, socket] = connected({ syn: { mss: MSS } });
    send(peer, socket, 5 * MSS);
    peer.heard();
    peer.say('F.', { ack: 1 });
    for (let i = 0; i < 5; i++) peer.say('F.', { ack: 1, seq: 1 });
    expect(peer.heard().every(({ length }) => length === 0)).toBe(true);
    expect(control(peer).flight?.sackedOut).toBe(0);
  });

  test('a RST beside the next number: what it acknowledges does not count (RFC 5961 §3.2)', () => {
    const [peer, socket] = connected();
    send(peer, socket, 10);
    peer.lines();
    peer.say('R.', { seq: 6, ack: 11, data: 5 });
    expect([peer.lines(), socket.outQueue, socket.inQueue]).toEqual([['. 11 ack 1'], 10, 0]);
    peer.say('R.', { seq: -6, ack: 11 });
    expect([socket.state, socket.outQueue]).toEqual([State.ESTABLISHED, 10]);
  });

  test('a retransmission has no FIN that was not sent before', () => {
    const [peer, socket] = connected();
    send(peer, socket, 10);
    peer.lines();
    peer.now += SECOND;
    peer.host.core.onTimer(peer.now);
    socket.close();
    peer.listen();
    // As on Linux it waits for the congestion window.
    expect(peer.lines()).toEqual(['P. 1:11 ack 1']);
    peer.say('.', { ack: 11 });
    expect(peer.lines()).toEqual(['F. 11 ack 1']);
  });

  test('what was acknowledged before it could be sent again is not', () => {
    const [peer, socket] = connected();
    send(peer, socket, 10);
    peer.heard();
    peer.now += SECOND;
    peer.host.core.onTimer(peer.now);
    peer.deliver(peer.packet('.'));
    peer.listen();
    expect(peer.lines()).toEqual([]);
    peer.say('P.', { data: 1 });
    expect(peer.lines()).toEqual(['. 11 ack 2']);
    send(peer, socket, 10);
    expect(peer.lines()).toEqual(['P. 11:21 ack 2']);
  });

  test('a timestamp is old for 24 days (RFC 7323 §5.5)', () => {
    for (const [days, taken] of [
      [0.1, false],
      [23.9, false],
      [24.1, true],
    ] as const) {
      const [peer, socket] = connected({ timestamps: true });
      const before = peer.tsVal - 1;
      peer.pass(days * DAY);
      peer.say('P.', { data: 5, ts: [before, 0] });
      expect([days, socket.inQueue > 0]).toEqual([days, taken]);
    }
  });
});

describe('a SYN in the wrong place (RFC 5961 §4.2)', () => {
  test.each([-100_000, 0, 500_000])('at %d of a connection: a challenge, and counted', (seq) => {
    const [peer] = connected();
    const { counters } = peer.host.core;
    peer.say('S', { seq });
    expect(peer.lines()).toEqual(['. 1 ack 1']);
    expect(counters.TcpExtTCPChallengeACK).toBe(1);
    // No second one within half a second.
    peer.say('S', { seq });
    expect(peer.lines()).toEqual([]);
    expect(counters.TcpExtTCPACKSkippedChallenge).toBe(1);
  });
});

describe('SYN-RECEIVED', () => {
  test.each([7, undefined])('an ACK has the SYN+ACK’s window, scaled; peer: %s', (scale) => {
    const peer = new Peer({ syn: { scale, mss: MSS } });
    peer.server();
    peer.say('S', peer.synFields());
    const [synAck] = peer.heard();
    peer.say('.', { seq: 500_000, ack: 1 });
    const [ack] = peer.heard();
    expect([ack.flags, ack.window]).toEqual(['.', synAck.window >> synAck.scale]);
    expect(ack.window).toBeGreaterThan(0);
  });

  test('after crossing SYNs a wrong acknowledgment gets a RST and nothing else', () => {
    const peer = new Peer();
    peer.dial();
    peer.say('S', peer.synFields());
    peer.lines();
    for (const ack of [0, 2, 100]) {
      peer.say('.', { ack });
      expect(peer.lines()).toEqual([`R ${ack}`]);
      expect(peer.state).toBe(State.SYN_RECEIVED);
    }
    peer.say('.', { ack: 1 });
    expect(peer.state).toBe(State.ESTABLISHED);
  });
});

describe('timeouts in a row (RFC 5681 §3.1, as Linux does it)', () => {
  test('the window is halved once for each loss, and again for a loss of what followed', () => {
    const [peer, socket] = connected();
    const c = control(peer);
    send(peer, socket, 10 * MSS);
    peer.pass(c.rto);
    expect([c.ssthresh, c.cwnd]).toEqual([5, 1]);
    peer.pass(2 * c.rto);
    expect([c.ssthresh, c.cwnd]).toEqual([5, 1]);
    for (let n = 1; n <= 3; n++) peer.say('.', { ack: 1 + n * MSS });
    expect(c.cwnd).toBe(4);
    peer.pass(c.rto);
    expect([c.ssthresh, c.cwnd]).toEqual([2, 1]);
  });
});

describe('a program that does not fill the congestion window (RFC 7661)', () => {
  test.each([
    ['slow start goes on to twice what is sent', 100, 35],
    ['avoidance adds nothing', 10, 20],
  ])('15 of 20 segments in each round trip: %s', (_, ssthresh, cwnd) => {
    const [peer, socket] = connected();
    const c = control(peer);
    c.cwnd = 20;
    c.ssthresh = ssthresh;
    for (let i = 0; i < 20; i++) {
      send(peer, socket, 15 * MSS);
      peer.pass(10_000);
      peer.say('.');
    }
    expect(c.cwnd).toBe(cwnd);
  });

  /** The windows after each timeout in which `segments` at most were in flight, of 40. */
  function unused(segments: number, tcp = {}): number[][] {
    const [peer, socket] = connected({ tcp });
    const c = control(peer);
    c.cwnd = 40;
    c.ssthresh = 30;
    return [1, 2, 3].map(() => {
      const until = peer.now + c.rto + 10_000;
      while (peer.now < until) {
        send(peer, socket, segments * MSS);
        peer.pass(10_000);
        peer.say('.');
      }
      return [c.cwnd, c.ssthresh];
    });
  }

  test('for a timeout: the window comes half way down to what is used (Linux)', () => {
    // Slow start brings it back to twice what is used.
    expect(unused(12).map(([cwnd]) => cwnd)).toEqual([26, 30, 30]);
    // At least the initial window counts as used.
    expect(unused(3).map(([cwnd]) => cwnd)).toEqual([25, 17, 13]);
  });

  test('it stays where slowStartAfterIdle is off, or the send buffer is the limit', () => {
    const same = [1, 2, 3].map(() => [40, 30]);
    expect(unused(12, { slowStartAfterIdle: 0 })).toEqual(same);
    expect(unused(12, { sendBuffer: 12 * MSS })).toEqual(same);
  });
});
