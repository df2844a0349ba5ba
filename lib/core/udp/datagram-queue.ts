import type { Arena, Piece } from '../memory/arena';
import { RowRing } from '../memory/row-ring';
import { truesize } from '../memory/truesize';
import { Word } from '../segment/layout';
import type { DatagramInfo } from './datagram-info';

/** A row: what is known of a datagram beside its bytes, in words. */
const enum Row {
  Source = 0,
  Destination = 4,
  /** Source port << 16 | destination port. */
  Ports = 8,
  /** Hop limit, traffic class << 8. */
  Header = 9,
  Interface = 10,
  Stride = 11,
}

/** Datagrams that have arrived and wait to be read. */
export class DatagramQueue {
  /** What Linux would count for them (sk_rmem_alloc), bytes. */
  held = 0;
  private readonly rows = new RowRing(Row.Stride);
  /** The bytes of each, in the same order; of an empty one a piece without any. */
  private head: Piece | null = null;
  private tail: Piece | null = null;

  constructor(private readonly arena: Arena) {}

  get count(): number {
    return this.rows.count;
  }

  /** Bytes of the oldest datagram; 0 where there is none, too (FIONREAD). */
  get nextLength(): number {
    return this.head === null ? 0 : this.head.end - this.head.start;
  }

  /** Whether the oldest datagram, which must be there, has come by IPv4. */
  get isIpv4(): boolean {
    const { words, first } = this.rows;
    return words[first + 2] === 0xffff && words[first + 1] === 0 && words[first] === 0;
  }

  /** Copies a datagram with the addresses, ports and IP fields of a descriptor. */
  push(words: Int32Array, base: number, bytes: Uint8Array, offset: number, length: number): void {
    const piece = this.arena.store(bytes, offset, length, length);
    if (this.tail === null) this.head = piece;
    else this.tail.next = piece;
    this.tail = piece;
    this.held += truesize(length);
    const row = this.rows.push();
    const into = this.rows.words;
    for (let i = 0; i < 4; i++) {
      into[row + Row.Source + i] = words[base + Word.Source + i];
      into[row + Row.Destination + i] = words[base + Word.Destination + i];
    }
    into[row + Row.Ports] =
      (words[base + Word.SourcePort] << 16) | words[base + Word.DestinationPort];
    into[row + Row.Header] = words[base + Word.HopLimit] | (words[base + Word.TrafficClass] << 8);
    into[row + Row.Interface] = words[base + Word.Interface];
  }

  /** Tells of the oldest datagram, which must be there. */
  describe(info: DatagramInfo): void {
    const { words, first } = this.rows;
    for (let i = 0; i < 4; i++) {
      info.source[i] = words[first + Row.Source + i];
      info.destination[i] = words[first + Row.Destination + i];
    }
    info.sourcePort = words[first + Row.Ports] >>> 16;
    info.destinationPort = words[first + Row.Ports] & 0xffff;
    info.hopLimit = words[first + Row.Header] & 0xff;
    info.trafficClass = words[first + Row.Header] >>> 8;
    info.interface = words[first + Row.Interface];
    info.length = this.nextLength;
  }

  /** Copies the beginning of the oldest datagram, which must be there; how many bytes. */
  peek(into: Uint8Array, offset: number, length: number): number {
    const piece = this.head as Piece;
    const bytes = Math.min(length, this.nextLength);
    into.set(piece.bytes.subarray(piece.start, piece.start + bytes), offset);
    return bytes;
  }

  /** Hands over the oldest datagram, which must be there: its bytes are the caller's now. */
  take(): Uint8Array {
    const piece = this.head as Piece;
    const bytes = piece.bytes.subarray(piece.start, piece.end);
    piece.base = piece.end;
    this.shift();
    return bytes;
  }

  /** Drops the oldest datagram, which must be there. */
  shift(): void {
    const piece = this.head as Piece;
    this.held -= truesize(piece.end - piece.start);
    this.head = piece.next;
    if (this.head === null) this.tail = null;
    this.rows.shift();
    this.arena.release(piece);
  }

  clear(): void {
    while (this.head !== null) this.shift();
  }
}
