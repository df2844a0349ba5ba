import type { Path, Paths } from '../core/environment';
import { Errno } from '../core/errno';
import type { IpAddress, Prefix } from '../core/ip/address';
import {
  LOOPBACK4,
  LOOPBACK6,
  ipv4,
  isIpv4,
  isLoopback,
  isMulticast,
  isWildcard,
  parsePrefix,
  sameAddress,
} from '../core/ip/address';
import { invalidArgValue } from '../errors';

/** What stands before an IPv4 address that is mapped into IPv6's space, bits. */
const MAPPED_BITS = 96;

/** The length field of an IPv4 header holds no more, bytes. */
const MAX_IPV4_PACKET = 65_535;

/**
 * Reads a stack's addresses.
 * @param texts in CIDR notation
 * @throws TypeError ERR_INVALID_ARG_VALUE for what is not an address that a host can have
 */
export function parseAddresses(texts: readonly string[]): Prefix[] {
  return texts.map((text, index) => {
    const prefix = typeof text === 'string' ? parsePrefix(text) : null;
    const name = `options.addresses[${index}]`;
    if (prefix === null) {
      throw invalidArgValue(name, text, "must be an address with prefix, as '10.0.0.2/24'");
    }
    const { address, length } = prefix;
    const shortest = isIpv4(address) ? MAPPED_BITS : 0;
    if (isWildcard(address) || isMulticast(address) || length < shortest) {
      throw invalidArgValue(name, text, 'must be an address that a host can have');
    }
    return prefix;
  });
}

/** Whether the address in four words from `at` is in 127.0.0.0/8 or ::1; makes nothing. */
export function isLoopbackAt(words: Int32Array, at: number): boolean {
  if (words[at] !== 0 || words[at + 1] !== 0) return false;
  const w3 = words[at + 3];
  return words[at + 2] === 0 ? w3 === 1 : words[at + 2] === 0xffff && w3 >>> 24 === 127;
}

/** How many leading bits two addresses share. */
function commonBits(a: IpAddress, b: IpAddress): number {
  if (a.w0 !== b.w0) return Math.clz32(a.w0 ^ b.w0);
  if (a.w1 !== b.w1) return 32 + Math.clz32(a.w1 ^ b.w1);
  if (a.w2 !== b.w2) return 64 + Math.clz32(a.w2 ^ b.w2);
  return 96 + Math.clz32(a.w3 ^ b.w3);
}

/**
 * The way to others over one link that is taken as point to point: everything of a family in which
 * the stack has an address can be reached. What goes to an own address stays inside, and so does
 * 127.0.0.0/8 and ::1.
 */
export class AddressPaths implements Paths {
  readonly #own: readonly IpAddress[];
  /** Last addresses of IPv4 networks that have room for one (RFC 3021: a /31 has not). */
  readonly #broadcasts: readonly IpAddress[];

  /**
   * @param prefixes the stack's addresses; loopback ones need not be among them
   * @param mtu of the link, bytes; may be set anew
   * @param loopbackMtu of the loopback inside, bytes
   */
  constructor(
    prefixes: readonly Prefix[],
    public mtu: number,
    private readonly loopbackMtu: number,
  ) {
    this.#own = prefixes.map((prefix) => prefix.address).filter((address) => !isLoopback(address));
    this.#broadcasts = prefixes
      .filter(({ address, length }) => isIpv4(address) && length < MAPPED_BITS + 31)
      .map(({ address, length }) => ipv4(address.w3 | (-1 >>> (length - MAPPED_BITS))));
  }

  /** `isLocal` of the address in four words from `at`; makes nothing. */
  isLocalAt(words: Int32Array, at: number): boolean {
    if (isLoopbackAt(words, at)) return true;
    const w0 = words[at];
    const w1 = words[at + 1];
    const w2 = words[at + 2];
    const w3 = words[at + 3];
    for (const own of this.#own) {
      if (own.w3 === w3 && own.w2 === w2 && own.w1 === w1 && own.w0 === w0) return true;
    }
    return false;
  }

  isLocal(address: IpAddress): boolean {
    return isLoopback(address) || this.#own.some((own) => sameAddress(own, address));
  }

  isBroadcast(address: IpAddress): boolean {
    return this.#broadcasts.some((broadcast) => sameAddress(broadcast, address));
  }

  route(remote: IpAddress, local: IpAddress | null): Path | number {
    if (isMulticast(remote) || isWildcard(remote) || this.isBroadcast(remote))
      return Errno.ENETUNREACH;
    const inside = this.isLocal(remote);
    if (local === null || isWildcard(local)) {
      const source = inside ? localSource(remote) : this.#nearest(remote);
      if (source === null) return Errno.ENETUNREACH;
      return { source, mtu: this.#mtu(source, inside) };
    }
    if (!this.isLocal(local)) return Errno.EADDRNOTAVAIL;
    if (isIpv4(local) !== isIpv4(remote)) return Errno.ENETUNREACH;
    if (isLoopback(local) && !inside) return Errno.EINVAL;
    return { source: local, mtu: this.#mtu(local, inside) };
  }

  #mtu(source: IpAddress, inside: boolean): number {
    const mtu = inside ? this.loopbackMtu : this.mtu;
    return isIpv4(source) ? Math.min(mtu, MAX_IPV4_PACKET) : mtu;
  }

  /** The address of ours in the family of `remote` that shares most leading bits (RFC 6724 §5). */
  #nearest(remote: IpAddress): IpAddress | null {
    let best: IpAddress | null = null;
    let most = -1;
    for (const address of this.#own) {
      if (isIpv4(address) !== isIpv4(remote)) continue;
      const bits = commonBits(address, remote);
      if (bits > most) {
        best = address;
        most = bits;
      }
    }
    return best;
  }
}

/** Towards an own address the source is that address; within 127.0.0.0/8 it is 127.0.0.1. */
function localSource(remote: IpAddress): IpAddress {
  if (!isLoopback(remote)) return remote;
  return isIpv4(remote) ? LOOPBACK4 : LOOPBACK6;
}
