import { buildPacket, packetLength } from '../../lib/codec/build';
import { formatAddress, type IpAddress } from '../../lib/core/ip/address';
import type { Xoshiro } from '../../lib/core/random/xoshiro';
import { SlabTable } from '../../lib/core/memory/slabs';
import { SegmentBatch } from '../../lib/core/segment/batch';
import { Flag } from '../../lib/core/segment/layout';
import type { Connection } from '../../lib/core/tcp/connection';
import { pushSegment, type Fields } from './segments';

/** A connection under attack, as its victim has it. */
export interface Target {
  victim: IpAddress;
  victimPort: number;
  peer: IpAddress;
  peerPort: number;
  /** Null: there is none (any more). */
  connection: Connection | null;
  /** What the peer would send at that number of its stream. */
  byteAt(index: number): number;
}

const FLAGS = [
  Flag.ACK,
  Flag.ACK | Flag.PSH,
  Flag.ACK | Flag.FIN,
  Flag.RST,
  Flag.RST | Flag.ACK,
  Flag.SYN,
  Flag.SYN | Flag.ACK,
  Flag.FIN,
  0,
  Flag.ACK | Flag.URG,
  Flag.SYN | Flag.FIN,
  0xfff & ~Flag.RST,
];

/**
 * Makes segments in the name of a peer, with right checksums. Payload is always what the peer would
 * have sent there, so that a stream stays what it is even where the segment is believed.
 */
export class Attacker {
  private readonly batch = new SegmentBatch(1);
  private readonly slabs = new SlabTable();

  /**
   * @param blind it knows the four-tuple and may guess what lies in the window, but not what the
   *   victim has sent; otherwise every field may be the right one
   */
  constructor(
    private readonly random: Xoshiro,
    private readonly blind: boolean,
  ) {}

  private below(n: number): number {
    return (this.random.next() >>> 0) % n;
  }

  private pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)];
  }

  packet(target: Target): Uint8Array {
    const { batch, slabs } = this;
    batch.count = 0;
    slabs.slabs.length = 0;
    const base = pushSegment(batch, slabs, this.fields(target));
    const out = new Uint8Array(packetLength(batch.words, base));
    buildPacket(batch.words, base, batch.slices, 0, slabs.slabs, out, 0);
    return out;
  }

  private fields(target: Target): Fields {
    const c = target.connection;
    let flags: number = this.pick(FLAGS);
    let sequence = c === null ? this.random.next() : this.sequence(c);
    if (this.blind && c !== null) {
      if ((flags & Flag.RST) !== 0 && sequence === c.rcvNxt) sequence = (sequence + 1) | 0;
      // Without the right ACK field nothing may change.
      if ((flags & (Flag.RST | Flag.SYN)) === 0 && this.below(4) === 0) flags &= ~Flag.ACK;
    }
    return {
      from: formatAddress(target.peer),
      to: formatAddress(target.victim),
      sourcePort: target.peerPort,
      destinationPort: target.victimPort,
      flags,
      sequence,
      acknowledgment: c === null ? this.random.next() : this.acknowledgment(c),
      window: this.pick([0, 1, 500, 65_535, this.below(65_536)]),
      urgent: this.below(65_536),
      payload: this.payload(target, flags, sequence),
      ...this.options(c),
    };
  }

  private sequence(c: Connection): number {
    const right = (c.rcvNxt + c.receiveWindow) | 0;
    const near = this.below(20) - 10;
    return (
      this.pick([
        c.rcvNxt,
        (c.rcvNxt + near) | 0,
        (right + near) | 0,
        (c.rcvNxt + this.below(Math.max(c.receiveWindow, 1))) | 0,
        (c.rcvNxt - this.below(70_000)) | 0,
        (c.rcvNxt + 0x7fffffff + near) | 0,
        this.random.next(),
      ]) | 0
    );
  }

  private acknowledgment(c: Connection): number {
    const near = this.below(20) - 10;
    const wrong = [
      (c.sndNxt + 1 + this.below(100_000)) | 0,
      (c.sndUna - c.maxSndWnd - 1 - this.below(100_000)) | 0,
      (c.sndUna + 0x7fffff00 + near) | 0,
    ];
    if (this.blind) return this.pick(wrong);
    return this.pick([c.sndUna, c.sndNxt, (c.sndUna + near) | 0, this.random.next(), ...wrong]);
  }

  private payload(target: Target, flags: number, sequence: number): readonly Uint8Array[] {
    const c = target.connection;
    const length = this.pick([0, 0, 1, 10, this.below(1400)]);
    if (length === 0) return [];
    // Behind a SYN, and before the victim knows the peer's, the stream begins with it.
    const opens = (flags & Flag.SYN) !== 0;
    const first = c === null || opens ? 0 : (sequence - c.irs - 1) | 0;
    return [Uint8Array.from({ length }, (_, i) => target.byteAt(first + i))];
  }

  private options(c: Connection | null): Fields {
    const recent = c === null ? this.random.next() : c.tsRecent;
    const timestamps: [number, number] = [
      (recent + this.pick([0, 1, -1, 1000, -1000, 0x7fffffff])) | 0,
      this.random.next(),
    ];
    const edge = (): [number, number] => {
      const una = c === null ? 0 : c.sndUna;
      return [(una + this.below(5000) - 1000) | 0, (una + this.below(5000) - 1000) | 0];
    };
    return this.pick<Fields>([
      {},
      { timestamps },
      { timestamps, sack: [edge(), edge()] },
      { sack: [edge(), edge(), edge(), edge()] },
      { mss: this.below(65_536), windowScale: this.below(256), sackPermitted: true },
    ]);
  }
}
