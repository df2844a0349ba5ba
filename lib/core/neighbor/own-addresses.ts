import { ANY6, isIpv4, networkOf, sameAddress, type IpAddress, type Prefix } from '../ip/address';
import { MAPPED_BITS } from '../ip/addresses';
import { BROADCAST_HARDWARE, isLinkLocal6, linkLocalOf, solicitedNode } from './hardware-address';
import { withInterfaceId } from './hardware-address';
import { chance, type Host } from './host';
import { ArpOperation, sendArp, sendSolicitation } from './messages';
import type { PrefixInformation } from './ndp-options';

/** µs */
const MS = 1000;
const SECOND = 1_000_000;
/** RFC 5227 §2.3: how often an IPv4 address is announced, and in which intervals; µs. */
const ANNOUNCEMENTS = 2;
const ANNOUNCE_INTERVAL = 2_000_000;
/** RFC 5227 §2.4: an address is not defended more often; µs. */
const DEFEND_INTERVAL = 10_000_000;
/** RFC 4862 §5.5.3 e: who isn't authenticated can't make an address live less than this; s. */
const TWO_HOURS = 7200;
/** RFC 4861 §4.6.2: 2^32 - 1 is forever. */
const FOREVER = 0xffff_ffff;
/** Linux's max_addresses: those that are made of prefixes. */
const MAX_AUTOCONF = 16;
/** Bits of an interface identifier, and so of the prefix before it (RFC 4291 §2.5.1). */
const PREFIX_LENGTH = 64;

export const enum Origin {
  /** The program has said so. */
  Static = 0,
  LinkLocal = 1,
  /** Of a prefix that a router has announced. */
  Autoconf = 2,
}

/** An address that is ours, or is to be. Times are µs of the stack's clock. */
export class HostAddress {
  /** Nobody may know of it before it is known that no one else has it (RFC 4862 §5.4). */
  isTentative: boolean;
  /** Solicitations or announcements that are still to be sent, and when something is to be done. */
  left: number;
  due: number;
  preferredUntil = Infinity;
  validUntil = Infinity;
  isDeprecated = false;
  /** When it was last said to be ours to somebody who has it, too. */
  defended = -Infinity;

  constructor(
    readonly address: IpAddress,
    readonly length: number,
    readonly origin: Origin,
    left: number,
    due: number,
  ) {
    this.isTentative = origin !== Origin.Static;
    this.left = left;
    this.due = due;
  }

  get is4(): boolean {
    return isIpv4(this.address);
  }

  /** Whether it is still found out that no one else has it (RFC 4862 §5.4). */
  get isSought(): boolean {
    return !this.is4 && this.due !== Infinity;
  }

  get deadline(): number {
    const until = this.isDeprecated ? this.validUntil : this.preferredUntil;
    return Math.min(this.due, until, this.validUntil);
  }
}

/**
 * Addresses of a host on a link: those of the program, announced (RFC 5227) or looked for (RFC 4862
 * §5.4), its link-local one, and those that it makes of routers' prefixes (RFC 4862 §5.5).
 *
 * Deviation: the program's own are used at once, while it is found out whether someone else has
 * them; Linux lets nobody use an IPv6 address before that.
 */
export class OwnHostAddresses {
  /** Told when the link-local address can be used. */
  onLinkLocal: ((address: IpAddress) => void) | null = null;
  /** Told of an address that another host has, too; one of IPv6 may not be used any more. */
  onDuplicate: ((address: IpAddress) => void) | null = null;
  private list: HostAddress[] = [];

  constructor(private readonly host: Host) {}

  get all(): readonly HostAddress[] {
    return this.list;
  }

  /** The link-local address, if it can be used. */
  get linkLocal(): IpAddress | null {
    const found = this.list.find((each) => !each.isTentative && isLinkLocal6(each.address));
    return found === undefined ? null : found.address;
  }

  find(address: IpAddress): HostAddress | null {
    return this.list.find((own) => sameAddress(own.address, address)) ?? null;
  }

  /**
   * Starts with the program's addresses, which are among the paths' already.
   * @param withIpv6 a link-local address is made even where none of these is of IPv6
   */
  start(prefixes: readonly Prefix[], withIpv6: boolean, now: number): void {
    for (const { address, length } of prefixes) this.add(address, length, Origin.Static, now);
    const hasLinkLocal = prefixes.some(({ address }) => isLinkLocal6(address));
    if (hasLinkLocal || (!withIpv6 && prefixes.every(({ address }) => isIpv4(address)))) return;
    this.add(linkLocalOf(this.host.hardware), PREFIX_LENGTH, Origin.LinkLocal, now);
  }

  private add(address: IpAddress, length: number, origin: Origin, now: number): HostAddress {
    const { settings, random, groups } = this.host;
    const is4 = isIpv4(address);
    const left = is4 ? ANNOUNCEMENTS : settings.dadTransmits;
    const delay = is4 ? 0 : chance(random) * settings.routerSolicitationDelay * MS;
    const own = new HostAddress(address, length, origin, left, now + delay);
    this.list.push(own);
    if (!is4) groups.join(solicitedNode(address));
    return own;
  }

  private remove(own: HostAddress): void {
    const { paths, groups } = this.host;
    this.list = this.list.filter((other) => other !== own);
    if (!own.is4) groups.leave(solicitedNode(own.address));
    if (paths.removeAddress(own.address)) this.host.changed();
  }

  /** A router announces a network in which hosts make their addresses (RFC 4862 §5.5.3). */
  learn(info: PrefixInformation, now: number): void {
    const { prefix, validLifetime, preferredLifetime } = info;
    if (info.length !== PREFIX_LENGTH || isLinkLocal6(prefix)) return;
    if (preferredLifetime > validLifetime) return;
    const network = networkOf({ address: prefix, length: PREFIX_LENGTH });
    const address = withInterfaceId(network, this.host.hardware);
    let own = this.find(address);
    if (own === null) {
      const made = this.list.filter(({ origin }) => origin === Origin.Autoconf).length;
      if (validLifetime === 0 || made === MAX_AUTOCONF) return;
      // Only what is on the link itself makes its network a neighbourhood.
      const length = info.onLink ? PREFIX_LENGTH : 128;
      own = this.add(address, length, Origin.Autoconf, now);
      own.validUntil = until(validLifetime, now);
    } else if (own.origin === Origin.Autoconf) {
      const left = (own.validUntil - now) / SECOND;
      if (validLifetime > TWO_HOURS || validLifetime > left) {
        own.validUntil = until(validLifetime, now);
      } else if (left > TWO_HOURS) {
        own.validUntil = until(TWO_HOURS, now);
      }
    } else {
      return;
    }
    own.preferredUntil = until(preferredLifetime, now);
    this.age(own, now);
  }

  /** What its lifetimes say: the address goes, or is no longer chosen for what is new. */
  private age(own: HostAddress, now: number): void {
    if (own.validUntil <= now) {
      this.remove(own);
      return;
    }
    const isDeprecated = own.preferredUntil <= now;
    if (isDeprecated === own.isDeprecated) return;
    own.isDeprecated = isDeprecated;
    if (own.isTentative) return;
    this.host.paths.addAddress(own, isDeprecated);
    this.host.changed();
  }

  /**
   * Another host has the address (RFC 4862 §5.4.5, RFC 5227 §2.4): one of IPv6 that is still looked
   * for is given up, one of IPv4 is defended. Later on an IPv6 address stays, as on Linux: anybody
   * could take it away by a single message.
   */
  duplicate(own: HostAddress, now: number): void {
    this.host.counters.NetlandAddressConflicts++;
    if (own.isSought) {
      this.remove(own);
    } else {
      if (now - own.defended < DEFEND_INTERVAL) return;
      own.defended = now;
      if (own.is4) this.announce(own);
    }
    this.onDuplicate?.(own.address);
  }

  /** The link is up again: those who have moved there may not know of us. */
  announceAll(now: number): void {
    for (const own of this.list) {
      if (own.is4) [own.left, own.due] = [ANNOUNCEMENTS, now];
    }
  }

  private announce({ address }: HostAddress): void {
    sendArp(this.host, ArpOperation.Request, address, address, BROADCAST_HARDWARE);
  }

  onTimer(now: number): void {
    if (this.nextDeadline() > now) return;
    for (const own of [...this.list]) {
      if (own.due <= now) this.step(own, now);
      if (Math.min(own.preferredUntil, own.validUntil) <= now) this.age(own, now);
    }
  }

  /** The next announcement, or solicitation, or the end of the wait for somebody to object. */
  private step(own: HostAddress, now: number): void {
    if (own.left > 0) {
      own.left--;
      if (own.is4) this.announce(own);
      else sendSolicitation(this.host, own.address, ANY6, false);
      const isLast = own.is4 && own.left === 0;
      const pause = own.is4 ? ANNOUNCE_INTERVAL : this.host.ndp.retransTime * MS;
      own.due = isLast ? Infinity : now + pause;
      return;
    }
    own.due = Infinity;
    if (own.isTentative) {
      own.isTentative = false;
      this.host.paths.addAddress(own, own.isDeprecated);
      this.host.changed();
    }
    if (isLinkLocal6(own.address)) this.onLinkLocal?.(own.address);
  }

  nextDeadline(): number {
    return this.list.reduce((first, { deadline }) => Math.min(first, deadline), Infinity);
  }
}

/** @param lifetime s */
function until(lifetime: number, now: number): number {
  return lifetime === FOREVER ? Infinity : now + lifetime * SECOND;
}

/** Prefix lengths as people write them. */
export function writtenLength({ address, length }: Prefix): number {
  return isIpv4(address) ? length - MAPPED_BITS : length;
}
