import fc from 'fast-check';
import { Errno } from '../../../lib/core/errno';
import { formatAddress, readAddress } from '../../../lib/core/ip/address';
import { DatagramOption } from '../../../lib/core/socket/datagram-options';
import type { DatagramSocket } from '../../../lib/core/socket/datagram-socket';
import { DatagramInfo } from '../../../lib/core/udp/datagram-info';
import { FreePorts } from '../../../lib/core/stack/free-ports';
import { datagram, DatagramHost, ip, say } from '../../support/datagrams';

/** The far end of a tunnel, with a socket for all datagrams of a family, or of both. */
function farEnd(domain: 4 | 6 = 6): { host: DatagramHost; any: DatagramSocket } {
  const host = new DatagramHost({ addresses: ['192.0.2.1/32'], anyAddress: true });
  const any = host.socket(domain);
  expect(any.bindAnyPort(ip(domain === 4 ? '0.0.0.0' : '::'))).toBe(0);
  return { host, any };
}

/** The oldest datagram: 'text from > to'. */
function readAny(socket: DatagramSocket): string | number {
  const info = new DatagramInfo();
  const bytes = socket.take(info);
  if (typeof bytes === 'number') return bytes;
  const [from, to] = [info.source, info.destination].map((at) => formatAddress(readAddress(at, 0)));
  return `${Buffer.from(bytes)} ${from}:${info.sourcePort} > ${to}:${info.destinationPort}`;
}

/** One connected socket for a flow, as a forwarder makes it. */
function flow(host: DatagramHost, local: string, port: number, peer: string, peerPort: number) {
  const socket = host.socket(local.includes(':') ? 6 : 4);
  socket.setOption(DatagramOption.ReuseAddress, 1);
  expect(socket.bind(ip(local), port)).toBe(0);
  expect(socket.connect(ip(peer), peerPort)).toBe(0);
  return socket;
}

describe('a datagram socket on any port of any address', () => {
  it.each([
    ['10.0.0.9', 7, '8.8.8.8', 53],
    ['10.0.0.9', 7, '10.0.0.1', 65_535],
    ['fd00::9', 7, '2001:db8::1', 1],
    ['10.0.0.9', 0, '192.0.2.1', 53],
  ])('learns that %s:%i sent to %s:%i', (from, fromPort, to, port) => {
    const { host, any } = farEnd();
    const packet = datagram(from, fromPort || 7, to, port, 'ask');
    if (fromPort === 0) packet.fill(0, 20, 22).fill(0, 26, 28);
    host.receive(packet);
    expect(readAny(any)).toBe(`ask ${from}:${fromPort} > ${to}:${port}`);
  });

  it('answers from there', () => {
    const { host, any } = farEnd();
    const bytes = Buffer.from('answer');
    for (const [from, to] of [
      ['8.8.8.8', '10.0.0.9'],
      ['2001:db8::1', 'fd00::9'],
    ]) {
      expect(any.sendFrom(ip(from), 53, [bytes], ip(to), 7)).toBe(6);
      const peer = new DatagramHost({ addresses: [`${to}/64`.replace('9/64', '9/24')] });
      const socket = peer.socket(to.includes(':') ? 6 : 4, to, 7);
      for (const { packet } of host.flush()) peer.receive(packet);
      expect(readAny(socket)).toBe(`answer ${from}:53 > ${to}:7`);
    }
  });

  it('sends from nowhere else, and has no peer', () => {
    const { host, any } = farEnd();
    const bytes = Buffer.from('x');
    expect(say(any, 'x', '10.0.0.9', 7)).toBe(-Errno.EINVAL);
    expect(any.sendFrom(ip('8.8.8.8'), 0, [bytes], ip('10.0.0.9'), 7)).toBe(-Errno.EINVAL);
    expect(any.sendFrom(ip('8.8.8.8'), 53, [bytes], ip('10.0.0.9'), 0)).toBe(-Errno.EINVAL);
    expect(any.sendFrom(ip('8.8.8.8'), 53, [bytes], ip('fd00::9'), 7)).toBe(-Errno.ENETUNREACH);
    expect(any.connect(ip('10.0.0.9'), 7)).toBe(-Errno.EINVAL);
    expect(any.disconnect()).toBe(0);
    expect(any.bind(ip('::'), 53)).toBe(-Errno.EINVAL);
    const bound = host.socket(4, '8.8.8.8', 53);
    expect(bound.sendFrom(ip('8.8.8.8'), 53, [bytes], ip('10.0.0.9'), 7)).toBe(-Errno.EINVAL);
    expect(host.flush()).toEqual([]);
  });

  it('sends from an address of its own only where not all are its own', () => {
    const host = new DatagramHost();
    const any = host.socket(4);
    expect(any.bindAnyPort(ip('0.0.0.0'))).toBe(0);
    const send = (from: string) =>
      any.sendFrom(ip(from), 53, [Buffer.from('x')], ip('10.0.0.9'), 7);
    expect([send('10.0.0.1'), send('8.8.8.8')]).toEqual([1, -Errno.EADDRNOTAVAIL]);
    host.receive(datagram('10.0.0.9', 7, '10.0.0.1', 99));
    expect(any.waiting).toBe(1);
    expect(host.socket(4).bind(ip('8.8.8.8'), 53)).toBe(-Errno.EADDRNOTAVAIL);
  });

  it('leaves to the flow, and to the socket on the port, what is theirs', () => {
    const { host, any } = farEnd();
    const port = host.socket(4);
    port.setOption(DatagramOption.ReuseAddress, 1);
    expect(port.bind(ip('0.0.0.0'), 53)).toBe(0);
    const one = flow(host, '8.8.8.8', 53, '10.0.0.9', 7);
    const two = flow(host, '8.8.8.8', 53, '10.0.0.9', 8);
    const sent = [
      [7, '8.8.8.8', 53],
      [8, '8.8.8.8', 53],
      [9, '8.8.8.8', 53],
      [7, '9.9.9.9', 53],
      [7, '8.8.8.8', 54],
    ] as const;
    const arrive = () =>
      sent.map(([from, to, toPort]) => {
        host.receive(datagram('10.0.0.9', from, to, toPort));
        const got = [any, port, one, two].filter(({ waiting }) => waiting > 0);
        for (const socket of got) socket.take();
        return got;
      });
    expect(arrive()).toEqual([[one], [two], [port], [port], [any]]);
    port.close();
    one.close();
    expect(arrive()).toEqual([[any], [two], [any], [any], [any]]);
    any.close();
    expect(arrive()).toEqual([[], [two], [], [], []]);
    expect(host.core.counters.UdpNoPorts).toBe(4);
  });

  it('takes nothing for port 0, a group, all hosts, or nobody', () => {
    const { host, any } = farEnd();
    for (const [from, to] of [
      ['10.0.0.9', '224.0.0.1'],
      ['10.0.0.9', '255.255.255.255'],
      ['fd00::9', 'ff02::1'],
    ]) {
      host.receive(datagram(from, 7, to, 53));
    }
    const toZero = datagram('10.0.0.9', 7, '8.8.8.8', 53);
    toZero.fill(0, 22, 24).fill(0, 26, 28);
    host.receive(toZero);
    expect(any.waiting).toBe(0);
  });

  it('is one for each address; where the link shares its ports there is none', () => {
    const { host, any } = farEnd();
    expect(host.socket(4).bindAnyPort(ip('8.8.8.8'))).toBe(-Errno.EADDRINUSE);
    expect(host.socket(4).bindAnyPort(ip('::'))).toBe(-Errno.EAFNOSUPPORT);
    any.close();
    expect(any.bindAnyPort(ip('::'))).toBe(-Errno.EBADF);
    expect(host.socket(4).bindAnyPort(ip('8.8.8.8'))).toBe(0);
    expect(host.socket(4).bindAnyPort(ip('9.9.9.9'))).toBe(0);
    const free = new FreePorts();
    const udpPorts = {
      reserve: () => 0,
      release: () => undefined,
      ephemeralCount: () => free.ephemeralCount(),
      ephemeralPort: (family: number, index: number) => free.ephemeralPort(family, index),
      growEphemeral: () => false,
    };
    const shared = new DatagramHost({ udpPorts }).socket(4);
    expect(shared.bindAnyPort(ip('0.0.0.0'))).toBe(-Errno.EOPNOTSUPP);
  });

  it('keeps flows apart, whatever comes and goes', () => {
    const end = fc.record({ local: fc.constantFrom('8.8.8.8', '9.9.9.9'), peer: fc.nat(3) });
    const step = fc.tuple(fc.constantFrom('open', 'close', 'arrive'), end);
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const { host, any } = farEnd(4);
        const flows = new Map<string, DatagramSocket>();
        for (const [what, { local, peer }] of steps) {
          const key = `${local} ${peer}`;
          const open = flows.get(key);
          if (what === 'open' && open === undefined) {
            flows.set(key, flow(host, local, 53, '10.0.0.9', peer + 1));
          } else if (what === 'close') {
            open?.close();
            flows.delete(key);
          } else if (what === 'arrive') {
            host.receive(datagram('10.0.0.9', peer + 1, local, 53, key));
            const got = readAny(open ?? any);
            expect(got).toBe(`${key} 10.0.0.9:${peer + 1} > ${local}:53`);
          }
        }
      }),
      { numRuns: 50 },
    );
  });
});
