import type { IpAddress } from '../ip/address';
import { isLinkLocal6 } from './hardware-address';
import { chance, type Host } from './host';
import { sendRouterSolicitation } from './messages';
import { NeighborState } from './neighbor';
import { word, type NdpOptions } from './ndp-options';
import type { OwnHostAddresses } from './own-addresses';
import { OnLinkPrefixes } from './prefixes';
import { Routers } from './routers';

/** µs */
const MS = 1000;
const SECOND = 1_000_000;
const FOREVER = 0xffff_ffff;
/** RFC 8200 §5. */
const MIN_MTU = 1280;
/** RFC 4861 §6.2.1: a router says no longer reachable time; ms. */
const MAX_REACHABLE_TIME = 3_600_000;
/** RFC 4191 §2.1: by the two bits; the reserved one means medium. */
const PREFERENCES = [0, 1, 0, -1];

/** What routers say of the link: default routers, prefixes, MTU, times (RFC 4861 §6.3). */
export class RouterDiscovery {
  readonly routers: Routers;
  readonly prefixes: OnLinkPrefixes;
  /** Hop limit that routers ask for; 0: none has said. */
  hopLimit = 0;
  /** Between two solicitations, µs, and when the next is due. */
  private interval = 0;
  private due = Infinity;

  constructor(
    private readonly host: Host,
    private readonly addresses: OwnHostAddresses,
  ) {
    this.routers = new Routers(host);
    this.prefixes = new OnLinkPrefixes(host);
  }

  /** Asks for routers from now on, until one has answered (RFC 7559). */
  start(now: number): void {
    this.interval = this.host.settings.routerSolicitationInterval * MS;
    this.solicit(now);
  }

  private solicit(now: number): void {
    sendRouterSolicitation(this.host, this.addresses.linkLocal);
    const { random, settings } = this.host;
    // RFC 8415 §15: a tenth more or less, by chance.
    const jitter = 0.9 + 0.2 * chance(random);
    this.due = now + this.interval * jitter;
    this.interval = Math.min(2 * this.interval, settings.routerSolicitationMaxInterval * MS);
  }

  /**
   * A router advertisement, which has been checked.
   * @param rest the word behind the checksum: hop limit, flags, lifetime
   * @param bytes what follows it
   */
  advertised(
    from: IpAddress,
    rest: number,
    bytes: Uint8Array,
    options: NdpOptions,
    now: number,
  ): void {
    if (!isLinkLocal6(from)) return;
    const { ndp } = this.host;
    const lifetime = rest & 0xffff;
    if (rest >>> 24 !== 0) this.hopLimit = rest >>> 24;
    const reachable = word(bytes, 0);
    if (reachable !== 0 && reachable <= MAX_REACHABLE_TIME) ndp.baseReachableTime = reachable;
    const retrans = word(bytes, 4);
    // Linux takes none that is shorter than 10 ms, or that no clock can wait for.
    if (retrans >= 10 && retrans <= MAX_REACHABLE_TIME) ndp.retransTime = retrans;
    if (options.source !== null) {
      const neighbor = ndp.make(from, now);
      const state = NeighborState.Stale;
      const news = { hardware: options.source, state, override: true, weakOverride: true };
      if (neighbor !== null) ndp.learn(neighbor, { ...news, isRouter: true, state }, now);
    }
    this.routers.learn(from, lifetime, PREFERENCES[(rest >>> 19) & 3], now);
    if (lifetime > 0) this.due = Infinity;
    this.learnMtu(options.mtu);
    for (const info of options.prefixes) {
      if (isLinkLocal6(info.prefix)) continue;
      const { prefix: address, length, validLifetime } = info;
      const expires = validLifetime === FOREVER ? Infinity : now + validLifetime * SECOND;
      if (info.onLink) this.prefixes.learn({ address, length }, expires, now);
      if (info.autonomous) this.addresses.learn(info, now);
    }
  }

  private learnMtu(mtu: number): void {
    const { paths } = this.host;
    if (mtu < MIN_MTU || mtu > paths.mtu || mtu === paths.mtu6) return;
    paths.mtu6 = mtu;
    this.host.changed();
  }

  onTimer(now: number): void {
    if (this.due <= now) this.solicit(now);
    this.routers.onTimer(now);
    this.prefixes.onTimer(now);
  }

  nextDeadline(): number {
    return Math.min(this.due, this.routers.nextDeadline(), this.prefixes.nextDeadline());
  }
}
