import type { Counters } from '../stack/counters';
import type { CongestionControl } from './congestion';
import type { CongestionController } from './congestion-controller';
import type { Connection } from './connection';
import { Cubic } from './cubic';
import { ProgramsControl } from './programs-control';
import { reno } from './reno';
import type { Settings } from './settings';

/** net.ipv4.tcp_available_congestion_control. */
export const OWN_CONTROLLERS: readonly string[] = ['reno', 'cubic'];

/** What stacks begin with, as Linux does (net.ipv4.tcp_congestion_control). */
const DEFAULT = 'cubic';

/** The congestion controllers of one stack: its own by name, and those that the program has. */
export class Controllers {
  /** A method of the program's controller is under way. */
  busy = false;
  private readonly own: ReadonlyMap<string, CongestionControl>;
  private readonly programs = new WeakMap<CongestionController, CongestionControl>();

  /** @param report takes what a controller of the program has thrown */
  constructor(
    settings: Settings,
    private readonly counters: Counters,
    private readonly report: (error: unknown) => void,
  ) {
    const all = [reno, new Cubic(settings, counters)];
    this.own = new Map(all.map((control) => [control.name, control]));
  }

  /** The controller by its name, or for the program's; null: there is none of that name. */
  find(which: string | CongestionController = DEFAULT): CongestionControl | null {
    if (typeof which === 'string') return this.own.get(which) ?? null;
    let control = this.programs.get(which);
    if (control === undefined) {
      control = new ProgramsControl(which, this);
      this.programs.set(which, control);
    }
    return control;
  }

  /** A controller of the program has thrown: the connection goes on without it. */
  failed(c: Connection, error: unknown): void {
    this.counters.NetlandCongestionErrors++;
    changeControl(c, reno);
    this.report(error);
  }

  noteNonsense(times: number): void {
    this.counters.NetlandCongestionNonsense += times;
  }
}

/** From now on `control` is in charge (Linux: tcp_reinit_congestion_control). */
export function changeControl(c: Connection, control: CongestionControl): void {
  c.congestion = control;
  c.congestionState = null;
  c.pacingRate = 0;
  if (c.cwnd > 0) control.init(c);
}
