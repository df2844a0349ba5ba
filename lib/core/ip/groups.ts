import type { GroupAuthority } from '../environment';
import { ipv4, ipv6, isLoopback, sameAddress, type IpAddress } from './address';

/** All hosts of a link (RFC 1112 §4, RFC 4291 §2.7.1): everybody is in these, always. */
const ALL_HOSTS: readonly IpAddress[] = [
  ipv4(0xe0000001),
  ipv6(0xff010000, 0, 0, 1),
  ipv6(0xff020000, 0, 0, 1),
];

interface Membership {
  readonly group: IpAddress;
  members: number;
  /** Of these, who is not on the loopback alone. */
  outside: number;
}

/** The multicast groups that a stack is in: those that a socket of it is in. */
export class Groups {
  /**
   * Told of the first member of a group, and when the last has left: what IGMP and MLD report. What
   * is on the loopback alone is of no router's business.
   */
  onChange: ((group: IpAddress, isMember: boolean) => void) | null = null;
  private memberships: Membership[] = [];

  /** @param authority who joins beside us, where the system has to */
  constructor(private readonly authority: GroupAuthority | null = null) {}

  get all(): readonly IpAddress[] {
    return this.memberships.map(({ group }) => group);
  }

  /**
   * One member more.
   * @param local whose interface is meant; null: any
   * @returns 0, or -errno of the system
   */
  join(group: IpAddress, local: IpAddress | null = null): number {
    const refused = this.authority?.join(group, local) ?? 0;
    if (refused !== 0) return -refused;
    let known = this.memberships.find((other) => sameAddress(other.group, group));
    if (known === undefined) {
      known = { group, members: 0, outside: 0 };
      this.memberships.push(known);
    }
    known.members++;
    if (isInside(local)) return 0;
    known.outside++;
    if (known.outside === 1) this.onChange?.(group, true);
    return 0;
  }

  /** One member less, of whom there must be one that has joined with these arguments. */
  leave(group: IpAddress, local: IpAddress | null = null): void {
    const known = this.memberships.find((other) => sameAddress(other.group, group));
    if (known === undefined) throw new Error('nobody is in that group');
    this.authority?.leave(group, local);
    if (--known.members === 0) {
      this.memberships = this.memberships.filter((other) => other !== known);
    }
    if (isInside(local)) return;
    known.outside--;
    if (known.outside === 0) this.onChange?.(group, false);
  }

  /** Whether we are in the group whose address is in four words from `at`; makes nothing. */
  hasAt(words: Int32Array, at: number): boolean {
    for (const group of ALL_HOSTS) if (isAt(group, words, at)) return true;
    for (const { group } of this.memberships) if (isAt(group, words, at)) return true;
    return false;
  }
}

function isInside(local: IpAddress | null): boolean {
  return local !== null && isLoopback(local);
}

/** Whether `a` is the address in four words from `at`. */
export function isAt(a: IpAddress, words: Int32Array, at: number): boolean {
  return (
    a.w3 === words[at + 3] && a.w2 === words[at + 2] && a.w1 === words[at + 1] && a.w0 === words[at]
  );
}
