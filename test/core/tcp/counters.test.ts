import type { Counters } from '../../../lib/core/stack/counters';
import { pattern, readAll } from '../../support/lab';
import { Peer, type PeerOptions } from '../../support/peer';

const SECOND = 1_000_000;

/** What was counted while `run` ran. */
function counted(peer: Peer, run: () => void): Partial<Counters> {
  const before: Counters = { ...peer.host.core.counters };
  run();
  const entries = Object.entries(peer.host.core.counters) as [keyof Counters, number][];
  return Object.fromEntries(
    entries
      .map(([name, value]): [string, number] => [name, value - before[name]])
      // Each packet is counted by IP, too: see packet-arrives.test.ts and ecn.test.ts.
      .filter(([name, more]) => more !== 0 && !/^Ip(In|ExtInNoECT)/.test(name)),
  ) as Partial<Counters>;
}

function connected(options: PeerOptions = {}) {
  const peer = new Peer({ syn: { mss: 1000 }, ...options });
  return { peer, socket: peer.answer() };
}

describe('counters, as nstat(8) has them', () => {
  test('opening and closing', () => {
    const peer = new Peer();
    expect(counted(peer, () => peer.answer())).toEqual({
      TcpActiveOpens: 1,
      TcpCurrEstab: 1,
      TcpInSegs: 1,
      TcpOutSegs: 2,
    });
    const other = new Peer();
    const listener = other.server();
    expect(counted(other, () => other.open(listener))).toEqual({
      TcpPassiveOpens: 1,
      TcpCurrEstab: 1,
      TcpInSegs: 2,
      TcpOutSegs: 1,
    });
    const fin = () => {
      other.say('F.');
      other.pass(50_000);
    };
    const delayed = { TcpInSegs: 1, TcpOutSegs: 1, TcpExtDelayedACKs: 1 };
    expect(counted(other, fin)).toEqual(delayed);
  });

  test('the end of an established connection counts where it comes by RST', () => {
    for (const segments of [['R.'], ['F.', 'R.']]) {
      const { peer } = connected();
      const more = counted(peer, () => segments.forEach((flags) => peer.say(flags)));
      expect(more).toMatchObject({ TcpEstabResets: 1, TcpCurrEstab: -1 });
    }
    const { peer, socket } = connected();
    socket.close();
    peer.listen();
    const more = counted(peer, () => peer.say('R.'));
    expect([more.TcpEstabResets, more.TcpCurrEstab]).toEqual([undefined, undefined]);
  });

  test('attempts that fail', () => {
    const crossed = new Peer();
    crossed.dial();
    crossed.say('S');
    expect(counted(crossed, () => crossed.say('R'))).toMatchObject({ TcpAttemptFails: 1 });
    const refused = new Peer();
    refused.dial();
    expect(counted(refused, () => refused.say('R.', { seq: 0 }))).toMatchObject({
      TcpAttemptFails: 1,
    });
    const reset = new Peer();
    reset.server();
    reset.say('S');
    expect(counted(reset, () => reset.say('R'))).toMatchObject({
      TcpAttemptFails: 1,
      TcpExtEmbryonicRsts: 1,
    });
    const silent = new Peer();
    silent.server();
    silent.say('S');
    expect(counted(silent, () => silent.pass(100 * SECOND))).toEqual({
      TcpAttemptFails: 1,
      TcpExtTCPTimeouts: 5,
      TcpExtTCPSynRetrans: 5,
      TcpRetransSegs: 5,
      TcpOutSegs: 5,
    });
  });

  test('nobody there', () => {
    const peer = new Peer();
    expect(counted(peer, () => peer.say('S'))).toEqual({
      TcpInSegs: 1,
      TcpOutSegs: 1,
      TcpOutRsts: 1,
    });
    expect(counted(peer, () => peer.say('R'))).toEqual({ TcpInSegs: 1 });
  });

  test('a wrong checksum', () => {
    const { peer } = connected();
    const packet = peer.packet('P.', { data: 10 });
    packet[packet.length - 1] ^= 1;
    expect(counted(peer, () => peer.deliver(packet))).toEqual({
      TcpInErrs: 1,
      TcpInCsumErrors: 1,
      TcpInSegs: 1,
    });
  });

  test('out of order', () => {
    const { peer } = connected();
    const more = counted(peer, () => {
      peer.say('.', { data: 100, seq: 201 });
      peer.say('.', { data: 100, seq: 401 });
      peer.say('.', { data: 400, seq: 1 });
    });
    expect(more).toMatchObject({ TcpInSegs: 3, TcpExtTCPOFOQueue: 2 });
    expect(more.TcpExtTCPOFODrop).toBeUndefined();
  });

  test('old data', () => {
    const { peer } = connected();
    peer.say('.', { data: 100 });
    expect(counted(peer, () => peer.say('.', { data: 100, seq: 1 }))).toMatchObject({
      TcpExtDelayedACKLost: 1,
    });
  });

  test('our window closes and opens; what comes nevertheless', () => {
    const { peer, socket } = connected({ tcp: { receiveBuffer: 4000 } });
    const zero = (more: Partial<Counters>) => [
      more.TcpExtTCPToZeroWindowAdv,
      more.TcpExtTCPFromZeroWindowAdv,
      more.TcpExtTCPZeroWindowDrop,
    ];
    const filled = counted(peer, () => {
      for (const data of [1000, 1000, 920, 1000]) peer.say('.', { data });
      peer.pass(SECOND);
      // An answer at a closed window closes it no second time.
      peer.say('.', { seq: peer.seq - 1 });
    });
    expect(zero(filled)).toEqual([1, undefined, undefined]);
    expect(peer.log.at(-1)?.window).toBe(0);
    const refused = counted(peer, () => peer.say('.', { data: 500, seq: peer.seq }));
    expect(zero(refused)).toEqual([undefined, undefined, 1]);
    const opened = counted(peer, () => {
      readAll(socket);
      peer.listen();
      peer.say('P.', { data: 10 });
      peer.pass(SECOND);
    });
    expect(zero(opened)).toEqual([undefined, 1, undefined]);
  });

  test('the peer’s window: probes', () => {
    const { peer, socket } = connected();
    peer.window = 0;
    peer.say('.');
    socket.send(pattern(10), 0, 10);
    expect(counted(peer, () => peer.pass(SECOND))).toEqual({
      TcpExtTCPWinProbe: 2,
      TcpOutSegs: 2,
    });
  });

  test('losses: a timeout, and what is sent again', () => {
    const { peer, socket } = connected();
    socket.send(pattern(10), 0, 10);
    peer.listen();
    expect(counted(peer, () => peer.pass(700_000))).toEqual({
      TcpExtTCPTimeouts: 2,
      TcpRetransSegs: 2,
      TcpOutSegs: 2,
      TcpExtTCPSlowStartRetrans: 2,
    });
    expect(counted(peer, () => peer.pass(3600 * SECOND))).toMatchObject({
      TcpExtTCPAbortOnTimeout: 1,
      TcpCurrEstab: -1,
    });
  });

  test('closing with data unread; data after the end', () => {
    const unread = connected();
    unread.peer.say('P.', { data: 10 });
    expect(counted(unread.peer, () => unread.socket.close())).toMatchObject({
      TcpExtTCPAbortOnClose: 1,
      TcpOutRsts: 1,
    });
    const late = connected();
    late.socket.close();
    late.peer.listen();
    expect(counted(late.peer, () => late.peer.say('P.', { data: 10 }))).toMatchObject({
      TcpExtTCPAbortOnData: 1,
      TcpOutRsts: 1,
    });
  });

  test('TIME-WAIT', () => {
    const { peer, socket } = connected();
    socket.close();
    peer.listen();
    expect(counted(peer, () => peer.say('F.'))).toMatchObject({ TcpExtTW: 1 });
  });
});
