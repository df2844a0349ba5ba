import type { Path, Paths } from '../environment';
import { Errno } from '../errno';
import {
  ANY4,
  ANY6,
  commonBits,
  isIpv4,
  isLoopback,
  isMulticast,
  isWildcard,
  LOOPBACK4,
  LOOPBACK6,
  type IpAddress,
  type Prefix,
} from './address';
import { isBroadcast, isOurs, MAPPED_BITS, OwnAddresses } from './addresses';
import { Route, RouteTable, type RouteOptions } from './routes';
import { selectSource } from './source-selection';

/** The length field of an IPv4 header holds no more, bytes. */
const MAX_IPV4_PACKET = 65_535;

const ALL4: Prefix = { address: ANY4, length: MAPPED_BITS };
const ALL6: Prefix = { address: ANY6, length: 0 };

/** Everything is on the link. */
const EVERYTHING: readonly RouteOptions[] = [{ to: ALL4 }, { to: ALL6 }];

/**
 * A stack's ways to others over its one link, by its addresses and routes. What goes to an own
 * address stays inside, and so does 127.0.0.0/8 and ::1. Without routes everything of a family in
 * which the stack has an address is taken to be on the link.
 */
export class AddressPaths implements Paths {
  readonly addresses = new OwnAddresses();
  readonly routes = new RouteTable();
  /** Of IPv6 where routers have said that it is less than the link's (RFC 4861 §4.6.4), bytes. */
  mtu6 = Infinity;
  /** To the networks that the addresses are in; among `routes`. */
  private connected: ReadonlySet<Route> = new Set();
  private readonly inside = new Route({ to: ALL6 });
  /** To groups and networks as a whole: no gateway is asked. */
  private readonly many = new Route({ to: ALL6 });

  /**
   * @param prefixes the stack's addresses; loopback ones need not be among them
   * @param mtu of the link, bytes; may be set anew
   * @param loopbackMtu of the loopback inside, bytes
   * @param routes beside those to the networks that the addresses are in, or instead of these
   * @param anyAddress as in `Paths`
   */
  constructor(
    prefixes: readonly Prefix[],
    public mtu: number,
    private readonly loopbackMtu: number,
    routes: readonly RouteOptions[] = EVERYTHING,
    readonly anyAddress = false,
  ) {
    for (const prefix of prefixes) this.addresses.add(prefix);
    for (const options of routes) this.routes.add(new Route(options));
    this.connect();
  }

  /** Adds an address, and the route to the network that it is in. */
  addAddress(prefix: Prefix, deprecated = false): void {
    this.addresses.add(prefix, deprecated);
    this.connect();
  }

  /** Drops an address and what depended on it. Whether it was there. */
  removeAddress(address: IpAddress): boolean {
    if (!this.addresses.remove(address)) return false;
    this.connect();
    return true;
  }

  /** Makes the routes to the networks of the addresses anew. */
  private connect(): void {
    const before = this.connected;
    this.routes.remove((route) => before.has(route));
    // In IPv4 the first address of a network is the source for it (Linux: the primary address).
    const routes = this.addresses.all.map(
      (own) => new Route({ to: own, source: isIpv4(own.address) ? own.address : null }),
    );
    this.connected = new Set(routes.filter((route) => this.routes.add(route)));
  }

  isLocal(address: IpAddress): boolean {
    return this.addresses.isLocal(address);
  }

  isLocalAt(words: Int32Array, at: number): boolean {
    return this.addresses.isLocalAt(words, at);
  }

  isBroadcast(address: IpAddress): boolean {
    return this.addresses.isBroadcast(address);
  }

  route(remote: IpAddress, local: IpAddress | null): Path | number {
    if (isMulticast(remote) || isWildcard(remote) || isBroadcast(this, remote)) {
      return Errno.ENETUNREACH;
    }
    const inside = this.isLocal(remote);
    const route = inside ? this.inside : this.routes.find(remote);
    if (route === null) return this.refusal(remote, local) || Errno.ENETUNREACH;
    if (local === null || isWildcard(local)) {
      const source = inside ? localSource(remote) : this.sourceOn(route, remote);
      return source === null ? Errno.ENETUNREACH : this.path(route, source, inside);
    }
    const errno = this.refusal(remote, local);
    if (errno !== 0) return errno;
    // What is inside stays there: neither end can be outside.
    if (inside ? !this.isLocal(local) : isLoopback(local)) return Errno.EINVAL;
    return this.path(route, local, inside);
  }

  routeToMany(group: IpAddress, local: IpAddress | null): Path | number {
    if (local !== null && !isWildcard(local)) {
      return this.refusal(group, local) || this.path(this.many, local, isLoopback(local));
    }
    const network = isMulticast(group) ? null : this.addresses.containing(group);
    const source = network?.address ?? this.sourceOn(this.routes.find(group), group);
    return source === null ? Errno.ENETUNREACH : this.path(this.many, source, false);
  }

  /** Why nothing to `remote` can start at `local`: an errno, or 0. */
  private refusal(remote: IpAddress, local: IpAddress | null): number {
    if (local === null || isWildcard(local)) return 0;
    if (!isOurs(this, local)) return Errno.EADDRNOTAVAIL;
    return isIpv4(local) === isIpv4(remote) ? 0 : Errno.ENETUNREACH;
  }

  private path(route: Route, source: IpAddress, inside: boolean): Path {
    const mtu = inside ? this.loopbackMtu : this.mtu;
    const most = isIpv4(source) ? MAX_IPV4_PACKET : inside ? Infinity : this.mtu6;
    return route.path(source, Math.min(mtu, most));
  }

  /**
   * Our address for what takes that route: the route's own; in IPv4 else that of the network which
   * the gateway is in; else by RFC 6724 §5.
   */
  private sourceOn(route: Route | null, remote: IpAddress): IpAddress | null {
    const preferred = route?.source ?? null;
    if (preferred !== null) return this.isLocal(preferred) ? preferred : null;
    const { all } = this.addresses;
    if (!isIpv4(remote)) return selectSource(all, remote)?.address ?? null;
    const gateway = route?.via ?? null;
    const near = gateway === null ? null : this.routes.find(gateway);
    return near?.source ?? this.nearest(remote);
  }

  /** The IPv4 address of ours that shares most leading bits. */
  private nearest(remote: IpAddress): IpAddress | null {
    let best: IpAddress | null = null;
    let most = -1;
    for (const { address } of this.addresses.all) {
      const bits = isIpv4(address) ? commonBits(address, remote) : -1;
      if (bits > most) [best, most] = [address, bits];
    }
    return best;
  }
}

/** Towards an own address the source is that address; within 127.0.0.0/8 it is 127.0.0.1. */
function localSource(remote: IpAddress): IpAddress {
  if (!isLoopback(remote)) return remote;
  return isIpv4(remote) ? LOOPBACK4 : LOOPBACK6;
}
