import { Errno } from '../errno';
import { isMulticast, sameAddress, type IpAddress } from '../ip/address';
import { isAt, type Groups } from '../ip/groups';
import type { DatagramOptions } from './datagram-options';

/** net.ipv4.igmp_max_memberships. */
const MAX_MEMBERSHIPS = 20;

interface Membership {
  readonly group: IpAddress;
  /** Of the interface that is meant; null: any. */
  readonly local: IpAddress | null;
}

/** The multicast groups that a socket has joined. */
export class SocketGroups {
  private joined: readonly Membership[] = [];

  constructor(
    private readonly groups: Groups,
    private readonly options: DatagramOptions,
  ) {}

  /**
   * IP_ADD_MEMBERSHIP, IPV6_JOIN_GROUP.
   * @param local the address of ours whose interface is meant; null: any
   * @returns 0, or -errno
   */
  join(group: IpAddress, local: IpAddress | null = null): number {
    if (!isMulticast(group)) return -Errno.EINVAL;
    if (this.joined.some((other) => isSame(other, group, local))) return -Errno.EADDRINUSE;
    if (this.joined.length >= MAX_MEMBERSHIPS) return -Errno.ENOBUFS;
    const refused = this.groups.join(group, local);
    if (refused === 0) this.joined = [...this.joined, { group, local }];
    return refused;
  }

  /**
   * IP_DROP_MEMBERSHIP, IPV6_LEAVE_GROUP.
   * @param local as given to `join`; null: whatever was
   * @returns 0, or -errno
   */
  leave(group: IpAddress, local: IpAddress | null = null): number {
    if (!isMulticast(group)) return -Errno.EINVAL;
    const known = this.joined.find((other) =>
      local === null ? sameAddress(other.group, group) : isSame(other, group, local),
    );
    if (known === undefined) return -Errno.EADDRNOTAVAIL;
    this.joined = this.joined.filter((other) => other !== known);
    this.groups.leave(known.group, known.local);
    return 0;
  }

  leaveAll(): void {
    for (const { group, local } of this.joined) this.groups.leave(group, local);
    this.joined = [];
  }

  /**
   * Whether the socket takes what is for the group, or for all hosts, of whose address the words
   * are: those of others' groups as IP_MULTICAST_ALL says (Linux: ip_mc_sf_allow).
   */
  allows(words: Int32Array, at: number): boolean {
    if (this.options.multicastAll === 1 || !isGroupAt(words, at)) return true;
    for (const { group } of this.joined) if (isAt(group, words, at)) return true;
    return false;
  }
}

function isSame(known: Membership, group: IpAddress, local: IpAddress | null): boolean {
  if (!sameAddress(known.group, group)) return false;
  return known.local === null || local === null
    ? known.local === local
    : sameAddress(known.local, local);
}

function isGroupAt(words: Int32Array, at: number): boolean {
  const is4 = words[at + 2] === 0xffff && words[at + 1] === 0 && words[at] === 0;
  return is4 ? words[at + 3] >>> 28 === 14 : words[at] >>> 24 === 0xff;
}
