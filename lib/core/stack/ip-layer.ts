import type { Environment } from '../environment';
import { Icmp } from '../icmp/icmp';
import { isIpv4, type IpAddress } from '../ip/address';
import { Defragmenter } from '../ip/defragmenter';
import { Groups } from '../ip/groups';
import { Identification } from '../ip/identification';
import { IpOutput } from '../ip/output';
import type { OwnPackets } from '../ip/own-packets';
import type { PathMtus } from '../ip/path-mtus';
import type { SlabTable } from '../memory/slabs';
import { GroupReports } from '../multicast/group-reports';
import { IgmpSender, isReported4, readIgmp } from '../multicast/igmp';
import { isReported6, MldSender, readMld } from '../multicast/mld';
import { Word } from '../segment/layout';
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
  /** µs of the stack's clock. */
  readonly now: () => number;
}

/** What a stack has below TCP and UDP. Each is made when it is first needed. */
export class IpLayer {
  /**
   * Multicast groups that sockets, or the stack itself, are in. Routers are told by IGMP and MLD,
   * unless the environment has who joins.
   */
  readonly groups: Groups;
  private identification_: Identification | null = null;
  private output_: IpOutput | null = null;
  private icmp_: Icmp | null = null;
  private fragments4: Defragmenter | null = null;
  private fragments6: Defragmenter | null = null;
  private reports4: GroupReports | null = null;
  private reports6: GroupReports | null = null;

  constructor(private readonly parts: IpParts) {
    const { groups } = parts.environment;
    this.groups = new Groups(groups);
    if (groups !== undefined) return;
    this.groups.onChange = (group, isMember) => this.groupChanged(group, isMember);
  }

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

  /** What tells routers of our groups: IGMP, or MLD. */
  reports(family: number): GroupReports {
    if (family === 4) return (this.reports4 ??= igmpReports(this.parts));
    return (this.reports6 ??= mldReports(this.parts));
  }

  /** Our addresses, or the ways to others, may be others. */
  pathsChanged(): void {
    this.reports4?.addressesChanged();
    this.reports6?.addressesChanged();
  }

  private groupChanged(group: IpAddress, isMember: boolean): void {
    const is4 = isIpv4(group);
    const linkLocal = this.parts.settings.igmpLinkLocalMcastReports === 1;
    if (!(is4 ? isReported4(group, linkLocal) : isReported6(group))) return;
    const reports = this.reports(is4 ? 4 : 6);
    if (isMember) reports.join(group);
    else reports.leave(group);
  }

  /** A message of IGMP, or an intact one of MLD, which are for us. */
  groupMessageArrives(words: Int32Array, base: number): void {
    const is4 = words[base + Word.Family] === 4;
    const slab = this.parts.slabs.slabs[words[base + Word.Slab]];
    const start = words[base + Word.PayloadOffset];
    const length = words[base + Word.PayloadLength];
    const message = is4 ? readIgmp(slab, start, length) : readMld(words, base, slab);
    if (message === null) return;
    const reports = this.reports(is4 ? 4 : 6);
    if ('heard' in message) reports.heard(message.heard);
    else reports.asked(message);
  }

  /** When `onTimer` wants to be called, µs; Infinity: not at all. */
  nextDeadline(): number {
    const { fragments4, fragments6, reports4, reports6 } = this;
    let next = fragments4 === null ? Infinity : fragments4.nextDeadline();
    if (fragments6 !== null) next = Math.min(next, fragments6.nextDeadline());
    if (reports4 !== null) next = Math.min(next, reports4.nextDeadline());
    return reports6 === null ? next : Math.min(next, reports6.nextDeadline());
  }

  /** Fires every timer that is due. @param now µs */
  onTimer(now: number): void {
    this.fragments4?.onTimer(now);
    this.fragments6?.onTimer(now);
    this.reports4?.onTimer();
    this.reports6?.onTimer();
  }
}

function igmpReports({ settings, own, environment, now }: IpParts): GroupReports {
  const limits = {
    qrv: settings.igmpQrv,
    unsolicited2: settings.igmpv2UnsolicitedReportInterval,
    unsolicited3: settings.igmpv3UnsolicitedReportInterval,
    forced: settings.forceIgmpVersion,
  };
  const { paths, random } = environment;
  return new GroupReports(limits, new IgmpSender(own, paths), random, now);
}

function mldReports({ settings, own, environment, counters, now }: IpParts): GroupReports {
  const { forceMldVersion } = settings;
  const limits = {
    qrv: settings.mldQrv,
    unsolicited2: settings.mldv1UnsolicitedReportInterval,
    unsolicited3: settings.mldv2UnsolicitedReportInterval,
    // By the numbers of IGMP.
    forced: forceMldVersion === 0 ? 0 : forceMldVersion + 1,
  };
  const { paths, random } = environment;
  return new GroupReports(limits, new MldSender(own, paths, counters), random, now);
}
