import { Errno } from '../../../../lib/core/errno';
import { SocketOption } from '../../../../lib/core/socket/options';
import type { StreamSocket } from '../../../../lib/core/socket/stream-socket';
import { State } from '../../../../lib/core/tcp/state';
import { pattern } from '../../../support/lab';
import { Peer, type PeerOptions } from '../../../support/peer';

// RFC 9293 §3.9: what the user asks for, and what IP is told.

const SHUT_WR = 1;

/** Bytes of the IP header of what the host sends from now on: traffic class and TTL. */
function watch(peer: Peer): { trafficClass: number; ttl: number }[] {
  const seen: { trafficClass: number; ttl: number }[] = [];
  const { host } = peer;
  const collect = host.collect.bind(host);
  host.collect = (now, take) =>
    collect(now, (packet) => {
      const [first, second] = packet;
      const v4 = first >> 4 === 4;
      const trafficClass = v4 ? second : ((first & 15) << 4) | (second >> 4);
      seen.push({ trafficClass, ttl: packet[v4 ? 8 : 7] });
      take(packet);
    });
  return seen;
}

/** Handshake, data each way, a retransmission, a probe of keepalive, our FIN: all that leaves. */
function live(options: PeerOptions, set: (socket: StreamSocket) => void) {
  const peer = new Peer(options);
  const seen = watch(peer);
  const socket = peer.dial((unconnected) => {
    unconnected.setOption(SocketOption.KeepAlive, 1);
    set(unconnected);
  });
  peer.answer(socket);
  socket.send(pattern(3000), 0, 3000);
  peer.pass(1_000_000);
  peer.say('.', { data: 100 });
  peer.pass(10_000_000_000);
  socket.shutdown(SHUT_WR);
  peer.pass(1000);
  expect(seen.length).toBeGreaterThan(8);
  return seen;
}

describe.each([4, 6] as const)('IPv%d', (family) => {
  test('TTL: the setting of the stack, or the option of a socket (MUST-49)', () => {
    const ttl = (it: { ttl: number }) => it.ttl;
    expect(new Set(live({ family }, () => undefined).map(ttl))).toEqual(new Set([64]));
    const set = live({ family, tcp: { ttl: 7 } }, () => undefined);
    expect(new Set(set.map(ttl))).toEqual(new Set([7]));
    const own = live({ family }, (socket) => {
      expect(socket.setOption(SocketOption.Ttl, 255)).toBe(0);
    });
    expect(new Set(own.map(ttl))).toEqual(new Set([255]));
  });

  test('the Diffserv field of every segment is what the user asks for (MUST-48, SHLD-22)', () => {
    const classes = live({ family }, (socket) => {
      expect(socket.setOption(SocketOption.TrafficClass, 46 << 2)).toBe(0);
    });
    expect(new Set(classes.map(({ trafficClass }) => trafficClass))).toEqual(new Set([46 << 2]));
  });
});

test('the Diffserv field may change while the connection lives (SHLD-21)', () => {
  const peer = new Peer();
  const seen = watch(peer);
  const socket = peer.answer();
  socket.send(pattern(10), 0, 10);
  peer.listen();
  expect(seen.at(-1)?.trafficClass).toBe(0);
  expect(socket.setOption(SocketOption.TrafficClass, 10 << 2)).toBe(0);
  peer.say('.');
  socket.send(pattern(10), 0, 10);
  peer.listen();
  expect(seen.at(-1)?.trafficClass).toBe(10 << 2);
});

test.each([SocketOption.Ttl, SocketOption.TrafficClass])('option %d has a range', (option) => {
  const socket = new Peer().host.core.socket(4);
  for (const value of [-1, 256, 1.5, NaN]) {
    expect(socket.setOption(option, value)).toBe(-Errno.EINVAL);
  }
});

/** An ICMP message from a router, which quotes the last packet that the host sent. */
function icmp(quoted: Uint8Array, type: number, code: number): Uint8Array {
  const out = new Uint8Array(28 + 28);
  out.set([0x45, 0, 0, out.length, 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 0, 9, 10, 0, 0, 1]);
  out.set([type, code], 20);
  out.set(quoted.subarray(0, 28), 28);
  for (const [from, to, at] of [
    [0, 20, 10],
    [20, out.length, 22],
  ]) {
    let sum = 0;
    for (let i = from; i < to; i += 2) sum += (out[i] << 8) | out[i + 1];
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
    out.set([(~sum >> 8) & 0xff, ~sum & 0xff], at);
  }
  return out;
}

test.each([
  ['source quench (MUST-55)', 4, 0],
  ['network unreachable (MUST-56)', 3, 0],
  ['host unreachable (MUST-56)', 3, 1],
  ['source route failed (MUST-56)', 3, 5],
  ['time exceeded (MUST-56)', 11, 0],
  ['reassembly time exceeded (MUST-56)', 11, 1],
  ['parameter problem (MUST-56)', 12, 0],
])('ICMP %s aborts no connection, nor slows it down', (_name, type, code) => {
  const peer = new Peer({ syn: { mss: 1000 } });
  const socket = peer.answer();
  const c = peer.host.core.tcp.connection(0);
  const last: Uint8Array[] = [];
  socket.send(pattern(3000), 0, 3000);
  peer.host.collect(peer.now, (packet) => last.push(packet));
  expect(last.length).toBe(3);
  const { cwnd } = c;
  peer.host.deliver(icmp(last[2], type, code), peer.now);
  peer.listen();
  expect([socket.state, c.cwnd, socket.takeError()]).toEqual([State.ESTABLISHED, cwnd, 0]);
  peer.say('.', { ack: 3001 });
  expect(socket.outQueue).toBe(0);
});
