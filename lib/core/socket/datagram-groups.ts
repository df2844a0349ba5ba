import { Errno } from '../errno';
import { isMulticast, sameAddress, type IpAddress } from '../ip/address';
import { isAt, type Groups } from '../ip/groups';
import type { DatagramOptions } from './datagram-options';

/** net.ipv4.igmp_max_memberships. */
const MAX_MEMBERSHIPS = 20;

/** The multicast groups that a socket has joined. */
export class SocketGroups {
  private joined: readonly IpAddress[] = [];

  constructor(
    private readonly groups: Groups,
    private readonly options: DatagramOptions,
  ) {}

  /** IP_ADD_MEMBERSHIP, IPV6_JOIN_GROUP. @returns 0, or -errno */
  join(group: IpAddress): number {
    if (!isMulticast(group)) return -Errno.EINVAL;
    if (this.has(group)) return -Errno.EADDRINUSE;
    if (this.joined.length >= MAX_MEMBERSHIPS) return -Errno.ENOBUFS;
    this.joined = [...this.joined, group];
    this.groups.join(group);
    return 0;
  }

  /** IP_DROP_MEMBERSHIP, IPV6_LEAVE_GROUP. @returns 0, or -errno */
  leave(group: IpAddress): number {
    if (!this.has(group)) return isMulticast(group) ? -Errno.EADDRNOTAVAIL : -Errno.EINVAL;
    this.joined = this.joined.filter((other) => !sameAddress(other, group));
    this.groups.leave(group);
    return 0;
  }

  leaveAll(): void {
    for (const group of this.joined) this.groups.leave(group);
    this.joined = [];
  }

  /**
   * Whether the socket takes what is for the group, or for all hosts, of whose address the words
   * are: those of others' groups as IP_MULTICAST_ALL says (Linux: ip_mc_sf_allow).
   */
  allows(words: Int32Array, at: number): boolean {
    if (this.options.multicastAll === 1 || !isGroupAt(words, at)) return true;
    for (const group of this.joined) if (isAt(group, words, at)) return true;
    return false;
  }

  private has(group: IpAddress): boolean {
    return this.joined.some((other) => sameAddress(other, group));
  }
}

function isGroupAt(words: Int32Array, at: number): boolean {
  const is4 = words[at + 2] === 0xffff && words[at + 1] === 0 && words[at] === 0;
  return is4 ? words[at + 3] >>> 28 === 14 : words[at] >>> 24 === 0xff;
}
