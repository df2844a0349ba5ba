import fc from 'fast-check';
import {
  contains,
  ipv4,
  ipv6,
  isIpv4,
  parseAddress,
  parsePrefix,
} from '../../../lib/core/ip/address';
import type { IpAddress, Prefix } from '../../../lib/core/ip/address';
import { Route, RouteTable, type RouteOptions } from '../../../lib/core/ip/routes';

const ip = (text: string): IpAddress => parseAddress(text) as IpAddress;
const prefix = (text: string): Prefix => parsePrefix(text) as Prefix;

function table(...routes: RouteOptions[]): RouteTable {
  const made = new RouteTable();
  for (const options of routes) made.add(new Route(options));
  return made;
}

/** What is found, by its MTU, which tells the routes of a test apart. */
function found(routes: RouteTable, remote: string): number | null {
  return routes.find(ip(remote))?.mtu ?? null;
}

describe('a routing table', () => {
  const routes = table(
    { to: prefix('0.0.0.0/0'), mtu: 1 },
    { to: prefix('10.0.0.0/8'), mtu: 2 },
    { to: prefix('10.1.2.3/16'), mtu: 3 },
    { to: prefix('fd00::/8'), mtu: 4 },
  );

  it.each([
    ['8.8.8.8', 1],
    ['10.2.0.1', 2],
    ['10.1.0.1', 3],
    ['fd00::1', 4],
    ['2001:db8::1', null],
  ])('the longest prefix counts: to %s number %s', (remote, expected) => {
    expect(found(routes, remote)).toBe(expected);
  });

  it('the families are apart', () => {
    expect(found(table({ to: prefix('::/0'), mtu: 1 }), '10.0.0.1')).toBeNull();
    expect(found(table({ to: prefix('0.0.0.0/0'), mtu: 1 }), '::1')).toBeNull();
  });

  it('of equal prefixes the smaller metric counts', () => {
    const to = prefix('10.0.0.0/8');
    const two = table({ to, mtu: 1, metric: 20 }, { to, mtu: 2, metric: 10 });
    expect(found(two, '10.0.0.1')).toBe(2);
    expect(two.add(new Route({ to: prefix('10.9.9.9/8'), metric: 10 }))).toBe(false);
    expect(two.remove((route) => route.metric === 10)).toBe(1);
    expect(found(two, '10.0.0.1')).toBe(1);
  });

  it('answers with one object as long as nothing has changed', () => {
    const route = new Route({ to: prefix('0.0.0.0/0'), mtu: 1400, via: ip('10.0.0.1') });
    const first = route.path(ip('10.0.0.2'), 1500);
    expect(first).toEqual({ source: ip('10.0.0.2'), mtu: 1400, via: ip('10.0.0.1') });
    expect(route.path(ip('10.0.0.2'), 1500)).toBe(first);
    expect(route.path(ip('10.0.0.3'), 1500)).not.toBe(first);
    expect(route.path(ip('10.0.0.2'), 1300).mtu).toBe(1300);
  });
});

describe('against a model', () => {
  // Few bits, so that prefixes meet.
  const word = fc.constantFrom(0, 0x40000000, -0x80000000, -1, 0x0a000000, 0x0a010000, 0x0a010203);
  const address = fc.oneof(
    word.map(ipv4),
    fc.tuple(word, word).map(([a, b]) => ipv6(a, b, 1, 1)),
  );
  const route = fc
    .record({
      address,
      bits: fc.integer({ min: 0, max: 128 }),
      metric: fc.integer({ max: 2, min: 0 }),
    })
    .map(({ address: at, bits, metric }): RouteOptions => {
      const length = isIpv4(at) ? 96 + (bits % 33) : bits;
      return { to: { address: at, length }, metric };
    });

  function better(a: Route, b: Route): boolean {
    return a.to.length > b.to.length || (a.to.length === b.to.length && a.metric < b.metric);
  }

  it('finds what the best of all that match is', () => {
    fc.assert(
      fc.property(fc.array(route, { maxLength: 12 }), fc.array(address), (options, remotes) => {
        const routes = new RouteTable();
        const model: Route[] = [];
        for (const one of options) {
          const made = new Route(one);
          if (routes.add(made)) model.push(made);
        }
        for (const remote of remotes) {
          const matching = model.filter(
            (r) => isIpv4(r.to.address) === isIpv4(remote) && contains(r.to, remote),
          );
          let best: Route | null = null;
          for (const r of matching) if (best === null || better(r, best)) best = r;
          const { w0, w1, w2, w3 } = remote;
          expect(routes.find(remote)).toBe(best);
          expect(routes.findAt(Int32Array.of(7, w0, w1, w2, w3), 1)).toBe(best);
        }
      }),
    );
  });
});
