import type { StackCore } from '../../lib/core/stack/stack-core';
import { Timer } from '../../lib/core/tcp/connection';
import { SynField } from '../../lib/core/tcp/syn-table';
import { Chance } from './chance';
import { Datagrams } from './datagrams';
import { isEmpty, stuck } from './empty';
import { Faults, type FaultKind } from './faults';
import { Programs } from './programs';
import { makeReport, type Report } from './report';
import { SECOND } from './task';
import { World } from './world';

/** What a keepalive that finds nobody, or a rebooted host, may take at most, µs. */
const KEEPALIVE = 20 * SECOND;
/** Events at one instant that can't be. */
const STANDSTILL = 100_000;
/** What a peer with the smallest buffer lets leave at once, bytes. */
const LEAST_WINDOW = 500;
/** How late it may answer, µs. */
const DELAYED_ACK = SECOND / 2;
/** Beside what the rates of the links make necessary, µs. */
const SLACK = 60 * SECOND;
/**
 * Without SACK a retransmission that is lost is found by the next timeout alone, and what was sent
 * twice doesn't take back its length (Karn): so many of the longest, µs.
 */
const WITHOUT_SACK = 20 * 120 * SECOND;

/**
 * One seed: a network, programs that talk to each other, faults; then calm, in which everything
 * must come to an end. Every event is followed by the simulator's checks.
 */
export class Life {
  readonly world: World;
  private readonly programs: Programs;
  private readonly faults: Faults;
  private readonly datagrams: Datagrams;
  private failure: unknown = null;
  private readonly storm: number;

  constructor(
    readonly seed: number,
    kinds: readonly FaultKind[],
    trace = false,
  ) {
    const chance = new Chance(seed);
    this.world = new World(seed, chance, trace);
    this.programs = new Programs(this.world, chance);
    this.faults = new Faults(this.world, this.programs, chance);
    this.storm = chance.pick([5, 30, 30, 120]) * SECOND;
    this.programs.plan(chance.pick([1, 2, 5, 10, 10, 20]), this.storm);
    this.faults.plan(kinds, chance.pick([0, 1, 3, 6, 12]), this.storm);
    const fail = (error: unknown): void => void (this.failure ??= error);
    this.datagrams = new Datagrams(seed, this.world, this.faults.maySpoil, fail);
    this.datagrams.plan(this.storm);
    this.programs.alsoRuns(this.datagrams);
  }

  /** Lives it. @throws Error for what must not be */
  run(): Report {
    const { world, programs, faults } = this;
    const { simulation } = world.network;
    this.pass(this.storm, () => false);
    simulation.moveTo(this.storm);
    faults.stop();
    world.calm();
    programs.hurry();
    this.datagrams.calm();
    const calm = simulation.now;
    this.pass(calm + this.patience(), () => programs.areDone);
    if (!programs.areDone) this.fail('waits in a network that is whole');
    this.datagrams.probe((us) => this.pass(simulation.now + us, () => false));
    programs.stopServers();
    this.datagrams.stop();
    const bound = 2 * world.lastWait * 1000 + SLACK;
    this.pass(simulation.now + bound, () => isEmpty(world.hosts));
    if (!isEmpty(world.hosts)) this.fail('is left when everything is over');
    programs.verify();
    for (const host of world.hosts) world.collect(host);
    const { asked, accepted, refused } = programs;
    const { registry, pings } = this.datagrams;
    const datagrams = { datagrams: registry.sent, received: registry.received, pings };
    return makeReport(world, faults.counts, {
      connections: asked,
      accepted,
      refused,
      ...datagrams,
    });
  }

  /** Lets events happen until `end`, µs, or until it is done. */
  private pass(end: number, isDone: () => boolean): void {
    const { programs } = this;
    const { simulation } = this.world.network;
    let instant = -1;
    let events = 0;
    for (let i = 1; simulation.next() <= end; i++) {
      simulation.step();
      events = simulation.now === instant ? events + 1 : 0;
      instant = simulation.now;
      if (events > STANDSTILL) this.fail('happens again and again, and time stands still');
      if (programs.failure !== null) throw programs.failure;
      if (this.failure !== null) throw this.failure;
      if ((i & 63) === 0 && isDone()) return;
    }
  }

  private fail(what: string): never {
    const { network, hosts } = this.world;
    throw new Error(stuck(what, network.now, hosts, this.programs.waiting));
  }

  /** How long the programs may take once the network is whole, µs. */
  private patience(): number {
    let remaining = 0;
    let bytes = 0;
    let longest = 0;
    const { hosts, roundTrip, slowest, lastWait } = this.world;
    for (const { core } of hosts) remaining = Math.max(remaining, backoffLeft(core));
    for (const { caller, callee } of this.programs.pairs) {
      bytes += caller.limit + callee.limit;
      longest = Math.max(longest, caller.limit, callee.limit);
    }
    // All through the slowest link, some of it again; or each small window takes a round trip.
    const together = (5 * bytes * 8 * SECOND) / slowest;
    const alone = (longest / LEAST_WINDOW) * (roundTrip + DELAYED_ACK);
    const isBlind = [...this.world.settings.values()].some(({ sack }) => sack === 0);
    const timeouts = remaining + (isBlind ? WITHOUT_SACK : 0);
    return timeouts + 2 * lastWait * 1000 + KEEPALIVE + together + alone + SLACK;
  }
}

/** The longest time until something is sent again, µs. */
function backoffLeft(core: StackCore): number {
  const { tcp } = core;
  let last = tcp.now;
  tcp.forEachConnection((c) => {
    for (const kind of [Timer.Retransmit, Timer.Persist]) {
      const due = tcp.timers.due(c.row, kind);
      if (due !== Infinity) last = Math.max(last, due);
    }
  });
  // Handshakes of passive opens have timers in a table of their own.
  const { table } = tcp.synReceived;
  for (let row = 0; row < table.words.length / SynField.Stride; row++) {
    const due = table.timers.due(row, 0);
    if (due !== Infinity) last = Math.max(last, due);
  }
  return last - tcp.now;
}
