import type { Random } from '../environment';
import { sameAddress, type IpAddress } from '../ip/address';

/** Record types of reports of the newest version (RFC 9776 §4.2.12, RFC 3810 §5.2.12). */
export const enum Mode {
  IsExclude = 2,
  ToInclude = 3,
  ToExclude = 4,
}

/** What a report says of a group: always of any source. */
export interface GroupRecord {
  readonly mode: Mode;
  readonly group: IpAddress;
}

/** How a version of the protocol says it. Versions are IGMP's: 1 to 3; MLDv1 is 2, MLDv2 is 3. */
export interface ReportSender {
  /** A report of the newest version. */
  report(records: readonly GroupRecord[]): void;
  /** Of an older one: we are in the group. */
  oldReport(group: IpAddress, version: 1 | 2): void;
  /** Version 2: we have left it. */
  leave(group: IpAddress): void;
  /** Something was said, or couldn't be, without an address of ours, and now there is one. */
  readonly hasNewName: boolean;
}

/** Settings of one family, by Linux's names. */
export interface ReportSettings {
  /** How often each change is told, until a querier says otherwise: `igmp_qrv`, `mld_qrv`. */
  readonly qrv: number;
  /** Longest time between two of these, ms: of version 2, and of version 3. */
  readonly unsolicited2: number;
  readonly unsolicited3: number;
  /** The one version that is spoken: `force_igmp_version`; 0: that of the querier. */
  readonly forced: number;
}

/** A query, as far as it says anything of groups of any source. Times in ms. */
export interface Query {
  version: 1 | 2 | 3;
  /** The group that is asked for; null: all. */
  group: IpAddress | null;
  /** Within what time an answer is wanted. */
  maxDelay: number;
  /** Of version 3: the querier's robustness and interval; 0: it doesn't say. */
  robustness: number;
  interval: number;
}

interface Member {
  readonly group: IpAddress;
  /** When it is reported by itself, µs; Infinity: not. */
  deadline: number;
  /** Reports without a query that are left, in the older versions. */
  unsolicited: number;
  /** How often it has still to be told that we are in it, in version 3. */
  changes: number;
  /** We were the last to report it: a leave is due. */
  isReporter: boolean;
}

interface Left {
  readonly group: IpAddress;
  changes: number;
}

/** Query interval that is assumed, and the answer's longest delay to a query of version 1, ms. */
const QUERY_INTERVAL = 125_000;
const VERSION1_DELAY = 10_000;
/** Groups that were left and are still to be told of. */
const MAX_LEFT = 1024;

/**
 * Tells the routers of a link which groups we are in (host part of RFC 9776, of RFC 3810, and of
 * what was before), as Linux does: changes at once, and again; queries after a delay by chance; in
 * the older versions only where no other host has said the same. Times are µs.
 */
export class GroupReports {
  private members: Member[] = [];
  private left: Left[] = [];
  private robustness: number;
  private interval = QUERY_INTERVAL;
  /** Until when a querier of an older version is taken to be there. */
  private until1 = -1;
  private until2 = -1;
  /** When all groups are reported, and when changes are, and how often. */
  private general = Infinity;
  private change = Infinity;
  private rounds = 0;
  /** The least of all deadlines. */
  private next = Infinity;

  /** @param now µs of the stack's clock */
  constructor(
    private readonly settings: ReportSettings,
    private readonly sender: ReportSender,
    private readonly random: Random,
    private readonly now: () => number,
  ) {
    this.robustness = settings.qrv;
  }

  nextDeadline(): number {
    return this.next;
  }

  /** The version that is spoken: that of the querier. */
  get version(): 1 | 2 | 3 {
    const { forced } = this.settings;
    if (forced !== 0) return forced as 1 | 2 | 3;
    const now = this.now();
    if (now < this.until1) return 1;
    return now < this.until2 ? 2 : 3;
  }

  /** We are in one more group, one that is to be reported. */
  join(group: IpAddress): void {
    this.left = this.left.filter((other) => !sameAddress(other.group, group));
    const member = { group, deadline: Infinity, unsolicited: 0, changes: 0, isReporter: false };
    this.members.push(member);
    this.announce(member);
  }

  leave(group: IpAddress): void {
    const member = this.members.find((other) => sameAddress(other.group, group));
    if (member === undefined) return;
    this.members = this.members.filter((other) => other !== member);
    if (this.version === 3) {
      if (this.left.length === MAX_LEFT) this.left.shift();
      this.left.push({ group, changes: this.robustness });
      this.tellChanges();
    } else if (this.version === 2 && member.isReporter) {
      this.sender.leave(group);
    }
    this.schedule();
  }

  /** Our addresses may be others: what was said without one is said again. */
  addressesChanged(): void {
    if (!this.sender.hasNewName) return;
    for (const member of this.members) this.announce(member);
  }

  private announce(member: Member): void {
    if (this.version === 3) {
      member.changes = this.robustness;
      this.tellChanges();
    } else {
      member.unsolicited = this.robustness;
      member.deadline = this.now();
    }
    this.schedule();
  }

  private tellChanges(): void {
    this.rounds = this.robustness;
    this.change = this.now();
  }

  /** A querier asks. */
  asked(query: Query): void {
    const { group } = query;
    const maxDelay = this.noteQuerier(query);
    if (this.version === 3 && group === null) {
      this.general = Math.min(this.general, this.after(maxDelay));
    } else {
      for (const member of this.members) {
        if (group !== null && !sameAddress(group, member.group)) continue;
        member.unsolicited = 0;
        // What is due earlier stays so.
        if (member.deadline < this.now() + maxDelay * 1000) continue;
        member.deadline = this.after(maxDelay);
      }
    }
    this.schedule();
  }

  /** Which version the querier speaks, and what it says of its times; the longest delay, ms. */
  private noteQuerier({ version, maxDelay, robustness, interval }: Query): number {
    if (version === 3) {
      if (this.version === 1) return VERSION1_DELAY;
      if (this.version === 3) {
        this.robustness = robustness || this.settings.qrv;
        this.interval = interval || QUERY_INTERVAL;
      }
      return maxDelay;
    }
    const delay = version === 1 ? VERSION1_DELAY : maxDelay;
    const until = this.now() + (this.robustness * this.interval + delay) * 1000;
    if (version === 1) this.until1 = until;
    else this.until2 = until;
    if (this.version !== 3) {
      this.general = this.change = Infinity;
      this.rounds = 0;
      this.left = [];
      for (const member of this.members) member.changes = 0;
    }
    return this.version === 1 ? VERSION1_DELAY : delay;
  }

  /** Another host has reported a group, in an older version: we needn't. */
  heard(group: IpAddress): void {
    const member = this.members.find((other) => sameAddress(other.group, group));
    if (member === undefined || this.version === 3) return;
    member.deadline = Infinity;
    member.unsolicited = 0;
    member.isReporter = false;
    this.schedule();
  }

  /** Sends what is due. */
  onTimer(): void {
    const now = this.now();
    if (now < this.next) return;
    if (this.general <= now) {
      this.general = Infinity;
      this.send(this.members.map(({ group }) => ({ mode: Mode.IsExclude, group })));
    }
    if (this.change <= now) this.sendChanges();
    for (const member of this.members) if (member.deadline <= now) this.sendMember(member);
    this.schedule();
  }

  private send(records: readonly GroupRecord[]): void {
    if (records.length > 0) this.sender.report(records);
  }

  private sendChanges(): void {
    const records: GroupRecord[] = [];
    for (const left of this.left) {
      left.changes--;
      records.push({ mode: Mode.ToInclude, group: left.group });
    }
    this.left = this.left.filter(({ changes }) => changes > 0);
    for (const member of this.members) {
      if (member.changes === 0) continue;
      member.changes--;
      records.push({ mode: Mode.ToExclude, group: member.group });
    }
    this.send(records);
    this.rounds--;
    this.change = this.rounds > 0 ? this.after(this.settings.unsolicited3) : Infinity;
  }

  private sendMember(member: Member): void {
    const { version, settings } = this;
    member.deadline = Infinity;
    if (version === 3) {
      this.send([{ mode: Mode.IsExclude, group: member.group }]);
      return;
    }
    this.sender.oldReport(member.group, version);
    member.isReporter = true;
    if (member.unsolicited > 0 && --member.unsolicited > 0) {
      member.deadline = this.after(settings.unsolicited2);
    }
  }

  /** A time by chance within the next `delay` ms. */
  private after(delay: number): number {
    return this.now() + Math.floor(((this.random.next() >>> 0) / 2 ** 32) * delay * 1000);
  }

  private schedule(): void {
    let next = Math.min(this.general, this.change);
    for (const { deadline } of this.members) if (deadline < next) next = deadline;
    this.next = next;
  }
}

/** A floating-point code of a query (RFC 9776 §4.1.1, RFC 3810 §5.1.3): what it stands for. */
export function codeValue(code: number, bits: 8 | 16): number {
  const mantissa = bits - 4;
  if (code < 1 << (bits - 1)) return code;
  const exponent = (code >>> mantissa) & 7;
  // The highest bit says that it is one.
  const value = (code & ((1 << mantissa) - 1)) | (1 << mantissa);
  return value * 2 ** (exponent + 3);
}
