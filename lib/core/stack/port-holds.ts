import type { PortAuthority } from '../environment';
import {
  ANY4,
  ANY6,
  isIpv4,
  isWildcard,
  readAddress,
  writeAddress,
  type IpAddress,
} from '../ip/address';
import { RowTable } from '../memory/row-table';

/** A row, in words. */
const enum Hold {
  Address = 0,
  Port = 4,
  /** Everything that needs the port: bound sockets and what `Connections` counts. */
  Count = 5,
  /** Connections, handshakes and TIME-WAIT entries. */
  Connections = 6,
  Flags = 7,
  /** The next row of the same port, and the one before. */
  Next = 8,
  Before = 9,
  /** Of address and port, and the next row of the same bucket. */
  Hash = 10,
  Chain = 11,
  Stride = 12,
}

const enum Flags {
  /** Taken from the authority under just this address. */
  Reserved = 1,
  /** Some of its connections has these `Sharing` bits: the first of a bit for each set. */
  Shares = 2,
}

/** With whom a bound socket, or a connection, shares its port: those who have the same bit. */
export const enum Sharing {
  None = 0,
  /** SO_REUSEADDR. */
  Address = 1,
  /** SO_REUSEPORT. */
  Port = 2,
  Both = 3,
}

const NONE = -1;
const FIRST_BUCKETS = 64;
/** So many rows of a port are looked at before the index is asked. */
const FEW = 8;
const PAGE_BITS = 8;
const PAGE = 1 << PAGE_BITS;

/**
 * Who needs which local port: for each local address and port a count, and the reservation that the
 * authority has given. A port is reserved for an address when it is first needed, unless it is
 * reserved for the family's wildcard already, and given back when nothing needs it any more.
 */
export class PortHolds extends RowTable {
  /** First row of each port, in pages of 256 ports. */
  private readonly heads: (Int32Array | null)[] = new Array<null>(65_536 / PAGE).fill(null);
  /** First row of each bucket of the index; a power of two of them. */
  private buckets = new Int32Array(FIRST_BUCKETS).fill(NONE);

  /** @param hash of an address and port, int32; who chooses them can't choose it */
  constructor(
    private readonly authority: PortAuthority,
    private readonly hash: (address: IpAddress, port: number) => number,
  ) {
    super(Hold.Stride);
  }

  /**
   * Counts a bound socket on a port; `address` may be a wildcard.
   * @returns 0, or minus the errno of the authority
   */
  bind(address: IpAddress, port: number): number {
    return Math.min(this.hold(address, port), 0);
  }

  /** The socket is bound no more. */
  unbind(address: IpAddress, port: number): void {
    this.drop(this.rowOf(address, port));
  }

  /**
   * Counts a connection.
   * @param sharing the `Sharing` bits of the socket that it is of
   * @returns the row, or minus the errno of the authority
   */
  connect(address: IpAddress, port: number, sharing: number): number {
    const row = this.hold(address, port);
    if (row < 0) return row;
    const base = this.base(row);
    this.words[base + Hold.Connections]++;
    this.words[base + Hold.Flags] |= Flags.Shares << sharing;
    return row;
  }

  /** The connection is gone; whether the row is, too. */
  disconnect(row: number): boolean {
    const base = this.base(row);
    this.words[base + Hold.Connections]--;
    return this.drop(row);
  }

  /** The row of an address and port, or -1. */
  find(address: IpAddress, port: number): number {
    let row = this.first(port);
    for (let i = 0; i < FEW; i++) {
      if (row === NONE || this.isAt(row, address)) return row;
      row = this.next(row);
    }
    return row === NONE ? NONE : this.findByHash(address, port);
  }

  /** The same where a port has many rows: all addresses may be ours. */
  private findByHash(address: IpAddress, port: number): number {
    const { words } = this;
    const hash = this.hash(address, port);
    let row = this.buckets[hash & (this.buckets.length - 1)];
    while (row !== NONE) {
      const base = this.base(row);
      if (words[base + Hold.Hash] === hash && words[base + Hold.Port] === port) {
        if (this.isAt(row, address)) return row;
      }
      row = words[base + Hold.Chain];
    }
    return NONE;
  }

  /** The row of an address and port; there must be one. */
  rowOf(address: IpAddress, port: number): number {
    const row = this.find(address, port);
    if (row === NONE) throw new Error(`port ${port} is not held`);
    return row;
  }

  /** First row of a port, or -1. */
  first(port: number): number {
    const page = this.heads[port >> PAGE_BITS];
    return page === null ? NONE : page[port & (PAGE - 1)];
  }

  /** The row after `row` on the same port, or -1. */
  next(row: number): number {
    return this.words[this.base(row) + Hold.Next];
  }

  address(row: number): IpAddress {
    return readAddress(this.words, this.base(row) + Hold.Address);
  }

  /** Whether the row has connections that a socket with these `Sharing` bits can't join. */
  blocks(row: number, sharing: number): boolean {
    const base = this.base(row);
    if (this.words[base + Hold.Connections] === 0) return false;
    const flags = this.words[base + Hold.Flags];
    for (let other: number = Sharing.None; other <= Sharing.Both; other++) {
      if ((flags & (Flags.Shares << other)) !== 0 && (other & sharing) === 0) return true;
    }
    return false;
  }

  /** Counts one more on a row, which is made if need be. */
  private hold(address: IpAddress, port: number): number {
    let row = this.find(address, port);
    if (row === NONE) {
      row = this.open(address, port);
      if (row < 0) return row;
    }
    this.words[this.base(row) + Hold.Count]++;
    return row;
  }

  private open(address: IpAddress, port: number): number {
    const covered = this.wildcard(port, isIpv4(address)) !== NONE;
    if (!covered) {
      const errno = this.authority.reserve(address, port);
      if (errno !== 0) return -errno;
    }
    const row = this.take();
    const base = this.base(row);
    writeAddress(address, this.words, base + Hold.Address);
    this.words[base + Hold.Port] = port;
    this.words[base + Hold.Flags] = covered ? 0 : Flags.Reserved;
    const next = this.first(port);
    this.words[base + Hold.Next] = next;
    this.words[base + Hold.Before] = NONE;
    if (next !== NONE) this.words[this.base(next) + Hold.Before] = row;
    const page = (this.heads[port >> PAGE_BITS] ??= new Int32Array(PAGE).fill(NONE));
    page[port & (PAGE - 1)] = row;
    this.words[base + Hold.Hash] = this.hash(address, port);
    if (this.count > this.buckets.length) this.growIndex();
    this.enter(row);
    return row;
  }

  /** Puts a row into its bucket. */
  private enter(row: number): void {
    const base = this.base(row);
    const bucket = this.words[base + Hold.Hash] & (this.buckets.length - 1);
    this.words[base + Hold.Chain] = this.buckets[bucket];
    this.buckets[bucket] = row;
  }

  /** Twice as many buckets, for all rows but that which is about to be entered. */
  private growIndex(): void {
    const before = this.buckets;
    this.buckets = new Int32Array(before.length * 2).fill(NONE);
    for (const first of before) {
      let row = first;
      while (row !== NONE) {
        const next = this.words[this.base(row) + Hold.Chain];
        this.enter(row);
        row = next;
      }
    }
  }

  /** Counts one less; whether the row is gone. */
  private drop(row: number): boolean {
    const base = this.base(row);
    if (--this.words[base + Hold.Count] > 0) return false;
    const port = this.words[base + Hold.Port];
    const family = isIpv4(this.address(row));
    if (this.isReserved(row) && isWildcard(this.address(row)) && this.relies(port, family)) {
      return false;
    }
    this.remove(row);
    // It may have been the last to rely on a wildcard that nobody needs for itself.
    const wildcard = this.wildcard(port, family);
    if (wildcard !== NONE && this.words[this.base(wildcard) + Hold.Count] === 0) {
      if (!this.relies(port, family)) this.remove(wildcard);
    }
    return true;
  }

  /** Whether rows of the family rely on the reservation of its wildcard. */
  private relies(port: number, ipv4: boolean): boolean {
    for (let row = this.first(port); row !== NONE; row = this.next(row)) {
      if (!this.isReserved(row) && isIpv4(this.address(row)) === ipv4) return true;
    }
    return false;
  }

  /** The row of the family's wildcard, or -1. */
  private wildcard(port: number, ipv4: boolean): number {
    return this.find(ipv4 ? ANY4 : ANY6, port);
  }

  private remove(row: number): void {
    const port = this.words[this.base(row) + Hold.Port];
    if (this.isReserved(row)) this.authority.release(this.address(row), port);
    const next = this.next(row);
    const before = this.words[this.base(row) + Hold.Before];
    if (next !== NONE) this.words[this.base(next) + Hold.Before] = before;
    if (before !== NONE) this.words[this.base(before) + Hold.Next] = next;
    else (this.heads[port >> PAGE_BITS] as Int32Array)[port & (PAGE - 1)] = next;
    this.leave(row);
    this.give(row);
  }

  /** Takes a row out of its bucket. */
  private leave(row: number): void {
    const { words, buckets } = this;
    const base = this.base(row);
    const bucket = words[base + Hold.Hash] & (buckets.length - 1);
    if (buckets[bucket] === row) {
      buckets[bucket] = words[base + Hold.Chain];
      return;
    }
    let at = this.base(buckets[bucket]);
    while (words[at + Hold.Chain] !== row) at = this.base(words[at + Hold.Chain]);
    words[at + Hold.Chain] = words[base + Hold.Chain];
  }

  private isReserved(row: number): boolean {
    return (this.words[this.base(row) + Hold.Flags] & Flags.Reserved) !== 0;
  }

  private isAt(row: number, address: IpAddress): boolean {
    const base = this.base(row) + Hold.Address;
    const words = this.words;
    return (
      words[base + 3] === address.w3 &&
      words[base + 2] === address.w2 &&
      words[base + 1] === address.w1 &&
      words[base] === address.w0
    );
  }
}
