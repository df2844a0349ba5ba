import { MAX_PACKET_LENGTH, buildPacket, writeIpHeader } from '../codec/build';
import type { SegmentBatch } from '../core/segment/batch';
import { Direction, Word } from '../core/segment/layout';

const IPV6_HEADER = 40;

/** The bytes that descriptors stand for, as they are (or were) on the wire. */
export class PacketBytes {
  private readonly packet = new Uint8Array(MAX_PACKET_LENGTH);

  /** @param slabs what descriptors and slices point into (`SlabTable.slabs`) */
  constructor(private readonly slabs: readonly Uint8Array[]) {}

  /**
   * The packet of descriptor `index`, from its IP header on; valid until the next call. Null for
   * one that can't be built.
   * @param direction whether the batch was received or is to be sent
   */
  of(batch: SegmentBatch, index: number, direction: Direction): Uint8Array | null {
    const base = batch.base(index);
    return direction === Direction.In ? this.received(batch.words, base) : this.built(batch, base);
  }

  private built(batch: SegmentBatch, base: number): Uint8Array | null {
    const sliceBase = batch.sliceBase(base);
    const { words, slices } = batch;
    const length = buildPacket(words, base, slices, sliceBase, this.slabs, this.packet, 0);
    return length === 0 ? null : this.packet.subarray(0, length);
  }

  private received(words: Int32Array, base: number): Uint8Array {
    const offset = words[base + Word.PacketOffset];
    const length = words[base + Word.PacketLength];
    const bytes = this.slabs[words[base + Word.Slab]].subarray(offset, offset + length);
    if (words[base + Word.TransportOffset] !== offset) return bytes;
    // A raw IPv6 socket keeps the IP header for itself.
    const start = writeIpHeader(words, base, this.packet, 0, IPV6_HEADER + length);
    this.packet.set(bytes, start);
    return this.packet.subarray(0, start + length);
  }
}
