import type { Path } from '../environment';
import { contains, containsAt, isIpv4, networkOf, sameAddress } from './address';
import type { IpAddress, Prefix } from './address';

/** A way to a range of addresses, as `ip route` has it. */
export interface RouteOptions {
  /** Whom it leads to. */
  readonly to: Prefix;
  /** The gateway; null: they are on the link themselves. */
  readonly via?: IpAddress | null;
  /** Largest IP packet, bytes; 0: as the link has it. */
  readonly mtu?: number;
  /** Our address for what goes there, unless the program has chosen one. */
  readonly source?: IpAddress | null;
  /** Of two to the same range the smaller one counts. */
  readonly metric?: number;
}

/** An entry of a routing table. */
export class Route {
  /** With the bits behind its length cleared. */
  readonly to: Prefix;
  readonly via: IpAddress | null;
  readonly mtu: number;
  readonly source: IpAddress | null;
  readonly metric: number;
  readonly isIpv4: boolean;
  /** What `path` has answered last. */
  private last: Path | null = null;

  constructor({ to, via = null, mtu = 0, source = null, metric = 0 }: RouteOptions) {
    this.to = { address: networkOf(to), length: to.length };
    this.via = via;
    this.mtu = mtu;
    this.source = source;
    this.metric = metric;
    this.isIpv4 = isIpv4(to.address);
  }

  /** @param linkMtu bytes, which the route's own doesn't exceed */
  path(source: IpAddress, linkMtu: number): Path {
    const mtu = this.mtu === 0 ? linkMtu : Math.min(this.mtu, linkMtu);
    const { last } = this;
    if (last !== null && last.mtu === mtu && sameAddress(last.source, source)) return last;
    this.last = { source, mtu, via: this.via };
    return this.last;
  }

  /** Whether one stands for the other in a table (Linux: EEXIST). */
  isTwinOf(other: Route): boolean {
    return (
      this.to.length === other.to.length &&
      this.metric === other.metric &&
      sameAddress(this.to.address, other.to.address)
    );
  }
}

/** Routes of both families: the longest prefix counts, then the smallest metric, then the first. */
export class RouteTable {
  /** In the order in which they count. */
  private routes: readonly Route[] = [];

  get all(): readonly Route[] {
    return this.routes;
  }

  /** False, and nothing is done, where there is one to the same range of the same metric. */
  add(route: Route): boolean {
    if (this.routes.some((other) => other.isTwinOf(route))) return false;
    const before = (other: Route): boolean =>
      other.to.length > route.to.length ||
      (other.to.length === route.to.length && other.metric <= route.metric);
    const at = this.routes.filter(before).length;
    this.routes = [...this.routes.slice(0, at), route, ...this.routes.slice(at)];
    return true;
  }

  /** Drops all that `which` accepts; how many. */
  remove(which: (route: Route) => boolean): number {
    const left = this.routes.filter((route) => !which(route));
    const removed = this.routes.length - left.length;
    this.routes = left;
    return removed;
  }

  /** The route that counts for an address; makes nothing. */
  find(address: IpAddress): Route | null {
    const is4 = isIpv4(address);
    for (const route of this.routes) {
      if (route.isIpv4 === is4 && contains(route.to, address)) return route;
    }
    return null;
  }

  /** The same for the address in four words from `at`. */
  findAt(words: Int32Array, at: number): Route | null {
    const is4 = words[at + 2] === 0xffff && words[at + 1] === 0 && words[at] === 0;
    for (const route of this.routes) {
      if (route.isIpv4 === is4 && containsAt(route.to, words, at)) return route;
    }
    return null;
  }
}
