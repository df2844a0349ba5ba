import { networkOf, sameAddress, type Prefix } from '../ip/address';
import { Route } from '../ip/routes';
import type { Host } from './host';

/** Linux's metric of networks that a router has announced. */
const METRIC = 256;
const MAX_PREFIXES = 16;

interface OnLinkPrefix {
  readonly route: Route;
  /** µs of the stack's clock; Infinity: never. */
  expires: number;
}

/** The prefix list (RFC 4861 §5.1): networks that are on the link, by what routers say. */
export class OnLinkPrefixes {
  private list: OnLinkPrefix[] = [];

  constructor(private readonly host: Host) {}

  get count(): number {
    return this.list.length;
  }

  /** @param expires µs; not later than `now`: it isn't on the link any more */
  learn(prefix: Prefix, expires: number, now: number): void {
    const network = networkOf(prefix);
    const known = this.list.find(
      ({ route }) => route.to.length === prefix.length && sameAddress(route.to.address, network),
    );
    if (known !== undefined) {
      known.expires = expires;
      this.onTimer(now);
      return;
    }
    if (expires <= now || this.list.length === MAX_PREFIXES) return;
    const route = new Route({ to: prefix, metric: METRIC });
    if (!this.host.paths.routes.add(route)) return;
    this.list.push({ route, expires });
    this.host.changed();
  }

  onTimer(now: number): void {
    if (this.nextDeadline() > now) return;
    const gone = new Set(this.list.filter((each) => each.expires <= now).map((each) => each.route));
    this.list = this.list.filter(({ route }) => !gone.has(route));
    this.host.paths.routes.remove((route) => gone.has(route));
    this.host.changed();
  }

  nextDeadline(): number {
    return this.list.reduce((first, { expires }) => Math.min(first, expires), Infinity);
  }
}
