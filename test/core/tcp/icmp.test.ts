/** ICMP errors that quote us: what is believed, and what comes of it (RFC 5461, RFC 5927). */
import { icmpError, type IcmpMessage } from '../../../lib/codec/build-icmp';
import { Errno, errnoName } from '../../../lib/core/errno';
import { icmpErrno } from '../../../lib/core/icmp/icmp-errno';
import type { IcmpError } from '../../../lib/core/icmp/icmp-error';
import { Poll } from '../../../lib/core/socket/socket-status';
import { type StreamSocket } from '../../../lib/core/socket/stream-socket';
import { State } from '../../../lib/core/tcp/state';
import { address, pattern } from '../../support/lab';
import { Peer, type PeerOptions } from '../../support/peer';

const SECOND = 1_000_000;
const RECEIVE_ERRORS = 16;

const HOST_UNREACHABLE: IcmpMessage = { type: 3, code: 1 };
const PORT_UNREACHABLE: IcmpMessage = { type: 3, code: 3 };

/** An established connection with ten bytes in flight. */
function talking(options: PeerOptions = {}): {
  peer: Peer;
  socket: StreamSocket;
  packet: Uint8Array;
} {
  const peer = new Peer({ syn: { mss: 1460 }, ...options });
  const socket = peer.open();
  socket.send(pattern(10), 0, 10);
  peer.listen();
  return { peer, socket, packet: peer.heard()[0].packet };
}

/** `packet` with another value in its TCP header, whose checksum nobody looks at in a quote. */
function changed(packet: Uint8Array, at: number, value: number): Uint8Array {
  const copy = packet.slice();
  new DataView(copy.buffer).setUint32(20 + at, value);
  return copy;
}

const sequenceOf = (packet: Uint8Array): number => new DataView(packet.buffer).getUint32(24);

describe('in SYN-SENT every error ends the attempt, as on Linux', () => {
  const cases: [4 | 6, number, number, string][] = [
    [4, 3, 0, 'ENETUNREACH'],
    [4, 3, 1, 'EHOSTUNREACH'],
    [4, 3, 2, 'ENOPROTOOPT'],
    [4, 3, 3, 'ECONNREFUSED'],
    [4, 3, 5, 'EOPNOTSUPP'],
    [4, 3, 6, 'ENETUNREACH'],
    [4, 3, 7, 'EHOSTDOWN'],
    [4, 3, 8, 'ENONET'],
    [4, 3, 9, 'ENETUNREACH'],
    [4, 3, 10, 'EHOSTUNREACH'],
    [4, 3, 11, 'ENETUNREACH'],
    [4, 3, 12, 'EHOSTUNREACH'],
    [4, 3, 13, 'EHOSTUNREACH'],
    [4, 3, 14, 'EHOSTUNREACH'],
    [4, 3, 15, 'EHOSTUNREACH'],
    [4, 11, 0, 'EHOSTUNREACH'],
    [4, 12, 0, 'EPROTO'],
    [6, 1, 0, 'ENETUNREACH'],
    [6, 1, 1, 'EACCES'],
    [6, 1, 2, 'EHOSTUNREACH'],
    [6, 1, 3, 'EHOSTUNREACH'],
    [6, 1, 4, 'ECONNREFUSED'],
    [6, 1, 5, 'EACCES'],
    [6, 1, 6, 'EACCES'],
    [6, 1, 7, 'EPROTO'],
    [6, 3, 0, 'EHOSTUNREACH'],
    [6, 4, 1, 'EPROTO'],
  ];
  test.each(cases)('IPv%d, type %d, code %d: %s', (family, type, code, name) => {
    const peer = new Peer({ family });
    const socket = peer.dial();
    peer.complain(peer.heard()[0].packet, { type, code });
    expect(errnoName(socket.takeError())).toBe(name);
    expect(socket.state).toBe(State.CLOSED);
    const { counters, tcp } = peer.host.core;
    expect(tcp.tuples.count).toBe(0);
    expect(counters).toMatchObject({
      TcpAttemptFails: 1,
      [`Icmp${family === 4 ? '' : 6}InMsgs`]: 1,
    });
  });

  test('also after the SYN was sent again', () => {
    const peer = new Peer();
    const socket = peer.dial();
    peer.pass(5 * SECOND);
    peer.complain(peer.heard()[3].packet, HOST_UNREACHABLE);
    expect(socket.takeError()).toBe(Errno.EHOSTUNREACH);
  });

  test('codes that nobody has assigned say nothing in IPv4', () => {
    const peer = new Peer();
    const socket = peer.dial();
    peer.complain(peer.heard()[0].packet, { type: 3, code: 16 });
    expect(socket.state).toBe(State.SYN_SENT);
  });
});

describe('in a connection no error is fatal (RFC 5927 §5.2)', () => {
  test.each([
    [3, 0],
    [3, 1],
    [3, 2],
    [3, 3],
    [3, 13],
    [11, 0],
    [12, 0],
  ])('type %d, code %d', (type, code) => {
    const { peer, socket, packet } = talking();
    peer.complain(packet, { type, code });
    expect(socket.state).toBe(State.ESTABLISHED);
    expect(socket.takeError()).toBe(0);
    expect(socket.poll()).toBe(Poll.OUT);
    peer.say('.', { ack: 11 });
    expect(socket.outQueue).toBe(0);
  });

  test('it is told when the connection is given up: EHOSTUNREACH instead of ETIMEDOUT', () => {
    const { peer, socket, packet } = talking();
    peer.complain(packet, HOST_UNREACHABLE);
    peer.pass(2000 * SECOND);
    expect(socket.takeError()).toBe(Errno.EHOSTUNREACH);
  });

  test('SO_ERROR tells it before that, once, and then it is forgotten', () => {
    const { peer, socket, packet } = talking();
    peer.complain(packet, HOST_UNREACHABLE);
    expect([socket.takeSoError(), socket.takeSoError()]).toEqual([Errno.EHOSTUNREACH, 0]);
    peer.pass(2000 * SECOND);
    expect([socket.takeSoError(), socket.takeSoError()]).toEqual([Errno.ETIMEDOUT, 0]);
  });

  test('the last of several', () => {
    const { peer, socket, packet } = talking();
    peer.complain(packet, HOST_UNREACHABLE);
    peer.complain(packet, PORT_UNREACHABLE);
    peer.pass(2000 * SECOND);
    expect(socket.takeError()).toBe(Errno.ECONNREFUSED);
  });

  test('an acknowledgment proves that it is over, one of nothing new too', () => {
    const { peer, socket, packet } = talking();
    peer.complain(packet, HOST_UNREACHABLE);
    peer.say('.', { ack: 1 });
    peer.pass(2000 * SECOND);
    expect(socket.takeError()).toBe(Errno.ETIMEDOUT);
  });

  test('with IP_RECVERR it is told at once, and once', () => {
    const { peer, socket, packet } = talking();
    socket.setOption(RECEIVE_ERRORS, 1);
    while (peer.host.core.pollEvent() !== null);
    peer.complain(packet, HOST_UNREACHABLE);
    expect(peer.host.core.pollEvent() === socket).toBe(true);
    expect(socket.poll()).toBe(Poll.OUT | Poll.ERR);
    expect(socket.send(pattern(1), 0, 1)).toBe(-Errno.EHOSTUNREACH);
    expect(socket.send(pattern(1), 0, 1)).toBe(1);
    peer.say('.', { ack: 11 });
    expect(socket.state).toBe(State.ESTABLISHED);
  });

  test('a connection that nobody holds any more takes it as well', () => {
    const { peer, socket, packet } = talking();
    socket.setOption(RECEIVE_ERRORS, 1);
    socket.close();
    peer.complain(packet, HOST_UNREACHABLE);
    expect(peer.state).toBe(State.FIN_WAIT_1);
  });
});

describe('what is believed (RFC 5927 §4)', () => {
  const outOfWindow = (peer: Peer) => peer.host.core.counters.TcpExtOutOfWindowIcmps;

  test.each([
    ['SND.UNA', 0, true],
    ['SND.NXT', 10, true],
    ['one before SND.UNA', -1, false],
    ['one behind SND.NXT', 11, false],
    ['half the space away', 0x80000000, false],
  ])('a segment at %s', (_, offset, believed) => {
    const { peer, socket, packet } = talking();
    socket.setOption(RECEIVE_ERRORS, 1);
    peer.complain(changed(packet, 4, (sequenceOf(packet) + offset) >>> 0), HOST_UNREACHABLE);
    expect(socket.takeError()).toBe(believed ? Errno.EHOSTUNREACH : 0);
    expect(outOfWindow(peer)).toBe(believed ? 0 : 1);
  });

  test('across the wrap of sequence numbers', () => {
    const { peer, socket, packet } = talking({ hostIss: 0xfffffffa });
    socket.setOption(RECEIVE_ERRORS, 1);
    peer.complain(changed(packet, 4, 5), HOST_UNREACHABLE);
    expect(socket.takeError()).toBe(Errno.EHOSTUNREACH);
    peer.complain(changed(packet, 4, 6), HOST_UNREACHABLE);
    expect(outOfWindow(peer)).toBe(1);
  });

  test('not what quotes other ports or another peer', () => {
    const { peer, packet } = talking();
    const another = packet.slice();
    another[19] ^= 1;
    for (const quoted of [changed(packet, 0, 0x00500001), another]) {
      peer.complain(quoted, HOST_UNREACHABLE);
    }
    expect(peer.host.core.counters).toMatchObject({ IcmpInMsgs: 2, IcmpInErrors: 2 });
    const six = talking({ family: 6 });
    const other = six.packet.slice();
    other[39] ^= 1;
    six.peer.complain(other, { type: 1, code: 0 });
    expect(six.peer.host.core.counters).toMatchObject({ Icmp6InMsgs: 1, Icmp6InErrors: 1 });
  });

  test.each([
    [4, 3, 'IcmpInDestUnreachs'],
    [4, 11, 'IcmpInTimeExcds'],
    [4, 12, 'IcmpInParmProbs'],
    [6, 1, 'Icmp6InDestUnreachs'],
    [6, 2, 'Icmp6InPktTooBigs'],
    [6, 3, 'Icmp6InTimeExcds'],
    [6, 4, 'Icmp6InParmProblems'],
  ] as const)('IPv%d: type %d is counted as %s, and as nothing else', (family, type, counter) => {
    const { peer, packet } = talking({ family });
    const before = { ...peer.host.core.counters };
    peer.complain(packet, { type, code: 0 });
    const changed = Object.entries(peer.host.core.counters).filter(
      ([name, value]) => /^Icmp/.test(name) && value !== before[name as keyof typeof before],
    );
    const messages = family === 4 ? 'IcmpInMsgs' : 'Icmp6InMsgs';
    expect(Object.fromEntries(changed)).toEqual({ [messages]: 1, [counter]: 1 });
  });

  test.each([
    [4, '10.0.0.99', HOST_UNREACHABLE, 'Icmp'],
    [6, 'fd00::99', { type: 1, code: 3 }, 'Icmp6'],
  ] as const)('IPv%d: not what was damaged on its way', (family, router, error, prefix) => {
    const { peer, socket, packet } = talking({ family });
    socket.setOption(RECEIVE_ERRORS, 1);
    const message = icmpError(address(router), packet, error);
    message[message.length - 1] ^= 1;
    peer.deliver(message);
    expect(socket.takeError()).toBe(0);
    expect(peer.host.core.counters).toMatchObject({
      [`${prefix}InMsgs`]: 1,
      [`${prefix}InErrors`]: 1,
      [`${prefix}InCsumErrors`]: 1,
      [`${prefix}InDestUnreachs`]: 0,
    });
  });

  test('a listener has sent nothing', () => {
    const peer = new Peer();
    const listener = peer.server();
    const packet = peer.packet('S');
    // As if the listener had sent it.
    const turned = packet.slice();
    turned.set(packet.subarray(12, 16), 16);
    turned.set(packet.subarray(16, 20), 12);
    turned.set(packet.subarray(20, 22), 22);
    turned.set(packet.subarray(22, 24), 20);
    peer.complain(turned, PORT_UNREACHABLE);
    expect(listener.state).toBe(State.LISTEN);
    expect(listener.takeError()).toBe(0);
  });

  test('TIME-WAIT doesn’t mind', () => {
    const { peer, socket, packet } = talking();
    peer.say('.', { ack: 11 });
    socket.close();
    peer.listen();
    peer.say('F.', { ack: 12 });
    expect(peer.state).toBe(State.TIME_WAIT);
    peer.complain(packet, PORT_UNREACHABLE);
    expect(peer.state).toBe(State.TIME_WAIT);
  });
});

describe('in a handshake that the peer has begun', () => {
  /** A stack that has sent its SYN+ACK, and that. */
  function answered(family: 4 | 6 = 4): { peer: Peer; packet: Uint8Array } {
    const peer = new Peer({ family });
    peer.server();
    peer.say('S');
    return { peer, packet: peer.heard()[0].packet };
  }

  test.each([
    [4, 3, 0, true],
    [4, 3, 1, true],
    [4, 3, 3, false],
    [4, 3, 4, false],
    [4, 3, 13, false],
    [4, 11, 0, true],
    [4, 12, 0, true],
    [6, 1, 0, false],
    [6, 1, 1, true],
    [6, 1, 3, false],
    [6, 1, 4, true],
    [6, 2, 0, false],
    [6, 3, 0, false],
    [6, 4, 0, true],
  ] as [4 | 6, number, number, boolean][])(
    'IPv%d, type %d, code %d ends it: %s (Linux: tcp_req_err)',
    (family, type, code, ends) => {
      const { peer, packet } = answered(family);
      peer.complain(packet, { type, code, mtu: 1300 });
      expect(peer.state).toBe(ends ? State.CLOSED : State.SYN_RECEIVED);
      expect(peer.host.core.counters.TcpExtListenDrops).toBe(ends ? 1 : 0);
    },
  );

  test('only what quotes our SYN', () => {
    const { peer, packet } = answered();
    peer.complain(changed(packet, 4, sequenceOf(packet) + 1), HOST_UNREACHABLE);
    expect(peer.state).toBe(State.SYN_RECEIVED);
    expect(peer.host.core.counters.TcpExtOutOfWindowIcmps).toBe(1);
  });
});

describe('a doubling of the timeout is taken back (RFC 6069)', () => {
  /** When the segments in flight were sent, s after the first. */
  const times = (peer: Peer, start: number) =>
    peer.heard().map(({ at }) => Math.round((at - start) / 1000));

  test('for each retransmission that a router could not pass on', () => {
    const { peer, packet } = talking();
    const start = peer.now;
    for (let n = 0; n < 5; n++) {
      peer.pass(400_000);
      peer.complain(packet, HOST_UNREACHABLE);
    }
    // Never more than once the timeout: 200 ms after the first, then every 400, cut to what was.
    const sent = times(peer, start);
    expect(sent.length).toBeGreaterThanOrEqual(6);
    expect(Math.max(...sent.map((at, i) => at - (sent[i - 1] ?? 0)))).toBeLessThanOrEqual(400);
  });

  test.each([
    [1.2, false],
    [1.9, false],
    [2, true],
  ])('complained of after %d timeouts: the next leaves after two, not three', (after, due) => {
    const { peer, packet } = talking();
    const start = peer.now;
    peer.pass(300_000);
    const [{ at }] = peer.heard();
    const timeout = at - start;
    peer.pass(Math.round(start + after * timeout) - peer.now - 1);
    peer.now++;
    peer.complain(packet, HOST_UNREACHABLE);
    // What is due by now waits for no timer.
    const left = peer.heard().map((segment) => segment.at - start);
    expect(left).toEqual(due ? [2 * timeout] : []);
    peer.pass(100_000 + 200_000 * Number(!due));
    expect(peer.heard().map((segment) => segment.at - start)).toEqual(due ? [] : [2 * timeout]);
  });

  test('the retransmission that is due by then leaves at once', () => {
    const { peer, packet } = talking();
    const start = peer.now;
    peer.pass(500_000);
    expect(times(peer, start)).toEqual([200]);
    // Sent at 200 ms with a timeout of 400; back to 200, that was over at 400.
    peer.complain(packet, { type: 3, code: 0 });
    expect(times(peer, start)).toEqual([500]);
  });

  test('not for other errors, other segments, or without a timeout', () => {
    const { peer, socket, packet } = talking();
    const start = peer.now;
    socket.send(pattern(10), 0, 10);
    peer.listen();
    peer.heard();
    peer.complain(packet, HOST_UNREACHABLE);
    peer.pass(500_000);
    peer.complain(packet, { type: 3, code: 13 });
    peer.complain(packet, { type: 11, code: 0 });
    peer.complain(changed(packet, 4, sequenceOf(packet) + 10), HOST_UNREACHABLE);
    peer.pass(90_000);
    expect(times(peer, start)).toEqual([200]);
  });

  test('in IPv6: no route to the destination', () => {
    const { peer, packet } = talking({ family: 6 });
    peer.pass(500_000);
    peer.heard();
    peer.complain(packet, { type: 1, code: 3 });
    expect(peer.heard()).toEqual([]);
    peer.complain(packet, { type: 1, code: 0 });
    expect(peer.heard()).toHaveLength(1);
  });

  test('giving up takes as long as without (R2)', () => {
    const { peer, socket, packet } = talking({ tcp: { retries2: 5 } });
    const start = peer.now;
    while (socket.state === State.ESTABLISHED && peer.now < start + 100 * SECOND) {
      peer.complain(packet, HOST_UNREACHABLE);
      peer.pass(100_000);
    }
    // 200 ms (2^6 - 1), and the timeout that was running.
    expect((peer.now - start) / SECOND).toBeCloseTo(13, 0);
    expect(socket.takeError()).toBe(Errno.EHOSTUNREACH);
  });
});

test.each([4, 6] as const)('of IPv%d, a type that is no error says nothing', (family) => {
  expect(icmpErrno({ family, type: 200, code: 0 } as IcmpError)).toBe(0);
});
