import { ANY6, sameAddress, type IpAddress } from '../ip/address';
import { Route } from '../ip/routes';
import type { Host } from './host';
import { NeighborState } from './neighbor';

/** What Linux gives to routes that a router has announced: the program's own count before them. */
const METRIC = 1024;
/** Routers that are kept; RFC 4861 §6.2.1 wants two. */
const MAX_ROUTERS = 8;
const SECOND = 1_000_000;

interface DefaultRouter {
  readonly address: IpAddress;
  /** -1, 0 or 1 (RFC 4191 §2.1). */
  preference: number;
  /** µs of the stack's clock. */
  expires: number;
}

/** The default router list (RFC 4861 §5.1), one of which is the way to everybody else. */
export class Routers {
  private list: DefaultRouter[] = [];
  private route: Route | null = null;

  constructor(private readonly host: Host) {}

  get count(): number {
    return this.list.length;
  }

  /** Whom everybody else is reached by; null: there is no router. */
  get current(): IpAddress | null {
    return this.route?.via ?? null;
  }

  /** @param lifetime s; 0: it is none any more (RFC 4861 §6.3.4) */
  learn(address: IpAddress, lifetime: number, preference: number, now: number): void {
    const known = this.list.find((router) => sameAddress(router.address, address));
    if (lifetime === 0) {
      this.remove(address);
      return;
    }
    const expires = now + lifetime * SECOND;
    if (known !== undefined) {
      known.expires = expires;
      known.preference = preference;
    } else if (this.list.length < MAX_ROUTERS) {
      this.list.push({ address, preference, expires });
    }
    this.select();
  }

  remove(address: IpAddress): void {
    this.list = this.list.filter((router) => !sameAddress(router.address, address));
    this.select();
  }

  /**
   * Chooses a router (RFC 4861 §6.3.6, RFC 4191 §3.2): one that answers before one that doesn't,
   * then by preference, then the present one, then the one that was heard of first.
   */
  select(): void {
    const { current } = this;
    let best: DefaultRouter | null = null;
    let most = -Infinity;
    for (const router of this.list) {
      const isCurrent = current !== null && sameAddress(router.address, current);
      const score = (this.answers(router) ? 8 : 0) + 2 * router.preference + (isCurrent ? 1 : 0);
      if (score > most) [best, most] = [router, score];
    }
    const via = best === null ? null : best.address;
    if (via === current || (via !== null && current !== null && sameAddress(via, current))) return;
    const { paths } = this.host;
    const before = this.route;
    if (before !== null) paths.routes.remove((route) => route === before);
    this.route = via === null ? null : new Route({ to: EVERYBODY, via, metric: METRIC });
    if (this.route !== null) paths.routes.add(this.route);
    this.host.changed();
  }

  private answers({ address }: DefaultRouter): boolean {
    return this.host.ndp.find(address)?.state !== NeighborState.Failed;
  }

  onTimer(now: number): void {
    if (this.nextDeadline() > now) return;
    this.list = this.list.filter(({ expires }) => expires > now);
    this.select();
  }

  nextDeadline(): number {
    return this.list.reduce((first, { expires }) => Math.min(first, expires), Infinity);
  }
}

const EVERYBODY = { address: ANY6, length: 0 };
