import type { IcmpError } from '../icmp/icmp-error';
import type { IpAddress } from '../ip/address';
import { truesize } from '../memory/truesize';

/** What ICMP has said of a packet that we sent (Linux: sock_extended_err and what goes with it). */
export interface QueuedError {
  readonly errno: number;
  /** Of the message: ICMPv4 or ICMPv6, its type and code, and what it is about, as it says. */
  readonly family: 4 | 6;
  readonly type: number;
  readonly code: number;
  readonly info: number;
  /** Who sent it. */
  readonly offender: IpAddress;
  /** Where the quoted packet was to go. */
  readonly remote: IpAddress;
  readonly remotePort: number;
  /** As much of the packet as was quoted: of TCP its header first, of UDP what follows it. */
  readonly quoted: Uint8Array;
}

/** The errors that a program can read with MSG_ERRQUEUE, the oldest first. */
export class ErrorQueue {
  private readonly entries: QueuedError[] = [];
  private held = 0;

  /** Of the oldest; 0: there is none. */
  get errno(): number {
    return this.entries.length === 0 ? 0 : this.entries[0].errno;
  }

  /**
   * @param told what the program sees of the quoted packet; copied
   * @param room for all entries, as Linux counts memory (SO_RCVBUF), bytes; no more is kept
   */
  add(error: IcmpError, errno: number, told: Uint8Array, room: number): void {
    const size = truesize(told.length);
    if (this.held + size >= room) return;
    this.held += size;
    const { family, type, code, info, offender, remote, remotePort } = error;
    const quoted = told.slice();
    this.entries.push({ errno, family, type, code, info, offender, remote, remotePort, quoted });
  }

  shift(): QueuedError | null {
    const first = this.entries.shift();
    if (first === undefined) return null;
    this.held -= truesize(first.quoted.length);
    return first;
  }
}
