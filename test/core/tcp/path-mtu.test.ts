/** Path MTU discovery by ICMP (RFC 1191, RFC 8201), with the limits of RFC 5927 and of Linux. */
import { Errno } from '../../../lib/core/errno';
import { MtuDiscover, SocketOption } from '../../../lib/core/socket/options';
import type { StreamSocket } from '../../../lib/core/socket/stream-socket';
import { CaState } from '../../../lib/core/tcp/connection';
import { State } from '../../../lib/core/tcp/state';
import { pattern } from '../../support/lab';
import { Peer, type PeerOptions } from '../../support/peer';

const SECOND = 1_000_000;
const MINUTE = 60 * SECOND;

const tooBig4 = (mtu: number) => ({ type: 3, code: 4, mtu });
const tooBig6 = (mtu: number) => ({ type: 2, code: 0, mtu });

/** An established connection with `bytes` in flight. */
function sending(
  bytes: number,
  options: PeerOptions = {},
): { peer: Peer; socket: StreamSocket; packets: Uint8Array[] } {
  const peer = new Peer({ syn: { mss: 1460 }, ...options });
  const socket = peer.open();
  socket.send(pattern(bytes), 0, bytes);
  peer.listen();
  return { peer, socket, packets: peer.heard().map(({ packet }) => packet) };
}

const ranges = (peer: Peer) => peer.heard().map(({ seq, length }) => [seq, length]);
const hasDf = (packet: Uint8Array) => (packet[6] & 0x40) !== 0;

/** Two connections to one peer; what the second has sent was too big. The first's numbers. */
function secondTooBig() {
  const peer = new Peer({ syn: { mss: 1460 } });
  const listener = peer.server();
  const first = peer.open(listener);
  const { iss, hostIss, seq, rcvNxt, port } = peer;
  peer.renew();
  peer.port++;
  const second = peer.open(listener);
  second.send(pattern(1460), 0, 1460);
  peer.listen();
  peer.complain(peer.heard()[0].packet, tooBig4(1000));
  return { peer, first, second, numbers: { iss, hostIss, seq, rcvNxt, port } };
}

describe('a router says what the next link takes', () => {
  test('what is in flight leaves again at once, in segments that fit', () => {
    const { peer, socket, packets } = sending(4380);
    expect(packets.map(({ length }) => length)).toEqual([1500, 1500, 1500]);
    peer.complain(packets[0], tooBig4(1000));
    expect(ranges(peer)).toEqual([
      [1, 960],
      [961, 500],
      [1461, 960],
      [2421, 500],
      [2921, 960],
      [3881, 500],
    ]);
    expect(socket.pathMtu).toBe(1000);
    // The other two say the same.
    peer.complain(packets[1], tooBig4(1000));
    peer.complain(packets[2], tooBig4(1000));
    expect(peer.heard()).toEqual([]);
    peer.say('.', { ack: 4381 });
    socket.send(pattern(1000), 0, 1000);
    peer.listen();
    expect(ranges(peer)[0]).toEqual([4381, 960]);
    expect(socket.outQueue).toBe(1000);
  });

  test('the congestion window stays', () => {
    const { peer, socket, packets } = sending(4380);
    const { cwnd } = socket.status ?? { cwnd: 0 };
    peer.complain(packets[0], tooBig4(1000));
    expect(socket.status?.cwnd).toBe(cwnd);
  });

  test('and yet it counts as a loss', () => {
    const { peer, packets } = sending(14_600);
    const c = peer.host.core.tcp.connection(0);
    peer.complain(packets[0], tooBig4(1000));
    // Nothing was reduced, and there is nothing to undo.
    expect([c.caState, c.ssthresh]).toEqual([CaState.Loss, 0x7fff_ffff]);
    expect([c.flight?.undoable, c.flight?.frto]).toEqual([false, false]);
  });

  test('in IPv6', () => {
    const { peer, socket, packets } = sending(2880, { family: 6 });
    peer.complain(packets[0], tooBig6(1280));
    expect(ranges(peer).slice(0, 2)).toEqual([
      [1, 1220],
      [1221, 220],
    ]);
    expect(socket.pathMtu).toBe(1280);
  });

  test('timestamps are counted', () => {
    const { peer, packets } = sending(2896, { timestamps: true });
    peer.complain(packets[0], tooBig4(1000));
    expect(ranges(peer)[0]).toEqual([1, 948]);
  });

  test('twice, on a path of several links', () => {
    const { peer, packets } = sending(1460);
    peer.complain(packets[0], tooBig4(1400));
    const again = peer.heard()[0];
    expect(again.length).toBe(1360);
    peer.complain(again.packet, tooBig4(1300));
    expect(ranges(peer)).toEqual([
      [1, 1260],
      [1261, 100],
    ]);
  });

  test('while nothing large is in flight nothing is sent again', () => {
    const { peer, socket, packets } = sending(100);
    peer.complain(packets[0], tooBig4(1000));
    expect(peer.heard()).toEqual([]);
    expect(socket.pathMtu).toBe(1000);
  });
});

describe('what is not believed', () => {
  test('more than there was', () => {
    const { peer, socket, packets } = sending(1460);
    peer.complain(packets[0], tooBig4(1501));
    expect(socket.pathMtu).toBe(1500);
    expect(peer.heard()).toEqual([]);
  });

  test('less than IPv6’s least', () => {
    const { peer, socket, packets } = sending(1440, { family: 6 });
    peer.complain(packets[0], tooBig6(1279));
    peer.complain(packets[0], tooBig6(0));
    peer.complain(packets[0], tooBig6(0xffffffff));
    expect(socket.pathMtu).toBe(1500);
    expect(peer.heard()).toEqual([]);
  });

  test.each([0, 68, 551])('less than 552 in IPv4 (%d): 552, and routers fragment', (mtu) => {
    const { peer, socket, packets } = sending(1460);
    expect(hasDf(packets[0])).toBe(true);
    peer.complain(packets[0], tooBig4(mtu));
    const again = peer.heard();
    expect(again.map(({ length }) => length)).toEqual([512, 512, 436]);
    expect(again.map(({ packet }) => hasDf(packet))).toEqual([false, false, false]);
    expect(socket.pathMtu).toBe(552);
    // And then no router has anything more to say.
    peer.complain(packets[0], tooBig4(600));
    expect(socket.pathMtu).toBe(552);
  });

  test('net.ipv4.route.min_pmtu says how much that is', () => {
    const { peer, socket, packets } = sending(1460, { tcp: { minPathMtu: 1000 } });
    peer.complain(packets[0], tooBig4(600));
    expect(socket.pathMtu).toBe(1000);
  });

  test('a segment that is not in flight', () => {
    const { peer, socket, packets } = sending(1460);
    peer.say('.', { ack: 1461 });
    socket.send(pattern(1460), 0, 1460);
    peer.listen();
    peer.heard();
    peer.complain(packets[0], tooBig4(1000));
    expect(socket.pathMtu).toBe(1500);
    expect(peer.host.core.counters.TcpExtOutOfWindowIcmps).toBe(1);
  });
});

describe('what is known of a path', () => {
  test('counts for other connections to the same address', () => {
    const { peer, packets } = sending(1460);
    peer.complain(packets[0], tooBig4(1000));
    peer.heard();
    // One that the peer opens, and one of ours: Linux announces the smaller MSS, too.
    peer.renew();
    peer.port++;
    peer.say('S', { mss: 1460 });
    expect(peer.heard()[0].mss).toBe(960);
    peer.renew();
    peer.port++;
    const socket = peer.dial();
    expect(peer.heard()[0].mss).toBe(960);
    peer.answer(socket);
    expect(socket.pathMtu).toBe(1000);
  });

  test('and for one that was there before, when it sends again', () => {
    const { peer, first, numbers } = secondTooBig();
    peer.heard();
    Object.assign(peer, numbers);
    first.send(pattern(1460), 0, 1460);
    peer.listen();
    expect(peer.heard().map(({ length }) => length)).toEqual([960, 500]);
    expect(first.pathMtu).toBe(1000);
  });

  test('is forgotten after ten minutes (net.ipv4.route.mtu_expires)', () => {
    const { peer, socket, packets } = sending(1460);
    peer.complain(packets[0], tooBig4(1000));
    peer.say('.', { ack: 1461 });
    peer.pass(10 * MINUTE - 1000);
    expect(socket.pathMtu).toBe(1000);
    peer.pass(2000);
    expect(socket.pathMtu).toBe(1500);
    peer.heard();
    socket.send(pattern(1460), 0, 1460);
    peer.listen();
    expect(ranges(peer)).toEqual([[1461, 1460]]);
  });

  test('is forgotten by all, whoever asks first', () => {
    const { peer, first, second } = secondTooBig();
    peer.say('.', { ack: 1461 });
    expect([first.pathMtu, second.pathMtu]).toEqual([1000, 1000]);
    peer.pass(10 * MINUTE + 2000);
    expect([first.pathMtu, second.pathMtu]).toEqual([1500, 1500]);
  });

  test('is forgotten where the MTU was locked, and DF is set again', () => {
    const { peer, socket, packets } = sending(1460, { tcp: { pathMtuExpires: 1000 } });
    peer.complain(packets[0], tooBig4(100));
    peer.say('.', { ack: 1461 });
    peer.pass(2 * SECOND);
    peer.heard();
    socket.send(pattern(1460), 0, 1460);
    peer.listen();
    expect(peer.heard().map(({ packet, length }) => [length, hasDf(packet)])).toEqual([
      [1460, true],
    ]);
  });

  test('is asked for by IP_MTU, after the end, too; without a connection ENOTCONN', () => {
    const peer = new Peer();
    const socket = peer.host.core.socket(4);
    expect(socket.pathMtu).toBe(-Errno.ENOTCONN);
    const { peer: other, socket: open } = sending(10, { mtu: 9000 });
    expect(open.pathMtu).toBe(9000);
    other.say('R', { seq: other.seq });
    expect(open.pathMtu).toBe(9000);
    open.disconnect();
    expect(open.pathMtu).toBe(-Errno.ENOTCONN);
  });

  test('a SYN that is too large is no reason to give up', () => {
    const peer = new Peer({ mtu: 9000 });
    const socket = peer.dial();
    peer.complain(peer.heard()[0].packet, tooBig4(1000));
    expect(socket.state).toBe(State.SYN_SENT);
    peer.answer(socket);
    socket.send(pattern(1460), 0, 1460);
    peer.listen();
    expect(peer.heard()[0].length).toBe(536);
    expect(socket.pathMtu).toBe(1000);
  });
});

describe('IP_MTU_DISCOVER', () => {
  /** What becomes of a packet of 1500 bytes: DF, the MTU, and what is sent again. */
  function outcome(mode: MtuDiscover, mtu = 1000, options: PeerOptions = {}) {
    const peer = new Peer({ syn: { mss: 1460 }, ...options });
    const listener = peer.server();
    const option = options.family === 6 ? SocketOption.MtuDiscover6 : SocketOption.MtuDiscover;
    expect(listener.setOption(option, mode)).toBe(0);
    const socket = peer.open(listener);
    socket.send(pattern(1460), 0, 1460);
    peer.listen();
    const [{ packet }] = peer.heard();
    peer.complain(packet, (options.family ?? 4) === 4 ? tooBig4(mtu) : tooBig6(mtu));
    const again = peer.heard();
    peer.say('.', { ack: 1461 });
    socket.send(pattern(1460), 0, 1460);
    peer.listen();
    const later = peer.heard()[0];
    peer.pass(2000 * SECOND);
    return {
      df: [hasDf(packet), hasDf(later.packet)],
      again: again.length,
      later: later.length,
      error: socket.takeError(),
    };
  }

  const ETIMEDOUT = Errno.ETIMEDOUT as number;

  test.each([
    ['DONT', MtuDiscover.Dont, { df: [false, false], again: 0, later: 960 }],
    ['WANT', MtuDiscover.Want, { df: [true, true], again: 2, later: 960 }],
    ['DO', MtuDiscover.Do, { df: [true, true], again: 2, later: 960 }],
    ['PROBE', MtuDiscover.Probe, { df: [false, false], again: 2, later: 960 }],
    ['INTERFACE', MtuDiscover.Interface, { df: [false, false], again: 0, later: 960 }],
    ['OMIT', MtuDiscover.Omit, { df: [false, false], again: 0, later: 960 }],
  ])('%s', (_, mode, expected) => {
    expect(outcome(mode)).toEqual({ ...expected, error: ETIMEDOUT });
  });

  test.each([
    ['INTERFACE', MtuDiscover.Interface],
    ['OMIT', MtuDiscover.Omit],
  ])('%s in IPv6: nothing is learned', (_, mode) => {
    expect(outcome(mode, 1300, { family: 6 })).toMatchObject({ again: 0, later: 1440 });
  });

  test('DO keeps DF where the path takes less than is believed', () => {
    expect(outcome(MtuDiscover.Do, 400)).toMatchObject({ df: [true, true], later: 512 });
  });

  test.each([
    [MtuDiscover.Do, 551, Errno.EMSGSIZE],
    [MtuDiscover.Do, 552, 0],
    [MtuDiscover.Want, 551, 0],
  ])('mode %d, %d bytes: error %d, if it comes to that', (mode, mtu, error) => {
    const { peer, socket, packets } = sending(1460);
    socket.setOption(SocketOption.MtuDiscover, mode);
    peer.complain(packets[0], tooBig4(mtu));
    expect(socket.status?.softError).toBe(error);
  });

  test('can be changed while connected', () => {
    const { peer, socket } = sending(10);
    socket.setOption(SocketOption.MtuDiscover, MtuDiscover.Dont);
    socket.send(pattern(10), 0, 10);
    peer.say('.', { ack: 11 });
    expect(hasDf(peer.heard()[0].packet)).toBe(false);
    expect(socket.setOption(SocketOption.MtuDiscover, 6)).toBe(-Errno.EINVAL);
    expect(socket.setOption(SocketOption.MtuDiscover, -1)).toBe(-Errno.EINVAL);
  });

  test('a SYN+ACK is so small that Linux sets DF all the same', () => {
    const peer = new Peer();
    peer.server().setOption(SocketOption.MtuDiscover, MtuDiscover.Dont);
    peer.say('S');
    expect(hasDf(peer.heard()[0].packet)).toBe(true);
  });
});

describe('net.ipv4.ip_no_pmtu_disc', () => {
  test.each([
    [0, true, 1000],
    [1, false, 552],
    [2, false, 1500],
    [3, false, 1000],
  ])('%d: DF %s, and an MTU of 1000 is taken for %d', (value, df, mtu) => {
    const { peer, socket, packets } = sending(1460, { tcp: { noPathMtuDiscovery: value } });
    expect(socket.getOption(SocketOption.MtuDiscover)).toBe(value === 0 ? 1 : 0);
    expect(hasDf(packets[0])).toBe(df);
    peer.complain(packets[0], tooBig4(1000));
    expect(socket.pathMtu).toBe(mtu);
  });
});
