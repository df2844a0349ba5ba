import { Errno } from '../../lib/core/errno';
import type { IpAddress } from '../../lib/core/ip/address';
import { formatAddress, parseAddress } from '../../lib/core/ip/address';
import { AddressPaths } from '../../lib/core/ip/paths';
import { parseAddresses, parseRoutes, type StackRoute } from '../../lib/driver/paths';

function ip(text: string): IpAddress {
  const parsed = parseAddress(text);
  if (parsed === null) throw new Error(`no address: ${text}`);
  return parsed;
}

const OWN = ['10.78.0.2/24', '192.168.7.1/24', 'fd78::2/64', 'fe80::1/64', '2001:db8:1::5/48'];
const paths = new AddressPaths(parseAddresses(OWN), 1500, 65_536);

/** The way as text, or the errno. */
function way(remote: string, local: string | null = null): string | number {
  const path = paths.route(ip(remote), local === null ? null : ip(local));
  return typeof path === 'number' ? path : `${formatAddress(path.source)} ${path.mtu}`;
}

describe('the way to an address', () => {
  it.each([
    ['10.78.0.9', '10.78.0.2 1500'],
    ['192.168.7.200', '192.168.7.1 1500'],
    ['192.168.9.1', '192.168.7.1 1500'],
    ['8.8.8.8', '10.78.0.2 1500'],
    ['fd78::99', 'fd78::2 1500'],
    ['fe80::99', 'fe80::1 1500'],
    ['2001:db8:1:2::3', '2001:db8:1::5 1500'],
    ['2600::1', '2001:db8:1::5 1500'],
  ])('starts at the address that has most in common: to %s from %s', (remote, expected) => {
    expect(way(remote)).toBe(expected);
  });

  it.each([
    ['10.78.0.2', '10.78.0.2 65535'],
    ['fd78::2', 'fd78::2 65536'],
    ['127.0.0.1', '127.0.0.1 65535'],
    ['127.3.4.5', '127.0.0.1 65535'],
    ['::1', '::1 65536'],
  ])('to %s stays inside: from %s', (remote, expected) => {
    expect(way(remote)).toBe(expected);
  });

  it('starts where it is told to', () => {
    expect(way('10.78.0.9', '192.168.7.1')).toBe('192.168.7.1 1500');
    expect(way('10.78.0.9', '0.0.0.0')).toBe('10.78.0.2 1500');
    expect(way('127.0.0.1', '127.0.0.9')).toBe('127.0.0.9 65535');
    expect(way('10.78.0.2', '127.0.0.1')).toBe('127.0.0.1 65535');
  });

  it.each([
    ['224.0.0.1', null, Errno.ENETUNREACH],
    ['ff02::1', null, Errno.ENETUNREACH],
    ['0.0.0.0', null, Errno.ENETUNREACH],
    ['10.78.0.255', null, Errno.ENETUNREACH],
    ['192.168.7.255', '10.78.0.2', Errno.ENETUNREACH],
    ['10.78.0.9', '10.78.0.3', Errno.EADDRNOTAVAIL],
    ['10.78.0.9', 'fd78::2', Errno.ENETUNREACH],
    ['10.78.0.9', '127.0.0.1', Errno.EINVAL],
  ])('there is none to %s from %s', (remote, local, errno) => {
    expect(way(remote, local)).toBe(errno);
  });

  it('there is none in a family without an address', () => {
    const four = new AddressPaths(parseAddresses(['10.0.0.1/8']), 1500, 65_536);
    expect(four.route(ip('2001:db8::1'), null)).toBe(Errno.ENETUNREACH);
    const none = new AddressPaths([], 1500, 65_536);
    expect(none.route(ip('10.0.0.1'), null)).toBe(Errno.ENETUNREACH);
  });
});

describe('what is local', () => {
  it.each([
    ['10.78.0.2', true],
    ['10.78.0.3', false],
    ['127.0.0.1', true],
    ['127.255.255.254', true],
    ['128.0.0.1', false],
    ['::1', true],
    ['::', false],
    ['::2', false],
    ['::7f00:1', false],
    ['fd78::2', true],
    ['fd78::3', false],
    ['0.0.0.0', false],
  ])('%s: %s', (text, local) => {
    const { w0, w1, w2, w3 } = ip(text);
    expect(paths.isLocal(ip(text))).toBe(local);
    expect(paths.isLocalAt(Int32Array.of(9, w0, w1, w2, w3), 1)).toBe(local);
  });
});

describe('addresses as a program gives them', () => {
  it.each([
    '10.0.0.256/8',
    '10.0.0.1/33',
    'fd00::1/129',
    'x',
    '',
    '0.0.0.0/0',
    '::/0',
    '224.0.0.1/4',
    'ff02::1/64',
  ])('refuses %s', (text) => {
    expect(() => parseAddresses(['10.0.0.1/8', text])).toThrow(
      expect.objectContaining({
        name: 'TypeError',
        code: 'ERR_INVALID_ARG_VALUE',
        message: expect.stringContaining("'options.addresses[1]'"),
      }),
    );
  });

  it('refuses what is no text', () => {
    expect(() => parseAddresses([5 as never])).toThrow(TypeError);
  });
});

describe('routes as a program gives them', () => {
  const own = parseAddresses(['10.0.0.2/24', 'fd78::2/64', '10.9.9.9/32']);

  it('reads what is right', () => {
    const routes = parseRoutes(
      [
        { to: '0.0.0.0/0', via: '10.0.0.1', mtu: 1400, source: '10.0.0.2' },
        { to: '192.0.2.0/24', via: '10.9.9.1', metric: 5 },
        { to: '10.9.9.1/32' },
        { to: '::/0', via: 'fd78::1' },
      ],
      own,
    );
    expect(routes).toMatchObject([
      { via: ip('10.0.0.1'), mtu: 1400, source: ip('10.0.0.2'), metric: 0 },
      { via: ip('10.9.9.1'), mtu: 0, source: null, metric: 5 },
      { to: { address: ip('10.9.9.1'), length: 128 }, via: null },
      { to: { address: ip('::'), length: 0 } },
    ]);
  });

  it.each([
    [{ to: '10.0.0.0/33' }, 'to', 'ERR_INVALID_ARG_VALUE'],
    [{ to: 5 }, 'to', 'ERR_INVALID_ARG_VALUE'],
    [{}, 'to', 'ERR_INVALID_ARG_VALUE'],
    [{ to: '::ffff:10.0.0.0/8' }, 'to', 'ERR_INVALID_ARG_VALUE'],
    [{ to: '127.0.0.0/8' }, 'to', 'ERR_INVALID_ARG_VALUE'],
    [{ to: '0.0.0.0/0', via: 'x' }, 'via', 'ERR_INVALID_ARG_VALUE'],
    [{ to: '0.0.0.0/0', via: 'fd78::1' }, 'via', 'ERR_INVALID_ARG_VALUE'],
    [{ to: '0.0.0.0/0', via: '10.0.0.2' }, 'via', 'ERR_INVALID_ARG_VALUE'],
    [{ to: '0.0.0.0/0', via: '224.0.0.1' }, 'via', 'ERR_INVALID_ARG_VALUE'],
    [{ to: '0.0.0.0/0', via: '10.0.1.1' }, 'via', 'ERR_INVALID_ARG_VALUE'],
    [{ to: '::/0', source: 'fd78::3' }, 'source', 'ERR_INVALID_ARG_VALUE'],
    [{ to: '::/0', mtu: 1279 }, 'mtu', 'ERR_OUT_OF_RANGE'],
    [{ to: '0.0.0.0/0', mtu: 67 }, 'mtu', 'ERR_OUT_OF_RANGE'],
    [{ to: '0.0.0.0/0', mtu: 65_536 }, 'mtu', 'ERR_OUT_OF_RANGE'],
    [{ to: '0.0.0.0/0', mtu: 1400.5 }, 'mtu', 'ERR_OUT_OF_RANGE'],
    [{ to: '0.0.0.0/0', mtu: '1400' }, 'mtu', 'ERR_INVALID_ARG_TYPE'],
    [{ to: '0.0.0.0/0', metric: -1 }, 'metric', 'ERR_OUT_OF_RANGE'],
  ])('refuses %j', (route, property, code) => {
    const routes = [{ to: '192.0.2.0/24' }, route as StackRoute];
    expect(() => parseRoutes(routes, own)).toThrow(
      expect.objectContaining({
        code,
        message: expect.stringContaining(`options.routes[1].${property}`),
      }),
    );
  });

  it('refuses what is no route, has unknown names, or is there twice', () => {
    const refusal = (routes: unknown[]) => () => parseRoutes(routes as StackRoute[], own);
    expect(refusal(['x'])).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
    expect(refusal([{ to: '::/0', gw: 'x' }])).toThrow(/has no "gw": there are to, via/);
    expect(refusal([{ to: '10.1.0.0/16' }, { to: '10.1.2.3/16' }])).toThrow(
      /'options.routes\[1\]'/,
    );
  });
});
