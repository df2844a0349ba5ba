import { Xoshiro } from '../../../lib/core/random/xoshiro';
import { Word } from '../../../lib/core/segment/layout';
import type { StreamSocket } from '../../../lib/core/socket/stream-socket';
import { CaState, Has } from '../../../lib/core/tcp/connection';
import { plainSum } from '../../support/packets';
import { Lab, pattern, transfer } from '../../support/lab';
import { Peer, PEER_PORT, type PeerOptions } from '../../support/peer';

const NOT_ECT = 0;
const ECT1 = 1;
const ECT0 = 2;
const CE = 3;
const SECOND = 1_000_000;

/** Flags and ECN field of what was heard since the last call: 'P.W 2'. */
function marks(peer: Peer): string[] {
  return peer.heard().map(({ flags, ecn }) => `${flags} ${ecn}`);
}

/** A server's connection that has ECN. */
function granted(options: PeerOptions = {}) {
  const peer = new Peer({ syn: { mss: 1000 }, ...options });
  const listener = peer.server();
  peer.say('SEW', peer.synFields());
  peer.agree();
  peer.say('.');
  const socket = listener.accept() as StreamSocket;
  peer.heard();
  return { peer, socket, c: peer.host.core.tcp.connection(0) };
}

describe('negotiation (RFC 3168 §6.1.1)', () => {
  // Policy, the peer's SYN, its ECN field; the SYN+ACK; whether data is marked.
  const passive: [number, string, number, string, boolean][] = [
    [2, 'SEW', NOT_ECT, 'S.E', true],
    [1, 'SEW', NOT_ECT, 'S.E', true],
    [0, 'SEW', NOT_ECT, 'S.', false],
    [2, 'S', NOT_ECT, 'S.', false],
    [2, 'SE', NOT_ECT, 'S.', false],
    [2, 'SW', NOT_ECT, 'S.', false],
    [2, 'SEW', ECT0, 'S.', false],
    [2, 'SEW', CE, 'S.', false],
    // Accurate ECN falls back to the classic kind (RFC 9768 §3.1.2).
    [2, 'SEWe', NOT_ECT, 'S.E', true],
    [2, 'SEWe', ECT1, 'S.E', true],
  ];
  test.each(passive)('tcp_ecn %d, %s with ECN field %d: %s', (ecn, syn, field, synAck, marked) => {
    const peer = new Peer({ tcp: { ecn } });
    const listener = peer.server();
    peer.say(syn, { mss: 1000, ecn: field });
    peer.say('.');
    const socket = listener.accept() as StreamSocket;
    socket.send(pattern(10), 0, 10);
    peer.listen();
    expect(marks(peer)).toEqual([`${synAck} 0`, `P. ${marked ? ECT0 : NOT_ECT}`]);
  });

  // The peer's answer to SEW; both bits may be a mirror's work.
  test.each([
    ['S.E', true],
    ['S.', false],
    ['S.EW', false],
    ['S.W', false],
  ])('our SYN asks, and %s answers', (answer, marked) => {
    const peer = new Peer({ tcp: { ecn: 1 } });
    const socket = peer.dial();
    peer.say(answer, { mss: 1000 });
    socket.send(pattern(10), 0, 10);
    peer.listen();
    expect(marks(peer)).toEqual(['SEW 0', '. 0', `P. ${marked ? ECT0 : NOT_ECT}`]);
    // What it says of congestion counts only where that was agreed on.
    peer.say('.E');
    expect(peer.host.core.tcp.connection(0).caState === CaState.Cwr).toBe(marked);
  });

  test('by default a SYN of ours does not ask', () => {
    const peer = new Peer();
    peer.dial();
    peer.say('S.E', { mss: 1000 });
    expect(peer.host.core.tcp.connection(0).has(Has.Ecn)).toBe(false);
    expect(marks(peer)).toEqual(['S 0', '. 0']);
  });

  test.each([
    ['S.E', true],
    ['S.EW', true],
    ['S.', false],
  ])('SYNs cross: the peer’s SYN decides, not %s', (synAck, agreed) => {
    const peer = new Peer({ tcp: { ecn: 1 } });
    peer.dial();
    peer.say(agreed ? 'SEW' : 'S', { mss: 1000 });
    peer.say(synAck, { mss: 1000, seq: 0 });
    expect(marks(peer)).toEqual(['SEW 0', agreed ? 'S.E 0' : 'S. 0', '. 0']);
    expect(peer.host.core.tcp.connection(0).has(Has.Ecn)).toBe(agreed);
  });

  test('a SYN that was lost is sent again without, as a middlebox may be the reason', () => {
    const peer = new Peer({ tcp: { ecn: 1 } });
    peer.dial();
    peer.pass(2_500_000);
    expect(marks(peer)).toEqual(['SEW 0', 'S 0', 'S 0']);
    const stubborn = new Peer({ tcp: { ecn: 1, ecnFallback: 0 } });
    stubborn.dial();
    stubborn.pass(1_500_000);
    expect(marks(stubborn)).toEqual(['SEW 0', 'SEW 0']);
  });

  test('an acknowledgment for which there is no room to be accepted changes nothing', () => {
    const peer = new Peer({ syn: { mss: 1000 } });
    const listener = peer.server(1);
    peer.say('SEW', peer.synFields());
    const { hostIss } = peer;
    // Others come between, and fill the queue.
    for (let port = 1; port <= 2; port++) {
      peer.port = port;
      peer.renew();
      peer.synchronize();
    }
    peer.port = PEER_PORT;
    peer.renew(1_000_000);
    Object.assign(peer, { hostIss, seq: 1, rcvNxt: 1 });
    peer.say('.');
    expect(peer.host.core.counters.TcpExtListenOverflows).toBe(1);
    listener.accept();
    peer.say('.');
    listener.accept();
    const socket = listener.accept() as StreamSocket;
    expect(socket.status?.has(Has.Ecn)).toBe(true);
  });

  test('a SYN that comes again without ECN, and a SYN+ACK sent again, change nothing', () => {
    const peer = new Peer();
    peer.server();
    peer.say('SEW', { mss: 1000 });
    peer.say('S', { mss: 1000, seq: 0 });
    peer.pass(SECOND);
    expect(marks(peer)).toEqual(['S.E 0', 'S.E 0', 'S.E 0']);
  });
});

describe('the receiver (RFC 3168 §6.1.3)', () => {
  test('echoes CE in every segment until CWR comes, and acknowledges at once', () => {
    const { peer, socket, c } = granted();
    c.quick = 0;
    c.set(Has.PingPong);
    peer.say('P.', { data: 10, ecn: CE });
    expect(marks(peer)).toEqual(['.E 0']);
    peer.say('P.', { data: 10, ecn: ECT0 });
    socket.send(pattern(10), 0, 10);
    peer.listen();
    peer.pass(SECOND);
    expect(new Set(marks(peer))).toEqual(new Set(['.E 0', 'P.E 2', 'P.E 0']));
    peer.say('P.W', { data: 10, ecn: ECT0 });
    expect(marks(peer)).toEqual(['. 0']);
  });

  test('acknowledges at once what a peer that marks its data sends unmarked, hence again', () => {
    const { peer, socket, c } = granted();
    c.quick = 0;
    c.set(Has.PingPong);
    peer.say('P.', { data: 10, ecn: NOT_ECT });
    expect(socket.tcpInfo().tcpi_options).toBe(8);
    peer.say('P.', { data: 10, ecn: ECT0 });
    expect(socket.tcpInfo().tcpi_options).toBe(8 | 16);
    expect(marks(peer)).toEqual([]);
    peer.say('P.', { data: 10, ecn: NOT_ECT });
    expect(marks(peer)).toEqual(['. 0']);
  });

  test('of CWR and CE in one segment the latter is the news', () => {
    const { peer } = granted();
    peer.say('P.', { data: 10, ecn: CE });
    peer.heard();
    peer.say('P.W', { data: 10, ecn: CE });
    expect(marks(peer)).toEqual(['.E 0']);
  });

  test('does so for what lies beyond a hole, not for old data, nor for acknowledgments', () => {
    const { peer } = granted();
    peer.say('.', { ecn: CE });
    peer.say('P.', { data: 10, ecn: ECT0 });
    peer.say('P.', { seq: 1, data: 10, ecn: CE });
    expect(marks(peer).every((mark) => !mark.includes('E'))).toBe(true);
    peer.say('P.', { seq: 100, data: 10, ecn: CE });
    expect(marks(peer)).toEqual(['.E 0']);
  });

  test('a peer that sends CE for ever gets ECE for ever, each as one acknowledgment', () => {
    const { peer, socket } = granted();
    for (let i = 0; i < 100; i++) {
      peer.say('P.', { data: 1000, ecn: CE });
      socket.take(65_536);
      peer.listen();
    }
    peer.pass(SECOND);
    const heard = marks(peer);
    expect(new Set(heard)).toEqual(new Set(['.E 0']));
    expect(heard.length).toBeLessThanOrEqual(101);
    const { IpExtInCEPkts, IpExtInNoECTPkts } = peer.host.core.counters;
    expect([IpExtInCEPkts, IpExtInNoECTPkts]).toEqual([100, 2]);
  });

  test('counts packets by their codepoint, whoever they are for', () => {
    const peer = new Peer();
    for (const ecn of [NOT_ECT, ECT0, ECT0, ECT1, ECT1, ECT1, CE]) peer.say('.', { ecn });
    expect(peer.host.core.counters).toMatchObject({
      IpExtInNoECTPkts: 1,
      IpExtInECT0Pkts: 2,
      IpExtInECT1Pkts: 3,
      IpExtInCEPkts: 1,
    });
  });
});

describe('the sender (RFC 3168 §6.1.2)', () => {
  test('marks new data, not retransmissions, acknowledgments, probes or a FIN alone', () => {
    const { peer, socket } = granted();
    socket.send(pattern(10), 0, 10);
    peer.listen();
    peer.pass(300_000);
    expect(marks(peer)).toEqual(['P. 2', 'P. 0']);
    peer.say('P.', { data: 10, ecn: ECT0, window: 0 });
    socket.send(pattern(10), 0, 10);
    peer.listen();
    peer.pass(700_000);
    // The probes.
    expect(new Set(marks(peer))).toEqual(new Set(['. 0']));
    peer.say('.');
    expect(marks(peer)).toEqual(['P.W 2']);
    peer.say('.');
    socket.shutdown(1);
    peer.listen();
    expect(marks(peer)).toEqual(['F. 0']);
  });

  test('ECE reduces the window once for what is in flight, and CWR says so once', () => {
    const { peer, socket, c } = granted();
    socket.send(pattern(30_000), 0, 30_000);
    peer.listen();
    peer.heard();
    expect(c.cwnd).toBe(10);
    peer.say('.E', { ack: 1001 });
    expect([c.caState, c.ssthresh, c.sndUna - c.iss]).toEqual([CaState.Cwr, 5, 1001]);
    for (let i = 2; i <= 10; i++) peer.say('.E', { ack: i * 1000 + 1 });
    expect(c.ssthresh).toBe(5);
    const sent = marks(peer).filter((mark) => !mark.endsWith('0'));
    expect(sent.filter((mark) => mark.includes('W'))).toHaveLength(1);
    expect(sent[0]).toContain('W');
    expect(peer.host.core.counters.TcpExtTCPDeliveredCE).toBe(10);
  });

  test.each([
    ['.', 0x7fffffff],
    ['.E', 5],
  ])('a loss that was none: what %s asked for meanwhile is not taken back', (flags, ssthresh) => {
    const { peer, socket, c } = granted({ syn: { mss: 1000, sackPermitted: true } });
    socket.send(pattern(20_000), 0, 20_000);
    peer.listen();
    peer.say('.', { ack: 1, sack: [[1001, 4001]] });
    expect([c.caState, c.ssthresh]).toEqual([CaState.Recovery, 5]);
    peer.say(flags, { ack: 1, sack: [[1001, 5001]] });
    peer.say('.', { ack: 9001, sack: [[1, 1001]] });
    expect(peer.host.core.counters.TcpExtTCPDSACKUndo).toBe(1);
    expect(c.ssthresh).toBe(ssthresh);
  });

  test('a peer that sends ECE in everything: two segments at least, no standstill', () => {
    const { peer, socket, c } = granted();
    const data = pattern(200_000);
    let sent = 0;
    for (let i = 0; i < 2000 && peer.rcvNxt <= data.length; i++) {
      if (sent < data.length) sent += Math.max(socket.send(data, sent, data.length - sent), 0);
      peer.listen();
      peer.say('.E');
      expect(c.ssthresh).toBeGreaterThanOrEqual(2);
      expect(c.cwnd).toBeGreaterThanOrEqual(1);
      peer.pass(1000);
    }
    expect(peer.rcvNxt).toBe(data.length + 1);
    expect(peer.host.core.counters.TcpRetransSegs).toBe(0);
  });

  test('ECE with nothing in flight, in a SYN, or of what was never sent, is nothing', () => {
    const { peer, socket, c } = granted();
    peer.say('.E');
    peer.say('SE', { seq: 1 });
    socket.send(pattern(10), 0, 10);
    peer.listen();
    peer.say('.E', { ack: 500_000 });
    expect(c.caState).toBe(CaState.Open);
    expect(c.ssthresh).toBe(0x7fffffff);
    expect(marks(peer).some((mark) => mark.includes('W'))).toBe(false);
  });

  test('a loss is told with CWR, too', () => {
    const { peer, socket } = granted();
    socket.send(pattern(10), 0, 10);
    peer.listen();
    peer.pass(300_000);
    peer.say('.');
    socket.send(pattern(10), 0, 10);
    peer.listen();
    expect(marks(peer)).toEqual(['P. 2', 'P. 0', 'P.W 2']);
  });
});

/** Sets CE in an IPv4 packet that says ECT; false where it doesn't. */
function congest(packet: Uint8Array): boolean {
  if ((packet[1] & 3) === 0) return false;
  packet[1] |= CE;
  packet.fill(0, 10, 12);
  const sum = plainSum(packet, 0, 20);
  const folded = (sum & 0xffff) + (sum >>> 16);
  packet[10] = ~folded >> 8;
  packet[11] = ~folded;
  return true;
}

describe('both ends', () => {
  const edges = [0x7fff8000, -0x8000, 0];
  test.each(edges)('ISS %d: a tenth is marked, all arrives without a loss', (iss) => {
    const lab = new Lab({ tcp: { ecn: 1 } });
    for (const host of [lab.a, lab.b]) host.core.tcp.isn.isn = () => iss;
    const random = new Xoshiro(7);
    let marked = 0;
    lab.filter = (packet) => {
      if ((random.next() >>> 0) % 10 === 0 && congest(packet)) marked++;
      return undefined;
    };
    const { client, server } = lab.pair();
    const data = pattern(300_000);
    expect(Buffer.compare(transfer(lab, client, server, data), data)).toBe(0);
    expect(Buffer.compare(transfer(lab, server, client, data), data)).toBe(0);
    expect(marked).toBeGreaterThan(20);
    for (const { counters } of [lab.a.core, lab.b.core]) {
      expect(counters).toMatchObject({ TcpRetransSegs: 0, TcpInCsumErrors: 0 });
      expect(counters.TcpExtTCPDeliveredCE).toBeGreaterThan(0);
    }
    expect(lab.a.core.counters.IpExtInCEPkts + lab.b.core.counters.IpExtInCEPkts).toBe(marked);
  });

  test('ask and grant only where one asks', () => {
    for (const [mine, theirs, agreed] of [
      [1, 2, true],
      [2, 2, false],
      [1, 0, false],
      [0, 1, false],
    ] as const) {
      const lab = new Lab({ tcp: { ecn: mine }, tcpOfB: { ecn: theirs } });
      lab.pair();
      for (const host of [lab.a, lab.b]) {
        expect(host.core.tcp.connection(0).has(Has.Ecn)).toBe(agreed);
      }
    }
  });
});

test('the class of the descriptor has eight bits: what is above them is not sent', () => {
  const { peer, socket } = granted();
  socket.setOption(14, 0xff);
  socket.send(pattern(10), 0, 10);
  const classes: number[] = [];
  peer.host.core.onTrace = (words, base) => classes.push(words[base + Word.TrafficClass]);
  peer.listen();
  expect(classes).toEqual([0xfc | ECT0]);
});
