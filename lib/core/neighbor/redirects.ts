import { sameAddress, type IpAddress } from '../ip/address';

/** Destinations with a next hop of their own at most. */
const MAX_REDIRECTS = 64;

interface Redirect {
  readonly destination: IpAddress;
  readonly via: IpAddress;
}

/** Shorter ways that routers have told of (RFC 4861 §8, RFC 1122 §3.2.2.2), the latest of them. */
export class Redirects {
  private list: Redirect[] = [];

  get count(): number {
    return this.list.length;
  }

  /** The next hop to `destination`; null: as the routes have it. */
  find(destination: IpAddress): IpAddress | null {
    if (this.list.length === 0) return null;
    const found = this.list.find((each) => sameAddress(each.destination, destination));
    return found === undefined ? null : found.via;
  }

  /** @param via `destination` itself where it is on the link */
  learn(destination: IpAddress, via: IpAddress): void {
    const others = this.list.filter((each) => !sameAddress(each.destination, destination));
    this.list = [...others.slice(-(MAX_REDIRECTS - 1)), { destination, via }];
  }

  /** Who doesn't answer, or is no router, is no way to others. */
  forget(via: IpAddress): void {
    this.list = this.list.filter((each) => !sameAddress(each.via, via));
  }
}
