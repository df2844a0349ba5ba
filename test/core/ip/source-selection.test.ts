import { formatAddress, parseAddress, parsePrefix } from '../../../lib/core/ip/address';
import type { IpAddress, Prefix } from '../../../lib/core/ip/address';
import { labelOf, scopeOf, selectSource } from '../../../lib/core/ip/source-selection';

const ip = (text: string): IpAddress => parseAddress(text) as IpAddress;

/** The address chosen for `remote`; one that ends with '!' is deprecated. */
function chosen(remote: string, ...candidates: string[]): string | null {
  const own = candidates.map((text) => ({
    ...(parsePrefix(text.replace('!', '')) as Prefix),
    deprecated: text.endsWith('!'),
  }));
  const source = selectSource(own, ip(remote));
  return source === null ? null : formatAddress(source.address);
}

describe('RFC 6724 §10.1', () => {
  it.each([
    ['an appropriate scope', '2001:db8:1::1', '2001:db8:3::1/64', 'fe80::1/64'],
    ['an appropriate scope of a group', 'ff05::1', '2001:db8:3::1/64', 'fe80::1/64'],
    ['the same address', '2001:db8:1::1', '2001:db8:1::1/64!', '2001:db8:2::1/64'],
    ['scope, though deprecated', 'fe80::1', 'fe80::2/64!', '2001:db8:1::1/64'],
    ['the longest matching prefix', '2001:db8:1::1', '2001:db8:1::2/64', '2001:db8:3::2/64'],
    [
      'the matching label',
      '2002:c633:6401::1',
      '2002:c633:6401:0:d5e3:7953:13eb:22e8/64',
      '2001:db8:1::2/64',
    ],
  ])('prefers %s: to %s from %s', (_why, remote, best, other) => {
    const expected = best.replace(/\/.*/, '');
    expect(chosen(remote, best, other)).toBe(expected);
    expect(chosen(remote, other, best)).toBe(expected);
  });
});

describe('RFC 6724 §5, where the examples are silent', () => {
  it.each([
    ['2001:db8::9', '2001:db8::2', ['2001:db8::1/64!', '2001:db8::2/64']],
    ['fd78::9', 'fd78::1', ['2001:db8::1/64', 'fd78::1/64']],
    ['2600::1', '2001:db8::1', ['fd78::1/64', '2001:db8::1/64']],
    // Bits behind the prefix say nothing: the first stays.
    ['2001:db8::f1', '2001:db8::1', ['2001:db8::1/64', '2001:db8::f0/64']],
    ['ff02::1', 'fe80::1', ['2001:db8::1/64', 'fe80::1/64']],
    ['ff0e::1', '2001:db8::1', ['fe80::1/64', '2001:db8::1/64']],
    ['2001:db8::1', 'fe80::1', ['10.0.0.1/8', 'fe80::1/64']],
  ])('to %s from %s', (remote, expected, candidates) => {
    expect(chosen(remote, ...candidates)).toBe(expected);
  });

  it('there is none in another family', () => {
    expect(chosen('2001:db8::1', '10.0.0.1/8')).toBeNull();
  });
});

describe('the policy table and scopes', () => {
  it.each([
    ['::1', 0, 2],
    ['2001:db8::1', 1, 14],
    ['10.0.0.1', 4, 14],
    ['169.254.0.1', 4, 2],
    ['127.0.0.1', 4, 2],
    ['2002::1', 2, 14],
    ['2001::1', 5, 14],
    ['fd00::1', 13, 14],
    ['::1.2.3.4', 3, 14],
    ['fec0::1', 11, 5],
    ['febf::1', 1, 2],
    ['3ffe::1', 12, 14],
    ['ff01::1', 1, 1],
    ['ff08::1', 1, 8],
  ])('%s has label %i and scope %i', (text, label, scope) => {
    expect(labelOf(ip(text))).toBe(label);
    expect(scopeOf(ip(text))).toBe(scope);
  });
});
