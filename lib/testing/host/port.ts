import { parsePacket } from '../../codec/parse';
import { ParseResult, RESULT_COUNTERS } from '../../codec/result';
import { fourTupleHash } from '../../core/random/half-sip-hash';
import { SegmentBatch } from '../../core/segment/batch';
import { Checksum, Word } from '../../core/segment/layout';
import type { LinkContext, LinkCounters, LinkPort } from '../../link/link';
import type { Packet } from '../engine/packet';

/** The longest packet that arrives, bytes: IPv6 with its largest payload length, and some. */
const ROOM = 66 * 1024;

/** What a port is connected to. */
export interface PortOutlet {
  /** Of the way to others, bytes. */
  readonly mtu: number;
  /** Takes descriptor `base` of what the stack sends. */
  send(batch: SegmentBatch, base: number, slabs: readonly Uint8Array[]): void;
}

/** The port of a simulated host: hands its stack packets one by one, and takes what it sends. */
export class HostPort implements LinkPort {
  readonly gsoMax = 0;
  readonly counters: LinkCounters = { sent: 0, received: 0 };
  private readonly batch = new SegmentBatch(1);
  private readonly room = new Uint8Array(ROOM);
  private readonly slab: number;

  constructor(
    readonly name: string,
    private readonly context: Omit<LinkContext, 'addresses'>,
    private readonly outlet: PortOutlet,
  ) {
    this.slab = context.slabs.add(this.room);
  }

  get mtu(): number {
    return this.outlet.mtu;
  }

  transmit(batch: SegmentBatch): boolean {
    this.counters.sent += batch.count;
    for (let i = 0; i < batch.count; i++) {
      this.outlet.send(batch, batch.base(i), this.context.slabs.slabs);
    }
    return true;
  }

  /** Hands a packet to the stack; false when it can't even be read, and was counted. */
  deliver(packet: Packet): boolean {
    const { batch, room, slab } = this;
    const { words } = batch;
    batch.count = 1;
    if (packet.spoilt === null && packet.isSegment) {
      words.set(packet.words);
      words[Word.Slab] = slab;
      words[Word.Hash] = fourTupleHash(this.context.hashKey, words, 0);
      room.set(packet.payload);
    } else if (!this.read(packet.spoilt ?? packet.bytes())) {
      return false;
    }
    this.counters.received++;
    this.context.host.receive(batch);
    return true;
  }

  /** Writes the descriptor of a packet in bytes; false when it can't be read, and was counted. */
  private read(bytes: Uint8Array): boolean {
    const { room, slab } = this;
    const { words } = this.batch;
    room.set(bytes);
    const result = parsePacket(room, slab, 0, bytes.length, words, 0, this.context.hashKey);
    if (result !== ParseResult.Ok) {
      const name = RESULT_COUNTERS[result];
      this.counters[name] = (this.counters[name] ?? 0) + 1;
      return false;
    }
    // Nobody here leaves checksums to a device: one that looks so is wrong.
    if (words[Word.Checksum] === Checksum.Partial) words[Word.Checksum] = Checksum.Bad;
    return true;
  }

  // Virtual time keeps no process.
  ref(): void {
    return;
  }

  unref(): void {
    return;
  }

  close(): void {
    return;
  }
}
