import type { SegmentView } from '../../lib/testing/segment-view';
import type { Host } from '../../lib/testing';
import type { WireOptions } from '../../lib/testing/link/options';
import type { Chance } from './chance';
import { PORT, restartTime, type Workload } from './workload';
import { SECOND, Task } from './task';
import type { Link, World } from './world';

/** What a fault changes back when it ends; null where it could not begin. */
type Undo = (() => void) | null;
type Begin = (faults: Faults) => Undo;

/** Changes options of a link at random, in one direction or both; in the end they are as before. */
function change(options: (faults: Faults) => WireOptions, pick?: (faults: Faults) => Link): Begin {
  return (faults) => {
    const { cable, base, ends } = pick?.(faults) ?? faults.someLink();
    const changes = options(faults);
    const direction = faults.chance.percent(50) ? {} : { from: faults.chance.pick(ends) };
    cable.set(changes, direction);
    const names = Object.keys(changes) as (keyof WireOptions)[];
    const before = Object.fromEntries(names.map((name) => [name, base[name]]));
    return () => cable.set(before, direction);
  };
}

/** What happens to a host that is up. */
function host(begin: (host: Host, faults: Faults) => Undo): Begin {
  return (faults) => {
    const victim = faults.world.someHost();
    return victim.state === 'up' ? begin(victim, faults) : null;
  };
}

function block(action: 'drop' | 'reject'): Begin {
  return host((victim) => {
    victim.block(PORT, action);
    return () => victim.unblock(PORT);
  });
}

/** What a filter does to some kind of segment. */
function filter({ chance }: Faults): WireOptions {
  const chosen = chance.pick<(segment: SegmentView) => boolean>([
    (segment) => segment.isSyn,
    (segment) => segment.isFin,
    (segment) => segment.isRst,
    (segment) => segment.length > 0,
    (segment) => segment.length === 0,
    (segment) => segment.sack.length > 0,
  ]);
  const verdict = chance.pick<() => false | number>([
    () => (chance.percent(70) ? false : 0),
    () => chance.below(3000),
  ]);
  return { filter: (segment) => (chosen(segment) ? verdict() : true) };
}

/** Every fault by its name: `--faults crash,cut`. */
const FAULTS = {
  loss: change(({ chance }) => ({ loss: chance.between(0.01, 0.4) })),
  burst: change(({ chance }) => ({
    loss: { p: chance.between(0.01, 0.2), r: chance.between(0.1, 0.5) },
  })),
  duplicate: change(({ chance }) => ({ duplicate: chance.between(0.05, 0.5) })),
  reorder: change(({ chance }) => ({
    reorder: { probability: chance.between(0.05, 0.5), by: [1, 1 + chance.below(20)] },
  })),
  jitter: change(({ chance }) => ({ jitter: chance.between(1, 200) })),
  // On one link only: of two flipped bits the one may hide the other from the checksum.
  corrupt: change(
    ({ chance }) => ({ corrupt: chance.between(0.01, 0.2) }),
    ({ world }) => world.links[0],
  ),
  rate: change(({ chance }) => ({ rate: chance.between(64e3, 1e6) })),
  mtu: change(({ chance, world }) => ({ mtu: 200 + chance.below(world.mtu - 200) })),
  ecn: change(({ chance }) => ({
    ecn: chance.percent(50)
      ? { probability: chance.between(0.01, 0.2) }
      : { threshold: chance.below(20_000) },
  })),
  filter: change(filter),
  cut: (faults: Faults): Undo => {
    const { cable } = faults.someLink();
    cable.cut();
    return () => cable.heal();
  },
  'cut-one-way': (faults: Faults): Undo => {
    const { cable, ends } = faults.someLink();
    const direction = { from: faults.chance.pick(ends) };
    cable.cut(direction);
    return () => cable.heal(direction);
  },
  'router-crash': ({ world, chance }: Faults): Undo => {
    const router = chance.pick(world.routers.length > 0 ? world.routers : [null]);
    if (router?.state !== 'up') return null;
    router.crash();
    return () => router.reboot();
  },
  crash: host((victim, faults) => {
    faults.end(victim, () => victim.crash());
    return () => faults.boot(victim);
  }),
  reboot: host((victim, faults) => {
    faults.end(victim, () => victim.reboot());
    return () => faults.programs.site(victim).start();
  }),
  kill: host((victim, { programs, chance }) => {
    programs.site(victim).kill();
    victim.kill();
    programs.restart(victim, restartTime(chance));
    return () => programs.site(victim).start();
  }),
  shutdown: host((victim, faults) => {
    faults.programs.site(victim).kill(true);
    victim.shutdown();
    return () => faults.boot(victim);
  }),
  pause: host((victim) => {
    victim.pause();
    return () => victim.resume();
  }),
  clock: host((victim, { chance, world }) => {
    victim.clockRate = chance.pick([0.5, 0.9, 1.1, 2]);
    return () => (victim.clockRate = world.clockRate(victim));
  }),
  'firewall-drop': block('drop'),
  'firewall-reject': block('reject'),
} satisfies Record<string, Begin>;

export type FaultKind = keyof typeof FAULTS;
export const FAULT_KINDS = Object.keys(FAULTS) as FaultKind[];

/** What goes wrong in a network, and when. */
export class Faults {
  /** How many there were of each kind. */
  readonly counts: Partial<Record<FaultKind, number>> = {};
  /** Bits may be flipped at some time. */
  maySpoil = false;
  private readonly begins: Task[] = [];
  private readonly ends = new Map<Task, () => void>();

  constructor(
    readonly world: World,
    readonly programs: Workload,
    readonly chance: Chance,
  ) {}

  /** Faults of some of these kinds within so many µs. */
  plan(kinds: readonly FaultKind[], count: number, within: number): void {
    if (kinds.length === 0) return;
    const { chance } = this;
    // Few kinds together meet more often than many.
    const chosen = chance.percent(50) ? chance.some(kinds) : [chance.pick(kinds)];
    for (let i = 0; i < count; i++) {
      const kind = chance.pick(chosen);
      this.maySpoil ||= kind === 'corrupt';
      const begin = new Task(this.world.network.simulation, () => this.begin(kind));
      this.begins.push(begin.after(chance.below(within)));
    }
  }

  someLink(): Link {
    return this.chance.pick(this.world.links);
  }

  /** A host loses its memory. */
  end(victim: Host, action: () => void): void {
    this.world.collect(victim);
    this.programs.site(victim).vanish();
    action();
  }

  /** It starts anew, and so do its programs. */
  boot(victim: Host): void {
    this.end(victim, () => victim.reboot());
    this.programs.site(victim).start();
  }

  /** All that has begun ends, and nothing more begins. */
  stop(): void {
    for (const begin of this.begins) begin.after(Infinity);
    for (const [task, undo] of this.ends) {
      task.after(Infinity);
      undo();
    }
    this.ends.clear();
  }

  private begin(kind: FaultKind): void {
    // Two flipped bits in two fragments could hide each other from the checksum of the whole.
    const excluded = kind === 'corrupt' ? 'mtu' : kind === 'mtu' ? 'corrupt' : null;
    if (excluded !== null && (this.counts[excluded] ?? 0) > 0) return;
    const undo = FAULTS[kind](this);
    if (undo === null) return;
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
    const { chance } = this;
    const longest = chance.pick([1, 1, 5, 20, 60, 300]) * SECOND;
    const task = new Task(this.world.network.simulation, () => {
      this.ends.delete(task);
      undo();
    });
    this.ends.set(task, undo);
    task.after(1 + chance.below(longest));
  }
}
