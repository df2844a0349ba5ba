import { MAX_PACKET_LENGTH, buildPacket } from '../codec/build';
import { buildReceived } from '../codec/build-received';
import { store16 } from '../codec/bytes';
import { fold, sumBytes } from '../codec/checksum';
import { Fragments, needsFragments } from '../codec/fragment';
import type { SegmentBatch } from '../core/segment/batch';
import { Checksum, Direction, IpProtocol, Word } from '../core/segment/layout';

/** The bytes that descriptors stand for, as they are (or were) on the wire. */
export class PacketBytes {
  private readonly packet = new Uint8Array(MAX_PACKET_LENGTH);
  private fragments: Fragments | null = null;

  /** @param slabs what descriptors and slices point into (`SlabTable.slabs`) */
  constructor(private readonly slabs: readonly Uint8Array[]) {}

  /**
   * The packet of descriptor `index`, whole, from its IP header on; valid until the next call. Null
   * for one that can't be built.
   * @param direction whether the batch was received or is to be sent
   */
  of(batch: SegmentBatch, index: number, direction: Direction): Uint8Array | null {
    const base = batch.base(index);
    return direction === Direction.In ? this.received(batch.words, base) : this.built(batch, base);
  }

  /**
   * Hands the packets of descriptor `index` to `take`, one by one, as they stand on a wire: several
   * where one becomes fragments; a received checksum that was left to a device is completed. Each
   * is valid during the call.
   * @returns whether there was one
   */
  forEach(
    batch: SegmentBatch,
    index: number,
    direction: Direction,
    take: (packet: Uint8Array) => void,
  ): boolean {
    const base = batch.base(index);
    const { words, slices } = batch;
    if (direction === Direction.In || !needsFragments(words, base)) {
      const packet = this.of(batch, index, direction);
      const open = direction === Direction.In && words[base + Word.Checksum] === Checksum.Partial;
      if (packet !== null) take(open ? this.completed(words, base, packet) : packet);
      return packet !== null;
    }
    this.fragments ??= new Fragments();
    const { fragments, packet } = this;
    if (!fragments.begin(words, base, slices, batch.sliceBase(base), this.slabs)) return false;
    while (fragments.nextLength > 0) take(packet.subarray(0, fragments.next(packet, 0)));
    return true;
  }

  /** A copy: the field held the pseudo-header's sum, now the checksum. */
  private completed(words: Int32Array, base: number, packet: Uint8Array): Uint8Array {
    const copy = this.packet.subarray(0, packet.length);
    copy.set(packet);
    const start = words[base + Word.TransportOffset] - words[base + Word.PacketOffset];
    const payload = words[base + Word.PayloadOffset] - words[base + Word.TransportOffset];
    const sum = fold(sumBytes(copy, start, payload + words[base + Word.PayloadLength]));
    const isTcp = words[base + Word.Protocol] === (IpProtocol.Tcp as number);
    store16(copy, start + (isTcp ? 16 : 6), ~sum & 0xffff || 0xffff);
    return copy;
  }

  private built(batch: SegmentBatch, base: number): Uint8Array | null {
    const sliceBase = batch.sliceBase(base);
    const { words, slices } = batch;
    const length = buildPacket(words, base, slices, sliceBase, this.slabs, this.packet, 0);
    return length === 0 ? null : this.packet.subarray(0, length);
  }

  private received(words: Int32Array, base: number): Uint8Array {
    const slab = this.slabs[words[base + Word.Slab]];
    const offset = words[base + Word.PacketOffset];
    if (words[base + Word.TransportOffset] !== offset) {
      return slab.subarray(offset, offset + words[base + Word.PacketLength]);
    }
    // There is nothing but the payload, as where a simulated network delivers.
    const start = words[base + Word.PayloadOffset];
    const payload = slab.subarray(start, start + words[base + Word.PayloadLength]);
    return buildReceived(words.slice(base, base + Word.Stride), payload);
  }
}
