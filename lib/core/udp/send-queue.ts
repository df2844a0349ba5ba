import type { BlockPool } from '../memory/block-pool';
import { Payloads } from '../memory/payloads';
import { RowRing } from '../memory/row-ring';
import { truesize } from '../memory/truesize';

/** A row: a datagram that waits to be sent, in words. */
export const enum Out {
  Source = 0,
  Destination = 4,
  SourcePort = 8,
  DestinationPort = 9,
  /** Hop limit, traffic class << 8. */
  Header = 10,
  /** `OutFlag` bits. */
  Flags = 11,
  /** Largest IP packet on the way, bytes. */
  Mtu = 12,
  /** Of the payload, bytes. */
  Length = 13,
  /** The first block of the payload; each has the next as its link. */
  Block = 14,
  Stride = 15,
}

export const enum OutFlag {
  /** Without DF. */
  MayFragment = 1,
  /** Without a checksum. */
  NoChecksum = 2,
  /** To a group or all hosts: sockets of our own get it, too. */
  Loop = 4,
  /** It doesn't leave the stack. */
  Inside = 8,
}

/** Datagrams that the program has sent, until they leave: each in blocks of the stack's pool. */
export class SendQueue {
  readonly rows = new RowRing(Out.Stride);
  /** What Linux would count for them (sk_wmem_alloc), bytes. */
  held = 0;
  private readonly payloads: Payloads;

  constructor(pool: BlockPool) {
    this.payloads = new Payloads(pool);
  }

  get count(): number {
    return this.rows.count;
  }

  /** Adds a datagram, whose bytes `append` brings; its row, of which the rest is to be filled. */
  push(length: number): number {
    const row = this.rows.push();
    const { words } = this.rows;
    words[row + Out.Length] = length;
    words[row + Out.Block] = this.payloads.take(length);
    this.held += truesize(length);
    return row;
  }

  /** Copies bytes to the end of the last datagram. */
  append(bytes: Uint8Array, offset: number, length: number): void {
    this.payloads.append(bytes, offset, length);
  }

  /** Writes the slices of the oldest datagram's payload; how many. */
  slice(slices: Int32Array, at: number): number {
    const { first, words } = this.rows;
    return this.payloads.slice(words[first + Out.Block], words[first + Out.Length], slices, at);
  }

  /** Drops the oldest datagram, whose bytes stay until the batch that points there was taken. */
  shift(): void {
    const { first, words } = this.rows;
    const length = words[first + Out.Length];
    this.held -= truesize(length);
    this.payloads.free(words[first + Out.Block], length);
    this.rows.shift();
  }
}
