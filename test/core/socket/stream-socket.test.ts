import { Errno } from '../../../lib/core/errno';
import { formatAddress, parseAddress, type IpAddress } from '../../../lib/core/ip/address';
import { SocketOption } from '../../../lib/core/socket/options';
import { Poll } from '../../../lib/core/socket/socket-status';
import { type StreamSocket } from '../../../lib/core/socket/stream-socket';
import { State } from '../../../lib/core/tcp/state';
import { Lab, leftovers, NOTHING, pattern } from '../../support/lab';
import { Peer } from '../../support/peer';

const SECOND = 1_000_000;

const address = (text: string) => parseAddress(text) as IpAddress;

const local = (socket: StreamSocket) => `${formatAddress(socket.localAddress)} ${socket.localPort}`;
const remote = (socket: StreamSocket) =>
  `${formatAddress(socket.remoteAddress)} ${socket.remotePort}`;

describe('bind(2)', () => {
  test.each<[domain: 4 | 6, at: string, errno: number]>([
    [4, '10.0.0.1', 0],
    [4, '0.0.0.0', 0],
    [4, '10.0.0.9', Errno.EADDRNOTAVAIL],
    [4, '224.0.0.1', Errno.EADDRNOTAVAIL],
    [4, 'fd00::1', Errno.EAFNOSUPPORT],
    [4, '::', Errno.EAFNOSUPPORT],
    [6, '::', 0],
    [6, 'fd00::9', Errno.EADDRNOTAVAIL],
    [6, 'ff02::1', Errno.EADDRNOTAVAIL],
    [6, '::ffff:10.0.0.1', 0],
    [6, '::ffff:10.0.0.9', Errno.EADDRNOTAVAIL],
  ])('a socket of IPv%d to %s: errno %d', (domain, at, errno) => {
    const lab = new Lab();
    const socket = lab.a.core.socket(domain);
    expect(socket.bind(address(at), 80)).toBe(errno === 0 ? 0 : -errno);
    // A socket of both families holds the port in both.
    expect(lab.a.ports.held.size).toBe(errno === 0 ? (at === '::' ? 2 : 1) : 0);
    expect(local(socket)).toBe(
      errno === 0 ? `${formatAddress(address(at))} 80` : `${domain === 4 ? '0.0.0.0' : '::'} 0`,
    );
    socket.close();
    expect(lab.a.ports.held.size).toBe(0);
  });

  test('IPV6_V6ONLY means nothing to a socket of IPv4', () => {
    const lab = new Lab();
    const socket = lab.a.core.socket(4);
    socket.setOption(SocketOption.Ipv6Only, 1);
    expect(socket.bind(lab.a.address, 80)).toBe(0);
    const other = lab.a.core.socket(6);
    other.setOption(SocketOption.Ipv6Only, 1);
    expect(other.bind(lab.a.address, 81)).toBe(-Errno.EINVAL);
  });

  test('once only; to port 0, an ephemeral one', () => {
    const lab = new Lab({ ports: [50_000, 50_000] });
    const socket = lab.a.core.socket(4);
    expect(socket.bind(lab.a.address, 0)).toBe(0);
    expect(local(socket)).toBe('10.0.0.1 50000');
    expect(socket.bind(lab.a.address, 81)).toBe(-Errno.EINVAL);
    expect(lab.a.core.socket(4).bind(lab.a.address, 0)).toBe(-Errno.EADDRINUSE);
    expect(local(socket)).toBe('10.0.0.1 50000');
  });

  test.each([
    [1, 0],
    [0, Errno.EADDRINUSE],
  ])('beside a connection whose listener had SO_REUSEADDR %d: errno %d', (reuse, errno) => {
    const peer = new Peer();
    const listener = peer.server(16, reuse);
    const accepted = peer.open(listener);
    listener.close();
    const socket = peer.host.core.socket(4);
    expect(socket.bind(peer.host.address, 80)).toBe(-Errno.EADDRINUSE);
    socket.setOption(SocketOption.ReuseAddress, 1);
    expect(socket.bind(peer.host.address, 80)).toBe(errno === 0 ? 0 : -errno);
    accepted.abort();
  });

  test('not while it is connected', () => {
    const { client } = new Lab().pair();
    expect(client.bind(client.localAddress, 5)).toBe(-Errno.EINVAL);
  });
});

describe('the addresses of a socket', () => {
  test('while it is connected, and as they were when the connection is over', () => {
    const lab = new Lab({ ports: [50_000, 50_000] });
    const { client, server, listener } = lab.pair();
    const ends = () => [local(client), remote(client), local(server), remote(server)];
    const expected = ['10.0.0.1 50000', '10.0.0.2 80', '10.0.0.2 80', '10.0.0.1 50000'];
    expect(ends()).toEqual(expected);
    server.abort();
    lab.run(() => false, SECOND);
    expect([client.state, ...ends().slice(0, 2)]).toEqual([State.CLOSED, ...expected.slice(0, 2)]);
    expect([local(listener), remote(listener)]).toEqual(['10.0.0.2 80', '0.0.0.0 0']);
  });

  test('in TIME-WAIT', () => {
    const lab = new Lab({ ports: [50_000, 50_000] });
    const { client, server } = lab.pair();
    client.shutdown(1);
    lab.run(() => server.take(1) === 0, SECOND);
    server.close();
    lab.run(() => leftovers(lab.a).timeWaits > 0, SECOND);
    expect([local(client), remote(client)]).toEqual(['10.0.0.1 50000', '10.0.0.2 80']);
  });
});

describe('connect(2)', () => {
  test('EALREADY until there is an answer; 0 once; then EISCONN', () => {
    const peer = new Peer();
    const socket = peer.dial();
    const again = () => socket.connect(address('10.0.0.2'), peer.port);
    expect(again()).toBe(-Errno.EALREADY);
    peer.say('S.', peer.synFields());
    expect([again(), again()]).toEqual([0, -Errno.EISCONN]);
  });

  test('EALREADY in SYN-RECEIVED, after crossing SYNs, too', () => {
    const peer = new Peer();
    const socket = peer.dial();
    peer.say('S', peer.synFields());
    expect(socket.state).toBe(State.SYN_RECEIVED);
    expect(socket.connect(address('10.0.0.2'), peer.port)).toBe(-Errno.EALREADY);
    expect(socket.send(pattern(1), 0, 1)).toBe(-Errno.EAGAIN);
    expect(socket.poll()).toBe(0);
    peer.say('S.', { seq: 0 });
    expect(socket.connect(address('10.0.0.2'), peer.port)).toBe(0);
  });

  test.each<[domain: 4 | 6, at: string, v6only: number, errno: number]>([
    [4, 'fd00::2', 0, Errno.EAFNOSUPPORT],
    [4, '224.0.0.1', 0, Errno.ENETUNREACH],
    [6, 'fd00::2', 0, Errno.ENETUNREACH],
    [6, '10.0.0.2', 0, Errno.EINPROGRESS],
    [6, '10.0.0.2', 1, Errno.ENETUNREACH],
  ])('a socket of IPv%d to %s (IPV6_V6ONLY %d): errno %d', (domain, at, v6only, errno) => {
    const lab = new Lab();
    const socket = lab.a.core.socket(domain);
    socket.setOption(SocketOption.Ipv6Only, v6only);
    expect(socket.connect(address(at), 80)).toBe(-errno);
    expect(lab.a.ports.held.size).toBe(errno === Errno.EINPROGRESS ? 1 : 0);
  });

  test('a listener can’t', () => {
    const lab = new Lab();
    const listener = lab.listen(lab.a, 80);
    expect(listener.connect(lab.b.address, 80)).toBe(-Errno.EISCONN);
    expect(listener.state).toBe(State.LISTEN);
  });

  test('uses what it is bound to', () => {
    const lab = new Lab();
    lab.listen(lab.b, 80);
    const socket = lab.a.core.socket(4);
    expect(socket.bind(address('0.0.0.0'), 4000)).toBe(0);
    socket.connect(lab.b.address, 80);
    expect(local(socket)).toBe('10.0.0.1 4000');
    lab.run(() => socket.state === State.ESTABLISHED, SECOND);
    socket.close();
    lab.run(() => false, SECOND);
  });
});

describe('listen(2) and accept(2)', () => {
  test('without bind(2), on an ephemeral port', () => {
    const lab = new Lab({ ports: [50_000, 50_000] });
    const socket = lab.b.core.socket(4);
    expect(socket.accept()).toBe(-Errno.EINVAL);
    expect(socket.listen(5)).toBe(0);
    expect([socket.state, local(socket)]).toEqual([State.LISTEN, '0.0.0.0 50000']);
    expect(socket.accept()).toBe(-Errno.EAGAIN);
    expect(lab.connect(lab.a, lab.b, 50_000).state).toBe(State.SYN_SENT);
    expect(socket.poll()).toBe(0);
    lab.run(() => socket.waiting > 0, SECOND);
    expect(socket.poll()).toBe(Poll.IN);
  });

  test.each([
    [5, 5],
    [0, 0],
    [100, 100],
    [101, 100],
    [-1, 100],
  ])('a backlog of %d is %d where somaxconn is 100', (asked, granted) => {
    const lab = new Lab({ tcp: { somaxconn: 100 } });
    expect(lab.listen(lab.b, 80, asked).backlog).toBe(granted);
  });

  test('EBADF once it is closed', () => {
    const listener = new Lab().pair().listener;
    listener.close();
    expect([listener.accept(), listener.listen(1)]).toEqual([-Errno.EBADF, -Errno.EBADF]);
  });

  test('again changes the backlog only; a connected socket can’t', () => {
    const lab = new Lab();
    const { client, listener } = lab.pair();
    expect([listener.listen(3), listener.backlog, listener.localPort]).toEqual([0, 3, 80]);
    expect(client.listen(3)).toBe(-Errno.EINVAL);
  });

  test('an accepted socket has the listener’s options, and no error or event of others', () => {
    const lab = new Lab();
    const { server } = lab.pair();
    expect(server.getOption(SocketOption.ReuseAddress)).toBe(1);
    expect([server.takeError(), server.poll(), server.domain]).toEqual([0, Poll.OUT, 4]);
  });
});

describe('how much there is', () => {
  test('before there is a connection: nothing', () => {
    const socket = new Lab().a.core.socket(4);
    const { inQueue, outQueue, outQueueUnsent, sendSpace, waiting } = socket;
    expect([inQueue, outQueue, outQueueUnsent, sendSpace, waiting]).toEqual([0, 0, 0, 0, 0]);
  });

  test('SIOCINQ, SIOCOUTQ, SIOCOUTQNSD and the room in the send buffer', () => {
    const peer = new Peer({ syn: { mss: 1000 }, tcp: { sendBuffer: 9000, sendBufferMax: 9000 } });
    const socket = peer.dial();
    expect([socket.sendSpace, socket.outQueue, socket.outQueueUnsent]).toEqual([0, 0, 0]);
    peer.answer(socket);
    expect(socket.sendSpace).toBe(9000);
    peer.window = 2000;
    peer.say('.');
    expect(socket.send(pattern(9000), 0, 9000)).toBe(9000);
    peer.listen();
    expect([socket.sendSpace, socket.outQueue, socket.outQueueUnsent]).toEqual([0, 9000, 7000]);
    // Writable from a third of the buffer on (Linux).
    expect(socket.poll()).toBe(0);
    peer.say('.', { ack: 2001 });
    expect([socket.outQueue, socket.outQueueUnsent, socket.poll()]).toEqual([7000, 5000, 0]);
    peer.say('.', { ack: 3001 });
    expect([socket.sendSpace, socket.poll()]).toEqual([3000, Poll.OUT]);
    peer.say('P.', { data: 7, ack: 3001 });
    expect([socket.inQueue, socket.poll()]).toEqual([7, Poll.IN | Poll.OUT]);
    socket.shutdown(1);
    expect([socket.sendSpace, socket.send(pattern(1), 0, 1)]).toEqual([0, -Errno.EPIPE]);
    socket.abort();
    expect([socket.outQueueUnsent, socket.sendSpace]).toEqual([0, 0]);
  });

  test('send(2) of nothing is 0, of a part of a buffer that part', () => {
    const lab = new Lab();
    const { client, server } = lab.pair();
    expect(client.send(new Uint8Array(5), 2, 0)).toBe(0);
    expect(client.send(Uint8Array.of(1, 2, 3, 4, 5), 1, 3)).toBe(3);
    lab.run(() => server.inQueue === 3, SECOND);
    const into = new Uint8Array(6);
    expect([server.receive(into, 2, 2), server.receive(into, 5, 9)]).toEqual([2, 1]);
    expect([...into]).toEqual([0, 0, 2, 3, 0, 4]);
    expect(server.receive(into, 0, 6)).toBe(-Errno.EAGAIN);
  });
});

test('an aborted socket is closed, its port free', () => {
  const lab = new Lab();
  const { client, server, listener } = lab.pair();
  client.abort();
  client.abort();
  expect(client.close()).toBe(-Errno.EBADF);
  lab.run(() => false, SECOND);
  expect(server.takeError()).toBe(Errno.ECONNRESET);
  server.abort();
  listener.abort();
  expect(listener.poll() & Poll.IN).toBe(0);
  expect([leftovers(lab.a), leftovers(lab.b)]).toEqual([NOTHING, NOTHING]);
});
