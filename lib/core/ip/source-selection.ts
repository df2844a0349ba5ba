import { commonBits, contains, isIpv4, parsePrefix, sameAddress } from './address';
import type { IpAddress, Prefix } from './address';
import type { OwnAddress } from './addresses';

/** Scopes of addresses, by the numbers that multicast addresses have in them (RFC 4291 §2.7). */
export const enum Scope {
  LinkLocal = 2,
  SiteLocal = 5,
  Global = 14,
}

/** The label of each prefix of the default policy table (RFC 6724 §2.1), the longest first. */
const LABELS: readonly (readonly [prefix: Prefix, label: number])[] = (
  [
    ['::1/128', 0],
    ['::ffff:0:0/96', 4],
    ['::/96', 3],
    ['2001::/32', 5],
    ['2002::/16', 2],
    ['3ffe::/16', 12],
    ['fec0::/10', 11],
    ['fc00::/7', 13],
    ['::/0', 1],
  ] as const
).map(([text, label]) => [parsePrefix(text) as Prefix, label]);

/** RFC 6724 §2.1. */
export function labelOf(address: IpAddress): number {
  for (const [prefix, label] of LABELS) if (contains(prefix, address)) return label;
  return -1;
}

/** RFC 6724 §3.1 and §3.2: of IPv4 169.254.0.0/16 and 127.0.0.0/8 are link-local. */
export function scopeOf(a: IpAddress): number {
  if (isIpv4(a)) {
    return a.w3 >>> 24 === 127 || a.w3 >>> 16 === 0xa9fe ? Scope.LinkLocal : Scope.Global;
  }
  if (a.w0 >>> 24 === 0xff) return (a.w0 >>> 16) & 0xf;
  if (a.w0 >>> 22 === 0xfe80 >>> 6) return Scope.LinkLocal;
  if (a.w0 >>> 22 === 0xfec0 >>> 6) return Scope.SiteLocal;
  const loopback = a.w3 === 1 && a.w2 === 0 && a.w1 === 0 && a.w0 === 0;
  return loopback ? Scope.LinkLocal : Scope.Global;
}

/**
 * Whether `a` suits `remote` better than `b` does as the source (RFC 6724 §5). Rules 4, 5 and 7
 * have nothing to decide: there are no home addresses, one interface, and no temporary addresses.
 */
export function isBetterSource(a: OwnAddress, b: OwnAddress, remote: IpAddress): boolean {
  // Rule 1: the same address.
  if (sameAddress(a.address, remote)) return !sameAddress(b.address, remote);
  if (sameAddress(b.address, remote)) return false;
  // Rule 2: the smallest scope that is wide enough.
  const scopeA = scopeOf(a.address);
  const scopeB = scopeOf(b.address);
  if (scopeA < scopeB) return scopeA >= scopeOf(remote);
  if (scopeB < scopeA) return scopeB < scopeOf(remote);
  // Rule 3: not a deprecated one.
  if (a.deprecated !== b.deprecated) return b.deprecated;
  // Rule 6: the label of the remote address.
  const label = labelOf(remote);
  const matchesA = labelOf(a.address) === label;
  const matchesB = labelOf(b.address) === label;
  if (matchesA !== matchesB) return matchesA;
  // Rule 8: most in common, within its prefix.
  return matching(a, remote) > matching(b, remote);
}

/** CommonPrefixLen of RFC 6724 §2.2. */
function matching({ address, length }: OwnAddress, remote: IpAddress): number {
  return Math.min(commonBits(address, remote), length);
}

/** The best source for `remote` among the addresses of its family; null where there is none. */
export function selectSource(own: readonly OwnAddress[], remote: IpAddress): OwnAddress | null {
  let best: OwnAddress | null = null;
  for (const candidate of own) {
    if (isIpv4(candidate.address) !== isIpv4(remote)) continue;
    if (best === null || isBetterSource(candidate, best, remote)) best = candidate;
  }
  return best;
}
