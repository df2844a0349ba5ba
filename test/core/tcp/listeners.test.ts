import { parseAddress, type IpAddress } from '../../../lib/core/ip/address';
import { SocketOption } from '../../../lib/core/socket/options';
import type { StreamSocket } from '../../../lib/core/socket/stream-socket';
import { Lab, type LabHost } from '../../support/lab';

const address = (text: string) => parseAddress(text) as IpAddress;

/** A listener on port 80; by the text of its address of domain 4 or 6. */
function listen(host: LabHost, at: string, v6only = false, port = 80): StreamSocket {
  const socket = host.core.socket(at.includes(':') ? 6 : 4);
  socket.setOption(SocketOption.ReuseAddress, 1);
  socket.setOption(SocketOption.Ipv6Only, v6only ? 1 : 0);
  expect([socket.bind(address(at), port), socket.listen(8)]).toEqual([0, 0]);
  return socket;
}

/** Which of the listeners has got a connection. */
function whoGets(lab: Lab, listeners: readonly StreamSocket[], port = 80): number {
  const client = lab.connect(lab.a, lab.b, port);
  lab.run(() => listeners.some(({ waiting }) => waiting > 0), 500_000);
  const index = listeners.findIndex(({ waiting }) => waiting > 0);
  for (const listener of listeners) {
    const accepted = listener.accept();
    if (typeof accepted !== 'number') accepted.close();
  }
  client.close();
  lab.run(() => false, 500_000);
  return index;
}

describe('which listener a SYN is for', () => {
  // Two listeners on one port; -1: neither.
  test.each<[family: 4 | 6, first: string, second: string, expected: number]>([
    [4, '10.0.0.9', '10.0.0.2', 1],
    [4, '10.0.0.2', '10.0.0.9', 0],
    [4, 'fd00::2', '0.0.0.0', 1],
    [6, 'fd00::9', 'fd00::2', 1],
    [6, 'fd00::9', '0.0.0.0', -1],
    [4, '10.0.0.9', '10.0.0.8', -1],
    [6, '0.0.0.0', 'fd00::2', 1],
    [6, '0.0.0.0', 'fd00::9', -1],
    [4, 'fd00::2', '10.0.0.2', 1],
    [4, 'fd00::9', '10.0.0.9', -1],
  ])('IPv%d: %s, or %s', (family, first, second, expected) => {
    const lab = new Lab({ family });
    const isLocal = () => true;
    lab.b.core.tcp.environment.paths.isLocal = isLocal;
    const listeners = [listen(lab.b, first), listen(lab.b, second)];
    expect(whoGets(lab, listeners)).toBe(expected);
  });

  test('a listener of IPv6 takes IPv4, unless it is IPV6_V6ONLY or there is one of IPv4', () => {
    const lab = new Lab();
    const dual = listen(lab.b, '::');
    expect(whoGets(lab, [dual])).toBe(0);
    dual.close();
    const only = listen(lab.b, '::', true);
    expect(whoGets(lab, [only])).toBe(-1);
    const own = listen(lab.b, '0.0.0.0');
    expect(whoGets(lab, [only, own])).toBe(1);
    only.close();
    own.close();
  });

  test('an address of IPv6 that ends like a mapped one is none of IPv4', () => {
    for (const local of ['fd00::ffff:10.0.0.2', '0:0:0:1::ffff:a00:2']) {
      const lab = new Lab({ family: 6 });
      Object.assign(lab.b, { address: address(local) });
      lab.b.core.tcp.environment.paths.isLocal = () => true;
      const listeners = [listen(lab.b, '0.0.0.0'), listen(lab.b, '::', true)];
      expect(whoGets(lab, listeners)).toBe(1);
    }
  });

  test('of two addresses on one port one closes', () => {
    const lab = new Lab();
    lab.b.core.tcp.environment.paths.isLocal = () => true;
    const [other, own] = [listen(lab.b, '10.0.0.9'), listen(lab.b, '10.0.0.2')];
    other.close();
    expect(whoGets(lab, [own])).toBe(0);
    const third = listen(lab.b, '10.0.0.8');
    own.close();
    expect(whoGets(lab, [third])).toBe(-1);
  });

  test('each port has its own; one that has closed gets nothing, the others all theirs', () => {
    const lab = new Lab();
    const all = [80, 81, 82].map((port) => listen(lab.b, '0.0.0.0', false, port));
    all[1].close();
    expect([80, 81, 82].map((port) => whoGets(lab, [all[0], all[2]], port))).toEqual([0, -1, 1]);
    const more = [83, 81, 84].map((port) => listen(lab.b, '0.0.0.0', false, port));
    const now = [all[0], all[2], ...more];
    expect([80, 82, 83, 81, 84].map((port) => whoGets(lab, now, port))).toEqual([0, 1, 2, 3, 4]);
    // Handshakes that are under way belong to who was asked.
    lab.connect(lab.a, lab.b, 84);
    lab.run(() => lab.b.core.tcp.synReceived.count > 0);
    all[0].close();
    lab.run(() => false, 500_000);
    expect(now.map(({ waiting }) => waiting)).toEqual([0, 0, 0, 0, 1]);
  });
});

test('a port on which nobody listens any more is forgotten', () => {
  const lab = new Lab();
  const first = listen(lab.b, '10.0.0.2');
  const second = listen(lab.b, '::', true);
  const { byPort } = lab.b.core.tcp.listeners as unknown as { byPort: Map<number, unknown[]> };
  expect(byPort.get(80)).toEqual([first, second]);
  first.close();
  expect(byPort.get(80)).toEqual([second]);
  second.close();
  expect(byPort.size).toBe(0);
  expect(lab.b.core.tcp.listeners.all()).toEqual([]);
});
