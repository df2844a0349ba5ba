import { Errno } from '../../../lib/core/errno';
import { formatAddress } from '../../../lib/core/ip/address';
import { Word } from '../../../lib/core/segment/layout';
import { DatagramOption, datagramOptionRange } from '../../../lib/core/socket/datagram-options';
import { Shutdown, StreamSocket } from '../../../lib/core/socket/stream-socket';
import { FreePorts } from '../../../lib/core/stack/free-ports';
import { datagram, DatagramHost, ip, read, say } from '../../support/datagrams';

const IN = 0x001;
const OUT = 0x004;
const ERR = 0x008;
const HUP = 0x010;
const RDHUP = 0x2000;

/** Address and port at both ends. */
function ends(socket: ReturnType<DatagramHost['socket']>): string {
  const { localAddress, localPort, remoteAddress, remotePort } = socket;
  const local = `${formatAddress(localAddress)}:${localPort}`;
  return socket.isConnected ? `${local} ${formatAddress(remoteAddress)}:${remotePort}` : local;
}

describe('bind', () => {
  it.each([
    [4, '10.0.0.1', 0],
    [4, '0.0.0.0', 0],
    [4, '127.0.0.5', 0],
    [4, '224.0.0.251', 0],
    [4, '10.0.0.255', 0],
    [4, '255.255.255.255', 0],
    [4, '10.0.0.9', -Errno.EADDRNOTAVAIL],
    [4, 'fd00::1', -Errno.EAFNOSUPPORT],
    [6, 'fd00::1', 0],
    [6, '::', 0],
    [6, 'ff02::fb', 0],
    [6, '10.0.0.1', 0],
    [6, 'fd00::9', -Errno.EADDRNOTAVAIL],
  ] as const)('of a socket for IPv%i to %s: %i', (domain, address, outcome) => {
    const socket = new DatagramHost().socket(domain);
    expect(socket.bind(ip(address), 53)).toBe(outcome);
    expect(ends(socket)).toBe(
      outcome === 0 ? `${address}:53` : domain === 4 ? '0.0.0.0:0' : ':::0',
    );
  });

  it('is done once', () => {
    const socket = new DatagramHost().socket(4, '10.0.0.1', 53);
    expect(socket.bind(ip('10.0.0.1'), 54)).toBe(-Errno.EINVAL);
    expect(socket.setOption(DatagramOption.Ipv6Only, 1)).toBe(-Errno.EINVAL);
  });

  const NONE = 0;
  const ADDRESS = 1;
  const PORT = 2;
  it.each([
    [4, '10.0.0.1', NONE, 4, '10.0.0.1', NONE, false],
    [4, '10.0.0.1', NONE, 4, '10.0.0.2', NONE, true],
    [4, '10.0.0.1', NONE, 4, '0.0.0.0', NONE, false],
    [4, '10.0.0.1', ADDRESS, 4, '10.0.0.1', ADDRESS, true],
    [4, '10.0.0.1', ADDRESS, 4, '10.0.0.1', NONE, false],
    [4, '10.0.0.1', PORT, 4, '10.0.0.1', PORT, true],
    [4, '10.0.0.1', PORT, 4, '10.0.0.1', ADDRESS, false],
    [4, '0.0.0.0', NONE, 6, '::', NONE, false],
    [4, '10.0.0.1', NONE, 6, '::', NONE, false],
    [4, '10.0.0.1', NONE, 6, 'fd00::1', NONE, true],
    [4, '224.0.0.251', ADDRESS, 4, '0.0.0.0', ADDRESS, true],
  ] as const)('IPv%i %s (%i) beside IPv%i %s (%i): %s', (d1, a1, o1, d2, a2, o2, fits) => {
    const host = new DatagramHost();
    const [first, second] = [host.socket(d1), host.socket(d2)];
    for (const [socket, option] of [
      [first, o1],
      [second, o2],
    ] as const) {
      if (option === ADDRESS) socket.setOption(DatagramOption.ReuseAddress, 1);
      if (option === PORT) socket.setOption(DatagramOption.ReusePort, 1);
    }
    expect(first.bind(ip(a1), 53)).toBe(0);
    expect(second.bind(ip(a2), 53)).toBe(fits ? 0 : -Errno.EADDRINUSE);
    first.close();
    if (!fits) expect(second.bind(ip(a2), 53)).toBe(0);
  });

  it('both families share a port where the one is for IPv6 only', () => {
    const host = new DatagramHost();
    host.socket(4, '0.0.0.0', 53);
    const six = host.socket(6);
    six.setOption(DatagramOption.Ipv6Only, 1);
    expect(six.bind(ip('::'), 53)).toBe(0);
    expect(host.socket(6).bind(ip('::ffff:10.0.0.1'), 53)).toBe(-Errno.EADDRINUSE);
  });

  it('an ephemeral port is one of the range, and none is taken twice', () => {
    const host = new DatagramHost({ udpPorts: new FreePorts(40_000, 40_003) });
    const ports = [0, 1, 2, 3].map(() => host.socket(4, '0.0.0.0', 0).localPort);
    expect(ports.sort()).toEqual([40_000, 40_001, 40_002, 40_003]);
    expect(host.socket(4).bind(ip('0.0.0.0'), 0)).toBe(-Errno.EADDRINUSE);
    expect(say(host.socket(4), 'x', '10.0.0.9', 53)).toBe(-Errno.EAGAIN);
  });
});

describe('connect', () => {
  it('chooses port and source, and binds nothing for good', () => {
    const socket = new DatagramHost().socket(4);
    expect(socket.connect(ip('10.0.0.9'), 53)).toBe(0);
    expect(ends(socket)).toMatch(/^10\.0\.0\.1:\d{5} 10\.0\.0\.9:53$/);
    expect(socket.disconnect()).toBe(0);
    expect(ends(socket)).toBe('0.0.0.0:0');
    expect(socket.disconnect()).toBe(0);
  });

  it('leaves what was bound', () => {
    const host = new DatagramHost();
    const socket = host.socket(4, '10.0.0.2', 5000);
    socket.connect(ip('10.0.0.9'), 53);
    expect(ends(socket)).toBe('10.0.0.2:5000 10.0.0.9:53');
    socket.connect(ip('10.0.0.8'), 54);
    expect(ends(socket)).toBe('10.0.0.2:5000 10.0.0.8:54');
    socket.disconnect();
    expect(ends(socket)).toBe('10.0.0.2:5000');
    const any = host.socket(4, '0.0.0.0', 5001);
    any.connect(ip('10.0.0.9'), 53);
    any.disconnect();
    expect(ends(any)).toBe('0.0.0.0:5001');
    const address = host.socket(4, '10.0.0.2');
    address.connect(ip('10.0.0.9'), 53);
    address.disconnect();
    expect(ends(address)).toBe('10.0.0.2:0');
    say(address, 'x', '10.0.0.9', 53);
    expect(ends(address)).toMatch(/^10\.0\.0\.2:\d{5}$/);
  });

  it.each([
    [4, 'fd00::9', -Errno.EAFNOSUPPORT],
    [4, '10.0.0.255', -Errno.EACCES],
    [4, '255.255.255.255', -Errno.EACCES],
    [4, '224.0.0.251', 0],
    [4, '0.0.0.0', 0],
    [6, '10.0.0.9', 0],
    [6, '::', 0],
    [6, 'ff02::fb', 0],
  ] as const)('of a socket for IPv%i to %s: %i', (domain, address, outcome) => {
    expect(new DatagramHost().socket(domain).connect(ip(address), 53)).toBe(outcome);
  });

  it('to no host means this one', () => {
    const host = new DatagramHost();
    const four = host.socket(4);
    four.connect(ip('0.0.0.0'), 53);
    expect(ends(four)).toMatch(/^127\.0\.0\.1:\d+ 127\.0\.0\.1:53$/);
    const six = host.socket(6);
    six.connect(ip('::'), 53);
    expect(ends(six)).toMatch(/^::1:\d+ ::1:53$/);
  });

  it('only the peer is heard', () => {
    const host = new DatagramHost();
    const socket = host.socket(4, '10.0.0.1', 5000);
    socket.connect(ip('10.0.0.9'), 53);
    host.receive(datagram('10.0.0.9', 54, '10.0.0.1', 5000, 'other port'));
    host.receive(datagram('10.0.0.8', 53, '10.0.0.1', 5000, 'other host'));
    host.receive(datagram('10.0.0.9', 53, '10.0.0.1', 5000, 'peer'));
    expect([read(socket), read(socket)]).toEqual(['peer from 10.0.0.9:53', -Errno.EAGAIN]);
    expect(host.core.counters.UdpNoPorts).toBe(2);
    // Who was not heard is told so.
    expect(host.flush().map(({ words }) => words[Word.Protocol])).toEqual([1, 1]);
    say(socket, 'to the peer');
    say(socket, 'to another', '10.0.0.8', 7);
    expect(host.flush().map(({ words }) => words[Word.DestinationPort])).toEqual([53, 7]);
  });
});

describe('send', () => {
  it.each([
    [4, undefined, undefined, -Errno.EDESTADDRREQ],
    [4, '10.0.0.9', 0, -Errno.EINVAL],
    [4, 'fd00::9', 53, -Errno.EAFNOSUPPORT],
    [4, '10.0.0.255', 53, -Errno.EACCES],
    [4, '255.255.255.255', 53, -Errno.EACCES],
    [4, '224.0.0.251', 53, 1],
    [6, '10.0.0.9', 53, 1],
    [6, 'fd00::9', 53, 1],
  ] as const)('from a socket for IPv%i to %s port %s: %i', (domain, to, port, outcome) => {
    expect(say(new DatagramHost().socket(domain), 'x', to, port)).toBe(outcome);
  });

  it('needs a way', () => {
    const host = new DatagramHost({ addresses: ['10.0.0.1/24'], routes: [] });
    expect(say(host.socket(4), 'x', '10.0.1.9', 53)).toBe(-Errno.ENETUNREACH);
    expect(say(host.socket(6), 'x', 'fd00::9', 53)).toBe(-Errno.ENETUNREACH);
    expect(host.core.counters).toMatchObject({ IpOutNoRoutes: 1, Ip6OutNoRoutes: 1 });
    const six = host.socket(6);
    six.setOption(DatagramOption.Ipv6Only, 1);
    expect(say(six, 'x', '10.0.0.9', 53)).toBe(-Errno.ENETUNREACH);
  });

  it('binds an ephemeral port, from which it goes on', () => {
    const host = new DatagramHost();
    const socket = host.socket(4);
    say(socket, 'x', '10.0.0.9', 53);
    const { localPort } = socket;
    say(socket, 'x', '10.0.0.9', 53);
    const ports = host.flush().map(({ words }) => words[Word.SourcePort]);
    expect(ports).toEqual([localPort, localPort]);
    host.receive(datagram('10.0.0.9', 53, '10.0.0.1', localPort, 'back'));
    expect(read(socket)).toBe('back from 10.0.0.9:53');
  });
});

describe('shutdown, poll and close', () => {
  it('polls', () => {
    const host = new DatagramHost();
    const socket = host.socket(4, '10.0.0.1', 5000);
    expect(socket.poll()).toBe(OUT);
    host.receive(datagram('10.0.0.9', 53, '10.0.0.1', 5000));
    expect(socket.poll()).toBe(IN | OUT);
    expect(host.core.pollEvent()).toBe(socket);
    expect(host.core.pollEvent()).toBeNull();
    socket.report(Errno.ECONNREFUSED);
    expect(socket.poll()).toBe(IN | OUT | ERR);
    expect(socket.shutdown(Shutdown.RD)).toBe(-Errno.ENOTCONN);
    socket.takeError();
    expect(socket.poll()).toBe(IN | OUT | RDHUP);
    socket.connect(ip('10.0.0.9'), 53);
    expect(socket.shutdown(Shutdown.WR)).toBe(0);
    expect(socket.poll()).toBe(IN | OUT | RDHUP | HUP);
    expect(say(socket, 'x')).toBe(-Errno.EPIPE);
  });

  it('an error comes first, once, to who sends, receives or asks', () => {
    const host = new DatagramHost();
    const socket = host.socket(4, '10.0.0.1', 5000);
    host.receive(datagram('10.0.0.9', 53, '10.0.0.1', 5000));
    for (const call of [() => read(socket), () => say(socket, 'x', '10.0.0.9', 53)]) {
      socket.report(Errno.ECONNREFUSED);
      expect(call()).toBe(-Errno.ECONNREFUSED);
    }
    expect(socket.takeError()).toBe(0);
    expect(read(socket)).toBe('x from 10.0.0.9:53');
  });

  it('after close every call says EBADF, and the port is free', () => {
    const host = new DatagramHost();
    const socket = host.socket(4, '10.0.0.1', 5000);
    expect(socket.close()).toBe(0);
    const outcomes = [
      socket.close(),
      socket.bind(ip('10.0.0.1'), 1),
      socket.connect(ip('10.0.0.9'), 1),
      socket.disconnect(),
      socket.shutdown(Shutdown.RD),
      socket.setOption(DatagramOption.Ttl, 1),
      socket.setMulticastInterface(ip('10.0.0.1')),
      say(socket, 'x', '10.0.0.9', 1),
      socket.receive(new Uint8Array(1), 0, 1),
      socket.take(),
    ];
    expect(outcomes).toEqual(outcomes.map(() => -Errno.EBADF));
    expect(host.socket(4).bind(ip('10.0.0.1'), 5000)).toBe(0);
  });
});

describe('options', () => {
  it.each([
    [DatagramOption.Ttl, 64, [0, 256]],
    [DatagramOption.TrafficClass, 0, [-1, 256]],
    [DatagramOption.MulticastTtl, 1, [-1, 256]],
    [DatagramOption.MulticastLoop, 1, [2]],
    [DatagramOption.Broadcast, 0, [2, 0.5]],
    [DatagramOption.ReceiveBuffer, 212_992, [-1]],
    [DatagramOption.SendBuffer, 212_992, [-1]],
  ])('%i is %i at first, and never %j', (option, first, wrong) => {
    const socket = new DatagramHost().socket(4);
    expect(socket.getOption(option)).toBe(first);
    for (const value of wrong) expect(socket.setOption(option, value)).toBe(-Errno.EINVAL);
    const [, max] = datagramOptionRange(option);
    expect(socket.setOption(option, max)).toBe(0);
  });

  it('buffers are doubled, within bounds', () => {
    const socket = new DatagramHost().socket(4);
    for (const [value, receive, send] of [
      [0, 2304, 4608],
      [10_000, 20_000, 20_000],
    ] as const) {
      socket.setOption(DatagramOption.ReceiveBuffer, value);
      socket.setOption(DatagramOption.SendBuffer, value);
      expect(socket.getOption(DatagramOption.ReceiveBuffer)).toBe(receive);
      expect(socket.getOption(DatagramOption.SendBuffer)).toBe(send);
    }
    socket.setOption(DatagramOption.ReceiveBuffer, 1_000_000);
    expect(socket.getOption(DatagramOption.ReceiveBuffer)).toBe(425_984);
  });

  it('a TCP socket has a port of the same number beside it', () => {
    const host = new DatagramHost();
    host.socket(4, '10.0.0.1', 53);
    const stream: StreamSocket = host.core.socket(4);
    expect(stream.bind(ip('10.0.0.1'), 53)).toBe(0);
  });
});
