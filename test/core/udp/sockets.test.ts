import fc from 'fast-check';
import { Errno } from '../../../lib/core/errno';
import { formatAddress } from '../../../lib/core/ip/address';
import { DatagramOption } from '../../../lib/core/socket/datagram-options';
import type { DatagramSocket } from '../../../lib/core/socket/datagram-socket';
import { datagram, DatagramHost, ip, read, say } from '../../support/datagrams';

/** A socket that shares its port with all others. */
function sharing(host: DatagramHost, domain: 4 | 6, address: string, port = 53): DatagramSocket {
  const socket = host.socket(domain);
  socket.setOption(DatagramOption.ReuseAddress, 1);
  expect(socket.bind(ip(address), port)).toBe(0);
  return socket;
}

describe('a datagram goes to one socket:', () => {
  it('connected before bound before any, for its family before for both', () => {
    const host = new DatagramHost();
    const any6 = sharing(host, 6, '::');
    const any4 = sharing(host, 4, '0.0.0.0');
    const bound = sharing(host, 4, '10.0.0.1');
    const connected = sharing(host, 4, '10.0.0.1');
    connected.connect(ip('10.0.0.9'), 7);
    const arrive = (): DatagramSocket | undefined => {
      host.receive(datagram('10.0.0.9', 7, '10.0.0.1', 53));
      const got = [any6, any4, bound, connected].filter((socket) => socket.waiting > 0);
      for (const socket of got) socket.take();
      expect(got.length).toBeLessThan(2);
      return got[0];
    };
    for (const socket of [connected, bound, any4, any6]) {
      expect(arrive()).toBe(socket);
      socket.close();
    }
    expect(arrive()).toBeUndefined();
    expect(host.core.counters.UdpNoPorts).toBe(1);
  });

  it('of equal ones to that which was bound last', () => {
    const host = new DatagramHost();
    const [first, second] = [sharing(host, 4, '10.0.0.1'), sharing(host, 4, '10.0.0.1')];
    host.receive(datagram('10.0.0.9', 7, '10.0.0.1', 53));
    expect([first.waiting, second.waiting]).toEqual([0, 1]);
    for (const socket of [first, second]) socket.connect(ip('10.0.0.9'), 7);
    host.receive(datagram('10.0.0.9', 7, '10.0.0.1', 53));
    expect([first.waiting, second.waiting]).toEqual([0, 2]);
    second.close();
    host.receive(datagram('10.0.0.9', 7, '10.0.0.1', 53));
    expect(first.waiting).toBe(1);
  });

  it('one for IPv6 only gets no IPv4', () => {
    const host = new DatagramHost();
    const six = host.socket(6);
    six.setOption(DatagramOption.Ipv6Only, 1);
    six.bind(ip('::'), 53);
    host.receive(datagram('10.0.0.9', 7, '10.0.0.1', 53));
    expect(six.waiting).toBe(0);
    host.receive(datagram('fd00::9', 7, 'fd00::1', 53, 'six'));
    expect(read(six)).toBe('six from fd00::9:7');
  });

  it('a peer with port 0 is that host with any port', () => {
    const host = new DatagramHost();
    const socket = host.socket(4, '10.0.0.1', 53);
    expect(socket.connect(ip('10.0.0.9'), 0)).toBe(0);
    host.receive(datagram('10.0.0.9', 7, '10.0.0.1', 53));
    host.receive(datagram('10.0.0.8', 7, '10.0.0.1', 53));
    expect(socket.waiting).toBe(1);
    expect(socket.disconnect()).toBe(0);
    host.receive(datagram('10.0.0.8', 7, '10.0.0.1', 53));
    expect(socket.waiting).toBe(2);
  });

  it('those of one sender go to one of the sockets with SO_REUSEPORT', () => {
    const host = new DatagramHost();
    const sockets = [0, 1, 2, 3].map(() => {
      const socket = host.socket(4);
      socket.setOption(DatagramOption.ReusePort, 1);
      expect(socket.bind(ip('10.0.0.1'), 53)).toBe(0);
      return socket;
    });
    for (let port = 1; port <= 64; port++) {
      const before = sockets.map(({ waiting }) => waiting);
      for (let i = 0; i < 2; i++) host.receive(datagram('10.0.0.9', port, '10.0.0.1', 53));
      const more = sockets.map(({ waiting }, i) => waiting - before[i]);
      expect(more.sort()).toEqual([0, 0, 0, 2]);
    }
    for (const { waiting } of sockets) expect(waiting).toBeGreaterThan(8);
  });

  it('as a model without an index has it', () => {
    const address = fc.constantFrom('10.0.0.1', '10.0.0.2', '0.0.0.0');
    const peer = fc.constantFrom(null, '10.0.0.8', '10.0.0.9');
    const one = fc.record({ address, peer, port: fc.constantFrom(7, 8) });
    const packets = [7, 8].flatMap((port) =>
      ['10.0.0.8', '10.0.0.9'].flatMap((from) =>
        ['10.0.0.1', '10.0.0.2'].map((to) => ({ from, port, to })),
      ),
    );
    const bytes = packets.map(({ from, port, to }) => datagram(from, port, to, 53));
    fc.assert(
      fc.property(fc.array(one, { maxLength: 8 }), fc.array(fc.nat(7)), (options, closed) => {
        const host = new DatagramHost();
        const sockets = options.map(({ address: local, peer: remote, port }) => {
          const socket = sharing(host, 4, local);
          if (remote !== null) expect(socket.connect(ip(remote), port)).toBe(0);
          return socket;
        });
        for (const i of closed) sockets[i]?.close();
        for (const [index, { from, port, to }] of packets.entries()) {
          let best: DatagramSocket | null = null;
          let most = -1;
          for (const socket of sockets) {
            const local = formatAddress(socket.localAddress);
            if (socket.isClosed || (local !== '0.0.0.0' && local !== to)) continue;
            const remote = formatAddress(socket.remoteAddress);
            if (socket.isConnected && (remote !== from || socket.remotePort !== port)) continue;
            const score = (socket.isConnected ? 2 : 0) + (local === to ? 1 : 0);
            if (score < most) continue;
            [best, most] = [socket, score];
          }
          // Of equal ones the last that was bound, or connected, comes first.
          const equal = sockets.filter((socket) => socket.waiting > 0);
          expect(equal).toEqual([]);
          host.receive(bytes[index]);
          const got = sockets.filter((socket) => socket.waiting > 0);
          expect(got).toEqual(best === null ? [] : [best]);
          for (const socket of got) socket.take();
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe('a datagram for many goes to all:', () => {
  it('to sockets on any address or on that of the group, if we are in it', () => {
    const host = new DatagramHost();
    const any = sharing(host, 4, '0.0.0.0');
    const group = sharing(host, 4, '224.0.0.251');
    const own = sharing(host, 4, '10.0.0.1');
    const other = sharing(host, 4, '0.0.0.0');
    other.connect(ip('10.0.0.8'), 7);
    const arrive = (to = '224.0.0.251') => host.receive(datagram('10.0.0.9', 7, to, 53));
    const waiting = () => [any, group, own, other].map((socket) => socket.waiting);
    arrive();
    expect(waiting()).toEqual([0, 0, 0, 0]);
    expect(host.core.counters.IpInAddrErrors).toBe(1);
    expect(own.groups.join(ip('224.0.0.251'))).toBe(0);
    arrive();
    expect(waiting()).toEqual([1, 1, 0, 0]);
    any.setOption(DatagramOption.MulticastAll, 0);
    arrive();
    expect(waiting()).toEqual([1, 2, 0, 0]);
    any.groups.join(ip('224.0.0.251'));
    arrive();
    expect(waiting()).toEqual([2, 3, 0, 0]);
    own.close();
    any.close();
    arrive();
    expect(host.core.counters.IpInAddrErrors).toBe(2);
  });

  it.each(['10.0.0.255', '255.255.255.255'])('to %s', (to) => {
    const host = new DatagramHost();
    const any = sharing(host, 4, '0.0.0.0');
    const both = sharing(host, 6, '::');
    const own = sharing(host, 4, '10.0.0.1');
    const bound = sharing(host, 4, to);
    host.receive(datagram('10.0.0.9', 7, to, 53));
    expect([any, both, own, bound].map(({ waiting }) => waiting)).toEqual([1, 1, 0, 1]);
    host.receive(datagram('10.0.0.9', 7, to, 54));
    expect(host.core.counters.UdpIgnoredMulti).toBe(1);
    expect(host.core.counters.UdpNoPorts).toBe(0);
  });

  it('all hosts of the link are a group that everybody is in', () => {
    const host = new DatagramHost();
    const six = host.socket(6, '::', 53);
    host.receive(datagram('fe80::9', 7, 'ff02::1', 53, 'all'));
    host.receive(datagram('fe80::9', 7, 'ff02::fb', 53, 'some'));
    expect([read(six), read(six)]).toEqual(['all from fe80::9:7', -Errno.EAGAIN]);
    expect(host.core.counters.Ip6InAddrErrors).toBe(1);
  });
});

describe('membership', () => {
  it.each([
    ['10.0.0.9', -Errno.EINVAL, -Errno.EINVAL],
    ['224.0.0.251', 0, 0],
    ['ff02::fb', 0, 0],
  ])('of %s: join %i, leave %i', (group, join, leave) => {
    const { groups } = new DatagramHost().socket(6);
    if (leave === 0) expect(groups.leave(ip(group))).toBe(-Errno.EADDRNOTAVAIL);
    expect(groups.join(ip(group))).toBe(join);
    if (join === 0) expect(groups.join(ip(group))).toBe(-Errno.EADDRINUSE);
    expect(groups.leave(ip(group))).toBe(leave);
  });

  it('is that of the stack as long as a socket is in, and bounded', () => {
    const host = new DatagramHost();
    const news: string[] = [];
    host.core.udp.groups.onChange = (group, isMember) => {
      news.push(`${isMember ? 'join' : 'leave'} ${formatAddress(group)}`);
    };
    const [first, second] = [host.socket(4), host.socket(4)];
    first.groups.join(ip('239.0.0.1'));
    second.groups.join(ip('239.0.0.1'));
    first.close();
    expect(news).toEqual(['join 239.0.0.1']);
    second.groups.leave(ip('239.0.0.1'));
    expect(news).toEqual(['join 239.0.0.1', 'leave 239.0.0.1']);
    for (let i = 0; i < 20; i++) expect(second.groups.join(ip(`239.0.1.${i}`))).toBe(0);
    expect(second.groups.join(ip('239.0.2.1'))).toBe(-Errno.ENOBUFS);
  });
});

describe('what is sent to many', () => {
  it('comes back to who is in the group, unless IP_MULTICAST_LOOP is off', () => {
    const host = new DatagramHost();
    const member = sharing(host, 4, '0.0.0.0');
    const sender = host.socket(4, '10.0.0.2', 9);
    say(sender, 'nobody', '239.0.0.1', 53);
    expect(host.flush().length).toBe(1);
    member.groups.join(ip('239.0.0.1'));
    say(sender, 'y'.repeat(3000), '239.0.0.1', 53);
    say(sender, '', '239.0.0.1', 53);
    expect(host.flush().map(({ packet }) => packet[8])).toEqual([1, 1]);
    expect(read(member)).toBe(`${'y'.repeat(3000)} from 10.0.0.2:9`);
    expect(read(member)).toBe(' from 10.0.0.2:9');
    sender.setOption(DatagramOption.MulticastLoop, 0);
    say(sender, 'x', '239.0.0.1', 53);
    expect(host.flush().length).toBe(1);
    expect(member.waiting).toBe(0);
  });

  it('with TTL 0, or by the loopback, stays here', () => {
    const host = new DatagramHost();
    const member = sharing(host, 4, '0.0.0.0');
    member.groups.join(ip('239.0.0.1'));
    const sender = host.socket(4);
    sender.setOption(DatagramOption.MulticastTtl, 0);
    say(sender, 'zero', '239.0.0.1', 53);
    const inside = host.socket(4, '127.0.0.1', 9);
    say(inside, 'inside', '239.0.0.1', 53);
    expect(host.flush()).toEqual([]);
    expect(member.waiting).toBe(2);
  });

  it('to all hosts needs SO_BROADCAST, and comes to us, too', () => {
    const host = new DatagramHost();
    const any = sharing(host, 4, '0.0.0.0');
    const sender = host.socket(4, '10.0.0.1', 9);
    sender.setOption(DatagramOption.Broadcast, 1);
    for (const to of ['10.0.0.255', '255.255.255.255']) {
      expect(say(sender, 'all', to, 53)).toBe(3);
      expect(host.flush().map(({ packet }) => packet[8])).toEqual([64]);
      expect(read(any)).toBe('all from 10.0.0.1:9');
    }
  });

  it('starts at the address of IP_MULTICAST_IF', () => {
    const host = new DatagramHost();
    const sender = host.socket(4);
    expect(sender.setMulticastInterface(ip('10.0.0.9'))).toBe(-Errno.EADDRNOTAVAIL);
    expect(sender.setMulticastInterface(ip('10.0.0.2'))).toBe(0);
    say(sender, 'x', '239.0.0.1', 53);
    expect(sender.setMulticastInterface(ip('0.0.0.0'))).toBe(0);
    say(sender, 'x', '239.0.0.1', 53);
    expect(host.flush().map(({ packet }) => packet[15])).toEqual([2, 1]);
  });
});
