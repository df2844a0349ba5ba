import type { Random } from '../environment';
import { writeAddress, type IpAddress } from '../ip/address';
import { KeyedTable } from '../memory/keyed-table';
import { SipHash } from '../random/sip-hash';
import { TimerTable } from '../time/timer-table';
import type { HardwareAddress } from './hardware-address';
import { Neighbor, NeighborState } from './neighbor';
import type { NeighborSettings } from './settings';

/** µs */
const MS = 1000;
/** Between two searches for neighbours that may go, of a table that isn't full; µs. */
const GC_PAUSE = 5_000_000;
/** One that was news less long ago than this is not thrown out; µs. */
const GC_YOUNG = 5_000_000;
/** Only one kind of timer. */
const STATE = 0;

/** What the table asks of ARP or neighbour discovery, and tells. */
export interface NeighborProtocol {
  /** Ask `neighbor` itself, whose hardware address is known, or all. */
  solicit(neighbor: Neighbor, unicast: boolean): void;
  /** What waits for it can go. */
  resolved(neighbor: Neighbor): void;
  /** It doesn't answer: what waits for it is lost. */
  failed(neighbor: Neighbor): void;
  /** Nothing may point to it any more. */
  removed(neighbor: Neighbor): void;
}

/** What has become known of a neighbour. */
export interface NeighborNews {
  /** Null: what is known already. */
  readonly hardware: HardwareAddress | null;
  readonly state: NeighborState.Reachable | NeighborState.Stale;
  /** It replaces another hardware address (RFC 4861 §7.2.5). */
  readonly override: boolean;
  /** Where it may not, the one that is known becomes doubtful. */
  readonly weakOverride: boolean;
  /** Undefined: it doesn't say. */
  readonly isRouter?: boolean;
}

class Keys extends KeyedTable {
  constructor(hash: SipHash) {
    super(4, 0, hash);
  }
}

/**
 * The neighbours of one family, and whether they can be reached: RFC 4861 §7.3 as Linux has it
 * (net/core/neighbour.c), for ARP too. Bounded: of more than `gcThresh3` none is made.
 */
export class NeighborTable {
  /** By family of RFC 4861 §6.3.4: a router may say other times. ms */
  baseReachableTime: number;
  retransTime: number;
  /** Neighbours that could not be made. */
  fulls = 0;
  /** Neighbours that did not answer. */
  failures = 0;
  private readonly keys: Keys;
  private readonly key = new Int32Array(4);
  private readonly neighbors: (Neighbor | null)[] = [];
  private readonly timers = new TimerTable(1);
  private lastGc = -Infinity;

  constructor(
    private readonly settings: NeighborSettings,
    private readonly random: Random,
    private readonly protocol: NeighborProtocol,
  ) {
    this.keys = new Keys(SipHash.random(random));
    this.baseReachableTime = settings.baseReachableTime;
    this.retransTime = settings.retransTime;
  }

  get count(): number {
    return this.keys.count;
  }

  get all(): Neighbor[] {
    return this.neighbors.filter((neighbor) => neighbor !== null);
  }

  find(address: IpAddress): Neighbor | null {
    writeAddress(address, this.key, 0);
    const row = this.keys.find(this.key);
    return row < 0 ? null : this.neighbors[row];
  }

  /** The neighbour with that address, a new one if need be; null: there are too many. */
  make(address: IpAddress, now: number): Neighbor | null {
    const known = this.find(address);
    if (known !== null) return known;
    if (!this.makeRoom(now)) {
      this.fulls++;
      return null;
    }
    writeAddress(address, this.key, 0);
    const row = this.keys.insert(this.key);
    const neighbor = new Neighbor(address, row);
    neighbor.updated = neighbor.used = now;
    this.neighbors[row] = neighbor;
    return neighbor;
  }

  /** Linux's neigh_forced_gc, and what its periodic one does with those that nobody uses. */
  private makeRoom(now: number): boolean {
    const { gcThresh1, gcThresh2, gcThresh3, gcStaleTime } = this.settings;
    if (this.count < gcThresh1) return true;
    if (this.count < gcThresh3 && now - this.lastGc < GC_PAUSE) return true;
    this.lastGc = now;
    for (const neighbor of this.neighbors) {
      if (neighbor === null || neighbor.waiting !== null) continue;
      const isIdle = now - neighbor.used > gcStaleTime * MS;
      const mayGo = neighbor.state === NeighborState.Failed || isIdle;
      const isOld = now - neighbor.updated > GC_YOUNG;
      if (mayGo || (this.count >= gcThresh2 && isOld)) this.remove(neighbor);
    }
    return this.count < gcThresh3;
  }

  /** What waits for it must have been dropped. */
  remove(neighbor: Neighbor): void {
    this.timers.clear(neighbor.row);
    this.keys.remove(neighbor.row);
    this.neighbors[neighbor.row] = null;
    neighbor.state = NeighborState.None;
    this.protocol.removed(neighbor);
  }

  /** A packet is to be sent to it: whether its hardware address may be used. */
  use(neighbor: Neighbor, now: number): boolean {
    neighbor.used = now;
    switch (neighbor.state) {
      case NeighborState.Reachable:
      case NeighborState.Delay:
      case NeighborState.Probe:
        return true;
      case NeighborState.Stale:
        neighbor.state = NeighborState.Delay;
        neighbor.updated = now;
        this.timers.set(neighbor.row, STATE, now + this.settings.delayFirstProbeTime * MS);
        return true;
      case NeighborState.Incomplete:
        return false;
      default:
        neighbor.state = NeighborState.Incomplete;
        neighbor.updated = now;
        // Counted so that `mcastSolicit` of them remain until it has failed.
        neighbor.probes = this.settings.ucastSolicit;
        this.solicit(neighbor, now);
        return false;
    }
  }

  private solicit(neighbor: Neighbor, now: number): void {
    neighbor.probes++;
    this.timers.set(neighbor.row, STATE, now + this.retransTime * MS);
    this.protocol.solicit(neighbor, neighbor.state === NeighborState.Probe);
  }

  /** Fires all timers that are due. */
  onTimer(now: number): void {
    while (this.timers.expire(now)) {
      const neighbor = this.neighbors[this.timers.row];
      if (neighbor !== null) this.expire(neighbor, now);
    }
  }

  nextDeadline(): number {
    return this.timers.next();
  }

  private expire(neighbor: Neighbor, now: number): void {
    const delay = this.settings.delayFirstProbeTime * MS;
    switch (neighbor.state) {
      case NeighborState.Reachable:
        this.reachableExpires(neighbor, delay, now);
        return;
      case NeighborState.Delay:
        if (now <= neighbor.confirmed + delay) {
          this.becomeReachable(neighbor, now, neighbor.confirmed);
          return;
        }
        neighbor.state = NeighborState.Probe;
        neighbor.updated = now;
        neighbor.probes = 0;
        this.solicit(neighbor, now);
        return;
      case NeighborState.Incomplete:
      case NeighborState.Probe:
        this.probeExpires(neighbor, now);
        return;
      default:
    }
  }

  /** Confirmed meanwhile, in use and so to be asked soon, or forgotten until it is used. */
  private reachableExpires(neighbor: Neighbor, delay: number, now: number): void {
    const until = neighbor.confirmed + this.reachableTime();
    if (now < until) {
      this.timers.set(neighbor.row, STATE, until);
      return;
    }
    neighbor.updated = now;
    const isUsed = now <= neighbor.used + delay;
    neighbor.state = isUsed ? NeighborState.Delay : NeighborState.Stale;
    if (isUsed) this.timers.set(neighbor.row, STATE, now + delay);
  }

  private probeExpires(neighbor: Neighbor, now: number): void {
    const { ucastSolicit, mcastSolicit } = this.settings;
    const isProbe = neighbor.state === NeighborState.Probe;
    const most = isProbe ? ucastSolicit : ucastSolicit + mcastSolicit;
    if (neighbor.probes < most) {
      this.solicit(neighbor, now);
      return;
    }
    neighbor.state = NeighborState.Failed;
    neighbor.updated = now;
    this.failures++;
    this.protocol.failed(neighbor);
  }

  /** RFC 4861 §6.3.4: half to one and a half times the base, by chance; µs. */
  private reachableTime(): number {
    const part = (this.random.next() >>> 0) / 2 ** 32;
    return this.baseReachableTime * MS * (0.5 + part);
  }

  private becomeReachable(neighbor: Neighbor, now: number, confirmed: number): void {
    if (neighbor.state !== NeighborState.Reachable) neighbor.updated = now;
    neighbor.state = NeighborState.Reachable;
    neighbor.confirmed = confirmed;
    this.timers.set(neighbor.row, STATE, confirmed + this.reachableTime());
  }

  /** It has been heard of (Linux: neigh_update; RFC 4861 §7.2.5, appendix C). */
  learn(neighbor: Neighbor, news: NeighborNews, now: number): void {
    const { hardware } = news;
    const wasValid = neighbor.isValid;
    if (!wasValid && hardware === null) return;
    const isOther =
      hardware !== null && (hardware.low !== neighbor.low || hardware.high !== neighbor.high);
    if (wasValid && isOther && !news.override) {
      this.doubt(neighbor, news.weakOverride, now);
      return;
    }
    if (news.isRouter !== undefined) neighbor.isRouter = news.isRouter;
    if (hardware !== null && isOther) {
      neighbor.high = hardware.high;
      neighbor.low = hardware.low;
      neighbor.updated = now;
    }
    if (news.state === NeighborState.Reachable) {
      this.becomeReachable(neighbor, now, now);
    } else if (!wasValid || isOther) {
      neighbor.state = NeighborState.Stale;
      neighbor.updated = now;
      neighbor.confirmed = -Infinity;
      this.timers.clear(neighbor.row);
    }
    if (!wasValid) this.protocol.resolved(neighbor);
  }

  /** Somebody says that it is elsewhere, but may not say so: it will be asked. */
  private doubt(neighbor: Neighbor, isWeak: boolean, now: number): void {
    if (!isWeak || neighbor.state !== NeighborState.Reachable) return;
    neighbor.state = NeighborState.Stale;
    neighbor.updated = now;
    this.timers.clear(neighbor.row);
  }
}
