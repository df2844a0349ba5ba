import { ANY6, readAddress, writeAddress, type IpAddress } from '../ip/address';
import { RowTable } from '../memory/row-table';
import { endpointsHash } from '../random/half-sip-hash';
import { Word } from '../segment/layout';

/** What a four-tuple belongs to. */
export const enum Shape {
  None = 0,
  Connection = 1,
  Syn = 2,
  TimeWait = 3,
}

/** A row of the table, in words. */
const enum Field {
  Local = 0,
  Remote = 4,
  /** Local port << 16 | remote port. */
  Ports = 8,
  Hash = 9,
  /** Index << 2 | Shape. */
  Owner = 10,
  Stride = 11,
}

/** A slot of the index, in words. */
const enum Slot {
  Hash = 0,
  /** Row + 1; 0: the slot is empty. */
  Row = 1,
  Stride = 2,
}

const FIRST_SLOTS = 128;
const NO_ROW = -1;

/**
 * The four-tuples in use, and what each belongs to: the index by which a received segment finds its
 * connection (RFC 9293 §3.3.1). Open addressing over the keyed hash that the descriptor carries;
 * a row of 44 bytes and 11 to 22 bytes of index for each tuple.
 */
export class FourTuples extends RowTable {
  private slots = new Int32Array(FIRST_SLOTS * Slot.Stride);
  /** Number of slots, a power of two, less one. */
  private mask = FIRST_SLOTS - 1;
  /** A descriptor as it would be received with the four-tuple in question. */
  private readonly question = new Int32Array(Word.Stride);

  /** @param hashKey two words, the key that descriptors are hashed with */
  constructor(private readonly hashKey: Int32Array) {
    super(Field.Stride);
  }

  /**
   * The row of a received descriptor's four-tuple (its destination is the local end), or -1.
   * @param base first word of the descriptor, whose `Hash` is used
   */
  find(words: Int32Array, base: number): number {
    const hash = words[base + Word.Hash];
    const ports = (words[base + Word.DestinationPort] << 16) | words[base + Word.SourcePort];
    const rows = this.words;
    const slots = this.slots;
    for (let slot = hash & this.mask; ; slot = (slot + 1) & this.mask) {
      const row = slots[slot * Slot.Stride + Slot.Row] - 1;
      if (row < 0) return NO_ROW;
      if (slots[slot * Slot.Stride + Slot.Hash] !== hash) continue;
      const at = row * Field.Stride;
      if (
        rows[at + Field.Ports] === ports &&
        rows[at + Field.Remote + 3] === words[base + Word.Source + 3] &&
        rows[at + Field.Local + 3] === words[base + Word.Destination + 3] &&
        rows[at + Field.Remote + 2] === words[base + Word.Source + 2] &&
        rows[at + Field.Local + 2] === words[base + Word.Destination + 2] &&
        rows[at + Field.Remote + 1] === words[base + Word.Source + 1] &&
        rows[at + Field.Local + 1] === words[base + Word.Destination + 1] &&
        rows[at + Field.Remote] === words[base + Word.Source] &&
        rows[at + Field.Local] === words[base + Word.Destination]
      ) {
        return row;
      }
    }
  }

  /** The row of a four-tuple, or -1. */
  lookup(local: IpAddress, localPort: number, remote: IpAddress, remotePort: number): number {
    this.ask(local, localPort, remote, remotePort);
    return this.find(this.question, 0);
  }

  /** Adds a four-tuple, which must not be there yet; its row. */
  add(local: IpAddress, localPort: number, remote: IpAddress, remotePort: number): number {
    this.ask(local, localPort, remote, remotePort);
    return this.addReceived(this.question, 0);
  }

  /** Adds the four-tuple of a received descriptor, which must not be there yet; its row. */
  addReceived(words: Int32Array, base: number): number {
    if (this.find(words, base) !== NO_ROW) throw new Error('the four-tuple is in use');
    const row = this.take();
    const rows = this.words;
    const at = row * Field.Stride;
    for (let i = 0; i < 4; i++) {
      rows[at + Field.Local + i] = words[base + Word.Destination + i];
      rows[at + Field.Remote + i] = words[base + Word.Source + i];
    }
    rows[at + Field.Ports] =
      (words[base + Word.DestinationPort] << 16) | words[base + Word.SourcePort];
    rows[at + Field.Hash] = words[base + Word.Hash];
    rows[at + Field.Owner] = Shape.None;
    // At most three quarters of the slots are used.
    if (this.count * 4 > (this.mask + 1) * 3) this.growIndex();
    this.insert(row, rows[at + Field.Hash]);
    return row;
  }

  /** Removes a tuple; its row is free. */
  remove(row: number): void {
    const slots = this.slots;
    const mask = this.mask;
    let hole = this.words[row * Field.Stride + Field.Hash] & mask;
    while (slots[hole * Slot.Stride + Slot.Row] !== row + 1) {
      if (slots[hole * Slot.Stride + Slot.Row] === 0) throw new Error(`row ${row} is not in use`);
      hole = (hole + 1) & mask;
    }
    // Move back what would not be found any more across the hole.
    for (let slot = hole; ;) {
      slot = (slot + 1) & mask;
      const follower = slots[slot * Slot.Stride + Slot.Row];
      if (follower === 0) break;
      const hash = slots[slot * Slot.Stride + Slot.Hash];
      if (((slot - hash) & mask) < ((slot - hole) & mask)) continue;
      slots[hole * Slot.Stride + Slot.Hash] = hash;
      slots[hole * Slot.Stride + Slot.Row] = follower;
      hole = slot;
    }
    slots[hole * Slot.Stride + Slot.Row] = 0;
    this.give(row);
  }

  /** Says what the tuple belongs to. @param index 0 to 2^29 - 1 */
  set(row: number, shape: Shape, index: number): void {
    this.words[row * Field.Stride + Field.Owner] = (index << 2) | shape;
  }

  shape(row: number): Shape {
    return this.words[row * Field.Stride + Field.Owner] & 3;
  }

  index(row: number): number {
    return this.words[row * Field.Stride + Field.Owner] >> 2;
  }

  /** Writes family, addresses and ports of a descriptor that is to be sent. */
  fill(row: number, words: Int32Array, base: number): void {
    const rows = this.words;
    const at = row * Field.Stride;
    for (let i = 0; i < 4; i++) {
      words[base + Word.Source + i] = rows[at + Field.Local + i];
      words[base + Word.Destination + i] = rows[at + Field.Remote + i];
    }
    const ports = rows[at + Field.Ports];
    words[base + Word.SourcePort] = ports >>> 16;
    words[base + Word.DestinationPort] = ports & 0xffff;
    const mapped =
      rows[at + Field.Local + 2] === 0xffff &&
      rows[at + Field.Local + 1] === 0 &&
      rows[at + Field.Local] === 0;
    words[base + Word.Family] = mapped ? 4 : 6;
  }

  local(row: number): IpAddress {
    return readAddress(this.words, row * Field.Stride + Field.Local);
  }

  remote(row: number): IpAddress {
    return readAddress(this.words, row * Field.Stride + Field.Remote);
  }

  /** Where in `words` the remote address of a row stands: four of them. */
  remoteAt(row: number): number {
    return row * Field.Stride + Field.Remote;
  }

  localPort(row: number): number {
    return this.words[row * Field.Stride + Field.Ports] >>> 16;
  }

  remotePort(row: number): number {
    return this.words[row * Field.Stride + Field.Ports] & 0xffff;
  }

  /** A keyed hash of one end. */
  hashOfEnd(address: IpAddress, port: number): number {
    return endpointsHash(this.hashKey, address, port, ANY6, 0);
  }

  /** Calls `each` for every row in use; it must not add or remove any. */
  forEach(each: (row: number) => void): void {
    for (let at = Slot.Row; at < this.slots.length; at += Slot.Stride) {
      if (this.slots[at] !== 0) each(this.slots[at] - 1);
    }
  }

  private ask(local: IpAddress, localPort: number, remote: IpAddress, remotePort: number): void {
    const words = this.question;
    writeAddress(local, words, Word.Destination);
    writeAddress(remote, words, Word.Source);
    words[Word.DestinationPort] = localPort;
    words[Word.SourcePort] = remotePort;
    words[Word.Hash] = endpointsHash(this.hashKey, local, localPort, remote, remotePort);
  }

  private insert(row: number, hash: number): void {
    let slot = hash & this.mask;
    while (this.slots[slot * Slot.Stride + Slot.Row] !== 0) slot = (slot + 1) & this.mask;
    this.slots[slot * Slot.Stride + Slot.Hash] = hash;
    this.slots[slot * Slot.Stride + Slot.Row] = row + 1;
  }

  private growIndex(): void {
    const before = this.slots;
    this.mask = this.mask * 2 + 1;
    this.slots = new Int32Array(before.length * 2);
    for (let at = 0; at < before.length; at += Slot.Stride) {
      const row = before[at + Slot.Row] - 1;
      if (row >= 0) this.insert(row, before[at + Slot.Hash]);
    }
  }
}
