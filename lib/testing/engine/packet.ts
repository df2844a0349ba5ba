import { packetLength } from '../../codec/build';
import { buildReceived } from '../../codec/build-received';
import { buildPackets, packetsLength } from '../../codec/fragment';
import { parsePacket } from '../../codec/parse';
import { ParseResult } from '../../codec/result';
import type { SegmentBatch } from '../../core/segment/batch';
import { isIcmp, isTcp } from '../../core/segment/kind';
import { Checksum, Direction, IcmpWord, SLICE_WORDS, Word } from '../../core/segment/layout';

const NOTHING = new Uint8Array(0);
/** Packets in one piece of memory for descriptors, and bytes in one for payload: a typed array with
 * memory of its own costs as much as all the rest of a packet's way. */
const PACKETS = 256;
const CHUNK = 256 * 1024;

let descriptors = new Int32Array(0);
let payloads = new Uint8Array(0);
let descriptorsUsed = 0;
let payloadsUsed = 0;

function allocateWords(): Int32Array {
  if (descriptorsUsed === descriptors.length) {
    descriptors = new Int32Array(PACKETS * Word.Stride);
    descriptorsUsed = 0;
  }
  const start = descriptorsUsed;
  descriptorsUsed += Word.Stride;
  return descriptors.subarray(start, descriptorsUsed);
}

function allocatePayload(length: number): Uint8Array {
  if (payloadsUsed + length > payloads.length) {
    payloads = new Uint8Array(Math.max(CHUNK, length));
    payloadsUsed = 0;
  }
  const start = payloadsUsed;
  payloadsUsed += length;
  return payloads.subarray(start, payloadsUsed);
}

/** The hash is the receiving host's matter. */
const NO_KEY = new Int32Array(2);

/**
 * An IP packet on its way: its descriptor and its payload. There are bytes only where somebody
 * wants to see or to spoil them, since building and parsing costs more than all the rest.
 */
export class Packet {
  /** The descriptor as a receiver sees it, but for hash and place. */
  readonly words = allocateWords();
  /** Shared by all copies, never written to. */
  payload: Uint8Array = NOTHING;
  /** In the order in which hosts have sent; copies have the number of the original. */
  id = 0;
  /** Length of the IP packet, bytes. */
  length = 0;
  /** Of a packet that was spoilt on its way: the bytes that a receiver gets instead. */
  spoilt: Uint8Array | null = null;

  /** Takes the TCP segment of descriptor `base` of a batch to be sent, its payload copied. */
  static take(batch: SegmentBatch, base: number, slabs: readonly Uint8Array[], id: number): Packet {
    const packet = new Packet();
    const { words } = packet;
    const from = batch.words;
    for (let i = 0; i < Word.Stride; i++) words[i] = from[base + i];
    packet.id = id;
    packet.length = packetLength(from, base);
    const length = words[Word.PayloadLength];
    if (length > 0) packet.payload = gather(batch, base, slabs, length);
    words[Word.Checksum] = Checksum.Verified;
    words[Word.Direction] = Direction.In;
    words[Word.PacketLength] = packet.length;
    words[Word.SliceCount] = 0;
    return packet;
  }

  /**
   * The same of what isn't TCP: the packet or its fragments, in order; nothing where it can't be
   * built.
   */
  static takeOther(
    batch: SegmentBatch,
    base: number,
    slabs: readonly Uint8Array[],
  ): readonly Packet[] {
    const { words } = batch;
    const bytes = new Uint8Array(packetsLength(words, base));
    const sliceBase = batch.sliceBase(base);
    const end = buildPackets(words, base, batch.slices, sliceBase, slabs, bytes, 0);
    const packets: Packet[] = [];
    for (let at = 0; at < end;) {
      const packet = Packet.of(bytes.subarray(at, end));
      if (packet === null) return packets;
      packets.push(packet);
      at += packet.length;
    }
    return packets;
  }

  /**
   * An ICMP error.
   * @param bytes as `icmpError` makes them
   * @returns null where they don't quote anything of their receiver's
   */
  static ofIcmp(bytes: Uint8Array): Packet | null {
    const packet = Packet.of(bytes);
    if (packet === null || !isIcmp(packet.words, 0)) return null;
    return packet.words[IcmpWord.Quoted] < 0 ? null : packet;
  }

  /** The packet of these bytes; null where they are none. */
  static of(bytes: Uint8Array): Packet | null {
    const packet = new Packet();
    const { words } = packet;
    if (parsePacket(bytes, 0, 0, bytes.length, words, 0, NO_KEY) !== ParseResult.Ok) return null;
    const start = words[Word.PayloadOffset];
    packet.payload = bytes.slice(start, start + words[Word.PayloadLength]);
    packet.length = words[Word.PacketLength];
    words[Word.PacketOffset] = words[Word.TransportOffset] = words[Word.PayloadOffset] = 0;
    words[Word.Hash] = 0;
    return packet;
  }

  get isSegment(): boolean {
    return isTcp(this.words, 0);
  }

  /** Another packet with the same contents. */
  copy(): Packet {
    const packet = new Packet();
    packet.words.set(this.words);
    packet.payload = this.payload;
    packet.id = this.id;
    packet.length = this.length;
    packet.spoilt = this.spoilt?.slice() ?? null;
    return packet;
  }

  /** The packet as it stands on the wire; a copy. */
  bytes(): Uint8Array {
    if (this.spoilt !== null) return this.spoilt.slice();
    return buildReceived(this.words, this.payload);
  }

  /**
   * Replaces the packet by these bytes. What can still be read of them is in the words, for those
   * who look at addresses and ports.
   * @returns whether they are an IP packet
   */
  spoil(bytes: Uint8Array): boolean {
    this.spoilt = bytes;
    const words = new Int32Array(Word.Stride);
    if (parsePacket(bytes, 0, 0, bytes.length, words, 0, NO_KEY) !== ParseResult.Ok) return false;
    this.words.set(words);
    return true;
  }
}

function gather(
  batch: SegmentBatch,
  base: number,
  slabs: readonly Uint8Array[],
  length: number,
): Uint8Array {
  const payload = allocatePayload(length);
  const { slices } = batch;
  let at = batch.sliceBase(base);
  let filled = 0;
  for (let n = batch.words[base + Word.SliceCount]; n > 0; n--, at += SLICE_WORDS) {
    const offset = slices[at + 1];
    payload.set(slabs[slices[at]].subarray(offset, offset + slices[at + 2]), filled);
    filled += slices[at + 2];
  }
  return payload;
}
