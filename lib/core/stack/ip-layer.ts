import type { Environment } from '../environment';
import { Icmp } from '../icmp/icmp';
import { Defragmenter } from '../ip/defragmenter';
import { Groups } from '../ip/groups';
import { Identification } from '../ip/identification';
import { IpOutput } from '../ip/output';
import type { OwnPackets } from '../ip/own-packets';
import type { PathMtus } from '../ip/path-mtus';
import type { SlabTable } from '../memory/slabs';
import type { Settings } from '../tcp/settings';
import type { Counters } from './counters';

/** What IP has of the stack. */
export interface IpParts {
  readonly environment: Environment;
  readonly slabs: SlabTable;
  readonly hashKey: Int32Array;
  readonly counters: Counters;
  readonly settings: Settings;
  readonly pathMtus: PathMtus;
  readonly own: OwnPackets;
  /** ms of the stack's clock, modulo 2^32. */
  readonly nowMs: () => number;
}

/** What a stack has below TCP and UDP. Each is made when it is first needed. */
export class IpLayer {
  /** Multicast groups that sockets, or the stack itself, are in. */
  readonly groups = new Groups();
  private identification_: Identification | null = null;
  private output_: IpOutput | null = null;
  private icmp_: Icmp | null = null;
  private fragments4: Defragmenter | null = null;
  private fragments6: Defragmenter | null = null;

  constructor(private readonly parts: IpParts) {}

  get identification(): Identification {
    this.identification_ ??= new Identification(this.parts.environment.random);
    return this.identification_;
  }

  get output(): IpOutput {
    const { identification } = this;
    this.output_ ??= new IpOutput({ ...this.parts, identification });
    return this.output_;
  }

  get icmp(): Icmp {
    this.icmp_ ??= new Icmp({ ...this.parts, output: this.output });
    return this.icmp_;
  }

  /** What puts fragments of a family together. */
  fragments(family: number): Defragmenter {
    const { parts, icmp } = this;
    if (family === 4) return (this.fragments4 ??= new Defragmenter(4, { ...parts, icmp }));
    return (this.fragments6 ??= new Defragmenter(6, { ...parts, icmp }));
  }

  /** Memory of fragments that wait for others, bytes. */
  get fragmentMemory(): number {
    return (this.fragments4?.used ?? 0) + (this.fragments6?.used ?? 0);
  }

  /** When `onTimer` wants to be called, µs; Infinity: not at all. */
  nextDeadline(): number {
    const { fragments4, fragments6 } = this;
    const next = fragments4 === null ? Infinity : fragments4.nextDeadline();
    return fragments6 === null ? next : Math.min(next, fragments6.nextDeadline());
  }

  /** Fires every timer that is due. @param now µs */
  onTimer(now: number): void {
    this.fragments4?.onTimer(now);
    this.fragments6?.onTimer(now);
  }
}
