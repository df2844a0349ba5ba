import { icmpError } from '../../../lib/codec/build-icmp';
import { DatagramOption } from '../../../lib/core/socket/datagram-options';
import type { StackCore } from '../../../lib/core/stack/stack-core';
import { checkIcmp, DatagramChecks } from '../../../lib/testing/check/datagrams';
import { Violation } from '../../../lib/testing/check/violation';
import { Packet } from '../../../lib/testing/engine/packet';
import { makeDatagram } from '../../conformance/support/other-wire';
import { DatagramHost, ip, pass } from '../../support/datagrams';

/** What a router says of a datagram, and the check of that. */
function said(family: 4 | 6, change: (quoted: Buffer) => void, type?: number): void {
  const [from, to, router] =
    family === 4 ? ['10.0.0.1', '10.0.0.2', '10.0.0.9'] : ['fd00::1', 'fd00::2', 'fd00::9'];
  const ports = { sourcePort: 5000, destinationPort: 53 };
  const [quoted] = makeDatagram({ from, to, ...ports, payload: Buffer.alloc(20) });
  change(quoted);
  const message = { type: type ?? (family === 4 ? 3 : 1), code: 0, mtu: 0 };
  const packet = Packet.of(icmpError(ip(router), quoted, message));
  if (packet === null) throw new Error('no packet');
  checkIcmp(packet.words, packet.payload);
}

describe('what ICMP errors are about', () => {
  test.each<[string, 4 | 6, (quoted: Buffer) => void]>([
    ['an ICMP error about an ICMP error', 4, (q) => q.set([1], 9) ?? q.set([11], 20)],
    ['an ICMP error about an ICMP error', 6, (q) => q.set([58], 6) ?? q.set([3], 40)],
    ['an ICMP error about a later fragment', 4, (q) => q.set([0x20, 9], 6)],
    ['an ICMP error about what is for many', 4, (q) => q.set([239], 16)],
    ['an ICMP error about what is for many', 6, (q) => q.set([0xff], 24)],
    ['an error without what it is about', 6, (q) => q.set([0x45], 0)],
  ])('%s, IPv%d', (message, family, change) => {
    expect(() => said(family, change)).toThrow(new Violation(message));
  });

  test('a datagram, an echo request, and in IPv6 a group where that is allowed', () => {
    expect(() => said(4, () => undefined)).not.toThrow();
    expect(() => said(4, (q) => q.set([1], 9) ?? q.set([8], 20))).not.toThrow();
    expect(() => said(6, (q) => q.set([58], 6) ?? q.set([128], 40))).not.toThrow();
    expect(() => said(6, (q) => q.set([0xff], 24), 2)).not.toThrow();
  });
});

describe('what a stack holds for UDP', () => {
  test('what has not left, and more than a buffer takes', () => {
    const host = new DatagramHost();
    const other = new DatagramHost({ addresses: ['10.0.0.9/24'] });
    const [from, to] = [host.socket(4, '10.0.0.1', 5000), other.socket(4, '10.0.0.9', 53)];
    to.setOption(DatagramOption.ReceiveBuffer, 0);
    const [ofHost, ofOther] = [host, other].map(({ core }) => new DatagramChecks(core));
    from.send(Buffer.alloc(100), 0, 100, ip('10.0.0.9'), 53);
    expect(() => ofHost.check()).toThrow(new Violation('datagrams that have not left'));
    pass(host, other);
    expect(() => ofHost.check()).not.toThrow();
    expect(() => ofOther.check()).not.toThrow();
    Object.defineProperty(to, 'receiveMemory', { value: 200_000, configurable: true });
    expect(() => ofOther.check()).toThrow(new Violation('more unread than SO_RCVBUF'));
    Object.defineProperty(to, 'receiveMemory', { value: 0 });
    expect(() => ofOther.check()).toThrow(new Violation('memory of nothing to be read'));
  });

  test.each(['UdpInErrors', 'Udp6InErrors'] as const)('%s of nothing', (name) => {
    const { core } = new DatagramHost();
    core.counters[name]++;
    expect(() => new DatagramChecks(core).check()).toThrow(new Violation(name));
  });

  test('more fragments than there is room for', () => {
    const { core } = new DatagramHost();
    const fragmentMemory = 2 ** 24;
    const full = Object.assign(Object.create(core) as StackCore, { ip: { fragmentMemory } });
    expect(() => new DatagramChecks(full).check()).toThrow('more fragments than there is room for');
  });
});
