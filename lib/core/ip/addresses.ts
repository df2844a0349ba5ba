import type { Paths } from '../environment';
import {
  contains,
  ipv4,
  isIpv4,
  isLoopback,
  isLoopbackAt,
  isUnicast,
  isWildcard,
  readAddress,
  sameAddress,
  type IpAddress,
  type Prefix,
} from './address';

/** What stands before an IPv4 address that is mapped into IPv6's space, bits. */
export const MAPPED_BITS = 96;

/** Every host on the link: 255.255.255.255 (RFC 919). */
const LIMITED_BROADCAST = ipv4(-1);

/** One of a stack's addresses, with the length of its prefix in the mapped space. */
export interface OwnAddress extends Prefix {
  /** Not to be chosen for anything new where there is another (RFC 4862 §5.5.4). */
  readonly deprecated: boolean;
}

/**
 * The addresses of a stack, in the order in which they were given; of several in one IPv4 network
 * the first is the primary one. 127.0.0.0/8 and ::1 are local in any case, and never among them.
 */
export class OwnAddresses {
  private own: readonly OwnAddress[] = [];
  /** Last addresses of IPv4 networks that have room for one (RFC 3021: a /31 has not). */
  private broadcasts: readonly IpAddress[] = [];

  constructor(prefixes: readonly Prefix[] = []) {
    for (const prefix of prefixes) this.add(prefix);
  }

  get all(): readonly OwnAddress[] {
    return this.own;
  }

  /** Adds an address, or changes what is known of it; loopback addresses are left out. */
  add({ address, length }: Prefix, deprecated = false): void {
    if (isLoopback(address)) return;
    const entry = { address, length, deprecated };
    const at = this.own.findIndex((other) => sameAddress(other.address, address));
    this.set(
      at < 0 ? [...this.own, entry] : this.own.map((other, i) => (i === at ? entry : other)),
    );
  }

  /** Whether it was there. */
  remove(address: IpAddress): boolean {
    const left = this.own.filter((other) => !sameAddress(other.address, address));
    if (left.length === this.own.length) return false;
    this.set(left);
    return true;
  }

  private set(own: readonly OwnAddress[]): void {
    this.own = own;
    this.broadcasts = own
      .filter(({ address, length }) => isIpv4(address) && length < MAPPED_BITS + 31)
      .map(({ address, length }) => ipv4(address.w3 | (-1 >>> (length - MAPPED_BITS))));
  }

  /** Whether a packet to `address` is for this stack alone. */
  isLocal(address: IpAddress): boolean {
    if (isLoopback(address)) return true;
    for (const own of this.own) if (sameAddress(own.address, address)) return true;
    return false;
  }

  /** `isLocal` of the address in four words from `at`; makes nothing. */
  isLocalAt(words: Int32Array, at: number): boolean {
    if (isLoopbackAt(words, at)) return true;
    const w0 = words[at];
    const w1 = words[at + 1];
    const w2 = words[at + 2];
    const w3 = words[at + 3];
    for (const { address } of this.own) {
      if (address.w3 === w3 && address.w2 === w2 && address.w1 === w1 && address.w0 === w0) {
        return true;
      }
    }
    return false;
  }

  /** Whether it is the last address of a network of ours; 255.255.255.255 isn't meant. */
  isBroadcast(address: IpAddress): boolean {
    for (const broadcast of this.broadcasts) if (sameAddress(broadcast, address)) return true;
    return false;
  }

  /** The first address whose network has `address` in it; the longest prefix counts. */
  containing(address: IpAddress): OwnAddress | null {
    let best: OwnAddress | null = null;
    for (const own of this.own) {
      if (isIpv4(own.address) !== isIpv4(address) || !contains(own, address)) continue;
      if (best === null || own.length > best.length) best = own;
    }
    return best;
  }
}

/** What the destination of a packet that has arrived is to this stack. */
export const enum Destination {
  /** Another host. */
  Foreign = 0,
  /** An address of ours, or any one where all are. */
  Own = 1,
  /** All hosts of a network of ours. */
  Broadcast = 2,
  /** A group, of which we may be or not. */
  Multicast = 3,
}

/** What the address in four words from `at` is to this stack. */
export function destinationAt(paths: Paths, words: Int32Array, at: number): Destination {
  const is4 = words[at + 2] === 0xffff && words[at + 1] === 0 && words[at] === 0;
  if (is4 ? words[at + 3] >>> 28 === 14 : words[at] >>> 24 === 0xff) return Destination.Multicast;
  if (paths.isLocalAt?.(words, at) === true) return Destination.Own;
  const address = readAddress(words, at);
  if (isWildcard(address)) return Destination.Foreign;
  if (is4 && isBroadcast(paths, address)) return Destination.Broadcast;
  const own = paths.isLocalAt === undefined && paths.isLocal(address);
  return own || paths.anyAddress === true ? Destination.Own : Destination.Foreign;
}

/** Whether packets to it are for this stack alone, and may leave from there. */
export function isOurs(paths: Paths, address: IpAddress): boolean {
  if (paths.isLocal(address)) return true;
  return paths.anyAddress === true && isUnicast(address) && !isBroadcast(paths, address);
}

/** Whether all hosts of a network, or of the link, are meant by it. */
export function isBroadcast(paths: Paths, address: IpAddress): boolean {
  return sameAddress(address, LIMITED_BROADCAST) || (paths.isBroadcast?.(address) ?? false);
}
