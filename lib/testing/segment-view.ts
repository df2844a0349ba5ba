import { isTcp } from '../core/segment/kind';
import { Flag, Word } from '../core/segment/layout';
import { Conversations } from '../observe/conversations';
import { SegmentView as PlainView } from '../observe/segment-view';
import type { SegmentReference } from '../observe/tcpdump';
import type { Packet } from './engine/packet';

export type { EcnCodepoint } from '../observe/segment-view';

/** Who has which address. */
export interface Names {
  /** Name of the host that has the address in the four words from `at`; null: nobody has it. */
  nameAt(words: Int32Array, at: number): string | null;
}

/**
 * A TCP segment in its IP packet, or another packet (mostly an ICMP error that quotes a segment),
 * as it was when somebody looked at it. Read-only: nothing done to it changes the packet. Of one
 * that was corrupted so that it can't be read any more, the fields are those of before.
 */
export class SegmentView extends PlainView {
  private readonly packet: Packet;
  private readonly names: Names;
  private readonly bytes: Uint8Array | null;

  /**
   * @internal
   * @param reference what its numbers are relative to
   */
  constructor(packet: Packet, names: Names, reference: SegmentReference) {
    // A router changes the packet later on.
    super(packet.words.slice(), reference);
    this.packet = packet;
    this.names = names;
    this.bytes = packet.spoilt;
  }

  /** Numbers the packets in the order in which hosts sent them; a duplicate has the same. */
  get id(): number {
    return this.packet.id;
  }

  /** Name of the host that sent it; its address where no host of the network has that. */
  get from(): string {
    return this.names.nameAt(this.words, Word.Source) ?? this.source;
  }

  /** Name of the host that it is for; the address where no host of the network has that. */
  get to(): string {
    return this.names.nameAt(this.words, Word.Destination) ?? this.destination;
  }

  /** Bytes of the IP packet, headers included. */
  override get packetLength(): number {
    return this.packet.length;
  }

  /** A copy of the payload. */
  override get payload(): Buffer {
    const { bytes, words } = this;
    // What was parsed of a corrupted packet says where in it the payload lies.
    if (bytes === null || words[Word.PayloadOffset] === 0) return Buffer.from(this.packet.payload);
    const start = words[Word.PayloadOffset];
    return Buffer.from(bytes.subarray(start, start + words[Word.PayloadLength]));
  }

  protected override get printed(): Uint8Array {
    return this.packet.payload;
  }

  /** Whether bits of it were flipped on its way. */
  get corrupted(): boolean {
    return this.bytes !== null;
  }
}

/** Looks at the packets of a network. */
export class SegmentViews {
  private readonly conversations = new Conversations();
  private latest = -1;

  constructor(private readonly names: Names) {}

  /** Takes each packet that is sent, for the numbers of its SYN. */
  learn(packet: Packet): void {
    if (!packet.isSegment || (packet.words[Word.Flags] & Flag.SYN) === 0) return;
    // One that is not new comes from a router, perhaps late: it begins nothing.
    if (packet.id <= this.latest || packet.spoilt !== null) return;
    this.latest = packet.id;
    this.conversations.initial(packet.words, 0);
  }

  /** What people see of the packet as it is now. */
  of(packet: Packet): SegmentView {
    return new SegmentView(packet, this.names, this.reference(packet.words));
  }

  private reference(words: Int32Array): SegmentReference {
    if (!isTcp(words, 0)) return { sequence: 0, acknowledgment: 0, sack: 0 };
    if ((words[Word.Flags] & Flag.SYN) === 0) return this.conversations.initial(words, 0);
    const acknowledgment = (words[Word.Acknowledgment] - 1) | 0;
    return { sequence: words[Word.Sequence], acknowledgment, sack: acknowledgment };
  }
}
