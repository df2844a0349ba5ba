import { SlabTable } from '../../lib/core/memory/slabs';
import { SegmentBatch } from '../../lib/core/segment/batch';
import { Direction, Word } from '../../lib/core/segment/layout';
import type { Link, LinkContext, LinkHost, LinkPort } from '../../lib/link/link';
import { PacketBytes } from '../../lib/observe/packet-bytes';
import { formatSegment } from '../../lib/observe/tcpdump';
import { type Fields, pushSegment } from './segments';

/** A segment that has arrived. */
export interface Arrival {
  line: string;
  sequence: number;
  flags: number;
  payload: Uint8Array;
  /** The whole packet. */
  packet: Uint8Array;
  words: Int32Array;
}

/** Stands above a link in the place of a stack: sends what it is told, remembers what arrives. */
export class RecordingHost implements LinkHost {
  readonly slabs = new SlabTable();
  readonly arrivals: Arrival[] = [];
  /** How many packets each call brought. */
  readonly batches: number[] = [];
  writables = 0;
  changes = 0;
  downs: Error[] = [];
  /** Called with each batch, while it is valid. */
  onReceive: () => void = () => undefined;
  port!: LinkPort;
  private readonly bytes = new PacketBytes(this.slabs.slabs);

  static async open(link: Link, ...addresses: string[]): Promise<RecordingHost> {
    const host = new RecordingHost();
    host.port = await link.open(host.context(addresses));
    return host;
  }

  context(addresses: readonly string[]): LinkContext {
    return { host: this, slabs: this.slabs, hashKey: Int32Array.of(5, 6), addresses };
  }

  /** Sends the segments in one batch. */
  send(...segments: Fields[]): boolean {
    const batch = new SegmentBatch(Math.max(1, segments.length));
    for (const fields of segments) pushSegment(batch, this.slabs, fields);
    return this.port.transmit(batch);
  }

  receive(batch: SegmentBatch): void {
    this.batches.push(batch.count);
    for (let i = 0; i < batch.count; i++) {
      const base = batch.base(i);
      const words = batch.words.slice(base, base + Word.Stride);
      const offset = words[Word.PayloadOffset];
      const slab = this.slabs.slabs[words[Word.Slab]];
      const packet = this.bytes.of(batch, i, Direction.In) ?? new Uint8Array(0);
      this.arrivals.push({
        line: formatSegment(words, 0, { slabs: this.slabs.slabs }),
        sequence: words[Word.Sequence],
        flags: words[Word.Flags],
        payload: slab.slice(offset, offset + words[Word.PayloadLength]),
        packet: packet.slice(),
        words,
      });
    }
    this.onReceive();
  }

  changed(): void {
    this.changes++;
  }

  writable(): void {
    this.writables++;
  }

  down(error: Error): void {
    this.downs.push(error);
  }

  /** Sequence numbers of what has arrived. */
  get sequences(): number[] {
    return this.arrivals.map((arrival) => arrival.sequence);
  }
}

/** One more turn of the event loop, and all that it does. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Turns of the event loop until nothing has happened in two of them. */
export async function settle(...hosts: RecordingHost[]): Promise<void> {
  const state = () => hosts.reduce((sum, host) => sum + host.batches.length + host.writables, 0);
  for (let idle = 0, before = state(); idle < 3;) {
    await nextTurn();
    idle = state() === before ? idle + 1 : 0;
    before = state();
  }
}
