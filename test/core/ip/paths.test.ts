import { Errno } from '../../../lib/core/errno';
import { formatAddress, parseAddress, parsePrefix } from '../../../lib/core/ip/address';
import type { IpAddress, Prefix } from '../../../lib/core/ip/address';
import { Destination, destinationAt } from '../../../lib/core/ip/addresses';
import { AddressPaths } from '../../../lib/core/ip/paths';

const ip = (text: string): IpAddress => parseAddress(text) as IpAddress;
const prefix = (text: string): Prefix => parsePrefix(text) as Prefix;

const OWN = ['10.0.0.2/24', '10.0.0.3/24', '192.168.1.2/24', 'fd78::2/64', 'fe80::2/64'];

function gateways(): AddressPaths {
  return new AddressPaths(OWN.map(prefix), 1500, 65_536, [
    { to: prefix('0.0.0.0/0'), via: ip('192.168.1.1'), mtu: 1400 },
    { to: prefix('172.16.0.0/12'), via: ip('10.0.0.1'), source: ip('10.0.0.3') },
    { to: prefix('::/0'), via: ip('fe80::1') },
    { to: prefix('198.51.100.0/24'), mtu: 9000 },
  ]);
}

type Call = 'route' | 'routeToMany';

/** `source mtu gateway`, or the errno. */
function way(paths: AddressPaths, call: Call, to: string, from: string | null): string | number {
  const path = paths[call](ip(to), from === null ? null : ip(from));
  if (typeof path === 'number') return path;
  const via = path.via ? ` ${formatAddress(path.via)}` : '';
  return `${formatAddress(path.source)} ${path.mtu}${via}`;
}

describe('with routes', () => {
  const paths = gateways();

  it.each([
    ['10.0.0.9', null, '10.0.0.2 1500'],
    ['192.168.1.9', null, '192.168.1.2 1500'],
    ['8.8.8.8', null, '192.168.1.2 1400 192.168.1.1'],
    ['8.8.8.8', '10.0.0.3', '10.0.0.3 1400 192.168.1.1'],
    ['172.16.0.9', null, '10.0.0.3 1500 10.0.0.1'],
    ['198.51.100.1', null, '192.168.1.2 1500'],
    ['fd78::9', null, 'fd78::2 1500'],
    ['2001:db8::1', null, 'fd78::2 1500 fe80::1'],
    ['10.0.0.3', null, '10.0.0.3 65535'],
    ['127.0.0.9', null, '127.0.0.1 65535'],
    ['::1', null, '::1 65536'],
    ['8.8.8.8', '10.0.0.9', Errno.EADDRNOTAVAIL],
    ['8.8.8.8', 'fd78::2', Errno.ENETUNREACH],
    ['255.255.255.255', null, Errno.ENETUNREACH],
    ['10.0.0.255', null, Errno.ENETUNREACH],
  ])('to %s from %s: %s', (to, from, expected) => {
    expect(way(paths, 'route', to, from)).toBe(expected);
  });

  it('there is none where no route leads', () => {
    const one = new AddressPaths([prefix('10.0.0.2/24')], 1500, 65_536, []);
    expect(way(one, 'route', '10.0.0.9', null)).toBe('10.0.0.2 1500');
    expect(way(one, 'route', '10.0.1.9', null)).toBe(Errno.ENETUNREACH);
    expect(way(one, 'route', '10.0.1.9', '10.0.0.1')).toBe(Errno.EADDRNOTAVAIL);
    expect(way(one, 'route', 'fd78::1', null)).toBe(Errno.ENETUNREACH);
  });

  it('one of the program counts instead of the one to a network of ours', () => {
    const to = prefix('10.0.0.0/24');
    const small = new AddressPaths([prefix('10.0.0.2/24')], 1500, 65_536, [{ to, mtu: 600 }]);
    expect(way(small, 'route', '10.0.0.9', null)).toBe('10.0.0.2 600');
  });

  it('the way is made once', () => {
    expect(paths.route(ip('8.8.8.8'), null)).toBe(paths.route(ip('9.9.9.9'), null));
    expect(paths.route(ip('10.0.0.3'), null)).toBe(paths.route(ip('10.0.0.3'), null));
  });

  it("the link's MTU counts at once", () => {
    const changing = gateways();
    expect(way(changing, 'route', '10.0.0.9', null)).toBe('10.0.0.2 1500');
    changing.mtu = 1300;
    expect(way(changing, 'route', '10.0.0.9', null)).toBe('10.0.0.2 1300');
    expect(way(changing, 'route', '8.8.8.8', null)).toBe('192.168.1.2 1300 192.168.1.1');
  });
});

describe('to many', () => {
  it.each([
    ['224.0.0.251', null, '192.168.1.2 1500'],
    ['224.0.0.251', '10.0.0.3', '10.0.0.3 1500'],
    ['255.255.255.255', null, '192.168.1.2 1500'],
    ['10.0.0.255', null, '10.0.0.2 1500'],
    ['192.168.1.255', null, '192.168.1.2 1500'],
    ['ff02::1', null, 'fe80::2 1500'],
    ['ff0e::1', null, 'fd78::2 1500'],
    ['224.0.0.251', '10.0.0.9', Errno.EADDRNOTAVAIL],
    ['ff02::1', '10.0.0.2', Errno.ENETUNREACH],
    ['224.0.0.1', '127.0.0.1', '127.0.0.1 65535'],
  ])('%s from %s: %s', (to, from, expected) => {
    expect(way(gateways(), 'routeToMany', to, from)).toBe(expected);
  });

  it('there is no way without an address', () => {
    const none = new AddressPaths([], 1500, 65_536);
    expect(way(none, 'routeToMany', '224.0.0.1', null)).toBe(Errno.ENETUNREACH);
    expect(way(none, 'routeToMany', 'ff02::1', null)).toBe(Errno.ENETUNREACH);
  });
});

describe('addresses that come and go', () => {
  it('the next one of the network takes over', () => {
    const paths = gateways();
    expect(paths.removeAddress(ip('10.0.0.2'))).toBe(true);
    expect(paths.removeAddress(ip('10.0.0.2'))).toBe(false);
    expect(way(paths, 'route', '10.0.0.9', null)).toBe('10.0.0.3 1500');
    expect(way(paths, 'route', '10.0.0.9', '10.0.0.2')).toBe(Errno.EADDRNOTAVAIL);
    paths.removeAddress(ip('10.0.0.3'));
    expect(way(paths, 'route', '10.0.0.9', null)).toBe('192.168.1.2 1400 192.168.1.1');
    expect(paths.isBroadcast(ip('10.0.0.255'))).toBe(false);
    // What the route prefers is no address of ours any more.
    expect(way(paths, 'route', '172.16.0.9', null)).toBe(Errno.ENETUNREACH);
  });

  it('a deprecated one gives way, and is still ours', () => {
    const paths = new AddressPaths([], 1500, 65_536);
    paths.addAddress(prefix('fd78::1/64'));
    paths.addAddress(prefix('fd78::2/64'));
    expect(way(paths, 'route', 'fd78::9', null)).toBe('fd78::1 1500');
    paths.addAddress(prefix('fd78::1/64'), true);
    expect(way(paths, 'route', 'fd78::9', null)).toBe('fd78::2 1500');
    expect(paths.isLocal(ip('fd78::1'))).toBe(true);
  });
});

describe('the local table', () => {
  it.each([
    ['10.0.0.2', Destination.Own],
    ['127.1.2.3', Destination.Own],
    ['::1', Destination.Own],
    ['fe80::2', Destination.Own],
    ['10.0.0.4', Destination.Foreign],
    ['0.0.0.0', Destination.Foreign],
    ['::', Destination.Foreign],
    ['10.0.0.255', Destination.Broadcast],
    ['255.255.255.255', Destination.Broadcast],
    ['10.0.1.255', Destination.Foreign],
    ['224.0.0.1', Destination.Multicast],
    ['239.255.255.255', Destination.Multicast],
    ['240.0.0.1', Destination.Foreign],
    ['ff02::1', Destination.Multicast],
  ])('%s: %i', (text, expected) => {
    const { w0, w1, w2, w3 } = ip(text);
    const words = Int32Array.of(w0, w1, w2, w3);
    const paths = gateways();
    expect(destinationAt(paths, words, 0)).toBe(expected);
    // The same of one that knows no words.
    const { isLocal, isBroadcast, route } = paths;
    const slow = {
      isLocal: isLocal.bind(paths),
      isBroadcast: isBroadcast.bind(paths),
      route: route.bind(paths),
    };
    expect(destinationAt(slow, words, 0)).toBe(expected);
  });

  it('a network of two has no broadcast address', () => {
    const two = new AddressPaths([prefix('10.0.0.2/31')], 1500, 65_536);
    expect(two.isBroadcast(ip('10.0.0.3'))).toBe(false);
  });
});
