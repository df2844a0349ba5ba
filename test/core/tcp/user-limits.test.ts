import { Errno } from '../../../lib/core/errno';
import { SocketOption } from '../../../lib/core/socket/options';
import { Poll } from '../../../lib/core/socket/socket-status';
import type { StreamSocket } from '../../../lib/core/socket/stream-socket';
import { State } from '../../../lib/core/tcp/state';
import { pattern, readAll } from '../../support/lab';
import { line, Peer, type PeerOptions } from '../../support/peer';

const MS = 1000;
const MSS = 1000;

function connected(options: PeerOptions = {}): [Peer, StreamSocket] {
  const peer = new Peer({ syn: { mss: MSS, scale: 7 }, ...options });
  const socket = peer.dial();
  peer.pass(10 * MS);
  peer.answer(socket);
  return [peer, socket];
}

const control = (peer: Peer) => peer.host.core.tcp.connection(0);
const send = (socket: StreamSocket, bytes: number) => socket.send(pattern(bytes), 0, bytes);
const isWritable = (socket: StreamSocket) => (socket.poll() & Poll.OUT) !== 0;

describe('what waits unsent (TCP_NOTSENT_LOWAT)', () => {
  test.each([
    ['the option', {}, 5000],
    ['tcp_notsent_lowat', { notSentLowWater: 5000 }, 0],
  ])('is bounded by %s, a packet that was begun aside', (_, tcp, option) => {
    const [peer, socket] = connected({ tcp: { initialCwnd: 4, ...tcp } });
    if (option > 0) socket.setOption(SocketOption.NotSentLowWater, option);
    // Segments of half a window at most make a packet here: 32,000 bytes.
    peer.say('.', { window: 100 });
    expect(send(socket, 100_000)).toBeLessThan(70_000);
    expect(send(socket, 1)).toBe(-Errno.EAGAIN);
    expect(isWritable(socket)).toBe(false);
    // Without it there would be room for much more.
    expect(socket.sendSpace).toBeGreaterThan(900_000);
  });

  test('is writable again below half of it, and the program is told', () => {
    const [peer, socket] = connected({ tcp: { initialCwnd: 10 } });
    socket.setOption(SocketOption.NotSentLowWater, 4000);
    expect(send(socket, 15_000)).toBe(15_000);
    peer.listen();
    expect(send(socket, 100_000)).toBeGreaterThan(0);
    expect(send(socket, 1)).toBe(-Errno.EAGAIN);
    const told: number[] = [];
    for (let i = 0; i < 100 && socket.outQueue > 0; i++) {
      peer.say('.');
      const { core } = peer.host;
      for (let event = core.pollEvent(); event !== null; event = core.pollEvent()) {
        if (isWritable(socket)) told.push(socket.outQueueUnsent);
      }
    }
    expect(told.length).toBeGreaterThan(0);
    for (const unsent of told) expect(unsent).toBeLessThan(2000);
  });

  test('told also where a wider window lets it leave, and nothing new is acknowledged', () => {
    const [peer, socket] = connected({ tcp: { initialCwnd: 100 } });
    peer.say('.', { window: 0 });
    socket.setOption(SocketOption.NotSentLowWater, 4000);
    expect(send(socket, 100_000)).toBeGreaterThan(0);
    expect(send(socket, 1)).toBe(-Errno.EAGAIN);
    const { core } = peer.host;
    while (core.pollEvent() !== null);
    peer.say('.', { window: 1000 });
    expect([socket.outQueueUnsent < 2000, isWritable(socket)]).toEqual([true, true]);
    expect(core.pollEvent()).not.toBeNull();
  });

  test('nobody is told of a socket that was closed while it waited', () => {
    const [peer, socket] = connected({ tcp: { initialCwnd: 100 } });
    peer.say('.', { window: 0 });
    expect(send(socket, 2_000_000)).toBeLessThan(2_000_000);
    socket.close();
    const { core } = peer.host;
    while (core.pollEvent() !== null);
    for (let i = 0; i < 50; i++) peer.say('.', { window: 1000 });
    expect(peer.rcvNxt).toBeGreaterThan(100_000);
    expect(core.pollEvent()).toBeNull();
  });

  test('0 means what the stack has; bad values are refused', () => {
    const [, socket] = connected({ tcp: { notSentLowWater: 3000 } });
    socket.setOption(SocketOption.NotSentLowWater, 9000);
    expect(socket.getOption(SocketOption.NotSentLowWater)).toBe(9000);
    expect(socket.setOption(SocketOption.NotSentLowWater, -1)).toBe(-Errno.EINVAL);
    socket.setOption(SocketOption.NotSentLowWater, 0);
    expect(send(socket, 200_000)).toBeLessThan(200_000);
  });
});

describe('the widest window (TCP_WINDOW_CLAMP)', () => {
  const widest = (peer: Peer) =>
    Math.max(...peer.heard().map(({ window }) => window << control(peer).rcvScale));

  /** The peer sends all that it may, and the program reads. */
  function stream(peer: Peer, socket: StreamSocket, rounds: number): void {
    for (let i = 0; i < rounds; i++) {
      const { ack, window } = peer.log[peer.log.length - 1];
      const room = ack + (window << control(peer).rcvScale) - peer.seq;
      for (let left = room; left >= MSS; left -= MSS) {
        peer.say('.', { data: MSS });
        readAll(socket);
      }
      peer.pass(10 * MS);
    }
  }

  test('holds also where the buffer grows by itself, and is let go by a wider one', () => {
    const [peer, socket] = connected();
    expect(socket.setOption(SocketOption.WindowClamp, 20_000)).toBe(0);
    stream(peer, socket, 3);
    peer.heard();
    stream(peer, socket, 6);
    // Up to a unit of the window's scale.
    expect(widest(peer)).toBeLessThan(20_000 + 128);
    expect(control(peer).rcvSsthresh).toBeLessThanOrEqual(20_000);
    socket.setOption(SocketOption.WindowClamp, 200_000);
    stream(peer, socket, 8);
    expect(widest(peer)).toBeGreaterThan(100_000);
  });

  test('what was announced before is taken all the same (RFC 9293 §3.8.6)', () => {
    const [peer, socket] = connected();
    stream(peer, socket, 2);
    const edge = (c = control(peer)) => (c.rcvWup + c.rcvWnd) | 0;
    const before = edge();
    socket.setOption(SocketOption.WindowClamp, 3000);
    peer.say('.', { data: MSS });
    readAll(socket);
    peer.pass(100 * MS);
    // It only comes to a whole unit.
    expect(edge() - before).toBeGreaterThanOrEqual(0);
    expect(edge() - before).toBeLessThan(128);
    peer.heard();
    stream(peer, socket, 2);
    expect(socket.tcpInfo().tcpi_rcv_ooopack).toBe(0);
    expect(peer.heard().at(-1)?.ack).toBe(peer.seq);
  });
});

describe('TCP_QUICKACK', () => {
  /** How long an acknowledgment of a small segment takes, ms. */
  function delay(peer: Peer): number {
    peer.heard();
    const start = peer.now;
    peer.say('P.', { data: 10 });
    peer.pass(300 * MS);
    const [first] = peer.heard();
    return Math.round((first.at - start) / MS);
  }

  test('0: it may wait for data; 1: it leaves now, and so do the next', () => {
    const [peer, socket] = connected();
    expect(delay(peer)).toBe(0);
    expect(socket.setQuickAck(0)).toBe(0);
    expect(delay(peer)).toBe(40);
    // The timer has shown that no answer comes: quick again, as on Linux.
    expect(delay(peer)).toBe(0);
    socket.setQuickAck(0);
    peer.say('P.', { data: 10 });
    readAll(socket);
    peer.listen();
    expect(peer.heard()).toEqual([]);
    socket.setQuickAck(1);
    peer.listen();
    expect(peer.heard().map(line)).toEqual(['. 1 ack 41']);
    expect(delay(peer)).toBe(0);
  });

  test('an even value acknowledges now, and lets the next wait', () => {
    const [peer, socket] = connected();
    socket.setQuickAck(0);
    peer.say('P.', { data: 10 });
    readAll(socket);
    socket.setQuickAck(2);
    peer.listen();
    expect(peer.heard().map(line)).toEqual(['. 1 ack 11']);
    expect(delay(peer)).toBe(40);
  });
});

describe('a FIN at a closed window', () => {
  function closing(timeout = 0): [Peer, StreamSocket] {
    const [peer, socket] = connected({ syn: { mss: MSS } });
    socket.setOption(SocketOption.UserTimeout, timeout);
    peer.say('.', { window: 0 });
    socket.shutdown(1);
    peer.listen();
    return [peer, socket];
  }

  test('waits, is probed for, and leaves when there is room (RFC 9293 §3.4)', () => {
    const [peer, socket] = closing();
    expect(peer.heard()).toEqual([]);
    expect(socket.state).toBe(State.FIN_WAIT_1);
    peer.pass(300 * MS);
    expect(peer.lines()).toEqual(['. 0 ack 1']);
    peer.say('.', { window: 1 });
    expect(peer.lines()).toEqual(['F. 1 ack 1']);
    peer.say('.', { ack: 2 });
    expect(socket.state).toBe(State.FIN_WAIT_2);
  });

  test('no longer than the user wants (RFC 6429)', () => {
    const [peer, socket] = closing(1000);
    peer.window = 0;
    for (let ms = 0; ms < 1100; ms += 10) {
      peer.pass(10 * MS);
      if (peer.heard().length > 0) peer.say('.');
    }
    expect(socket.state).toBe(State.FIN_WAIT_1);
    peer.pass(200 * MS);
    expect(socket.takeError()).toBe(Errno.ETIMEDOUT);
  });

  test('data that fits leaves, at the latest by the persist timer, without it', () => {
    const [peer, socket] = connected({ syn: { mss: MSS } });
    peer.say('.', { window: 0 });
    send(socket, 500);
    socket.shutdown(1);
    peer.say('.', { window: 500 });
    expect(peer.heard()).toEqual([]);
    peer.pass(300 * MS);
    expect(peer.lines()).toEqual(['P. 1:501 ack 1']);
    peer.say('.', { ack: 501, window: 1 });
    expect(peer.lines()).toEqual(['F. 501 ack 1']);
  });
});

describe('no silly window (RFC 9293 §3.8.6.2.2), with scaling and a buffer that has grown', () => {
  test.each([1, 100, 999])('a reader that takes %d bytes at a time', (bytes) => {
    const [peer, socket] = connected({ tcp: { receiveBuffer: 20_000, receiveBufferMax: 100_000 } });
    const { rcvScale } = control(peer);
    expect(rcvScale).toBe(1);
    const fill = (reads: boolean): void => {
      for (let i = 0; i < 1000; i++) {
        const { ack, window } = peer.log[peer.log.length - 1];
        const room = ack + (window << rcvScale) - peer.seq;
        if (room < MSS) return;
        peer.say('.', { data: MSS });
        if (reads) readAll(socket);
      }
    };
    for (let i = 0; i < 6; i++, peer.pass(10 * MS)) fill(true);
    const grown = control(peer).rcvBuf;
    expect(grown).toBeGreaterThan(50_000);
    fill(false);
    peer.pass(300 * MS);
    peer.heard();
    const into = new Uint8Array(bytes);
    let last = 0;
    for (let read = 0; read < grown / 2; read += bytes) {
      socket.receive(into, 0, bytes);
      peer.listen();
      for (const { window } of peer.heard()) {
        // Each news is of twice as much, from a segment's room on.
        expect(window << rcvScale).toBeGreaterThanOrEqual(Math.max(MSS, 2 * last));
        last = window << rcvScale;
      }
    }
    expect(last).toBeGreaterThanOrEqual(grown / 4);
  });
});
