import { Xoshiro } from '../../../lib/core/random/xoshiro';
import { Lab, pattern, readAll } from '../../support/lab';
import { Peer, type PeerOptions } from '../../support/peer';
import type { StreamSocket } from '../../../lib/core/socket/stream-socket';

const MS = 1000;
const RTT = 100 * MS;
const MSS = 1460;
const RECEIVE_BUFFER = 7;
const MIB = 2 ** 20;

function connected(options: PeerOptions = {}): [Peer, StreamSocket] {
  const tcp = { receiveBufferMax: MIB, ...options.tcp };
  const peer = new Peer({ syn: { mss: MSS, scale: 7 }, timestamps: true, ...options, tcp });
  const socket = peer.dial();
  peer.pass(RTT);
  peer.answer(socket);
  return [peer, socket];
}

const control = (peer: Peer) => peer.host.core.tcp.connection(0);

/** What the peer may still send, bytes. */
function room(peer: Peer): number {
  const { ack, window } = peer.log[peer.log.length - 1];
  return ack + (window << control(peer).rcvScale) - peer.seq;
}

/** A round trip: the peer sends what it may, up to `most` bytes, and the program reads it. */
function round(peer: Peer, socket: StreamSocket, most: number, read = true): number {
  const bytes = Math.min(room(peer), most);
  // What it answers to was sent a round trip ago.
  const ts: [number, number] = [peer.tsVal, peer.tsEcr];
  for (let left = bytes; left > 0; left -= MSS) {
    peer.say('.', { data: Math.min(left, MSS - 12), ts: peer.timestamps ? ts : null });
    if (read) readAll(socket);
  }
  peer.listen();
  peer.pass(RTT);
  return bytes;
}

describe('the receive buffer (dynamic right-sizing)', () => {
  test.each([
    ['with timestamps', true],
    ['by the window alone', false],
  ])('grows with a sender in slow start so that it is no limit, %s', (_, timestamps) => {
    const [peer, socket] = connected({ timestamps });
    let limited = 0;
    let cwnd = 10 * (MSS - 12);
    for (let i = 0; i < 9; i++) {
      const wanted = Math.min(cwnd, 0.4 * MIB);
      if (round(peer, socket, wanted) < wanted) limited++;
      cwnd *= 2;
    }
    // Slow start overtakes it for a round trip or two, as it does on Linux.
    expect(limited).toBeLessThanOrEqual(2);
    expect(control(peer).rcvBuf).toBe(MIB);
  });

  test('is that of the program where it has chosen one', () => {
    const peer = new Peer({ syn: { mss: MSS, scale: 7 }, timestamps: true });
    const socket = peer.dial((made) => void made.setOption(RECEIVE_BUFFER, 100_000));
    peer.pass(RTT);
    peer.answer(socket);
    for (let i = 0; i < 7; i++) round(peer, socket, Infinity);
    expect([control(peer).rcvBuf, socket.getOption(RECEIVE_BUFFER)]).toEqual([100_000, 100_000]);
  });

  test.each([
    ['moderateReceiveBuffer = 0', { moderateReceiveBuffer: 0 }, 65_536],
    ['receiveBufferMax', { receiveBufferMax: 300_000 }, 300_000],
    ['memory pressure', { memoryPressure: 0, memoryLow: 0 }, 65_536],
  ])('%s bounds it', (_, tcp, most) => {
    const [peer, socket] = connected({ tcp });
    for (let i = 0; i < 7; i++) round(peer, socket, Infinity);
    expect(control(peer).rcvBuf).toBe(most);
    expect(socket.getOption(RECEIVE_BUFFER)).toBe(most);
  });

  test('does not grow for a program that reads slowly, nor for a sender that sends little', () => {
    const [peer, socket] = connected();
    for (let i = 0; i < 9; i++) round(peer, socket, 10_000);
    expect(control(peer).rcvBuf).toBe(65_536);
    for (let i = 0; i < 20; i++) {
      round(peer, socket, Infinity, false);
      socket.receive(new Uint8Array(10_000), 0, 10_000);
    }
    expect(control(peer).rcvBuf).toBe(65_536);
  });

  test('a reader that is slow, then fast, gets its window', () => {
    const [peer, socket] = connected();
    for (let i = 0; i < 20; i++) {
      round(peer, socket, Infinity, false);
      socket.receive(new Uint8Array(1000), 0, 1000);
    }
    readAll(socket);
    peer.listen();
    for (let i = 0; i < 7; i++) round(peer, socket, Infinity);
    expect(control(peer).rcvBuf).toBe(MIB);
  });

  test('what measures it is lent: not for little data, not once there is none', () => {
    const [peer, socket] = connected();
    peer.say('.', { data: 1000 });
    readAll(socket);
    expect(control(peer).inbound).toBeNull();
    round(peer, socket, 7000);
    expect(control(peer).inbound).not.toBeNull();
    for (let i = 0; i < 3; i++) round(peer, socket, 7000);
    for (let i = 0; i < 3; i++) round(peer, socket, 200);
    expect(control(peer).inbound).toBeNull();
  });

  test('TCP_INFO tells the round trip and what is read in one, also in a pause', () => {
    const [peer, socket] = connected();
    const told = () => {
      const { tcpi_rcv_rtt, tcpi_rcv_space } = socket.tcpInfo();
      return [tcpi_rcv_rtt, tcpi_rcv_space];
    };
    expect(told()).toEqual([0, 10 * (MSS - 12)]);
    const read = [0];
    for (let i = 0; i < 4; i++) read.push(round(peer, socket, Infinity));
    expect(told()[0]).toBe(RTT);
    expect(told()[1]).toBeGreaterThan(read[3] - 2 * MSS);
    expect(told()[1]).toBeLessThanOrEqual(read[3]);
    round(peer, socket, 3000);
    const [, space] = told();
    for (let i = 0; i < 3; i++) round(peer, socket, 3000);
    expect(told()).toEqual([RTT, space]);
    // What it was measured with is lent to another.
    socket.setOption(RECEIVE_BUFFER, 100_000);
    for (let i = 0; i < 3; i++) round(peer, socket, 200);
    expect(told()).toEqual([0, 10 * (MSS - 12)]);
  });

  describe('the round trip that it reckons with', () => {
    const told = (socket: StreamSocket) => socket.tcpInfo().tcpi_rcv_rtt;

    test('rises by an eighth of what an echo takes longer, where nothing waits to be read', () => {
      const [peer, socket] = connected();
      for (let i = 0; i < 4; i++) round(peer, socket, Infinity);
      expect(told(socket)).toBe(RTT);
      /** A segment that answers to what was sent so many ms ago. */
      const answer = (ms: number) => {
        const since = Math.round((peer.now - peer.log[peer.log.length - 1].at) / MS);
        peer.say('.', { data: MSS - 12, ts: [peer.tsVal, peer.tsEcr + since - ms] });
      };
      answer(180);
      readAll(socket);
      expect(told(socket)).toBe(110_000);
      // What is read late may be why the sender has waited.
      peer.say('.', { data: 100 });
      answer(300);
      expect(told(socket)).toBe(110_000);
      readAll(socket);
      answer(310);
      expect(told(socket)).toBe(110_000 + (310_000 - 110_000) / 8);
    });

    test('without timestamps only falls, and no pause counts', () => {
      const [peer, socket] = connected({ timestamps: false });
      for (let i = 0; i < 5; i++) round(peer, socket, Infinity);
      const shortest = told(socket);
      expect(shortest).toBeLessThanOrEqual(2 * RTT);
      for (let i = 0; i < 5; i++) {
        peer.pass(RTT);
        round(peer, socket, Infinity);
      }
      expect(told(socket)).toBe(shortest);
      for (let i = 0; i < 2; i++) round(peer, socket, 1000);
      expect(control(peer).inbound?.space).toBe(0);
      peer.pass(100 * RTT);
      for (let i = 0; i < 5; i++) {
        round(peer, socket, Infinity);
        expect(told(socket)).toBeLessThanOrEqual(2 * RTT);
      }
    });
  });

  test('over the wrap of numbers and of the clock', () => {
    const [peer, socket] = connected({ iss: 0x7fff0000, start: 2 ** 31 - 300_000 });
    for (let i = 0; i < 7; i++) round(peer, socket, Infinity);
    expect(control(peer).rcvBuf).toBe(MIB);
  });
});

describe('memory of the stack (tcp_mem)', () => {
  const LIMITS = { memoryLow: 100_000, memoryPressure: 200_000, memoryMax: 300_000 };
  const counters = (peer: Peer) => peer.host.core.counters;

  test('counts what is held, to the byte, whatever happens to it', () => {
    const random = new Xoshiro(7);
    const [peer, socket] = connected();
    const { memory } = peer.host.core.tcp;
    for (let i = 0; i < 200; i++) {
      const seq = 1 + (((random.next() >>> 0) % 20_000) | 0);
      peer.say('.', { seq, data: 1 + ((random.next() >>> 0) % MSS) });
      if (i % 3 === 0) socket.receive(new Uint8Array(3000), 0, 3000);
      expect(memory.received).toBe(control(peer).receiveBuffer?.cost ?? 0);
    }
    socket.close();
    expect(memory.received).toBe(0);
  });

  test('single bytes beyond holes count for more than a byte, and are few', () => {
    const [peer, socket] = connected({ tcp: { memoryPressure: 100_000, memoryLow: 50_000 } });
    const { memory } = peer.host.core.tcp;
    for (let i = 0; i < 2000; i++) peer.say('.', { seq: peer.seq + 1 + 2 * i, data: 1 });
    expect(control(peer).receiveBuffer?.pieces).toBe(512);
    expect(memory.received).toBe(512 * 257);
    expect(memory.isHigh).toBe(true);
    expect(counters(peer).TcpExtTCPOFODrop).toBe(2000 - 512);
    // The stream is whole all the same.
    peer.say('.', { data: 4001 });
    expect(readAll(socket).length).toBe(4001);
    expect([memory.received, memory.isHigh]).toEqual([0, false]);
  });

  test('under pressure the window shrinks, and is counted; it ends below the low mark', () => {
    const [peer, socket] = connected({ tcp: { ...LIMITS, receiveBuffer: 1_000_000 } });
    while (socket.inQueue < 200_000) round(peer, socket, Infinity, false);
    expect(counters(peer)).toMatchObject({
      TcpExtTCPMemoryPressures: 1,
      TcpExtTCPMemoryPressuresChrono: 0,
    });
    round(peer, socket, MSS, false);
    expect(control(peer).rcvSsthresh).toBe(4 * MSS);
    peer.pass(700 * MS);
    readAll(socket);
    peer.say('.', { data: MSS });
    expect(counters(peer).TcpExtTCPMemoryPressures).toBe(1);
    expect(counters(peer).TcpExtTCPMemoryPressuresChrono).toBeGreaterThanOrEqual(700);
    expect(control(peer).rcvSsthresh).toBeGreaterThan(4 * MSS);
  });

  test('at the limit a connection that has something to read gets no more, in order or not', () => {
    const [peer, socket] = connected({ tcp: { memoryLow: 0, memoryPressure: 0, memoryMax: 0 } });
    peer.say('.', { data: 100 });
    expect(socket.inQueue).toBe(100);
    peer.heard();
    peer.say('.', { data: 100 });
    peer.say('.', { data: 100, seq: peer.seq + 1000 });
    expect(peer.heard().map(({ ack, sack }) => [ack, sack])).toEqual([
      [101, []],
      [101, []],
    ]);
    expect(counters(peer)).toMatchObject({ TcpExtTCPRcvQDrop: 1, TcpExtTCPOFODrop: 1 });
    readAll(socket);
    peer.say('F.', { data: 100, seq: 101 });
    peer.pass(50 * MS);
    expect(socket.inQueue).toBe(100);
    expect(peer.heard().at(-1)?.ack).toBe(202);
  });

  test('at the limit 4096 bytes and the packet that was begun may wait to be sent', () => {
    const tcp = { memoryLow: 0, memoryPressure: 0, memoryMax: 1 };
    const peer = new Peer({ syn: { mss: 1000 }, tcp });
    peer.window = 1000;
    const socket = peer.answer();
    const taken: number[] = [];
    for (let i = 0; i < 12; i++) taken.push(socket.send(pattern(500), 0, 500));
    const sum = taken.filter((bytes) => bytes > 0).reduce((a, b) => a + b, 0);
    expect([sum >= 4096, sum <= 4096 + 1000]).toEqual([true, true]);
    expect(taken.at(-1)).toBe(-11);
  });

  test('what comes first in the stream takes the place of what lies behind it', () => {
    const [peer, socket] = connected({ tcp: { memoryLow: 0, memoryPressure: 0, memoryMax: 0 } });
    const at = (offset: number) => ({ data: 100, seq: peer.seq + offset });
    for (const offset of [300, 500, 100]) peer.say('.', at(offset));
    expect(peer.heard().map(({ ack }) => ack)).toEqual([1, 1, 1]);
    expect(counters(peer)).toMatchObject({
      TcpExtPruneCalled: 2,
      TcpExtOfoPruned: 1,
      TcpExtTCPOFODrop: 1,
    });
    peer.say('.', at(0));
    expect(peer.heard().at(-1)?.ack).toBe(201);
    expect(socket.inQueue).toBe(200);
  });

  test('all arrives all the same', () => {
    const tcp = { memoryLow: 4000, memoryPressure: 8000, memoryMax: 16_000 };
    const lab = new Lab({ tcp, delay: 1000 });
    const { client, server } = lab.pair();
    const bytes = pattern(200_000);
    const chunk = new Uint8Array(5000);
    const got: Uint8Array[] = [];
    let sent = 0;
    let total = 0;
    while (total < bytes.length && lab.now < 3600 * 1000 * MS) {
      if (sent < bytes.length) sent += Math.max(client.send(bytes, sent, bytes.length - sent), 0);
      lab.pass(20 * MS);
      const read = server.receive(chunk, 0, chunk.length);
      if (read > 0) got.push(chunk.slice(0, read));
      total += Math.max(read, 0);
      lab.flush();
    }
    expect(Buffer.compare(Buffer.concat(got), bytes)).toBe(0);
    expect(lab.b.core.counters.TcpExtTCPRcvQDrop).toBeGreaterThan(0);
  });
});
