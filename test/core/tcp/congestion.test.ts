import type { StreamSocket } from '../../../lib/core/socket/stream-socket';
import { CaState, type Connection } from '../../../lib/core/tcp/connection';
import { pattern } from '../../support/lab';
import { Peer, type PeerOptions } from '../../support/peer';

const MSS = 1000;
const MS = 1000;

interface Sender {
  peer: Peer;
  socket: StreamSocket;
  c: Connection;
}

/**
 * A connection without SACK, whose peer takes segments of 1000 bytes and has a window of 8 MB.
 * What SACK adds is in test/core/tcp/loss.
 */
function sender(options: PeerOptions = {}): Sender {
  const peer = new Peer({
    syn: { mss: MSS, scale: 7 },
    tcp: { sendBuffer: 8_000_000 },
    ...options,
  });
  const socket = peer.answer();
  // The window of the SYN was not scaled: this is the real one.
  peer.say('.');
  return { peer, socket, c: peer.host.core.tcp.connection(0) };
}

/** Sends so much that the congestion window is the limit. */
function fill({ peer, socket }: Sender, bytes = 4_000_000): void {
  expect(socket.send(pattern(1000), 0, 1000)).toBe(1000);
  const rest = new Uint8Array(bytes - 1000);
  expect(socket.send(rest, 0, rest.length)).toBe(rest.length);
  peer.listen();
}

/** The numbers of the segments heard: 0 is the first 1000 bytes. */
function heard(peer: Peer): number[] {
  return peer
    .heard()
    .filter(({ length }) => length > 0)
    .map(({ seq }) => (seq - 1) / MSS);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

/** Acknowledges all segments below `n`. */
function acknowledge(peer: Peer, n: number): void {
  peer.say('.', { ack: 1 + n * MSS });
}

/** As if segments `from` to `to - 1` had arrived beyond a hole that begins with `una`. */
function duplicate(peer: Peer, una: number, from: number, to: number, sack = true): void {
  for (let n = from; n < to; n++) {
    const block = [1 + from * MSS, 1 + (n + 1) * MSS] as const;
    peer.say('.', { ack: 1 + una * MSS, sack: sack ? [block] : undefined });
  }
}

describe('slow start and congestion avoidance (RFC 5681 §3.1)', () => {
  test('begins with ten segments (RFC 6928) and doubles in each round trip', () => {
    const s = sender();
    fill(s);
    const windows: number[] = [];
    let una = 0;
    for (let round = 0; round < 6; round++) {
      const sent = heard(s.peer);
      windows.push(sent.length);
      s.peer.pass(20 * MS);
      for (let n = 0; n < sent.length; n++) acknowledge(s.peer, ++una);
    }
    // Each acknowledgment of one segment lets two leave.
    expect(windows).toEqual([10, 20, 40, 80, 160, 320]);
    expect(s.c.cwnd).toBe(640);
  });

  test.each([1, 2, 4])('initialCwnd %d', (initialCwnd) => {
    const s = sender({ tcp: { initialCwnd } });
    fill(s, 100_000);
    expect(heard(s.peer)).toEqual(range(0, initialCwnd));
  });

  test('an acknowledgment of many segments counts for all (RFC 3465)', () => {
    const s = sender();
    fill(s);
    acknowledge(s.peer, 10);
    expect(s.c.cwnd).toBe(20);
    acknowledge(s.peer, 30);
    expect(s.c.cwnd).toBe(40);
  });

  test('above ssthresh the window grows by one segment in each round trip', () => {
    const s = sender();
    fill(s);
    s.c.ssthresh = 10;
    const windows: number[] = [];
    let una = 0;
    let inFlight = heard(s.peer).length;
    for (let round = 0; round < 6; round++) {
      windows.push(inFlight);
      for (let n = 0; n < inFlight; n++) acknowledge(s.peer, ++una);
      inFlight = s.c.inFlight / MSS;
    }
    expect(windows).toEqual([10, 11, 12, 13, 14, 15]);
  });

  test('reaching ssthresh in the middle of an acknowledgment', () => {
    const s = sender();
    fill(s);
    s.c.ssthresh = 15;
    acknowledge(s.peer, 10);
    // Five by slow start, five count for avoidance.
    expect([s.c.cwnd, s.c.cwndCount]).toEqual([15, 5]);
    acknowledge(s.peer, 20);
    expect([s.c.cwnd, s.c.cwndCount]).toEqual([16, 0]);
  });

  test('does not grow while the program, not the window, is the limit (RFC 7661, Linux)', () => {
    const s = sender();
    s.c.ssthresh = 5;
    for (let i = 0; i < 50; i++) {
      s.socket.send(new Uint8Array(2000), 0, 2000);
      s.peer.listen();
      s.peer.say('.');
    }
    expect(s.c.cwnd).toBe(10);
  });

  test.each([
    [5, [10, 10, 10]],
    [6, [12, 12, 12]],
    [9, [12, 14, 16, 18, 18]],
    [10, [12, 14, 16, 18, 20]],
  ])('slow start: %d segments at once let it grow to twice that (Linux)', (count, windows) => {
    const s = sender();
    s.socket.send(new Uint8Array(count * MSS), 0, count * MSS);
    s.peer.listen();
    const seen = windows.map((_, i) => {
      acknowledge(s.peer, Math.min(2 * (i + 1), count));
      return s.c.cwnd;
    });
    expect(seen).toEqual(windows);
  });

  test('what was in flight a round trip ago counts no more', () => {
    const s = sender();
    s.socket.send(new Uint8Array(9 * MSS), 0, 9 * MSS);
    s.peer.listen();
    acknowledge(s.peer, 4);
    expect(s.c.cwnd).toBe(14);
    acknowledge(s.peer, 8);
    expect(s.c.cwnd).toBe(18);
    acknowledge(s.peer, 9);
    s.socket.send(new Uint8Array(MSS), 0, MSS);
    s.peer.listen();
    acknowledge(s.peer, 10);
    expect([s.c.cwnd, s.c.flight?.most ?? 1]).toEqual([18, 1]);
  });

  test('duplicates have told of their segments already (Linux)', () => {
    const s = sender();
    fill(s);
    expect(heard(s.peer)).toEqual(range(0, 10));
    duplicate(s.peer, 0, 1, 3, false);
    expect(heard(s.peer)).toEqual([10, 11]);
    acknowledge(s.peer, 3);
    expect(s.c.cwnd).toBe(11);
    expect(heard(s.peer)).toEqual([12, 13]);
  });
});

describe('after a pause the window begins anew (RFC 5681 §4.1)', () => {
  /** Twenty segments were acknowledged; the peer's window is closed, and data waits. */
  function paused(slowStartAfterIdle: number): Sender {
    const s = sender({ tcp: { sendBuffer: 8_000_000, slowStartAfterIdle } });
    s.socket.send(new Uint8Array(20 * MSS), 0, 20 * MSS);
    s.peer.listen();
    acknowledge(s.peer, 10);
    s.peer.say('.', { ack: 1 + 20 * MSS, window: 0 });
    expect(s.c.cwnd).toBe(20);
    fill(s, 40 * MSS);
    return s;
  }

  test.each([
    [1, 10],
    [0, 20],
  ])('but not before the peer’s window opens; slowStartAfterIdle %d', (setting, window) => {
    const s = paused(setting);
    heard(s.peer);
    s.peer.pass(2_000 * MS);
    expect(s.peer.host.core.counters.TcpExtTCPWinProbe).toBeGreaterThan(2);
    expect(s.c.cwnd).toBe(20);
    s.peer.say('.', { ack: 1 + 20 * MSS });
    expect([s.c.cwnd, heard(s.peer).length]).toEqual([window, window]);
  });
});

describe('fast retransmit and fast recovery (RFC 5681 §3.2, RFC 6582)', () => {
  test.each([true, false])('by the third duplicate acknowledgment, SACK %s', (sack) => {
    const syn = { mss: MSS, scale: 7, sackPermitted: sack };
    const s = sender({ syn, tcp: { sendBuffer: 8_000_000, recovery: 0 } });
    fill(s);
    expect(heard(s.peer)).toEqual(range(0, 10));
    // Two duplicates: limited transmit (RFC 3042).
    duplicate(s.peer, 0, 1, 3, sack);
    expect(heard(s.peer)).toEqual([10, 11]);
    duplicate(s.peer, 0, 3, 4, sack);
    expect(heard(s.peer)).toEqual([0]);
    // ssthresh is half of what was in flight; by PRR cwnd comes down from there.
    expect([s.c.caState, s.c.ssthresh, s.c.cwnd]).toEqual([CaState.Recovery, 5, 9]);
    expect(s.peer.host.core.counters).toMatchObject({
      TcpExtTCPRenoRecovery: sack ? 0 : 1,
      TcpExtTCPSackRecovery: sack ? 1 : 0,
      TcpExtTCPFastRetrans: 1,
      TcpRetransSegs: 1,
    });
  });

  test('for every second of them a segment leaves (RFC 9937)', () => {
    const s = sender();
    fill(s);
    duplicate(s.peer, 0, 1, 10);
    expect(heard(s.peer)).toEqual([...range(0, 12), 0, 12, 13]);
    expect(s.c.cwnd).toBe(5);
    acknowledge(s.peer, 14);
    expect([s.c.caState, s.c.cwnd, s.c.ssthresh]).toEqual([CaState.Open, 6, 5]);
  });

  test('a partial acknowledgment sends the next hole at once (NewReno)', () => {
    const s = sender();
    fill(s);
    heard(s.peer);
    // 0, 3 and 6 are lost.
    duplicate(s.peer, 0, 1, 4);
    expect(heard(s.peer)).toEqual([10, 11, 0]);
    acknowledge(s.peer, 3);
    expect(heard(s.peer)).toContain(3);
    expect(s.c.caState).toBe(CaState.Recovery);
    acknowledge(s.peer, 6);
    expect(heard(s.peer)).toContain(6);
    expect(s.c.caState).toBe(CaState.Recovery);
    acknowledge(s.peer, 12);
    // Without SACK the state ends with what lies beyond.
    expect(s.c.caState).toBe(CaState.Recovery);
    expect(s.c.cwnd).toBeLessThanOrEqual(5);
    expect(s.peer.host.core.counters).toMatchObject({
      TcpExtTCPRenoRecovery: 1,
      TcpExtTCPTimeouts: 0,
    });
  });

  test('restarts the retransmission timer with each partial acknowledgment', () => {
    const s = sender();
    fill(s);
    duplicate(s.peer, 0, 1, 4);
    for (let n = 1; n < 5; n++) {
      s.peer.pass(150 * MS);
      acknowledge(s.peer, n);
    }
    expect(s.peer.host.core.counters.TcpExtTCPTimeouts).toBe(0);
  });

  test('not by acknowledgments that carry data, a window or new numbers', () => {
    const s = sender();
    fill(s);
    heard(s.peer);
    s.peer.say('.', { data: 1, ack: 1 });
    s.peer.say('.', { data: 1, ack: 1 });
    s.peer.say('.', { data: 1, ack: 1 });
    for (const window of [60_000, 61_000, 62_000, 63_000]) s.peer.say('.', { ack: 1, window });
    expect(s.c.caState).toBe(CaState.Open);
    expect(s.peer.host.core.counters.TcpExtTCPFastRetrans).toBe(0);
  });

  test('not without anything in flight', () => {
    const s = sender();
    for (let i = 0; i < 5; i++) s.peer.say('.', { ack: 1 });
    expect(s.c.flight).toBeNull();
    expect(s.peer.lines().length).toBeLessThanOrEqual(2);
  });

  test('not for duplicates that the retransmissions after a timeout cause (RFC 6582 §4)', () => {
    const s = sender();
    fill(s, 10_000);
    s.peer.pass(200 * MS + 1);
    expect(s.c.caState).toBe(CaState.Loss);
    // All had arrived; only the acknowledgments were lost, and one comes for each repetition.
    acknowledge(s.peer, 10);
    // Without SACK the state ends with what lies beyond.
    expect(s.c.caState).toBe(CaState.Loss);
    fill(s, 10_000);
    for (let i = 0; i < 5; i++) s.peer.say('.', { ack: 10_001 });
    expect(s.peer.host.core.counters.TcpExtTCPFastRetrans).toBe(0);
  });

  test('after 2^31 bytes without a loss it still works', () => {
    const s = sender();
    // As if so much had passed: the numbers alone, on both sides.
    const far = 0x70000000;
    for (let i = 0; i < 2; i++) {
      s.c.iss = (s.c.iss + far) | 0;
      s.c.sndUna = (s.c.sndUna + far) | 0;
      s.c.sndNxt = (s.c.sndNxt + far) | 0;
      s.peer.hostIss = (s.peer.hostIss + far) | 0;
      s.socket.send(new Uint8Array(1000), 0, 1000);
      s.peer.listen();
      s.peer.say('.');
      heard(s.peer);
    }
    fill(s, 20_000);
    const first = heard(s.peer)[0];
    duplicate(s.peer, first, first + 1, first + 4);
    expect(s.peer.host.core.counters.TcpExtTCPFastRetrans).toBe(1);
    expect(heard(s.peer)).toContain(first);
  });
});

describe('after a pause (RFC 5681 §4.1)', () => {
  /** The window after `ms` of silence, from 80 segments with a timeout of 200 ms. */
  function afterPause(ms: number, slowStartAfterIdle = 1): number[] {
    const s = sender({ tcp: { slowStartAfterIdle, sendBuffer: 8_000_000 } });
    fill(s, 70_000);
    for (const n of [10, 30, 70]) acknowledge(s.peer, n);
    const before = s.c.cwnd;
    s.peer.pass(ms * MS);
    s.peer.heard();
    fill(s, 400_000);
    return [before, s.c.cwnd, s.c.ssthresh, heard(s.peer).length];
  }

  const NONE = 0x7fffffff;

  test.each([
    [100, 80, NONE],
    [300, 40, NONE],
    [500, 20, NONE],
    [700, 10, NONE],
    [60_000, 10, NONE],
  ])('of %d ms the window is %d', (ms, cwnd, ssthresh) => {
    const [, now, threshold, sent] = afterPause(ms);
    expect([now, threshold, sent]).toEqual([cwnd, ssthresh, cwnd]);
  });

  test('it stays where that is switched off', () => {
    const [before, now] = afterPause(60_000, 0);
    expect(now).toBe(before);
  });
});

describe('one busy connection does not keep others from sending', () => {
  test('while the batch is full each has its turn', () => {
    const peer = new Peer({
      syn: { mss: MSS, scale: 7 },
      tcp: { initialCwnd: 1000, sendBuffer: 8_000_000 },
    });
    const listener = peer.server();
    const sockets = [1, 2, 3].map((port) => {
      peer.port = port;
      peer.renew();
      return peer.open(listener);
    });
    for (const socket of sockets) socket.send(new Uint8Array(500_000), 0, 500_000);
    const { core, toSend } = peer.host;
    const order: number[] = [];
    for (let i = 0; i < 6; i++) {
      toSend.count = 0;
      core.transmit(toSend, peer.now);
      order.push(toSend.words[17]);
    }
    expect(order).toEqual([1, 2, 3, 1, 2, 3]);
  });
});
