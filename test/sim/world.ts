import type { StackCore } from '../../lib/core/stack/stack-core';
import { SETTINGS, type Settings } from '../../lib/core/tcp/settings';
import { Network, type Cable, type Host, type Linkable, type Router } from '../../lib/testing';
import type { WireOptions } from '../../lib/testing/link/options';
import type { Chance } from './chance';
import { drawSettings } from './settings';

/** A cable, and what it is like where no fault has changed it. */
export interface Link {
  readonly cable: Cable;
  /** During the storm. */
  readonly base: WireOptions;
  /** Names of its ends. */
  readonly ends: readonly [string, string];
}

/** What a healthy link neither has nor does. */
const HEALTHY: WireOptions = {
  loss: 0,
  duplicate: 0,
  corrupt: 0,
  reorder: undefined,
  ecn: undefined,
  filter: undefined,
};

/** Every so many seeds there is a switch where others have routers. */
const SWITCHED = 7;

/** A network made by chance: its hosts, routers and links. */
export class World {
  readonly network: Network;
  readonly hosts: Host[] = [];
  /** What is not the default on a host, by its name. */
  readonly settings = new Map<string, Partial<Settings>>();
  readonly routers: Router[] = [];
  readonly links: Link[] = [];
  readonly mtu: number;
  /** Of all stacks that are no more, or were counted. */
  readonly tally = { segments: 0, retransmissions: 0 };
  /** The slowest link, bits per second. */
  slowest = Infinity;
  /** At most, µs. */
  roundTrip = 0;
  /** Largest 2 MSL and tcp_fin_timeout of the hosts, ms. */
  lastWait = 0;

  private readonly counted = new Set<StackCore>();
  private readonly rates: number[] = [];

  constructor(
    private readonly seed: number,
    private readonly chance: Chance,
    trace: boolean,
  ) {
    this.network = new Network({ seed: seed % 2 ** 32, trace });
    this.mtu = chance.pick([576, 1280, 1500, 1500, 1500, 9000]);
    const hosts = chance.pick([2, 2, 2, 3, 4, 6]);
    const drawn = hosts === 2 ? chance.below(3) : 1 + chance.below(2);
    // Some have a switch instead, which carries what is for many.
    const routers = seed % SWITCHED === 3 ? 0 : drawn;
    for (let i = 0; i < hosts; i++) this.addHost(i);
    for (let i = 0; i < routers; i++) this.addRouter(i);
    this.hosts.forEach((host, i) => {
      if (routers > 0) this.link(host, this.routers[i % routers]);
    });
    if (routers > 0) return;
    if (drawn === 0) {
      this.link(this.hosts[0], this.hosts[1]);
      return;
    }
    const hub = this.network.switch('switch');
    for (const host of this.hosts) this.link(host, hub);
  }

  get families(): readonly (4 | 6)[] {
    return this.mtu < 1280 ? [4] : [4, 4, 6];
  }

  private addHost(index: number): void {
    const { chance } = this;
    const name = `h${index}`;
    const tcp = drawSettings(this.seed, name);
    this.settings.set(name, tcp);
    const first = 40_000;
    const clockRate = chance.pick([1, 1, 1, 0.99, 1.02]);
    this.rates.push(clockRate);
    this.hosts.push(
      this.network.host(name, {
        tcp,
        localPortRange: [first, first + chance.pick([3, 30, 20_000, 20_000])],
        clockRate,
      }),
    );
    if (chance.percent(30)) this.numberNearWrap(this.hosts[index]);
    const finTimeout = tcp.finTimeout ?? SETTINGS.finTimeout.default;
    this.lastWait = Math.max(this.lastWait, 2 * (tcp.msl ?? SETTINGS.msl.default), finTimeout);
  }

  /** Until it reboots its connections begin shortly before the numbers wrap, or change sign. */
  private numberNearWrap({ core }: Host): void {
    let next = this.chance.pick([2 ** 31, 2 ** 32]) - this.chance.below(300_000);
    core.tcp.isn.isn = () => (next += 100_000) | 0;
  }

  private addRouter(index: number): void {
    const router = this.network.router(`r${index}`);
    if (index > 0) this.link(this.routers[index - 1], router);
    this.routers.push(router);
  }

  private link(a: Linkable, b: Linkable): void {
    const { chance, mtu } = this;
    const rate = chance.pick([Infinity, Infinity, 1e9, 100e6, 10e6, 1e6]);
    const delay = chance.pick([0, 0.1, 1, 10, 50, 150]);
    const base: WireOptions = {
      delay,
      jitter: chance.percent(25) ? chance.between(0, delay) : 0,
      overtake: chance.percent(50),
      rate,
      queue: mtu * chance.pick([10, 30, 100, 1000]),
      mtu,
      loss: chance.pick([0, 0, 0, 0, 0.01, 0.05]),
      duplicate: chance.pick([0, 0, 0, 0.01]),
      reorder: chance.percent(10) ? { probability: 0.02 } : undefined,
      ecn: chance.percent(15) ? { threshold: mtu * chance.below(20) } : undefined,
    };
    this.slowest = Math.min(this.slowest, rate);
    this.roundTrip += 4 * delay * 1000;
    const cable = this.network.link(a, b, base);
    this.links.push({ cable, base, ends: [a.name, b.name] });
  }

  /** From now on nothing is lost but for want of room in a queue. */
  calm(): void {
    for (const { cable, base } of this.links) cable.set({ ...base, ...HEALTHY });
    for (const host of this.hosts) host.clockRate = this.clockRate(host);
  }

  /** Counts what a host's stack has sent since it booted; called before that is lost. */
  collect({ core }: Host): void {
    if (this.counted.has(core)) return;
    this.counted.add(core);
    this.tally.segments += core.counters.TcpOutSegs;
    this.tally.retransmissions += core.counters.TcpRetransSegs;
  }

  /** What its clock is like where no fault has changed it. */
  clockRate(host: Host): number {
    return this.rates[this.hosts.indexOf(host)];
  }

  /** A host at random, by another's chance. */
  someHostOf(chance: Chance): Host {
    return chance.pick(this.hosts);
  }

  /** A host at random. */
  someHost(): Host {
    return this.chance.pick(this.hosts);
  }
}
